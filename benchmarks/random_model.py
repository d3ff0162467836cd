"""A random Llama, and tasks for it, for measuring speed at sizes that no bundled model has.

    python benchmarks/random_model.py --out DIR [--hidden 512] [--layers 16] ...

Writes DIR/model (safetensors, with the bundled model's tokenizer), DIR/choice.yaml and DIR/choice.jsonl (four
options), DIR/text.yaml and DIR/text.jsonl (continuations of `--new-tokens` tokens). Nothing is learned, so answers
mean nothing; what matters for speed is how often another chain continues a prompt alike. A plain random model
almost never does; a trained one often does, because an inner layer adds little to the residual, while the first
and the last matter. `--contribution` scales what an inner layer adds (the output projections of attention and
MLP), `--outer` what the first and the last add: with 1 for both it is a plain random model.
"""

import argparse
import json
import math
import random
import shutil
from pathlib import Path

import choice_task
import torch
import transformers
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM

ROOT = Path(__file__).resolve().parent.parent
TOKENIZER = ROOT / "models/demo"
# Spread of the logits: about that of a trained model.
LOGIT_DEVIATION = 2.0
TEXT = """\
task: text
dataset_path: json
test_split: test
dataset_kwargs:
  data_files:
    test: text.jsonl
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: answer
generation_kwargs:
  until: []
  max_gen_toks: %d
  do_sample: false
filter_list:
  - name: none
    filter:
      - function: remove_whitespace
      - function: take_first
metric_list:
  - metric: exact_match
metadata:
  version: 1.0
"""


def make_model(out, hidden, intermediate, layers, contribution, outer, seed):
    """Number of parameters. Everything keeps the residual's variance near 1, but for the scales."""
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    special = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    special["pad_token_id"] = tokenizer.pad_token_id
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=max(1, hidden // 128),
        max_position_embeddings=2048,
        initializer_range=1 / math.sqrt(hidden),
        tie_word_embeddings=False,
        **special,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_()
        model.lm_head.weight.normal_(std=LOGIT_DEVIATION / math.sqrt(hidden))
        for index, layer in enumerate(model.model.layers):
            scale = outer if index in (0, layers - 1) else contribution
            layer.self_attn.o_proj.weight.mul_(scale)
            layer.mlp.down_proj.weight.normal_(std=scale / math.sqrt(intermediate))
    model.generation_config = GenerationConfig(**special)
    model.save_pretrained(out)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(TOKENIZER / name, out / name)
    return sum(each.numel() for each in model.parameters())


def words():
    """Words of the bundled questions, each a token or a few."""
    found = set()
    for file in sorted((ROOT / "datasets/demo").glob("commonsense-*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            found.update(word for text in row["choices"]["text"] for word in text.split())
    return sorted(found)


def prompt(tokenizer, vocabulary, length, draw):
    """Words and digits, exactly `length` tokens with BOS."""
    text = ""
    while (count := len(tokenizer(text)["input_ids"])) < length:
        # A digit is a token of its own, whatever stands around it.
        close = count >= length - 4
        text += str(draw.randrange(10)) if close else " " + draw.choice(vocabulary)
    if count != length:
        raise SystemExit(f"a prompt of {count} tokens where {length} were wanted")
    return text.strip()


def make_tasks(out, samples, prompt_tokens, new_tokens, seed):
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    draw, vocabulary = random.Random(seed), words()
    questions = [prompt(tokenizer, vocabulary, prompt_tokens, draw) for _ in range(samples)]
    choice, text = [], []
    for number, question in enumerate(questions):
        choice.append(choice_task.row(number, question, draw.sample(vocabulary, 4), draw.randrange(4)))
        text.append({"id": f"text-{number}", "question": question, "answer": "no chain says this"})
    choice_task.write(out, choice)
    (out / "text.yaml").write_text(TEXT % new_tokens, encoding="utf-8")
    (out / "text.jsonl").write_text("".join(json.dumps(row) + "\n" for row in text), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--intermediate", type=int, default=1344)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--contribution", type=float, default=0.012, help="scale of what an inner layer adds to the residual")
    parser.add_argument("--outer", type=float, default=1, help="the same of the first and the last layer")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--prompt-tokens", type=int, default=96)
    parser.add_argument("--new-tokens", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    (args.out / "model").mkdir(parents=True, exist_ok=True)
    parameters = make_model(
        args.out / "model", args.hidden, args.intermediate, args.layers, args.contribution, args.outer, args.seed
    )
    make_tasks(args.out, args.samples, args.prompt_tokens, args.new_tokens, args.seed)
    print(json.dumps({"parameters": parameters}))


if __name__ == "__main__":
    main()
