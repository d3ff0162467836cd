"""The models that are compared, by name; random ones of other families than the bundled one's are written, with the bundled
model's tokenizer."""

import shutil
import sys
from pathlib import Path

import torch
import transformers

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/fixtures"))
from fixture_models import randomize  # noqa: E402

SHAPE = dict(
    vocab_size=816, hidden_size=64, num_hidden_layers=4, num_attention_heads=4, max_position_embeddings=1024,
    bos_token_id=0, eos_token_id=1, pad_token_id=2,
)
FAMILIES = {
    "random-qwen2": ("Qwen2ForCausalLM", SHAPE | dict(intermediate_size=128, num_key_value_heads=2)),
    "random-gemma2": (
        "Gemma2ForCausalLM",
        SHAPE | dict(intermediate_size=128, num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=16, sliding_window=128),
    ),
    "random-gptneox": ("GPTNeoXForCausalLM", SHAPE | dict(intermediate_size=128)),
}
SMOLLM2 = REPOSITORY / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def model_path(name, work, data):
    """The directory of a model, or its GGUF file."""
    if name == "demo":
        return REPOSITORY / "models/demo"
    if name == "smollm2":
        return SMOLLM2
    if name in FAMILIES:
        write_random(name, work / "models" / name)
        return work / "models" / name
    if data is None:
        raise SystemExit(f"{name}: --data names the directory that holds models/{name}")
    return data / "models" / name


def write_random(name, directory):
    """A seeded random model of a family."""
    architecture, config = FAMILIES[name]
    if directory.exists():
        return
    kind = getattr(transformers, architecture)
    model = kind(kind.config_class(**config)).to(torch.float32)
    randomize(model, seed=sum(name.encode()), std=0.12)
    model.save_pretrained(directory)
    for file in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]:
        shutil.copy(REPOSITORY / "models/demo" / file, directory)
