#!/usr/bin/env python3
"""What each strategy finds for its cost: fixed samples and depth, at equal simulations and at equal layer steps, on the same questions.

    python3 benchmarks/search_quality.py        the bundled model; writes results/search-quality/
    python3 benchmarks/search_quality.py --models demo=models/demo:5 pairs=DIR:5 --work RUNS
    python3 benchmarks/search_quality.py --seeds 1 --questions 100 --simulations 50 --strategies mcts random beam --out DIR

A model is NAME=DIR:LEVEL, with the level of its questions. They come from `cola synth` with a seed that nothing was tuned on. Every cell
of the table is a search of its own, since some strategies plan with their budget. No controls, and no bound on degradation: these
models were trained on answers alone, so that their loss on a prompt says nothing. The same command continues a run that was stopped;
another binary starts anew. The figure needs matplotlib.
"""

import argparse
import functools
import hashlib
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).resolve().parent.parent
REFERENCE = "mcts"
DASHED, DOTTED = (0, (5, 2)), ":"
# Colour, line and width in the figure. Solid: follows verdicts; dashed: does not; dotted: at most one chain a layer.
STRATEGIES = {
    REFERENCE: ("black", "-", 3),
    "random": ("#1f77b4", DASHED, 2),
    "greedy": ("#e69f00", "-", 2),
    "beam": ("#2ca02c", "-", 2),
    "best-first": ("#d62728", "-", 2),
    "anneal": ("#9467bd", "-", 2),
    "single-edits": ("#56b4e9", DASHED, 2),
    "double-edits": ("#0b3c5d", (0, (2, 5)), 2),  # shows both where it lies on single-edits
    "rys": ("#8c564b", DASHED, 2),
    "early-exit": ("#e377c2", DOTTED, 2.4),
    "last-n": ("#7f7f7f", DOTTED, 2.4),
    "shortgpt": ("#17becf", DOTTED, 2.4),
}
DRAWS = 2000
COLUMNS = ["model", "budget", "strategy", "fixed, %", "difference (95 %)", "depth", "difference (95 %)", "steps"]
CAPTION = """\
{questions} questions a model, of `cola synth --kind arith --seed {data_seed}`; search seeds {listed}; no bound on degradation.
{models}

*fixed*: questions that the unmodified model answers wrong and a chain answers right, of all that it answers wrong, over all seeds. *depth*:
mean length of the shortest right chains, of the questions with one. *steps*: mean layer steps a question, where chains share what they
have in common at their beginning. *difference*: to `{reference}` with the same budget; that of depth over the questions and seeds for which
both have a right chain. Intervals are from a bootstrap over questions, which draws a question with all its seeds ({draws} draws). They are
not corrected for how many there are.

A budget in simulations is `--simulations`. One in steps is `--budget-steps`, the same for every question: the mean steps that
`{reference}` took with the simulations in brackets. With the same simulations, steps differ between strategies, and between questions.
`double-edits` tries all chains of one edit first, so that with a small budget it is `single-edits`. The last three strategies run out
of chains before the budget is used, and `rys` does so with a large one.

`fixed-and-depth.svg` shows what the searches with the largest budget in steps had found after fewer. The depth is that on questions that
the unmodified model answers right: every strategy has a right chain for them from the beginning."""


class Course(NamedTuple):
    """The search of one question with one seed."""

    wrong: bool  # whether the unmodified model answers it wrong
    steps: int  # distinct layer steps of all its chains
    finds: list  # (steps so far, length) of each right chain that was shorter than all before

    def depth(self, limit=None):
        """Length of the shortest right chain within so many steps, or None."""
        found = [length for steps, length in self.finds if limit is None or steps <= limit]
        return found[-1] if found else None


