"""Seconds and memory of a large run: continuing it, its summary, `cola analyze`, `cola export`, and RSS over a search.

    python benchmarks/large_run.py [--samples 50000] [--evaluations 200] [--long 3000] [--out FILE]

Questions of `cola synth` (half arith, half commonsense) and the bundled model. A search of all of them is begun and interrupted after
a few records; then the journal is filled up with synthetic records of the same shape: other ids, and chains and verdicts drawn from
--seed. All have --evaluations chains of the search and as many random ones; the last --unfinished questions are left to run. Then the
same search command continues the run, and `cola analyze` and `cola export` read it. The same is done with a run of a few
samples: what that takes is the model, libtorch and the program, and is subtracted.

Of a real search of --long questions the resident set is read while it runs, after a tenth of the samples and before its summary.

Memory is the maximum resident set of the process. Needs `cargo build --release`. Linux.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sides import Refused, note, run

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"arith": 3, "commonsense": 2}
BODIES = 512
FEW = 40
MB = 1 << 20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cola", type=Path, default=ROOT / "target/release/cola")
    parser.add_argument("--samples", type=int, default=50_000, help="of the synthetic run (default: %(default)s)")
    parser.add_argument("--evaluations", type=int, default=200, help="chains of each search (default: %(default)s)")
    parser.add_argument("--unfinished", type=int, default=6, help="samples left to run (default: %(default)s)")
    parser.add_argument("--long", type=int, default=3000, help="samples of the real search, or 0 (default: %(default)s)")
    parser.add_argument("--long-simulations", type=int, default=30, help="of its samples (default: %(default)s)")
    budget = "its --state-budget: a larger table of states hides growth (default: %(default)s)"
    parser.add_argument("--long-budget", default="64M", help=budget)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="where to make the runs, if not among the temporary files")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(dir=args.work) as work:
            found = measure(args, Path(work))
    except Refused as error:
        sys.exit(f"large_run.py: {error}")
    text = json.dumps(found, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


def measure(args, work):
    found = {"samples": args.samples, "evaluations": args.evaluations}
    if args.samples:
        small = synthetic_run(args, FEW, work / "small")
        few = commands(args, small, work)
        large = synthetic_run(args, args.samples, work / "large")
        found["journal_mb"] = (large[-1] / "samples.jsonl").stat().st_size // MB
        for name, (seconds, peak) in commands(args, large, work).items():
            beside = (peak - few[name][1]) / MB
            found[name] = {"seconds": seconds, "peak_mb": round(peak / MB), "beside_the_model_mb": round(beside)}
    if args.long:
        found["rss"] = rss_of_search(args, work)
    return found


def search(args, samples, simulations, work, kinds=tuple(KINDS)):
    """The command of a search of so many questions, which are made, and its directory."""
    work.mkdir()
    files = []
    for kind in kinds:
        files.append(work / f"{kind}.jsonl")
        count = samples // len(kinds)
        run([args.cola, "synth", "--kind", kind, "--level", KINDS[kind], "--count", count, "--out", files[-1]])
    command = [args.cola, "search", "--model", ROOT / "models/demo", "--task", *kinds, "--data", *files]
    command += ["--simulations", simulations, "--seed", args.seed, "--out", work / "run"]
    return [str(part) for part in command], work / "run"


def synthetic_run(args, samples, work):
    """The command and the directory of a run that lacks the last samples."""
    command, out = search(args, samples, args.evaluations, work)
    journal = out / "samples.jsonl"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and lines(journal) < 8:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait()
    real = [json.loads(line) for line in journal.read_text().splitlines()]
    if not real:
        raise Refused(f"{' '.join(command)}\nwrote no record")
    draw = random.Random(args.seed)
    rows = [(kind, index, json.loads(line)["id"]) for kind in KINDS for index, line in enumerate(open(work / f"{kind}.jsonl"))]
    known = {(record["task"], record["id"]) for record in real}
    left = [row for row in rows if (row[0], row[2]) not in known][: -args.unfinished]
    templates = [record for record in real if record["error"] is None and record["candidates"]] or real
    bodies = [body(draw.choice(templates), args.evaluations, draw) for _ in range(min(BODIES, len(left)))]
    with open(journal, "a") as file:
        for number, (kind, index, name) in enumerate(left):
            head = {"task": kind, "id": name, "index": index, "seed": draw.getrandbits(64)}
            file.write(json.dumps(head, separators=(",", ":"))[:-1] + "," + bodies[number % len(bodies)])
    note(f"{out}: {lines(journal)} records, {journal.stat().st_size // MB} MB")
    return command, out


def body(record, evaluations, draw):
    """A record of the same shape with chains of its own, without what names its sample, as the end of a line."""
    record = {key: value for key, value in record.items() if key not in ("task", "id", "index", "seed")}
    answers = [candidate["answer"] for candidate in record["candidates"]] or [record["gold"], "another"]
    wrong = [answer for answer in answers if answer != record["gold"]]
    # What takes most to analyse are the samples that the unmodified model gets wrong.
    answer = draw.choice([record["gold"], *wrong])
    record["baseline"] = record["baseline"] | {"correct": answer == record["gold"], "answer": answer}
    tried = [evaluation(record, answers, draw) for _ in range(evaluations)]
    bound = record["max_degradation"]
    right = [one for one in tried if one["correct"] and (bound is None or one["degradation"] <= bound)]
    record["evaluations"] = tried
    record["best"] = min(right, key=lambda one: length(one["chain"]), default=None)
    record["unconfirmed"], record["pareto"] = [], right[:5]
    if record["controls"]:
        drawn = [evaluation(record, answers, draw) for _ in range(evaluations)]
        target = {"target": draw.choice(wrong), "chains": evaluations, "found": draw.choice([None, drawn[0]["chain"]])}
        target = None if record["baseline"]["correct"] else target
        random_chains = record["controls"]["random"] | {"found": drawn[-1]["chain"], "evaluations": drawn}
        record["controls"] = {"random": random_chains, "matched_target": target, "wrong_target": target}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)[1:] + "\n"


def evaluation(record, answers, draw):
    chain = list(range(record["layers"]))
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(chain))
        if draw.random() < 0.7 and len(chain) > 1:
            del chain[at]
        else:
            chain.insert(at, chain[at])
    answer = draw.choice(answers)
    return {
        "chain": ",".join(map(str, chain)),
        "correct": answer == record["gold"],
        "margin": draw.gauss(0, 3),
        "answer": answer,
        "degradation": draw.expovariate(1.0) - 0.2,
    }


def length(chain):
    return chain.count(",") + 1


def lines(journal):
    if not journal.exists():
        return 0
    with open(journal, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(MB), b""))


def commands(args, run_of, work):
    """Of continuing a run, analyze and export: seconds, and the maximum resident set."""
    command, out = run_of
    found = {"resume": timed(command)}
    found["analyze"] = timed([args.cola, "analyze", out, "--out", work / "analysis"])
    found["export"] = timed([args.cola, "export", out, "--format", "csv", "--out", work / "chains.csv"])
    # The run is finished: this is its summary alone, after the journal is opened.
    found["resume_finished"] = timed(command)
    return found


def timed(command):
    command = [str(part) for part in command]
    with tempfile.TemporaryFile(mode="w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise Refused(f"{' '.join(command)}\nended with status {process.returncode}:\n{errors.read()[-2000:]}")
    note(f"{seconds:7.1f} s  {usage.ru_maxrss // 1024:6} MB  {' '.join(command[:3])}")
    return round(seconds, 1), usage.ru_maxrss * 1024


def rss_of_search(args, work):
    """The resident set of a search in MB after a tenth of its records, at every tenth, and before its summary."""
    # Of one kind: longer questions in the middle of a run take more, as they would at its start.
    command, out = search(args, args.long, args.long_simulations, work / "long", ["arith"])
    command += ["--state-budget", args.long_budget]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tenths, last, start = {}, 0.0, time.perf_counter()
    while process.poll() is None:
        # The size comes first: while samples are missing after that, it was not yet the summary's.
        rss = resident(process.pid)
        done = lines(out / "samples.jsonl")
        if rss is None or done >= args.long:
            break
        last = rss
        tenths.setdefault(10 * done // args.long, rss)
        time.sleep(0.1)
    if process.wait():
        raise Refused(f"{' '.join(command)}\nended with status {process.returncode}")
    tenth = tenths.get(1, last)
    return {
        "samples": args.long,
        "seconds": round(time.perf_counter() - start, 1),
        "mb_by_tenth": {str(10 * tenth): round(rss, 1) for tenth, rss in sorted(tenths.items())},
        "mb_at_the_end": round(last, 1),
        "growth_percent": round(100 * (last / tenth - 1), 2),
    }


def resident(pid):
    """MB, or nothing where the process has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else None


if __name__ == "__main__":
    main()
