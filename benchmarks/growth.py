"""How the cost of `cola eval --pairs` grows.

    python benchmarks/growth.py [--out benchmarks/results/growth.json]

On small random Llamas (hidden 256) and random chains (one to three blocks of the identity skipped or repeated),
four options scored:

  seconds       against the number of samples, chains a sample, prompt tokens and layers, one varied at a time
  peak memory   of the process, against --in-flight, with the state table as it is by default and without one

Seconds are of the evaluation alone, the least of --repeats runs. Memory is the maximum resident set, weights
and libtorch included. Needs `cargo build --release`, and a Python with torch and transformers (--python, unless it
is this one) to make the models. Linux or macOS.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from sides import Refused, note, read_lines, run, tail, write_lines

ROOT = Path(__file__).resolve().parent.parent
HIDDEN = 256
BASE = {"samples": 16, "chains": 16, "prompt tokens": 64, "layers": 12}
VARIED = {
    "samples": [4, 8, 16, 32, 64],
    "chains": [1, 4, 16, 64],
    "prompt tokens": [16, 32, 64, 128, 256],
    "layers": [6, 12, 24, 48],
}
QUICK = {name: values[:2] for name, values in VARIED.items()}
IN_FLIGHT = [1, 4, 16, 64]
MEMORY = {"samples": 64, "chains": 2, "prompt tokens": 256, "layers": 12}
QUICK_MEMORY = MEMORY | {"samples": 8}


def chain(layers, draw):
    """The identity with one to three blocks skipped or repeated, in chain syntax."""
    found = list(range(layers))
    for _ in range(draw.randint(1, 3)):
        length = draw.randint(1, min(4, len(found)))
        start = draw.randrange(len(found) - length + 1)
        block = found[start : start + length]
        found[start : start + length] = draw.choice(([], block * 2)) if len(found) > length else block
    return ",".join(map(str, found))


def prepare(point, args, work):
    """Model and task of a point, made once each, and its pairs."""
    model = work / f"layers-{point['layers']}"
    task = work / f"prompts-{point['prompt tokens']}"
    most = max(MEMORY["samples"], *VARIED["samples"])
    script, common = ROOT / "benchmarks/random_model.py", ["--hidden", HIDDEN, "--intermediate", 3 * HIDDEN]
    if not model.exists():
        run([args.python, script, "--out", model, *common, "--layers", point["layers"], "--samples", 1])
    if not task.exists():
        flags = ["--layers", 1, "--samples", most, "--prompt-tokens", point["prompt tokens"]]
        run([args.python, script, "--out", task, *common, *flags])
    draw = random.Random(args.seed)
    ids = [row["id"] for row in read_lines(task / "choice.jsonl")][: point["samples"]]
    pairs = [{"id": id, "chain": chain(point["layers"], draw)} for id in ids for _ in range(point["chains"])]
    write_lines(work / "pairs.jsonl", pairs)
    return model / "model", task / "choice.yaml", work / "pairs.jsonl"


def evaluate(point, args, work, *flags):
    """Seconds of one evaluation, and the maximum resident set of its process in bytes."""
    model, task, pairs = prepare(point, args, work)
    command = [args.cola, "eval", "--model", model, "--task", task, "--pairs", pairs, "--out", work / "out", *flags]
    with tempfile.TemporaryFile(mode="w+") as output, tempfile.TemporaryFile(mode="w+") as errors:
        process = subprocess.Popen([*map(str, command), "--json"], stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise Refused(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{tail(errors.read())}")
        seconds = json.loads(output.read())["seconds"]
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def seconds_table(varied, args, work):
    rows = []
    for value in (QUICK if args.quick else VARIED)[varied]:
        point = BASE | {varied: value}
        seconds = [evaluate(point, args, work)[0] for _ in range(args.repeats)]
        note(f"{varied} {value}: {min(seconds):.3f} s")
        rows.append({**point, "seconds": min(seconds), "runs": seconds})
    return rows


def memory_table(args, work):
    rows, point = [], QUICK_MEMORY if args.quick else MEMORY
    for in_flight in IN_FLIGHT[:2] if args.quick else IN_FLIGHT:
        row = {**point, "in flight": in_flight}
        for name, flags in (("default", []), ("no table", ["--state-budget", 0])):
            seconds, peak = evaluate(point, args, work, "--in-flight", in_flight, *flags)
            note(f"in flight {in_flight}, {name}: {peak / 1e6:.0f} MB, {seconds:.3f} s")
            row[name] = {"peak bytes": peak, "seconds": seconds}
        rows.append(row)
    return rows


def show(growth, memory):
    for varied, rows in growth.items():
        rest = ", ".join(f"{value} {name}" for name, value in BASE.items() if name != varied)
        print(f"\n{rest}:\n\n| {varied} | seconds | ms a pair |\n| --- | --- | --- |")
        for row in rows:
            each = 1000 * row["seconds"] / (row["samples"] * row["chains"])
            print(f"| {row[varied]} | {row['seconds']:.3f} | {each:.2f} |")
    rest = ", ".join(f"{memory[0][name]} {name}" for name in MEMORY)
    print(f"\n{rest}:\n\n| --in-flight | peak MB | seconds | peak MB, no table | seconds |\n| --- | --- | --- | --- | --- |")
    for row in memory:
        cells = [f"{row[k]['peak bytes'] / 1e6:.0f} | {row[k]['seconds']:.2f}" for k in ("default", "no table")]
        print(f"| {row['in flight']} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2, help="runs of which the least seconds count")
    parser.add_argument("--quick", action="store_true", help="two points a table: whether it works")
    parser.add_argument("--seed", type=int, default=0, help="of the chains")
    parser.add_argument("--cola", type=lambda path: Path(path).resolve(), default=ROOT / "target/release/cola")
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and transformers")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/growth.json, with --quick none")
    args = parser.parse_args()
    # A trial must not overwrite what was measured.
    out = args.out or (None if args.quick else ROOT / "benchmarks/results/growth.json")
    if not args.cola.exists():
        raise Refused(f"{args.cola}: not there; `cargo build --release` makes it")
    with tempfile.TemporaryDirectory(prefix="cola-growth-") as work:
        growth = {varied: seconds_table(varied, args, Path(work)) for varied in VARIED}
        memory = memory_table(args, Path(work))
    report = {"hidden": HIDDEN, "seed": args.seed, "repeats": args.repeats, "cores": os.cpu_count()}
    report |= {"seconds": growth, "memory": memory}
    if out:
        out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    show(growth, memory)


if __name__ == "__main__":
    try:
        main()
    except Refused as error:
        print(f"growth.py: {error}", file=sys.stderr)
        sys.exit(2)
