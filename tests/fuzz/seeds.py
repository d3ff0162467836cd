"""Valid weights for `config.json`, one file a dtype: `python seeds.py DIRECTORY`."""

import json
import pathlib
import struct
import sys

SHAPES = {
    "model.embed_tokens": [8, 4],
    "model.layers.0.self_attn.q_proj": [4, 4],
    "model.layers.0.self_attn.k_proj": [2, 4],
    "model.layers.0.self_attn.v_proj": [2, 4],
    "model.layers.0.self_attn.o_proj": [4, 4],
    "model.layers.0.mlp.gate_proj": [4, 4],
    "model.layers.0.mlp.up_proj": [4, 4],
    "model.layers.0.mlp.down_proj": [4, 4],
    "model.layers.0.input_layernorm": [4],
    "model.layers.0.post_attention_layernorm": [4],
    "model.norm": [4],
}

directory = pathlib.Path(sys.argv[1])
directory.mkdir(parents=True, exist_ok=True)
for dtype, one in {"F32": struct.pack("<f", 1), "F16": struct.pack("<e", 1), "BF16": b"\x80\x3f"}.items():
    header, data = {}, b""
    for name, shape in SHAPES.items():
        begin = len(data)
        data += one * shape[0] * shape[-1] if len(shape) == 2 else one * shape[0]
        header[name + ".weight"] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (directory / f"{dtype.lower()}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
