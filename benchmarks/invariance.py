"""Whether a verdict depends on how it was computed.

    python benchmarks/invariance.py [--model demo|smollm2] [--pairs 5000] [--quick]

A search records which chains it ran on which sample, of the bundled model or of SmolLM2 (`python3 datasets/real.py`). The same pairs are then evaluated with the
state table off, with a tiny one, by 1, 2 and 4 workers, with 1, 64 and 512 in flight, in shuffled order, and token by
token instead of by drafts. Prints, for each setting, how many verdicts, answers and margins differ from those of the
first, and of how many pairs any bit does; exit status 1 where a verdict or an answer does. Needs `cargo build --release`.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from sides import Cola, Refused, Task, note, read_lines, run, write_lines

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT / "datasets/real"
# The model, and its tasks: one that scores options, and one that generates.
MODELS = {
    "demo": (
        ROOT / "models/demo",
        {name: Task(ROOT / f"datasets/demo/{name}.yaml") for name in ("commonsense-2", "arith-3")},
    ),
    "smollm2": (
        ROOT / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        {
            "arc_easy": Task("arc_easy", ("--data", REAL / "arc_easy.jsonl", "--limit", 40)),
            "basic_arithmetic_generate": Task(
                "basic_arithmetic_generate", ("--data", REAL / "basic_arithmetic.arrow", "--limit", 40)
            ),
        },
    ),
}
# Name, flags, whether the pairs are shuffled. The first is what the others are compared with.
SETTINGS = [
    ("as by default", [], False),
    ("no state table", ["--state-budget", "0"], False),
    ("table of 4 MB", ["--state-budget", "4M"], False),
    ("1 worker", ["--workers", "1"], False),
    ("2 workers", ["--workers", "2"], False),
    ("4 workers", ["--workers", "4"], False),
    ("1 in flight", ["--in-flight", "1"], False),
    ("64 in flight", ["--in-flight", "64"], False),
    ("512 in flight", ["--in-flight", "512"], False),
    ("shuffled", [], True),
    ("token by token", ["--decode", "plain"], False),
    ("2 threads a worker", ["--workers", "1", "--threads", "2"], False),
]


def evaluate(cola, task, pairs, flags, work):
    file, out = work / "pairs.jsonl", work / "out"
    write_lines(file, pairs)
    _, lines = cola.evaluate(task, file, out, *flags)
    return {(line["id"], line["chain"]): line for line in lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(MODELS), default="demo")
    parser.add_argument("--pairs", type=int, default=5000, help="in all, about")
    parser.add_argument("--quick", action="store_true", help="400 pairs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cola", type=Path, default=ROOT / "target/release/cola")
    args = parser.parse_args()
    model, tasks = MODELS[args.model]
    cola = Cola(args.cola, model)
    wanted = (400 if args.quick else args.pairs) // len(tasks)
    totals = {name: [0, 0, 0, 0.0, 0] for name, _, _ in SETTINGS}
    count = 0
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        for name, task in tasks.items():
            found = cola.search(task, -(-wanted // 40), args.seed, work / name)
            pairs = [{"id": id, "chain": chain} for id, chains in found.items() for chain in chains][:wanted]
            shuffled = random.Random(args.seed).sample(pairs, len(pairs))
            count += len(pairs)
            reference = None
            for setting, flags, other_order in SETTINGS:
                got = evaluate(cola, task, shuffled if other_order else pairs, flags, work)
                reference = reference or got
                total = totals[setting]
                for key, line in got.items():
                    first = reference[key]
                    total[0] += line["correct"] != first["correct"]
                    total[1] += line["answer"] != first["answer"]
                    total[4] += any(line[key] != first[key] for key in ("margin", "degradation", "answer"))
                    if line["margin"] is not None and line["margin"] != first["margin"]:
                        total[2] += 1
                        total[3] = max(total[3], abs(line["margin"] - first["margin"]))
                note(f"{name}, {setting}: {len(got)} pairs")
    print(f"{count} pairs of {' and '.join(tasks)} on {args.model}, seed {args.seed}:\n")
    print("| setting | verdicts that differ | answers | margins | most, nats | any bit |")
    print("| --- | --- | --- | --- | --- | --- |")
    for setting, (verdicts, answers, margins, most, bits) in totals.items():
        print(f"| {setting} | {verdicts} | {answers} | {margins} | {most:.1e} | {bits} |")
    return int(any(verdicts or answers for verdicts, answers, *_ in totals.values()))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as error:
        note(error)
        sys.exit(2)
