"""`cola` beside transformers and llama.cpp, on the chains of real searches: the command behind our claims of speed.

    python benchmarks/compare.py [--svamp SVAMP.json] [--rounds 5] [--cases CASE...] [--work DIR] [--quick]
    python benchmarks/compare.py --models demo 46m 300m

A search records which chains it ran on which sample. Then, in rounds, these arms evaluate pairs of that list:

  loop         transformers, one chain on one sample at a time, as the released searches do
  grouped      transformers, the samples that run the identical chain in padded batches
  cola         `cola eval --pairs` on the same pairs
  whole        `cola eval --pairs` on the whole list in one call: chains of one sample share prefixes and
               continuations, and the more of them there are, the more they share; also with other --in-flight
  mixed        the whole list with `--dtype mixed`, where `cola` has it
  unmodified   `cola eval --pairs` with the unmodified model alone, once a prompt
  llama.cpp    the same with llama.cpp on the CPU, one prompt at a time and several in common batches

The arms change order from round to round. Transformers and llama.cpp run in the fastest of the settings tried.
Seconds are of the evaluation alone on all sides, loading the model excluded; only `cola` is not warmed up. In f32
all must answer every pair alike. README.md says how to read the tables.

Needs `cargo build --release`, the real model and its rows (`python3 datasets/real.py`), a Python with torch and
transformers, for the real model gguf and accelerate too (--python, unless it is this one), and node with npm, without
which llama.cpp is left out. Exit status: 0; 1 where a verdict differs that is not a near-tie; 2 where it could not run.
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

from compare_arms import arms
from compare_cases import MODELS, ROOT, SMOLLM2, mean_layers, prepare, record
from compare_tables import table
from llama_cpp import LlamaCpp
from sides import Cola, Refused, Transformers, note
from verdicts import Agreement, alike, repeated


def compare(recorded, sides, args, work):
    """One case's rounds."""
    cola, transformers, llama_cpp = sides
    note(f"{recorded.case.name}: {len(recorded.drawn)} of {len(recorded.whole)} pairs")
    pairs, found, tried = arms(recorded, cola, transformers, llama_cpp, args, work)
    runs = {name: {"runs": arm.runs, "evaluations": arm.size, "seconds": [], "counts": {}} for name, arm in found.items()}
    agreement, last = Agreement(pairs), {}
    for number in range(args.rounds):
        turn = number % len(found)
        for name in list(found)[turn:] + list(found)[:turn]:
            seconds, last[name], runs[name]["counts"] = found[name].evaluate()
            runs[name]["seconds"].append(seconds)
            if found[name].runs != "unmodified":
                agreement.add(name, last[name], found[name].exact, found[name].runs != "part")
        rates = ", ".join(f"{name} {run['evaluations'] / run['seconds'][-1]:.2f}/s" for name, run in runs.items())
        note(f"    round {number + 1}: {rates}")
    disagreements = agreement.disagreements(transformers, tried["loop"][0], work)
    rate(runs)
    for name, run in runs.items():
        if run["runs"] != "unmodified":
            run["agreeing"] = {"with": "loop", **agreement.agreeing(name)}
        elif name.startswith("llama.cpp"):
            run["agreeing"] = {"with": "unmodified", **alike(last["unmodified"], last[name])}
    return {
        "case": recorded.case.name,
        "task": recorded.case.task,
        "rows": recorded.case.data.name if recorded.case.data else None,
        "max_new_tokens": pairs[0]["max_new_tokens"],
        "simulations": recorded.case.simulations,
        "chains_a_sample": args.chains,
        "samples": len({pair["id"] for pair in recorded.whole}),
        "prompt_tokens": statistics.mean(len(sample["tokens"]) for sample in recorded.prompts),
        "mean_layers": {"drawn": mean_layers(recorded.drawn), "list": mean_layers(recorded.whole)},
        "samples_a_chain": {"drawn": samples_a_chain(recorded.drawn), "list": samples_a_chain(recorded.whole)},
        "answers_that_repeat_an_earlier_one": repeated(last["whole"]),
        "settings": tried,
        "arms": runs,
        "decoding_alone": decoding_alone(runs),
        "disagreements": disagreements,
    }


def rate(runs):
    """Adds chains a second, and ratios to what the others do, round by round."""
    for run in runs.values():
        rates = [run["evaluations"] / seconds for seconds in run["seconds"]]
        run["chains_per_second"] = {"median": statistics.median(rates), "rounds": rates}
    llama_cpp = [name for name in runs if name.startswith("llama.cpp")]
    beside = {"loop": "loop", "grouped": "grouped"}
    if llama_cpp:
        beside["llama.cpp"] = max(llama_cpp, key=lambda name: runs[name]["chains_per_second"]["median"])
    for run in runs.values():
        ours = run["chains_per_second"]
        run["ratios"] = {name: ratio(ours, runs[theirs]["chains_per_second"]) for name, theirs in beside.items()}


def ratio(ours, theirs):
    """Ratio of the medians, with the least and greatest ratio of a round."""
    rounds = [a / b for a, b in zip(ours["rounds"], theirs["rounds"], strict=True)]
    return {"median": ours["median"] / theirs["median"], "min": min(rounds), "max": max(rounds)}


