"""`cola` beside transformers, on the chains of real searches: the command behind our claims of speed.

    python benchmarks/compare.py [--models demo 46m 300m] [--rounds 5] [--quick]

A search records which chains it ran on which sample. Then, in rounds, these arms evaluate pairs of that list:

  loop         transformers, one chain on one sample at a time, as the released searches do
  grouped      transformers, the samples that run the identical chain in padded batches
  cola         `cola eval --pairs` on the same pairs
  cola, whole  `cola eval --pairs` on the whole list in one call: chains of one sample share prefixes and
               continuations, and the more of them there are, the more they share

The arms change order from round to round. Both transformers arms run in the fastest of the settings tried.
Seconds are of the evaluation alone on both sides, tokenising included, loading the model excluded; only
transformers is warmed up. All arms must answer every pair alike. README.md says how to read the tables.

Needs `cargo build --release`, and a Python with torch and transformers (--python, unless it is this one). Exit
status: 0; 1 where a verdict differs that is not a near-tie; 2 where it could not run.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

from compare_cases import MODELS, ROOT, asked, prepare, record
from compare_tables import table
from sides import Cola, Refused, Transformers, note, write_lines
from verdicts import Agreement, repeated

# The settings are tried on this share of the drawn pairs, the most common chains first.
CALIBRATION = 1 / 8


def settings(case, transformers, files, quick):
    """Of both transformers arms: every setting with its chains a second, fastest first."""
    pairs = sorted(files["pairs"], key=lambda pair: -files["counts"][pair["chain"]])
    few = pairs[: max(1, round(case.pairs * CALIBRATION))]
    write_lines(files["few"], few)

    def tried(arm, choices):
        for setting in choices:
            seconds, _ = transformers.evaluate(arm, files["few"], setting, files["out"])
            setting["chains_per_second"] = len(few) / seconds
            batches = f", batches of {setting['rows']}" if arm == "grouped" else ""
            note(f"    {arm}, {setting['threads']} threads{batches}: {setting['chains_per_second']:.2f} chains/s")
        return sorted(choices, key=lambda setting: -setting["chains_per_second"])

    loop = tried("loop", [{"threads": threads, "rows": 1} for threads in (1, 2)])
    threads, rows = ([loop[0]["threads"]], (16,)) if quick else ((1, 2), (4, 16, 64))
    return {"loop": loop, "grouped": tried("grouped", [{"threads": t, "rows": r} for t in threads for r in rows])}


def compare(recorded, cola, transformers, args, work):
    """One case's rounds."""
    pairs = asked(recorded)
    files = {name: work / f"{name}.jsonl" for name in ("whole", "drawn", "asked", "few", "out")}
    files |= {"pairs": pairs, "counts": Counter(pair["chain"] for pair in recorded.drawn)}
    for name, lines in (("whole", recorded.whole), ("drawn", recorded.drawn), ("asked", pairs)):
        write_lines(files[name], lines)
    note(f"{recorded.name}: {len(pairs)} of {len(recorded.whole)} pairs")
    tried = settings(recorded.case, transformers, files, args.quick)
    arms = {
        "loop": lambda: transformers.evaluate("loop", files["asked"], tried["loop"][0], files["out"]),
        "grouped": lambda: transformers.evaluate("grouped", files["asked"], tried["grouped"][0], files["out"]),
        "cola": lambda: cola.evaluate(recorded.task, files["drawn"], work / "eval"),
        "whole": lambda: cola.evaluate(recorded.task, files["whole"], work / "eval"),
    }
    seconds = {arm: [] for arm in arms}
    agreement, sizes, continuing = Agreement(pairs), dict.fromkeys(arms, len(pairs)), None
    sizes["whole"] = len(recorded.whole)
    for number in range(args.rounds):
        turn = number % len(arms)
        for arm in list(arms)[turn:] + list(arms)[:turn]:
            taken, verdicts = arms[arm]()
            seconds[arm].append(taken)
            agreement.add(arm, verdicts)
            if arm == "whole":
                continuing = repeated(verdicts)
        last = ", ".join(f"{arm} {sizes[arm] / seconds[arm][-1]:.2f}/s" for arm in arms)
        note(f"    round {number + 1}: {last}")
    rates = {arm: [sizes[arm] / each for each in taken] for arm, taken in seconds.items()}
    disagreements = agreement.disagreements(transformers, tried["loop"][0], work)
    return {
        "task": recorded.name,
        "samples": len({pair["id"] for pair in recorded.whole}),
        "pairs": len(recorded.drawn),
        "pairs_of_the_list": len(recorded.whole),
        "samples_a_chain": {"drawn": samples_a_chain(recorded.drawn), "list": samples_a_chain(recorded.whole)},
        "answers_that_repeat_an_earlier_one": continuing,
        "settings": tried,
        "seconds": seconds,
        "chains_per_second": {arm: {"median": statistics.median(each), "rounds": each} for arm, each in rates.items()},
        "ratios": {
            theirs: {ours: ratio(rates[ours], rates[theirs]) for ours in ("cola", "whole")}
            for theirs in ("loop", "grouped")
        },
        "agreeing": len(recorded.drawn) - len(disagreements),
        "disagreements": disagreements,
    }


