#!/usr/bin/env python3
"""What is lost when a search is killed, and how early its records come: SmolLM2 on ARC-Easy.

    python3 benchmarks/lost_work.py                  ten kills, then records over time; about half an hour on two cores
    python3 benchmarks/lost_work.py --part kills --samples 24
    python3 benchmarks/lost_work.py --part early --early 24 500

Kills: a search is killed at random moments (seeded) and continued by the same command until it has been killed --kills times, then it
runs to its end. Work that was lost at a kill is what was computed of evaluations that were not known yet: the cores are shared by the
evaluations in flight, so the seconds lost are their mean age, read off the evaluation log: a sample has one outstanding for its search
and one for each control. A control that has ended is not told from one that waits, so the age is an upper bound. At the end the records
are compared with those of a search that was not killed, but for times and for what states and drafts of other chains saved.

Early: the share of the records that are there after 10, 25 and 50 % of the time, and chains a second, with the usual number of samples
in flight and with 128, which was usual before; both in turn, --rounds times. Needs `make build` and `python3 datasets/real.py`.
"""

import argparse
import json
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
MODEL = HOME / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
ROWS = HOME / "datasets/real/arc_easy.jsonl"


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        if args.part in ("kills", "all"):
            kills(args, work)
        if args.part in ("early", "all"):
            early(args, work)


def command(args, out, samples, simulations, *more):
    return [
        str(args.cola), "search", "--model", str(MODEL), "--task", "arc_easy", "--data", str(ROWS), "--limit", str(samples),
        "--simulations", str(simulations), "--out", str(out), "--workers", str(args.workers), "--threads", "1",
        "--progress", "none", *map(str, more),
    ]


def log_lines(run):
    file = run / "evaluations.log"
    lines = file.read_text().splitlines()[1:] if file.exists() else []
    return [json.loads(line.split(" ", 1)[1]) for line in lines]


def finished(run):
    file = run / "samples.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")] if file.exists() else []


# Phases that run beside the search.
CONTROLS = ("random", "matched", "drawn", "sampling")
# Costs that hang on which chains ran at the same time.
SAVED = ("seconds", "steps_run", "steps_saved", "steps_grown", "tokens_drafted", "passes", "decode_steps", "head_positions")


def kills(args, work):
    draw = random.Random(args.seed)
    whole, run = work / "whole", work / "run"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = time.monotonic()
    subprocess.run(command(args, whole, args.samples, args.simulations), check=True, **quiet)
    duration = time.monotonic() - started
    print(f"{args.samples} samples, {args.simulations} simulations and controls, not killed: {duration:.0f} s")
    print("| kill | seconds into the session | evaluations kept | new in this session | evaluations in flight, at most | seconds lost, at most |")
    print("| --- | --- | --- | --- | --- | --- |")
    lost = []
    for kill in range(args.kills):
        before = len(log_lines(run))
        process = subprocess.Popen(command(args, run, args.samples, args.simulations), **quiet)
        # The session begins when its log or its first new line is there.
        while len(log_lines(run)) <= before and process.poll() is None:
            time.sleep(0.05)
        if process.poll() is not None:
            print(f"the search ended before kill {kill + 1}")
            break
        time.sleep(draw.random() * duration / args.kills * 1.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        lines, done = log_lines(run), {record["id"] for record in finished(run)}
        session = [line for line in lines if line["session"] == lines[-1]["session"]]
        last = {}
        for line in lines:
            if line["id"] not in done:
                lane = line["id"], line["phase"] if line["phase"] in CONTROLS else "search"
                last[lane] = line["elapsed"] if line["session"] == lines[-1]["session"] else session[0]["elapsed"]
        end = session[-1]["elapsed"]
        ages = [end - at for at in last.values()] or [0.0]
        lost.append(statistics.mean(ages))
        begun = session[0]["elapsed"]
        print(f"| {kill + 1} | {end - begun:.1f} | {len(lines)} | {len(session)} | {len(last)} | {lost[-1]:.2f} |")
    subprocess.run(command(args, run, args.samples, args.simulations), check=True, **quiet)
    print(f"lost at a kill, at most: mean {statistics.mean(lost):.2f} s, most {max(lost):.2f} s")
    differences, furthest = compare("", strip(finished(whole)), strip(finished(run)))
    print(f"records: {len(finished(run))}; other values: {differences or 'none'}; numbers differ by at most {furthest:.1e}")


def strip(records):
    """Records by name, without what depends on times and on what the state table held."""
    kept = {}
    for record in records:
        for key in ("session", "elapsed"):
            del record[key]
        for key in SAVED:
            del record["cost"][key]
        kept[record["id"]] = record
    return kept


def compare(place, a, b):
    """Where two values differ but for numbers with a point, and by how much these do."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        found = [compare(f"{place}.{key}", a[key], b[key]) for key in a]
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        found = [compare(f"{place}[{at}]", x, y) for at, (x, y) in enumerate(zip(a, b))]
    elif isinstance(a, float) and isinstance(b, float):
        return [], abs(a - b)
    else:
        return ([] if a == b else [f"{place}: {a} and {b}"]), 0.0
    return [text for texts, _ in found for text in texts], max((far for _, far in found), default=0.0)


def early(args, work):
    print("| samples | in flight | records after 10 % | 25 % | 50 % | chains/s, median |")
    print("| --- | --- | --- | --- | --- | --- |")
    for samples in args.early:
        figures = {"usual": [], "128": []}
        for _ in range(args.rounds):
            for name, more in (("usual", ()), ("128", ("--in-flight", 128))):
                run = work / f"early-{name}"
                shutil.rmtree(run, ignore_errors=True)
                line = command(args, run, samples, args.early_simulations, "--controls", 0, "--json", *more)
                out = subprocess.run(line, check=True, capture_output=True, text=True).stdout
                times = sorted(record["elapsed"] for record in finished(run))
                shares = [sum(at <= part * times[-1] for at in times) for part in (0.1, 0.25, 0.5)]
                figures[name].append((shares, json.loads(out)["chains_per_second"]))
        for name, found in figures.items():
            shares = [statistics.median(shares[at] for shares, _ in found) for at in range(3)]
            rate = statistics.median(rate for _, rate in found)
            print(f"| {samples} | {name} | {shares[0]:.0f} | {shares[1]:.0f} | {shares[2]:.0f} | {rate:.1f} |")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["kills", "early", "all"], default="all")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--samples", type=int, default=40, help="samples of the search that is killed")
    parser.add_argument("--simulations", type=int, default=10)
    parser.add_argument("--early", type=int, nargs="+", default=[24, 500], help="samples of the searches that are watched")
    parser.add_argument("--early-simulations", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cola", type=Path, default=HOME / "target/release/cola")
    return parser.parse_args()


if __name__ == "__main__":
    main()
