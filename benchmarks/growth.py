"""How the cost of `cola eval --pairs` grows.

    python benchmarks/growth.py [--model smollm2|random] [--quick]

On the real model and running text, or on small random Llamas, and on random chains (one to three blocks of the
identity skipped or repeated), four options scored:

  seconds       against the number of questions, chains a question, prompt tokens, and layers of the chains (of a
                random model: of the model), one varied at a time
  peak memory   of the process, against --in-flight, with the state table as it is by default and without one

Seconds are of the evaluation alone, the least of --repeats runs. The exponent is the slope of their logarithm
against that of the size: 1 is linear. Memory is the maximum resident set, weights and libtorch included. Needs
`cargo build --release`; `python3 datasets/real.py` for the real model, and for random ones a Python with torch and
transformers (--python, unless it is this one) to make them. Linux or macOS.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from compare_cases import ROOT, SMOLLM2
from growth_subjects import SUBJECTS
from sides import Refused, note, tail


def evaluate(subject, point, cola, *flags):
    """Seconds, the maximum resident set of the process in bytes, and the mean number of prompt tokens."""
    model, task, pairs, tokens = subject.prepare(point)
    command = [cola, "eval", "--model", model, "--task", task, "--pairs", pairs, "--out", subject.work / "out", *flags]
    with tempfile.TemporaryFile(mode="w+") as output, tempfile.TemporaryFile(mode="w+") as errors:
        process = subprocess.Popen([*map(str, command), "--json"], stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise Refused(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{tail(errors.read())}")
        seconds = json.loads(output.read())["seconds"]
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), tokens


def seconds_table(subject, varied, args):
    rows = []
    values, others = (subject.quick if args.quick else subject.varied)[varied]
    for value in values:
        point = subject.base | others | {varied: value}
        runs = [evaluate(subject, point, args.cola) for _ in range(args.repeats)]
        seconds = [seconds for seconds, _, _ in runs]
        note(f"{varied} {value}: {min(seconds):.3f} s")
        rows.append({**point, "prompt tokens": runs[0][2], "seconds": min(seconds), "runs": seconds})
    sizes, seconds = [row[varied] for row in rows], [row["seconds"] for row in rows]
    return {"exponent": slope(sizes, seconds), "last_step": slope(sizes[-2:], seconds[-2:]), "rows": rows}


def slope(sizes, seconds):
    """Of the logarithm of the seconds against that of the size, by least squares."""
    x, y = [math.log(size) for size in sizes], [math.log(each) for each in seconds]
    middle = sum(x) / len(x)
    return sum((a - middle) * b for a, b in zip(x, y, strict=True)) / sum((a - middle) ** 2 for a in x)


def memory_table(subject, args):
    rows, point = [], subject.quick_memory if args.quick else subject.memory
    for in_flight in subject.in_flight[:2] if args.quick else subject.in_flight:
        row = {**point, "in flight": in_flight}
        for name, flags in (("default", []), ("no table", ["--state-budget", 0])):
            seconds, peak, _ = evaluate(subject, point, args.cola, "--in-flight", in_flight, *flags)
            note(f"in flight {in_flight}, {name}: {peak / 1e6:.0f} MB, {seconds:.3f} s")
            row[name] = {"peak bytes": peak, "seconds": seconds}
        rows.append(row)
    return rows


def show_seconds(varied, table):
    print(f"\n{rest(table['rows'][0], varied)}:\n\n| {varied} | seconds | ms a pair |\n| --- | --- | --- |")
    for row in table["rows"]:
        each = 1000 * row["seconds"] / (row["questions"] * row["chains"])
        print(f"| {row[varied]:.0f} | {row['seconds']:.3f} | {each:.2f} |")
    print(f"\nExponent {table['exponent']:.2f}; of the last step {table['last_step']:.2f}.", flush=True)


def show_memory(rows):
    columns = "--in-flight | peak MB | seconds | peak MB, no table | seconds"
    print(f"\n{rest(rows[0])}:\n\n| {columns} |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        cells = [f"{row[k]['peak bytes'] / 1e6:.0f} | {row[k]['seconds']:.2f}" for k in ("default", "no table")]
        print(f"| {row['in flight']} | {' | '.join(cells)} |", flush=True)


def rest(row, varied=None):
    """What does not change in a table."""
    others = {name: row[name] for name in row if name.partition(" ")[0] in ("questions", "chains", "prompt", "layers")}
    return ", ".join(f"{value:.0f} {name}" for name, value in others.items() if name != varied)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SUBJECTS, help="default: smollm2, or random where it was not fetched")
    parser.add_argument("--repeats", type=int, default=2, help="runs of which the least seconds count")
    parser.add_argument("--quick", action="store_true", help="two points a table: whether it works")
    parser.add_argument("--seed", type=int, default=0, help="of the chains")
    parser.add_argument("--cola", type=lambda path: Path(path).resolve(), default=ROOT / "target/release/cola")
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and transformers")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/growth-MODEL.json, with --quick none")
    args = parser.parse_args()
    model = args.model or ("smollm2" if SMOLLM2.exists() else "random")
    # A trial must not overwrite what was measured.
    out = args.out or (None if args.quick else ROOT / f"benchmarks/results/growth-{model}.json")
    if not args.cola.exists():
        raise Refused(f"{args.cola}: not there; `cargo build --release` makes it")
    report = {"model": model, "seed": args.seed, "repeats": args.repeats, "cores": os.cpu_count(), "seconds": {}}
    with tempfile.TemporaryDirectory(prefix="cola-growth-") as work:
        subject = SUBJECTS[model](args, Path(work))
        for varied in subject.varied:
            report["seconds"][varied] = seconds_table(subject, varied, args)
            show_seconds(varied, report["seconds"][varied])
            write(out, report)
        report["memory"] = memory_table(subject, args)
        show_memory(report["memory"])
        write(out, report)


def write(out, report):
    """After every table: what was measured stays."""
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except Refused as error:
        print(f"growth.py: {error}", file=sys.stderr)
        sys.exit(2)
