"""`cola` beside a transformers loop, on the chains of a real search.

    python benchmarks/compare.py [--python PYTHON] [--out benchmarks/compare.json]

A search (`cola search`, small budget, no controls) records which chains it ran on which sample. Then,
in rounds, both sides evaluate those (sample, chain) pairs:

  transformers   benchmarks/transformers_loop.py: one chain on one sample at a time, in the fastest of
                 its settings on this machine
  cola           `cola eval --pairs` on the same pairs
  cola, search   `cola eval --pairs` on every pair of the search: chains of one sample share prefixes,
                 and the more of them there are, the more they share

Rounds alternate the order. Seconds are of the evaluation alone on both sides, tokenising included,
loading the model excluded; only the transformers side is warmed up. Verdicts must agree on every pair.

Needs `cargo build --release`, and a Python with torch and transformers for the loop (--python). Exit
status: 0; 1 where a verdict differs that is not a near-tie; 2 where it could not run.
"""

import argparse
import itertools
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TASKS = [ROOT / "datasets/demo/commonsense-2.yaml", ROOT / "datasets/demo/arith-3.yaml"]
# Nats: two answers closer than this may change places with the order of a sum.
NEAR_TIE = 1e-3
CALIBRATION_PAIRS = 12


class Refused(Exception):
    """Could not run; the message says why."""


