"""What compare.py compares on: models, tasks, and the recorded lists of (sample, chain) pairs."""

import hashlib
import json
import random
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from sides import Cola, Refused, Task, note, read_lines, run, write_lines

ROOT = Path(__file__).resolve().parent.parent
SMOLLM2 = ROOT / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
REAL = ROOT / "datasets/real"
# Answers are compared as whole texts: no filter, and no end of the text where a filter has found its answer.
WHOLE_TEXT = """\
include: %s
filter_list:
  - name: text
    filter:
      - function: take_first
"""


@dataclass(frozen=True)
class Case:
    """A task of a model, and how many pairs of it are recorded and drawn."""

    task: str  # a task file of the model's, or a built-in task where there is `data`
    pairs: int  # drawn for all arms
    samples: int | None = None  # None: every sample of the task
    simulations: int = 50  # of the search for a sample, which records at most as many chains
    searched: str | None = None  # the task whose search records the chains, if not this one
    label: str | None = None  # where not the name of the task
    data: Path | None = None  # rows of a built-in task
    max_tokens: int | None = None  # where not the task's own, which the search has
    in_flight: tuple = ()  # the list is evaluated with these too
    unmodified: bool = False  # whether the unmodified model's answers are timed beside llama.cpp's

    @property
    def name(self):
        return self.label or self.task


@dataclass
class Model:
    cases: list[Case]
    quick: list[Case]
    random: list | None = None  # flags for random_model.py