def main():
    args = arguments()
    binary = hashlib.sha256(args.cola.read_bytes()).hexdigest()[:12]
    lines, models, panels = [], [], []
    for name, directory, level in args.models:
        folder = args.work / binary / f"{name}-{level}-{args.questions}-{args.data_seed}"
        case = Case(args, Path(directory), level, folder)
        cells = {(f"{count} simulations", strategy): case.cell(strategy, "simulations", count)
                 for count in args.simulations for strategy in args.strategies}
        for count in args.simulations:
            budget = round(mean_steps(sum(cells[f"{count} simulations", REFERENCE].values(), [])))
            label = f"{budget} steps ({count})"
            cells |= {(label, strategy): case.cell(strategy, "budget-steps", budget) for strategy in args.strategies}
        for (label, strategy), cell in cells.items():
            lines.append("| " + " | ".join([name, label, strategy, *row(cell, cells[label, REFERENCE])]) + " |")
            print(lines[-1], flush=True)
        wrong = sum(courses[0].wrong for courses in cells[label, REFERENCE].values())
        models.append(f"`{name}` answers {wrong} of {args.questions} wrong (level {level}).")
        panels.append((name, budget, {strategy: cells[label, strategy] for strategy in args.strategies}))
    args.out.mkdir(parents=True, exist_ok=True)
    caption = CAPTION.format(**vars(args) | {"models": " ".join(models)}, listed=", ".join(map(str, range(args.seeds))), reference=REFERENCE, draws=DRAWS)
    table = [f"| {' | '.join(COLUMNS)} |", "| " + " | ".join(["---"] * len(COLUMNS)) + " |", *lines]
    (args.out / "table.md").write_text("\n".join([caption, "", *table, ""]))
    print(args.out / "table.md")
    draw(panels, args.out / "fixed-and-depth.svg")