def samples_a_chain(pairs):
    counts = Counter(pair["chain"] for pair in pairs)
    return len(pairs) / len(counts)


def ratio(ours, theirs):
    """Ratio of the medians, with the least and greatest ratio of a round."""
    rounds = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"median": statistics.median(ours) / statistics.median(theirs), "min": min(rounds), "max": max(rounds)}


def compare_model(name, args, work):
    """All cases of a model, and the versions of what ran."""
    note(f"model {name}")
    directory, tasks, parameters, cases = prepare(name, args.quick, args.pairs, args.seed, args.python, work)
    cola = Cola(args.cola, directory)
    recorded = [record(case, tasks, cola, args.seed, work) for case in cases]
    with Transformers(args.python, directory) as transformers:
        results = []
        for each in recorded:
            place = work / f"compare-{each.case.task}"
            place.mkdir(exist_ok=True)
            results.append(compare(each, cola, transformers, args, place))
        versions = {"cola": cola.version(), **transformers.versions}
    made = [str(flag) for flag in MODELS[name].random or []]
    return {"model": name, "parameters": parameters, "made_with": made, "tasks": results}, versions


def machine():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS")
    return {"cpu": next(iter(names), platform.processor()), "cores": cores, "OMP_NUM_THREADS": threads}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, help="default: all, with --quick demo and 46m")
    parser.add_argument("--rounds", type=int, help="default: 5, with --quick 1; at least 5 for a figure to quote")
    parser.add_argument("--pairs", type=int, help="pairs of each task that all arms run, about (default: by model)")
    parser.add_argument("--quick", action="store_true", help="short lists, few pairs: whether it works")
    parser.add_argument("--seed", type=int, default=0, help="of models, prompts, searches and of the pairs drawn")
    parser.add_argument("--cola", type=lambda path: Path(path).resolve(), default=ROOT / "target/release/cola", help="the binary")
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and transformers")
    parser.add_argument("--work", type=Path, help="keep models and searches there, and use those that are there")
    parser.add_argument("--out", type=Path, help="directory of compare-MODEL.json (default: benchmarks/results, with --quick none)")
    args = parser.parse_args()
    # A trial must not overwrite what was measured.
    args.out = args.out or (None if args.quick else ROOT / "benchmarks/results")
    args.models = args.models or (["demo", "46m"] if args.quick else list(MODELS))
    args.rounds = args.rounds or (1 if args.quick else 5)
    return args


def command(name, args):
    """What to type for the same numbers: nothing of this machine."""
    parts = ["python3 benchmarks/compare.py --models", name, "--rounds", args.rounds, "--seed", args.seed]
    parts += ["--pairs", args.pairs] if args.pairs else []
    return " ".join(map(str, parts + (["--quick"] if args.quick else [])))


def main():
    args = arguments()
    if not args.cola.exists():
        raise Refused(f"{args.cola}: not there; `cargo build --release` makes it")
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    disagreements = []
    with tempfile.TemporaryDirectory(prefix="cola-compare-") as scratch:
        for name in args.models:
            result, versions = compare_model(name, args, (args.work or Path(scratch)) / name)
            report = {"command": command(name, args), "machine": machine(), "versions": versions}
            report |= {"rounds": args.rounds, "seed": args.seed, "quick": args.quick, "models": [result]}
            if args.out:
                file = args.out / f"compare-{name}.json"
                file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
            print(table(report), flush=True)
            disagreements += [each for task in result["tasks"] for each in task["disagreements"]]
    return 0 if all(each["near_tie"] for each in disagreements) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as error:
        print(f"compare.py: {error}", file=sys.stderr)
        sys.exit(2)