def run(command, **options):
    """Standard output of a command that must succeed."""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    except OSError as error:
        raise Refused(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise Refused(f"{' '.join(command)}\nended with status {done.returncode}:\n{tail}")
    return done.stdout


def read_lines(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def write_lines(path, objects):
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects)
    path.write_text(text, encoding="utf-8")


def key(line):
    return line["id"], line["chain"]


def generation_settings(task):
    """`until` and `max_gen_toks` of a task file or of what it includes: samples do not carry them."""
    text = task.read_text(encoding="utf-8")
    until = re.search(r"^\s+until:\s*(\[.*\])\s*$", text, re.MULTILINE)
    length = re.search(r"^\s+max_gen_toks:\s*(\d+)\s*$", text, re.MULTILINE)
    if until and length:
        return {"stop": json.loads(until[1]), "max_new_tokens": int(length[1])}
    include = re.search(r"^include:\s*(\S+)\s*$", text, re.MULTILINE)
    if not include:
        raise Refused(f"{task}: no generation_kwargs with `until: [...]` and `max_gen_toks: N` on lines of their own")
    return generation_settings(task.parent / include[1])


def loop_pairs(task, samples, pairs):
    """The pairs as transformers_loop.py reads them, with prompts and options as cola renders them."""
    by_id = {sample["id"]: sample for sample in samples}
    multiple_choice = "arguments" in samples[0]
    ask = {"stop": [], "max_new_tokens": 0} if multiple_choice else generation_settings(task)
    return [
        {**pair, "prompt": by_id[pair["id"]]["prompt"], "options": by_id[pair["id"]].get("arguments"), **ask}
        for pair in pairs
    ]


class Cola:
    def __init__(self, binary, model):
        self.binary, self.model = binary, model

    def search(self, tasks, simulations, seed, out):
        flags = ["--simulations", simulations, "--seed", seed, "--controls", 0, "--out", out]
        run([self.binary, "search", "--model", self.model, "--task", *tasks, *flags])
        return read_lines(out / "samples.jsonl")

    def samples(self, task, out):
        """Every sample of a task with its rendered prompt; also the name the task gives itself."""
        output = run([self.binary, "eval", "--model", self.model, "--task", task, "--out", out, "--json"])
        (name,) = json.loads(output)["results"]
        (file,) = out.glob("samples_*.jsonl")
        return name, read_lines(file)

    def evaluate(self, task, pairs, out):
        """Seconds, and a line for each pair."""
        flags = ["--pairs", pairs, "--out", out, "--json"]
        summary = json.loads(run([self.binary, "eval", "--model", self.model, "--task", task, *flags]))
        return summary["seconds"], read_lines(out / "pairs.jsonl")


class Transformers:
    def __init__(self, python, model):
        self.python, self.model = python, model
        try:
            run([python, "-c", "import torch, transformers"])
        except Refused as error:
            raise Refused(
                f"{python} cannot run the baseline ({str(error).splitlines()[-1]}); it needs torch and transformers:\n"
                f"    {python} -m pip install torch transformers\n"
                "or name another Python with --python"
            ) from error

    def evaluate(self, pairs, setting, out, limit=None, leads=False):
        """Seconds, and a line for each pair."""
        flags = ["--pairs", pairs, "--out", out, "--threads", setting["threads"]]
        flags += ["--batch-options"] if setting["batch_options"] else []
        flags += ["--limit", limit] if limit else []
        flags += ["--leads"] if leads else []
        script = ROOT / "benchmarks/transformers_loop.py"
        summary = json.loads(run([self.python, script, "--model", self.model, *flags]))
        return summary["seconds"], read_lines(out)

    def settings(self, pairs, out, has_options):
        """Every setting with its chains a second on a few pairs, best of two, fastest first."""
        threads = sorted({1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()})
        options = [False, True] if has_options else [False]
        settings = [{"threads": t, "batch_options": b} for t, b in itertools.product(threads, options)]
        for setting in settings * 2:
            seconds, verdicts = self.evaluate(pairs, setting, out, CALIBRATION_PAIRS)
            rate = len(verdicts) / seconds
            setting["chains_per_second"] = max(rate, setting.get("chains_per_second", 0.0))
        return sorted(settings, key=lambda setting: -setting["chains_per_second"])


def disagreements(asked, theirs, ours):
    """Pairs whose answers differ, with both answers."""
    found = []
    for pair, loop, cola in zip(asked, theirs, ours, strict=True):
        if not key(pair) == key(loop) == key(cola):
            raise Refused(f"verdicts out of order: {key(pair)}, {key(loop)}, {key(cola)}")
        answer = pair["options"][loop["picked"]] if pair["options"] else loop["answer"]
        if answer.strip() != cola["answer"].strip():
            found.append((pair, {"transformers": answer.strip(), "cola": cola["answer"]}))
    return found


def explain(differing, transformers, setting, work):
    """The disagreements, each with how close transformers' decision was."""
    if not differing:
        return []
    pairs, answers = [pair for pair, _ in differing], [each for _, each in differing]
    write_lines(work / "differing.jsonl", pairs)
    _, verdicts = transformers.evaluate(work / "differing.jsonl", setting, work / "leads.jsonl", leads=True)
    explained = []
    for verdict, both in zip(verdicts, answers, strict=True):
        lead = verdict.get("lead")
        if lead is None:
            first, second = sorted(verdict["logprobs"], reverse=True)[:2]
            lead = first - second
        each = {"id": verdict["id"], "chain": verdict["chain"], **both}
        explained.append({**each, "lead": lead, "near_tie": lead < NEAR_TIE})
    return explained


def compare(task, pairs, sample_size, rounds, seed, cola, transformers, work):
    """One task's rounds; `pairs` are all of the search, in its order."""
    name, samples = cola.samples(task, work / "samples")
    whole = [{"id": line["id"], "chain": line["chain"]} for line in pairs(name)]
    if not whole:
        raise Refused(f"{task}: the search recorded no chain")
    picked = sorted(random.Random(seed).sample(range(len(whole)), min(sample_size, len(whole))))
    same = [whole[at] for at in picked]
    asked = loop_pairs(task, samples, same)
    files = {"whole": work / "whole.jsonl", "same": work / "same.jsonl", "loop": work / "loop.jsonl"}
    for file, lines in (("whole", whole), ("same", same), ("loop", asked)):
        write_lines(files[file], lines)

    note(f"{name}: {len(same)} of {len(whole)} pairs; settings of the transformers loop")
    settings = transformers.settings(files["loop"], work / "loop-out.jsonl", bool(asked[0]["options"]))
    for setting in settings:
        batch = ", options batched" if setting["batch_options"] else ""
        note(f"    {setting['threads']} threads{batch}: {setting['chains_per_second']:.1f} chains/s")
    arms = {
        "transformers": lambda: transformers.evaluate(files["loop"], settings[0], work / "loop-out.jsonl"),
        "cola_same": lambda: cola.evaluate(task, files["same"], work / "eval"),
        "cola_whole": lambda: cola.evaluate(task, files["whole"], work / "eval"),
    }
    sizes = {"transformers": len(same), "cola_same": len(same), "cola_whole": len(whole)}
    rates = {arm: [] for arm in arms}
    differing = {}
    for number in range(rounds):
        verdicts = {}
        for arm in list(arms)[:: 1 if number % 2 == 0 else -1]:
            seconds, verdicts[arm] = arms[arm]()
            rates[arm].append(sizes[arm] / seconds)
        among_all = {key(line): line for line in verdicts["cola_whole"]}
        again = [among_all[key(pair)] for pair in same]
        for ours in (verdicts["cola_same"], again):
            for pair, answers in disagreements(asked, verdicts["transformers"], ours):
                differing[key(pair)] = pair, answers
        note(f"    round {number + 1}: " + ", ".join(f"{arm} {rates[arm][-1]:.0f}/s" for arm in arms))
    return {
        "task": name,
        "samples": len(samples),
        "pairs": len(same),
        "pairs_of_the_search": len(whole),
        "setting": settings[0],
        "settings": settings,
        "chains_per_second": {arm: summary(values) for arm, values in rates.items()},
        "ratio_same_pairs": ratio(rates["cola_same"], rates["transformers"]),
        "ratio_whole_search": ratio(rates["cola_whole"], rates["transformers"]),
        "agreeing": len(same) - len(differing),
        "disagreements": explain(list(differing.values()), transformers, settings[0], work),
    }


def summary(values):
    return {"median": statistics.median(values), "rounds": values}


def ratio(ours, theirs):
    """Ratio of the medians, with the least and greatest ratio of a round."""
    rounds = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"median": statistics.median(ours) / statistics.median(theirs), "min": min(rounds), "max": max(rounds)}


