"""Valid small GGUF files, one in f32 and one in blocks: `python gguf_seeds.py DIRECTORY`."""

import pathlib
import struct
import sys

U32, F32, STRING, ARRAY, I32 = 4, 6, 8, 9, 5
TOKENS = ["<unk>", "<s>", "</s>", "<0x0A>", "\u2581", "o", "n", "e"]
Q8_0_ONE = struct.pack("<e32b", 1 / 64, *[64] * 32)


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def array(kind, items):
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


def key(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


def file(width, kind, one):
    """A Llama of one layer, whose matrices hold ones: `one` is a row of them."""
    number = lambda value: struct.pack("<I", value)
    keys = [
        key("general.architecture", STRING, text("llama")),
        *(
            key(f"llama.{name}", U32, number(value))
            for name, value in {
                "block_count": 1, "context_length": 64, "embedding_length": width, "feed_forward_length": width,
                "attention.head_count": 2, "attention.head_count_kv": 1, "rope.dimension_count": width // 2,
            }.items()
        ),
        key("llama.attention.layer_norm_rms_epsilon", F32, struct.pack("<f", 1e-5)),
        key("tokenizer.ggml.model", STRING, text("llama")),
        key("tokenizer.ggml.tokens", ARRAY, array(STRING, [text(token) for token in TOKENS])),
        key("tokenizer.ggml.scores", ARRAY, array(F32, [struct.pack("<f", -place) for place in range(len(TOKENS))])),
        key("tokenizer.ggml.token_type", ARRAY, array(I32, [struct.pack("<i", t) for t in (2, 3, 3, 6, 1, 1, 1, 1)])),
        key("tokenizer.ggml.bos_token_id", U32, number(1)),
        key("tokenizer.ggml.eos_token_id", U32, number(2)),
    ]
    half = width // 2
    shapes = {"token_embd": [8, width], "output_norm": [width], "blk.0.attn_norm": [width], "blk.0.ffn_norm": [width]}
    shapes |= {"blk.0.attn_q": [width, width], "blk.0.attn_k": [half, width], "blk.0.attn_v": [half, width]}
    shapes |= {f"blk.0.{name}": [width, width] for name in ("attn_output", "ffn_gate", "ffn_up", "ffn_down")}
    infos, data = [], b""
    for name, shape in shapes.items():
        matrix = len(shape) == 2
        info = text(f"{name}.weight") + struct.pack("<I", len(shape))
        info += struct.pack(f"<{len(shape)}QIQ", *shape[::-1], kind if matrix else 0, len(data))
        infos.append(info)
        data += one * shape[0] if matrix else struct.pack("<f", 1) * width
        data += bytes(-len(data) % 32)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(keys)) + b"".join(keys + infos)
    return header + bytes(-len(header) % 32) + data


directory = pathlib.Path(sys.argv[1])
directory.mkdir(parents=True, exist_ok=True)
(directory / "f32.gguf").write_bytes(file(4, 0, struct.pack("<f", 1) * 4))
(directory / "q8_0.gguf").write_bytes(file(32, 8, Q8_0_ONE))
