#!/usr/bin/env python3
"""First inputs for the fuzz targets that read what users write: chains, configurations, rows, run directories, task files, templates and
tokenizers, taken from the repository.

    python3 tests/fuzz/reader_seeds.py tests/fuzz/corpus     makes a directory a target
"""

import argparse
import gzip
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent.parent
FIXTURES = HOME / "tests/fixtures"

CHAINS = [
    "0-27", "0-14,12-14,15-27", "0-6,(7-9)x3,10-27", "0..14,12,13,14,15..27", "blocks:3,7;9,12", "layers:0,1,2", "empty",
    "0-6,(7-9)x3@0.5,10-27",
]
TEMPLATES = [
    "{{question}}\nAnswer:", "{% for c in choices %}{{loop.index}}. {{c}}\n{% endfor %}", "{{ m.k | tojson }}",
    "{{ question.split()[0] | upper }}", "{% set x = namespace(a=1) %}{{ x.a }}",
]
# The first byte of a file of rows says its format, in the order of `rows.rs`.
JSONL, JSON, CSV, TSV, PARQUET, ARROW, GZIP = range(7)
# The first byte of a file of a run directory says which it is, in the order of `run_directory.rs`.
MANIFEST, SAMPLES, LOG = range(3)
LARGEST = 60_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    corpus = parser.parse_args().corpus
    for target, seeds in {
        "chains": [chain.encode() for chain in CHAINS],
        "config": small(FIXTURES.rglob("config.json")) + small([HOME / "models/demo/config.json"]),
        "rows": rows(),
        "run_directory": run_directory(),
        "task_file": small((HOME / "datasets").glob("*.yaml")),
        "template": [template.encode() for template in TEMPLATES] + small(FIXTURES.rglob("*.jinja")),
        "tokenizer": small(FIXTURES.rglob("tokenizer.json")) + small([HOME / "models/demo/tokenizer.json"]),
    }.items():
        directory = corpus / target
        directory.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds):
            (directory / f"seed{number}").write_bytes(seed)
        print(f"{directory}: {len(seeds)}")


def small(files):
    return [file.read_bytes() for file in sorted(files) if file.stat().st_size <= LARGEST]


def rows():
    lines = (HOME / "datasets/demo/arith-1.jsonl").read_text().splitlines()[:3]
    text = "\n".join(lines).encode() + b"\n"
    formats = [
        (JSONL, text), (JSON, f"[{','.join(lines)}]".encode()), (CSV, b'id,question,answer\na,"Dial 1, up 2.",3\n'),
        (TSV, b"id\tquestion\tanswer\na\tDial 1 up 2.\t3\n"), (GZIP, gzip.compress(text, mtime=0)),
    ]
    packed = [(PARQUET, "*.parquet"), (ARROW, "*.arrow")]
    formats += [(kind, seed) for kind, pattern in packed for seed in small(FIXTURES.rglob(pattern))]
    return [bytes([kind]) + seed for kind, seed in formats]


def run_directory():
    manifest = (HOME / "results/demo/manifest.json").read_bytes()
    log = b'66d4bc4a {"cola":"0.0.1","manifest":"00"}\n'
    return [bytes([MANIFEST]) + manifest, bytes([SAMPLES]) + b"{}\n", bytes([LOG]) + log]


if __name__ == "__main__":
    main()
