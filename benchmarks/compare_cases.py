"""What compare.py compares on: models, tasks, and the recorded lists of (sample, chain) pairs."""

import json
import random
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from sides import Cola, Refused, run

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Case:
    """A task of a model, and how many pairs of it are recorded and drawn."""

    task: str
    pairs: int  # drawn for all arms
    samples: int | None = None  # None: every sample of the task
    chains: int = 50  # recorded for a sample, first come
    searched: str | None = None  # the task whose search records the chains, if not this one


@dataclass
class Model:
    cases: list[Case]
    quick: list[Case]
    random: list | None = None  # flags for random_model.py; None is the bundled model


# `--contribution` is set so that a continuation repeats an earlier one of its sample about as often as on the
# bundled model (README.md, "The random models"). A search with 50-token generations would take longer than the
# rest together, so `text` runs the chains that the search of `choice` ran on the same prompts.
MODELS = {
    "demo": Model(
        [Case("commonsense-2", 200), Case("arith-3", 200)],
        [Case("commonsense-2", 40, chains=20), Case("arith-3", 40, chains=20)],
    ),
    "46m": Model(
        [Case("choice", 48, 16, 32), Case("text", 24, 16, 64, "choice")],
        [Case("choice", 8, 4, 8), Case("text", 3, 2, 6, "choice")],
        ["--hidden", 512, "--intermediate", 1344, "--layers", 16, "--contribution", 0.012],
    ),
    "300m": Model(
        [Case("choice", 24, 8, 24), Case("text", 8, 8, 24, "choice")],
        [Case("choice", 4, 2, 6), Case("text", 2, 2, 4, "choice")],
        ["--hidden", 1024, "--intermediate", 3008, "--layers", 24, "--contribution", 0.015],
    ),
}


@dataclass
class Recorded:
    """A case ready to run."""

    case: Case
    task: Path
    name: str
    samples: list  # with rendered prompts
    whole: list  # every pair
    drawn: list  # of them, those that all arms run


def prepare(name, quick, drawn, seed, python, work):
    """Directory of the model, its parameters (None where not made here), and its cases."""
    model = MODELS[name]
    cases = [replace(case, pairs=drawn or case.pairs) for case in (model.quick if quick else model.cases)]
    if model.random is None:
        return ROOT / "models/demo", ROOT / "datasets/demo", None, cases
    # As many samples as any run of this model needs, so that quick and full runs share it.
    samples = max(case.samples for case in model.cases)
    done = work / "made.json"
    if not done.exists():
        work.mkdir(parents=True, exist_ok=True)
        flags = [*model.random, "--samples", samples, "--seed", seed]
        done.write_text(run([python, ROOT / "benchmarks/random_model.py", "--out", work, *flags]), encoding="utf-8")
    return work / "model", work, json.loads(done.read_text(encoding="utf-8"))["parameters"], cases


def record(case, tasks, cola: Cola, seed, work):
    """The chains of a search, and the pairs drawn from them."""
    task = tasks / f"{case.task}.yaml"
    searched = case.searched or case.task
    # The name says what was searched: a kept directory is resumed only by the same search.
    out = work / f"search-{searched}-{case.samples or 'all'}-{case.chains}-{seed}"
    found = cola.search(tasks / f"{searched}.yaml", case.samples, case.chains, seed, out)
    name, samples = cola.samples(task, work / f"samples-{case.task}")
    whole = [
        {"id": id.replace(searched, case.task, 1), "chain": chain}
        for id, chains in found.items()
        for chain in chains[: case.chains]
    ]
    if not whole:
        raise Refused(f"{task}: the search recorded no chain")
    return Recorded(case, task, name, samples, whole, draw(whole, case.pairs, seed))


def draw(whole, size, seed):
    """About `size` pairs: all pairs of every k-th chain, chains in the order of how many samples ran them.

    Whole chains, so that samples that ran the same one can be batched as in the whole list; in that order, so that
    common and rare chains are drawn in proportion.
    """
    generator = random.Random(seed)
    counts = Counter(pair["chain"] for pair in whole)
    order = sorted(counts, key=lambda chain: (-counts[chain], generator.random()))
    step = max(1, round(len(whole) / size))
    picked = set(order[generator.randrange(step) :: step])
    return [pair for pair in whole if pair["chain"] in picked]


def asked(recorded):
    """The drawn pairs with prompts and options, as transformers_arms.py reads them."""
    by_id = {sample["id"]: sample for sample in recorded.samples}
    multiple_choice = options(recorded.samples[0]) is not None
    ask = {"stop": [], "max_new_tokens": 0} if multiple_choice else generation_settings(recorded.task)
    return [
        {**pair, "prompt": by_id[pair["id"]]["prompt"], "options": options(by_id[pair["id"]]), **ask}
        for pair in recorded.drawn
    ]


def options(sample):
    """The continuations of a multiple-choice sample; None of one that generates."""
    asked = [arguments["arg_1"] for arguments in sample["arguments"].values()]
    return asked if all(isinstance(text, str) for text in asked) else None


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
