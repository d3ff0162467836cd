#!/usr/bin/env python3
"""How far chains that read the prompt worse than the unmodified model still prefer right answers: the table behind the default of
`cola search --max-degradation`.

    python3 benchmarks/selectivity.py                 the real LLM and the bundled model; writes results/selectivity/
    python3 benchmarks/selectivity.py --models demo   the bundled model alone, in a minute
    python3 benchmarks/selectivity.py --chains 10 --samples 20 --work /tmp/selectivity

Runs random chains without a bound on every sample (`cola search --strategy random --max-degradation none --controls 0`): they are told
nothing, so what they answer cannot follow the search. `cola analyze` counts, by degradation, how often they give the right answer and
how often each wrong one on the samples that the unmodified model gets wrong, and how much they prefer the right answer to a wrong one of
the same rank in the unmodified model's ordering. A run that was stopped goes on. Needs `make build` and `python3 datasets/real.py`.
"""

import argparse
import csv
import subprocess
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
SMOLLM2 = HOME / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
DEMO = HOME / "models/demo"
REAL = HOME / "datasets/real"

# Model, its name in the table, and its tasks: name or file, rows, samples of a full run.
CASES = {
    "smollm2": (
        SMOLLM2,
        [
            ("arc_easy", REAL / "arc_easy.jsonl", 450),
            ("arc_challenge", REAL / "arc_challenge.jsonl", 300),
            ("openbookqa", REAL / "openbookqa.jsonl", 300),
        ],
    ),
    "demo": (
        DEMO,
        [(HOME / f"datasets/demo/{name}.yaml", None, 1000) for name in ("commonsense-1", "commonsense-2")],
    ),
}

COLUMNS = ["degradation", "samples", "chains", "right", "each_wrong", "models_own", "samples_reached", "odds"]


def main():
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    args.out.mkdir(parents=True, exist_ok=True)
    sections = [__doc__.split("\n\n")[0].replace("\n", " ")]
    for name in args.models:
        model, tasks = CASES[name]
        for task, rows, samples in tasks:
            run = args.work / f"{name}-{Path(str(task)).stem}"
            search(args, model, task, rows, args.samples or samples, run)
            analysis = run / "analysis"
            subprocess.run([args.cola, "analyze", run, "--out", analysis], check=True, stdout=subprocess.DEVNULL)
            file = args.out / f"{run.name}.csv"
            file.write_bytes((analysis / "selectivity.csv").read_bytes())
            sections.append(section(name, file, run))
    (args.out / "table.md").write_text("\n\n".join(sections) + "\n")
    print(f"{args.out}/table.md")


def search(args, model, task, rows, samples, run):
    command = [args.cola, "search", "--model", model, "--task", task, "--strategy", "random", "--simulations", args.chains + 1]
    command += ["--max-degradation", "none", "--controls", 0, "--limit", samples, "--seed", 1, "--out", run]
    if rows:
        command += ["--data", rows]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def section(name, file, run):
    rows = [row for row in csv.DictReader(file.open()) if row["source"] == "search"]
    summary = (run / "summary.txt").read_text().splitlines()[0]
    lines = [f"## {rows[0]['task']}, {name}", "", summary, ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    for row in rows:
        low, high = row["degradation_from"], row["degradation_to"]
        bound = f"{float(low):g} to {float(high):g}" if low and high else f"under {float(high):g}" if high else f"{float(low):g} and more"
        shares = [f"{float(row[key]):.3f}" if row[key] else "-" for key in ("right", "each_wrong", "models_own")]
        odds = "-"
        if row["odds"]:
            odds = f"{float(row['odds']):.2f}"
        if row["odds_low_95"]:
            odds += f" ({float(row['odds_low_95']):.2f}-{float(row['odds_high_95']):.2f})"
        cells = [bound, row["samples"], row["chains"], *shares, row["samples_reached"], odds]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--chains", type=int, default=40, help="random chains a sample")
    parser.add_argument("--samples", type=int, help="samples of each task, instead of each task's own number")
    parser.add_argument("--work", type=Path, default=HOME / "results/selectivity-runs")
    parser.add_argument("--out", type=Path, default=HOME / "results/selectivity")
    parser.add_argument("--cola", type=Path, default=HOME / "target/release/cola")
    return parser.parse_args()


if __name__ == "__main__":
    main()