def decoding_alone(runs):
    """Tokens a second of the unmodified model after each prompt's first token; None where that was not timed."""
    if "unmodified" not in runs:
        return None
    whole, first = runs["unmodified"], runs["unmodified, 1 token"]
    tokens = whole["counts"]["tokens_decoded"] - first["counts"]["tokens_decoded"]
    # Where no time is left between the two, as in a trial on a busy machine, there is no rate.
    taken = [a - b for a, b in zip(whole["seconds"], first["seconds"], strict=True)]
    rates = [tokens / seconds for seconds in taken if seconds > 0]
    return {"tokens": tokens, "tokens_per_second": statistics.median(rates) if rates else None, "rounds": rates}


def samples_a_chain(pairs):
    counts = Counter(pair["chain"] for pair in pairs)
    return len(pairs) / len(counts)


def compare_model(name, args, work):
    """All cases of a model one after the other; yields the report so far after each."""
    note(f"model {name}")
    model = prepare(name, args, work)
    cola = Cola(args.cola, model.path)
    recorded = [record(case, model, cola, args, work) for case in model.cases]
    llama_cpp, left_out = None, None
    if any(case.unmodified for case in model.cases):
        try:
            llama_cpp = LlamaCpp(model.path, work.parent / "node")
        except Refused as error:
            left_out = str(error)
            note(f"llama.cpp is left out: {left_out}")
    with Transformers(args.python, model.path) as transformers:
        versions = {"cola": cola.version(), **transformers.versions}
        versions |= {"llama_cpp": llama_cpp and llama_cpp.version, "llama_cpp_left_out": left_out}
        report = {"command": command(name, args), "machine": machine(), "versions": versions}
        report |= {"rounds": args.rounds, "seed": args.seed, "quick": args.quick, "model": name}
        report |= {"parameters": model.parameters, "made_with": model.made_with, "cases": []}
        for each in recorded:
            place = work / f"compare-{each.case.name}"
            place.mkdir(exist_ok=True)
            report["cases"].append(compare(each, (cola, transformers, llama_cpp), args, place))
            yield report


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
    models = ["smollm2", *MODELS]
    parser.add_argument("--models", nargs="+", choices=models, help="default: smollm2, or demo where it was not fetched")
    parser.add_argument("--cases", nargs="+", help="only these cases of the model (default: all)")
    parser.add_argument("--svamp", type=existing, help="SVAMP's rows, for the long answers of smollm2 (default: GSM8K's)")
    parser.add_argument("--rounds", type=int, help="default: 5, with --quick 1; at least 5 for a figure to quote")
    parser.add_argument("--questions", type=int, default=128, help="of smollm2's tasks (default: 128)")
    parser.add_argument("--chains", type=int, help="of each search the first so many (default: all)")
    parser.add_argument("--pairs", type=int, help="pairs of each task that all arms run, about (default: by case)")
    parser.add_argument("--quick", action="store_true", help="short lists, few pairs: whether it works")
    parser.add_argument("--seed", type=int, default=0, help="of models, prompts, searches and of the pairs drawn")
    parser.add_argument("--cola", type=lambda path: Path(path).resolve(), default=ROOT / "target/release/cola", help="the binary")
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and transformers")
    parser.add_argument("--work", type=lambda path: Path(path).resolve(), help="keep models and searches in this folder, and use those that are there")
    parser.add_argument("--record-only", action="store_true", help="make models and searches in --work, and measure nothing")
    parser.add_argument("--out", type=Path, help="directory of compare-MODEL.json (default: benchmarks/results, with --quick none)")
    args = parser.parse_args()
    # A trial must not overwrite what was measured.
    args.out = args.out or (None if args.quick else ROOT / "benchmarks/results")
    args.models = args.models or (["smollm2"] if SMOLLM2.exists() else ["demo"])
    args.rounds = args.rounds or (1 if args.quick else 5)
    return args


def existing(path):
    if not Path(path).exists():
        raise argparse.ArgumentTypeError(f"{path} is not there")
    return Path(path).resolve()


def command(name, args):
    """What to type for the same numbers: nothing of this machine."""
    parts = ["python3 benchmarks/compare.py --models", name, "--rounds", args.rounds, "--seed", args.seed]
    parts += ["--cases", *args.cases] if args.cases else []
    parts += ["--svamp", args.svamp.name] if args.svamp and name == "smollm2" else []
    parts += ["--questions", args.questions] if args.questions != 128 else []
    parts += ["--chains", args.chains] if args.chains else []
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
            work = (args.work or Path(scratch)) / name
            if args.record_only:
                model = prepare(name, args, work)
                for case in model.cases:
                    record(case, model, Cola(args.cola, model.path), args, work)
                continue
            report = None
            # Written after every case: what was measured stays.
            for report in compare_model(name, args, work):
                if args.out:
                    file = args.out / f"compare-{name}.json"
                    file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            print(table(report), flush=True)
            disagreements += [each for case in report["cases"] for each in case["disagreements"]]
    return 0 if all(each["near_tie"] for each in disagreements) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as error:
        print(f"compare.py: {error}", file=sys.stderr)
        sys.exit(2)