def table(results):
    lines = [
        "| task | pairs | transformers, chains/s | cola, same pairs | ratio (min-max) | cola, whole search | ratio (min-max) | agreeing |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in results:
        rate = {arm: f"{values['median']:.0f}" for arm, values in each["chains_per_second"].items()}
        same, whole = (
            f"{each[name]['median']:.1f}x ({each[name]['min']:.1f}-{each[name]['max']:.1f})"
            for name in ("ratio_same_pairs", "ratio_whole_search")
        )
        lines.append(
            f"| {each['task']} | {each['pairs']} of {each['pairs_of_the_search']} | {rate['transformers']} "
            f"| {rate['cola_same']} | {same} | {rate['cola_whole']} | {whole} | {each['agreeing']}/{each['pairs']} |"
        )
    return "\n".join(lines)


def note(line):
    print(line, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "models/demo", help="directory in Hugging Face layout")
    parser.add_argument("--task", type=Path, nargs="+", default=TASKS, help="task files (YAML)")
    parser.add_argument("--pairs", type=int, default=200, help="pairs of each task that both sides run")
    parser.add_argument("--simulations", type=int, default=50, help="of the search that records the chains")
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 for a figure to quote")
    parser.add_argument("--seed", type=int, default=0, help="of the search and of the choice of pairs")
    parser.add_argument("--cola", type=Path, default=ROOT / "target/release/cola", help="the binary")
    parser.add_argument("--python", default="python3", help="a Python with torch and transformers")
    parser.add_argument("--out", type=Path, help="JSON file for everything measured")
    return parser.parse_args()


def main():
    args = arguments()
    if not args.cola.exists():
        raise Refused(f"{args.cola}: not there; `cargo build --release` makes it")
    cola = Cola(args.cola, args.model)
    transformers = Transformers(args.python, args.model)
    with tempfile.TemporaryDirectory(prefix="cola-compare-") as scratch:
        scratch = Path(scratch)
        note(f"cola search, {args.simulations} simulations a sample, to record chains")
        records = cola.search(args.task, args.simulations, args.seed, scratch / "search")

        def pairs(name):
            mine = sorted((r for r in records if r["task"] == name), key=lambda r: r["index"])
            return [{"id": r["id"], **evaluation} for r in mine for evaluation in r["evaluations"]]

        results = []
        for number, task in enumerate(args.task):
            work = scratch / str(number)
            work.mkdir()
            results.append(
                compare(task, pairs, args.pairs, args.rounds, args.seed, cola, transformers, work)
            )
    print(table(results))
    hard = [each for result in results for each in result["disagreements"] if not each["near_tie"]]
    for result in results:
        setting = result["setting"]
        batch = ", the options of a question in one batch" if setting["batch_options"] else ""
        print(f"\n{result['task']}: transformers with {setting['threads']} threads{batch}: its fastest setting here.")
        for each in result["disagreements"]:
            kind = "near-tie" if each["near_tie"] else "DIFFERS"
            print(f"  {kind} {each['id']} {each['chain']}: transformers {each['transformers']!r}, "
                  f"cola {each['cola']!r}, lead {each['lead']}")  # fmt: skip
    if args.out:
        settings = {"simulations": args.simulations, "rounds": args.rounds, "seed": args.seed}
        settings["processors"] = os.cpu_count()
        args.out.write_text(json.dumps({**settings, "tasks": results}, indent=2) + "\n", encoding="utf-8")
    return 1 if hard else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as error:
        print(f"compare.py: {error}", file=sys.stderr)
        sys.exit(2)
