"""What transformers' own GGUF loading makes of real texts, for `cargo test -p cola-model gguf_tokenizer` to compare with.

    python tests/parity/tokens.py --model FILE.gguf --texts DIR_OR_FILE... --out reference.json
    TOKENS_MODEL=FILE.gguf TOKENS_REFERENCE=reference.json \\
        cargo test --release -p cola-model -- --ignored --nocapture a_given_model

Texts are the strings of `.json` and `.jsonl` files, also as `.gz`, and other files as a whole: `--count` of them, as many
from each file as there are, and beside them some made of Chinese, emoji, digits and odd white space.
"""

import argparse
import gzip
import json
import random
import sys
from pathlib import Path

import gguf
import transformers
from transformers import AutoTokenizer

WORDS = ["今天天气很好，", "答案是 42。", "\u3000全角 空格", "日本語のテキスト", "한국어 문장입니다.", "नमस्ते दुनिया", "שלום", "Привет!"]
SPACES = [" ", "  ", "\n", "\n\n", "\t", " \n ", "\r\n", "\u00a0", "\u2003 ", "", "   \t", "\n\n\n\n"]
SIGNS = ["🙂", "👩\u200d👩\u200d👧", "🎉🎉", "🇫🇷", "❤\ufe0f", "e\u0301", "ﬁ", "\u200b", "\ufeff", "😶\u200d🌫\ufe0f"]
NUMBERS = ["1", "12  345", " 3.14", "\n1. ", "1,240", "٣٤", "½", "²³", "00:00", " - 7", "0x1F", "1e-5"]
CODE = ["don't", " WE'LL", "I'd've", " camelCaseHTTPServer", "\n    return x", "/* x */", "a\u0000b", " ▁ Ġ", "...", " ——"]
MADE = ["".join(kind[index % len(kind)] for kind in (WORDS, SPACES, SIGNS, NUMBERS, CODE)) for index in range(128)]


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def texts_of(path):
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as file:
        text = file.read()
    name = path.name.removesuffix(".gz")
    if name.endswith(".jsonl"):
        return {found for line in text.splitlines() if line.strip() for found in strings(json.loads(line))}
    return set(strings(json.loads(text))) if name.endswith(".json") else {text}


def sample(paths, count):
    files = sorted(file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    chosen = random.Random(0)
    taken, left = set(), count
    for index, file in enumerate(files):
        found = sorted(text for text in texts_of(file) - taken if len(text) >= 8)
        share = min(len(found), -(-left // (len(files) - index)))
        taken.update(chosen.sample(found, share))
        left -= share
    print(f"{len(taken)} texts of {len(files)} files and {len(MADE)} made", file=sys.stderr)
    return sorted(taken) + MADE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--texts", type=Path, nargs="+", required=True)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(args.model.parent, gguf_file=args.model.name)
    count = len(gguf.GGUFReader(args.model).fields["tokenizer.ggml.tokens"].data)
    around = tokenizer("")["input_ids"]
    first = int(bool(tokenizer.add_bos_token))
    texts = sample(args.texts, args.count)
    found = {"first": first, "last": len(around) - first, "ids": [], "decoded": []}
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        # A token that transformers adds to the vocabulary is none of the model's.
        found["ids"].append(ids if all(token < count for token in ids) else None)
        decoded = tokenizer.decode(ids, skip_special_tokens=True)
        found["decoded"].append(None if decoded == text else decoded)
    reference = {"texts": texts, "kinds": {args.model.stem: found}}
    args.out.write_text(json.dumps(reference, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
