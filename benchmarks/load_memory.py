"""Peak memory of loading a model on the CPU, against the size of its weights.

    python benchmarks/load_memory.py [--cola target/release/cola] [--gigabytes 2]

Makes a sharded Llama checkpoint of random weights in a temporary directory (standard library only), runs
`cola generate --max-new-tokens 1` on it, and prints the maximum resident set of the process, which counts
the pages of mapped files, against the weights in the dtype they are computed in. Nothing is subtracted; the
same for a tiny model says what the process takes without weights. Linux or macOS.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BYTES = {"f32": 4, "bf16": 2}
NAMES = {"f32": "F32", "bf16": "BF16"}
SHARD = 700 << 20


def shapes(hidden, layers, vocabulary):
    """Every tensor of an untied Llama with grouped queries."""
    intermediate, key_value = 4 * hidden, hidden // 4
    yield "model.embed_tokens.weight", [vocabulary, hidden]
    for layer in range(layers):
        name = f"model.layers.{layer}."
        for projection, shape in {
            "self_attn.q_proj": [hidden, hidden],
            "self_attn.k_proj": [key_value, hidden],
            "self_attn.v_proj": [key_value, hidden],
            "self_attn.o_proj": [hidden, hidden],
            "mlp.gate_proj": [intermediate, hidden],
            "mlp.up_proj": [intermediate, hidden],
            "mlp.down_proj": [hidden, intermediate],
            "input_layernorm": [hidden],
            "post_attention_layernorm": [hidden],
        }.items():
            yield f"{name}{projection}.weight", shape
    yield "model.norm.weight", [hidden]
    yield "lm_head.weight", [vocabulary, hidden]


def elements(shape):
    return shape[0] * (shape[1] if len(shape) == 2 else 1)


def make(directory, dtype, gigabytes):
    """A checkpoint of about this size; its number of weights."""
    hidden, vocabulary = (2048, 64000) if gigabytes else (64, 2000)
    one = sum(elements(shape) for _, shape in shapes(hidden, 1, vocabulary))
    two = sum(elements(shape) for _, shape in shapes(hidden, 2, vocabulary))
    layers = max(1, round((gigabytes * 1e9 / BYTES[dtype] - one) / (two - one)) + 1)
    tensors = list(shapes(hidden, layers, vocabulary))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": 4 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64 if hidden > 64 else 4,
        "num_key_value_heads": hidden // 256 if hidden > 64 else 1,
        "vocab_size": vocabulary,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
    }
    (directory / "config.json").write_text(json.dumps(config))
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(ROOT / "models/demo" / name, directory / name)
    shards = [[]]
    for tensor in tensors:
        if sum(elements(shape) for _, shape in shards[-1]) * BYTES[dtype] > SHARD:
            shards.append([])
        shards[-1].append(tensor)
    # One block of small numbers, again and again: bf16 is the upper half of f32.
    values = random.Random(0)
    numbers = [struct.pack("<f", values.uniform(-0.05, 0.05)) for _ in range(1 << 20)]
    block = b"".join(number if dtype == "f32" else number[2:] for number in numbers)
    index = {}
    for number, shard in enumerate(shards):
        file = f"model-{number + 1:05}-of-{len(shards):05}.safetensors"
        header, offset = {}, 0
        for name, shape in shard:
            end = offset + elements(shape) * BYTES[dtype]
            header[name] = {"dtype": NAMES[dtype], "shape": shape, "data_offsets": [offset, end]}
            index[name], offset = file, end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(directory / file, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            while offset > 0:
                offset -= out.write(block[:offset])
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return sum(elements(shape) for _, shape in tensors)


def peak(command):
    """Seconds and maximum resident set of a process, in bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return time.perf_counter() - start, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cola", default=str(ROOT / "target/release/cola"))
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--directory", help="where to make the checkpoints, if not among the temporary files")
    arguments = parser.parse_args()
    print(f"{'stored':7}{'computed':10}{'weights MB':>11}{'peak MB':>9}{'peak/weights':>14}{'seconds':>9}")
    for gigabytes in [0, arguments.gigabytes]:
        for stored, computed in [("bf16", "bf16"), ("f32", "f32"), ("bf16", "f32")]:
            with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
                weights = make(pathlib.Path(directory), stored, gigabytes) * BYTES[computed]
                command = [arguments.cola, "generate", "--model", directory, "--device", "cpu", "--dtype", computed]
                seconds, bytes_ = peak(command + ["--prompt", "1", "--max-new-tokens", "1"])
            row = f"{stored:7}{computed:10}{weights / 1e6:11.1f}{bytes_ / 1e6:9.1f}"
            print(f"{row}{bytes_ / weights:14.3f}{seconds:9.1f}" if gigabytes else row + f"{'':14}{seconds:9.1f}", flush=True)


if __name__ == "__main__":
    main()