class Case:
    """A model and its questions."""

    def __init__(self, args, model, level, folder):
        self.args, self.model, self.folder = args, model, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.rows = folder / "questions.jsonl"
        if not self.rows.exists():
            self.cola("synth", "--kind", "arith", "--level", level, "--count", args.questions, "--seed", args.data_seed, "--out", self.rows)

    def cell(self, strategy, budget, amount):
        """What a strategy did with a budget: the courses of each question, one a seed."""
        courses = {}
        for seed in range(self.args.seeds):
            run = self.folder / f"{budget}-{amount}-{strategy}-{seed}"
            print(f"{self.folder.name}/{run.name}", file=sys.stderr, flush=True)
            self.cola("search", "--model", self.model, "--task", "arith", "--data", self.rows, "--strategy", strategy, f"--{budget}", amount,
                      "--seed", seed, "--controls", 0, "--max-degradation", "none", "--out", run)
            for record in map(json.loads, (run / "samples.jsonl").open()):
                courses.setdefault(record["id"], []).append(read(record))
                assert budget == "simulations" or courses[record["id"]][-1].steps <= amount, (run, record["id"])
        return courses

    def cola(self, *words):
        done = subprocess.run([str(word) for word in [self.args.cola, *words]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"cola {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")


def read(record):
    """The course of a sample, from its line in the journal."""
    assert not record["error"], (record["id"], record["error"])
    nodes, finds = {}, []
    for evaluation in record["evaluations"]:
        chain = expand(evaluation["chain"])
        node = 0
        for step in chain:  # a trie: a prefix that chains share is one node
            node = nodes.setdefault((node, step), len(nodes) + 1)
        if counts(record, evaluation) and (not finds or len(chain) < finds[-1][1]):
            finds.append((len(nodes), len(chain)))
    best = record["best"] and len(expand(record["best"]["chain"]))
    assert best == (finds[-1][1] if finds else None), record["id"]
    return Course(not record["baseline"]["correct"], len(nodes), finds)


def counts(record, evaluation):
    bound, nats = record.get("max_degradation"), evaluation.get("degradation")
    within = bound is None or (record.get("prompt_loss") is None if nats is None else nats <= bound)
    return evaluation["correct"] and within and evaluation["chain"] not in record["unconfirmed"]


@functools.cache
def expand(chain):
    """The steps (layer, alpha) of a chain as the journal writes it: `0-5,(6-7)x3@0.5,9,8`."""
    steps = []
    for item in [] if chain == "empty" else re.split(r",(?![^(]*\))", chain):
        body, _, alpha = item.partition("@")
        block, _, times = body.partition("x")
        layers = []
        for run in block.strip("()").split(","):
            first, last = int(run.split("-")[0]), int(run.split("-")[-1])
            layers += range(first, last + 1) if first <= last else range(first, last - 1, -1)
        steps += [(layer, "" if times else alpha) for layer in layers]
        steps += [(layer, alpha) for layer in layers] * (int(times or 1) - 1)
    return steps


def row(cell, reference):
    """The columns of the table after the strategy."""
    courses = [course for question in cell.values() for course in question]
    wrong = [course.depth() is not None for course in courses if course.wrong]
    depths = [course.depth() for course in courses if course.depth() is not None]
    share, depth = 100 * sum(wrong) / max(1, len(wrong)), sum(depths) / max(1, len(depths))
    fixes, lengths = [], []
    for key, question in cell.items():
        pairs = [(ours.depth(), theirs.depth()) for ours, theirs in zip(question, reference[key])]
        if question[0].wrong:
            fixes.append((100 * sum((ours is not None) - (theirs is not None) for ours, theirs in pairs), len(pairs)))
        both = [ours - theirs for ours, theirs in pairs if None not in (ours, theirs)]
        lengths.append((sum(both), len(both)))
    against = ["-", "-"] if cell is reference else [difference(fixes, 1), difference(lengths, 2)]
    return [f"{share:.1f}", against[0], f"{depth:.2f}", against[1], f"{mean_steps(courses):.0f}"]


def difference(parts, digits):
    """The mean of what questions add to (a sum, its number of terms), with a bootstrap interval over questions."""
    def mean(chosen):
        return sum(part for part, _ in chosen) / (sum(number for _, number in chosen) or 1)

    generator = random.Random(0)
    means = sorted(mean(generator.choices(parts, k=len(parts))) for _ in range(DRAWS))
    low, high = means[round(0.025 * (DRAWS - 1))], means[round(0.975 * (DRAWS - 1))]
    return f"{mean(parts):+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def mean_steps(courses):
    return sum(course.steps for course in courses) / len(courses)


def draw(panels, file):
    """Two panels a model: what a search with the largest budget of steps had found by every step."""
    try:
        import matplotlib
    except ImportError:
        sys.exit(f"no {file}: it needs matplotlib (pip install matplotlib). The same command then draws it; the runs are kept.")
    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "search-quality", "axes.spines.top": False, "axes.spines.right": False}
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(panels), 2, figsize=(11.5, 4.2 * len(panels)), squeeze=False, layout="constrained")
    for (name, budget, cells), (left, right) in zip(panels, axes):
        for strategy, cell in cells.items():
            courses = [course for question in cell.values() for course in question]
            begin = min(course.finds[0][0] for course in courses if course.finds)
            limits = sorted({round(begin * (budget / begin) ** (place / 200)) for place in range(201)})
            wrong, known = ([course for course in courses if course.wrong is wanted] for wanted in (True, False))
            share = [100 * sum(course.depth(limit) is not None for course in wrong) / max(1, len(wrong)) for limit in limits]
            # The unmodified model is the first chain of every search, so that these have a right chain from the beginning.
            depth = [sum(course.depth(limit) for course in known) / max(1, len(known)) for limit in limits]
            for axis, values in ((left, share), (right, depth)):
                color, line, width = STRATEGIES[strategy]
                axis.plot(limits, values, label=strategy, color=color, linestyle=line, linewidth=width, zorder=2 + (strategy == REFERENCE))
        left.set(title=f"{name}: questions answered wrong", ylabel="fixed, %", ylim=(0, 101))
        right.set(title=f"{name}: questions answered right", ylabel="mean depth of the shortest right chain", ylim=(0, None))
        for axis in (left, right):
            axis.set_xlabel("layer steps a question (logarithmic)")
            axis.set_xscale("log")
            ticks = [tick for tick in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if begin <= tick <= budget]
            axis.set_xticks(ticks, [str(tick) for tick in ticks])
            axis.set_xticks([], minor=True)
            axis.set_xlim(begin, budget)
            axis.grid(color="0.9")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right upper", frameon=False, handlelength=3.5, fontsize=11)
    figure.savefig(file, metadata={"Date": None}, facecolor="white")
    print(file)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=model, nargs="+", default=[model(f"demo={HOME}/models/demo:5")], metavar="NAME=DIR:LEVEL")
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=STRATEGIES, metavar="STRATEGY")
    parser.add_argument("--simulations", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--data-seed", type=int, default=4242)
    parser.add_argument("--work", type=Path, default=HOME / "results/search-quality-runs", help="where the runs are kept")
    parser.add_argument("--out", type=Path, default=HOME / "results/search-quality")
    parser.add_argument("--cola", type=Path, default=HOME / "target/release/cola")
    args = parser.parse_args()
    args.strategies = [REFERENCE, *(strategy for strategy in args.strategies if strategy != REFERENCE)]
    args.simulations.sort()
    return args


def model(text):
    name, _, rest = text.partition("=")
    directory, _, level = rest.rpartition(":")
    if not name or not directory or not level.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=DIR:LEVEL")
    return name, directory, int(level)


if __name__ == "__main__":
    main()