# `--contribution` is set so that a continuation repeats an earlier one of its sample about as often as on the
# bundled model (README.md, "The random models"). A search with 50-token generations would take longer than the
# rest together, so `text` runs the chains that the search of `choice` ran on the same prompts.
MODELS = {
    "demo": Model(
        [Case("commonsense-2", 200), Case("arith-3", 200)],
        [Case("commonsense-2", 40, simulations=20), Case("arith-3", 40, simulations=20)],
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


def smollm2(svamp, questions):
    """The real model: `svamp` is a file of SVAMP's rows, or None for GSM8K's."""
    words, task, rows = ("svamp", "svamp", svamp) if svamp else ("gsm8k", "gsm8k_polar", REAL / "gsm8k.jsonl")
    common = {"samples": questions, "simulations": 8}
    generates = common | {"in_flight": (24, 128), "unmodified": True}
    arithmetic = REAL / "basic_arithmetic.arrow"
    # Both lengths run the chains of one search with 50 tokens, the task's own number.
    cases = [
        Case("arc_easy", 24, label="options", data=REAL / "arc_easy.jsonl", **common),
        Case("basic_arithmetic_generate", 24, label="arithmetic", data=arithmetic, max_tokens=8, **generates),
        Case(task, 12, label=f"{words}16", data=rows, max_tokens=16, **generates),
        Case(task, 8, label=f"{words}50", data=rows, max_tokens=50, **generates),
    ]
    return Model(cases, [replace(case, samples=3, simulations=3, pairs=3) for case in cases[:3]])


@dataclass
class Prepared:
    """A model as its cases need it."""

    path: Path  # for `cola` and transformers
    tasks: Path  # folder of its task files
    parameters: int | None  # None where not made here
    cases: list[Case]
    made_with: list


def prepare(name, args, work):
    model = smollm2(args.svamp, args.questions) if name == "smollm2" else MODELS[name]
    cases = model.quick if args.quick else model.cases
    unknown = set(args.cases or []) - {case.name for case in cases}
    if unknown:
        raise Refused(f"{name} has no case {', '.join(sorted(unknown))}, but {', '.join(case.name for case in cases)}")
    cases = [case for case in cases if not args.cases or case.name in args.cases]
    cases = [replace(case, pairs=args.pairs or case.pairs) for case in cases]
    work.mkdir(parents=True, exist_ok=True)
    if name == "smollm2":
        return Prepared(SMOLLM2, ROOT / "datasets", None, cases, [])
    if model.random is None:
        return Prepared(ROOT / "models/demo", ROOT / "datasets/demo", None, cases, [])
    # As many samples as any run of this model needs, so that quick and full runs share it.
    samples = max(case.samples for case in model.cases)
    done = work / "made.json"
    if not done.exists():
        flags = [*model.random, "--samples", samples, "--seed", args.seed]
        made = run([args.python, ROOT / "benchmarks/random_model.py", "--out", work, *flags])
        done.write_text(made, encoding="utf-8")
    parameters = json.loads(done.read_text(encoding="utf-8"))["parameters"]
    return Prepared(work / "model", work, parameters, cases, list(map(str, model.random)))


@dataclass
class Recorded:
    """A case ready to run."""

    case: Case
    task: Task  # as it is evaluated
    prompts: list  # of every sample, as `cola` shows them
    whole: list  # every pair
    drawn: list  # of them, those that all arms run


def record(case, model: Prepared, cola: Cola, args, work):
    """The chains of a search, and the pairs drawn from them."""
    flags = ("--data", case.data) if case.data else ()
    flags += ("--limit", case.samples) if case.samples else ()
    searched = case.searched or case.task
    found = chains(Task(model.tasks / f"{searched}.yaml", flags), case, cola, args.seed, work)
    # Of a random model's `text`, ids of `choice`; never more chains than the search was asked for.
    whole = [
        {"id": each["id"].replace(searched, case.task, 1), "chain": chain}
        for each in found
        for chain in each["chains"][: args.chains or case.simulations]
    ]
    if not whole:
        raise Refused(f"{case.name}: the search recorded no chain")
    file = model.tasks / f"{case.task}.yaml"
    if case.max_tokens:
        file = work / f"{case.name}-whole-text.yaml"
        file.write_text(WHOLE_TEXT % (model.tasks / f"{case.task}.yaml"), encoding="utf-8")
        flags += ("--max-gen-toks", case.max_tokens)
    task = Task(file, flags)
    return Recorded(case, task, cola.prompts(task), whole, draw(whole, case.pairs, args.seed))


def chains(task, case, cola, seed, work):
    """A line {"id", "chains"} a sample: of a search, or of the file that an earlier call left."""
    digest = hashlib.sha256(case.data.read_bytes()).hexdigest()[:8] if case.data else "own"
    parts = [case.searched or case.task, case.samples or "all", case.simulations, digest, seed]
    name = "-".join(map(str, parts))
    file = work / f"chains-{name}.jsonl"
    if not file.exists():
        note(f"{case.name}: searching, {case.simulations} simulations for a sample")
        found = cola.search(task, case.simulations, seed, work / f"search-{name}")
        write_lines(file, [{"id": id, "chains": ran} for id, ran in found.items()])
    return read_lines(file)


def draw(whole, size, seed):
    """About `size` pairs whose chains are about as long, and as common, as those of the list.

    All pairs of every k-th chain, chains in the order of how many samples ran them: whole chains, so that samples that
    ran the same one can be batched as in the list. Of the chains that k / 4 samples or more ran, such as the unmodified
    model, a run of pairs as long as their share. Of all such draws that whose chains have the list's mean length.
    """
    generator = random.Random(seed)
    counts = Counter(pair["chain"] for pair in whole)
    order = sorted(counts, key=lambda chain: (-counts[chain], generator.random()))
    step = max(1, round(len(whole) / size))
    place = {chain: at for at, chain in enumerate(order)}
    many = {chain for chain, count in counts.items() if 4 * count >= step > 1}
    common = sorted((pair for pair in whole if pair["chain"] in many), key=lambda pair: place[pair["chain"]])
    rare = [chain for chain in order if chain not in many]
    share = round(len(common) / step)
    wanted = mean_layers(whole)

    def at(offset):
        start = (len(common) - share) * offset // step
        run = {(pair["id"], pair["chain"]) for pair in common[start : start + share]}
        picked = set(rare[offset::step])
        return [pair for pair in whole if pair["chain"] in picked or (pair["id"], pair["chain"]) in run]

    def misses(drawn):
        return abs(mean_layers(drawn) / wanted - 1) + abs(len(drawn) / size - 1) / 2

    return min(filter(None, map(at, range(step))), key=misses)


def mean_layers(pairs):
    return sum(layers(pair["chain"]) for pair in pairs) / len(pairs)


def layers(chain):
    """How many layers a chain runs: of `0-3,(4-5)x3@0.5,6` eleven."""
    total = 0
    if chain == "empty":
        return total
    for block, times, plain in re.findall(r"\(([^)]*)\)x(\d+)(?:@[\d.]+)?|([^,()]+)", chain):
        for part in (block or plain).split(","):
            first, _, last = part.partition("-")
            total += (int(last or first) - int(first) + 1) * int(times or 1)
    return total


def asked(recorded):
    """The drawn pairs with prompts and options, as transformers_arms.py reads them."""
    by_id = {sample["id"]: sample for sample in recorded.prompts}
    return [
        {**pair, "prompt": by_id[pair["id"]]["prompt"], "options": options(by_id[pair["id"]]), **ends(by_id[pair["id"]])}
        for pair in recorded.drawn
    ]


def options(sample):
    """The continuations of a multiple-choice sample; None of one that generates."""
    return None if "generate" in sample else [each["text"] for each in sample["continuations"]]


def ends(sample):
    """Where the text that is generated ends."""
    generate = sample.get("generate", {"until": [], "max_tokens": 0})
    return {"stop": generate["until"], "max_new_tokens": generate["max_tokens"]}


def unmodified(recorded):
    """The samples' prompts as llama_cpp.mjs reads them, and as pairs with the unmodified model for `cola`."""
    identities = {}
    for pair in recorded.whole:
        identities.setdefault(pair["id"], pair["chain"])  # the first chain of every search
    if len(set(identities.values())) != 1:
        raise Refused(f"{recorded.case.name}: the searches do not all begin with the unmodified model")
    samples = [sample for sample in recorded.prompts if sample["id"] in identities]
    prompts = [{"id": sample["id"], "tokens": sample["tokens"], **ends(sample)} for sample in samples]
    return prompts, [{"id": sample["id"], "chain": identities[sample["id"]]} for sample in samples]
