#!/usr/bin/env python3
"""What each strategy finds for its cost: fixed samples, depth and layer steps, on the same questions.

    python3 benchmarks/search_quality.py               generated questions, the bundled model; writes results/search-quality/
    python3 benchmarks/search_quality.py --simulations 100 --seeds 1 --questions 100 --levels 5

The questions come from `cola synth` with a seed that nothing was tuned on. A cell is one `cola search` without controls. Fixed samples are
compared with those of `random` on the same questions and seed: McNemar's exact test on all seeds together. A run that was stopped goes on.
"""

import argparse
import json
import math
import subprocess
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
STRATEGIES = [("mcts", "default"), ("random", "default")]


def main():
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    args.out.mkdir(parents=True, exist_ok=True)
    lines = [
        "`fixed`: wrong samples that a chain turns right, of the wrong ones, all seeds together. `depth`: mean length of the best chains. `steps`:",
        "layer steps run, in thousands a seed. `only`: samples that this strategy fixes and `random` does not, and the other way round, with McNemar's",
        f"exact p. {args.questions} questions of `cola synth --kind arith --seed {args.data_seed}` a level, bound {args.max_degradation}, seeds 0 to {args.seeds - 1}.",
        "",
        "| level | simulations | strategy | fixed | depth | steps | only / only random | p |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for level in args.levels:
        rows = args.work / f"arith-{level}.jsonl"
        synth = ["synth", "--kind", "arith", "--level", level, "--count", args.questions, "--seed", args.data_seed, "--out", rows]
        subprocess.run([str(part) for part in [args.cola, *synth]], check=True)
        for simulations in args.simulations:
            found = {}
            for strategy, preset in STRATEGIES:
                runs = [search(args, level, rows, simulations, strategy, preset, seed) for seed in range(args.seeds)]
                found[strategy] = cell(runs)
            for strategy, _ in STRATEGIES:
                lines.append(row(level, simulations, strategy, found[strategy], found["random"]))
                print(lines[-1], flush=True)
    (args.out / "table.md").write_text("\n".join(lines) + "\n")
    print(f"{args.out}/table.md")


def search(args, level, rows, simulations, strategy, preset, seed):
    run = args.work / f"arith-{level}-{simulations}-{strategy}-{seed}"
    command = [args.cola, "search", "--model", HOME / "models/demo", "--task", "arith", "--data", rows, "--simulations", simulations]
    command += ["--strategy", strategy, "--preset", preset, "--seed", seed, "--controls", 0, "--out", run]
    command += ["--max-degradation", args.max_degradation]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return run


def cell(runs):
    fixed, wrong, depths, steps = set(), 0, [], 0
    for seed, run in enumerate(runs):
        for line in (run / "samples.jsonl").open():
            record = json.loads(line)
            steps += record["cost"]["steps_run"]
            if record["best"]:
                depths.append(length(record["best"]["chain"]))
            if not record["baseline"]["correct"]:
                wrong += 1
                if record["best"]:
                    fixed.add((seed, record["id"]))
    return {"fixed": fixed, "wrong": wrong, "depth": sum(depths) / max(len(depths), 1), "steps": steps / len(runs)}


def row(level, simulations, strategy, ours, random):
    only, theirs = len(ours["fixed"] - random["fixed"]), len(random["fixed"] - ours["fixed"])
    p = min(1.0, 2 * sum(math.comb(only + theirs, k) for k in range(min(only, theirs) + 1)) / 2 ** (only + theirs))
    against = ["-", "-"] if strategy == "random" else [f"{only} / {theirs}", f"{p:.3f}"]
    cells = [level, simulations, strategy, f"{len(ours['fixed'])} of {ours['wrong']}", f"{ours['depth']:.2f}", f"{ours['steps'] / 1000:.0f}", *against]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def length(chain):
    """Layers that a chain in canonical notation runs."""
    if chain == "empty":
        return 0
    total, depth, part, parts = 0, 0, "", []
    for char in chain + ",":
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += char
    for part in parts:
        if part.startswith("("):
            inner, times = part[1:].rsplit(")x", 1)
            total += length(inner) * int(times.split("@")[0])
        elif "-" in part:
            first, last = part.split("-")
            total += abs(int(last) - int(first)) + 1
        else:
            total += 1
    return total


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", type=int, nargs="+", default=[4, 5])
    parser.add_argument("--simulations", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--data-seed", type=int, default=4242)
    parser.add_argument("--max-degradation", default="none")
    parser.add_argument("--work", type=Path, default=HOME / "results/search-quality-runs")
    parser.add_argument("--out", type=Path, default=HOME / "results/search-quality")
    parser.add_argument("--cola", type=Path, default=HOME / "target/release/cola")
    return parser.parse_args()


if __name__ == "__main__":
    main()
