"""A finished run in the shape of Table 1 of CoLa (arXiv 2507.07996), beside its published rows.

    python3 results/table.py RUN > RUN/table.md        RUN: directory of a run, with its summary.json

"original -> found" are shares of all samples, in %: the unmodified model, and with the best chain within the bound on degradation
that a search found which saw the right answers (oracle). The rows below it say what luck reaches on the control samples, at the
same budget and bound.
"""

import json
import sys
from pathlib import Path

# ARC-Easy, ARC-Challenge and DART-Math 1 to 5, 500 questions each; 200 simulations.
PUBLISHED = {
    "Llama-3 3B base": "27.8 -> 95.8, 20.8 -> 98.2, 7 -> 63.6, 5.4 -> 46.8, 3 -> 34.8, 2.6 -> 26, 1.4 -> 25.6",
    "Llama-3 3B instruct": "39.8 -> 95.8, 37.4 -> 98.2, 13 -> 81, 7.4 -> 64, 5.8 -> 47.6, 9.8 -> 42.4, 14.4 -> 44",
    "Llama-3 8B base": "45.6 -> 95.8, 42.6 -> 98.2, 13.4 -> 79.8, 6.8 -> 58, 4.2 -> 42.8, 2.2 -> 31.8, 0.8 -> 29.2",
    "Llama-3 8B instruct": "76 -> 95.8, 69 -> 98.2, 10 -> 84.2, 6 -> 66.2, 6.8 -> 54.6, 12 -> 49.4, 12.4 -> 47.8",
}
PUBLISHED_COLUMNS = ["arc_easy", "arc_challenge", "DART-1", "DART-2", "DART-3", "DART-4", "DART-5"]


def percent(part, whole):
    return f"{100 * part / whole:.1f}" if whole else "-"


def points(excess):
    if excess["value"] is None:
        return "-"
    return f"{100 * excess['value']:+.0f} ({100 * excess['low']:.0f} to {100 * excess['high']:.0f})"


def odds(selectivity):
    if selectivity["low"] is None:
        return "-"
    return f"{selectivity['value']:.1f} ({selectivity['low']:.1f}-{selectivity['high']:.1f})"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def table(title, columns, rows):
    return [title, "", row(["", *columns]), row(["---"] * (len(columns) + 1)), *map(row, rows), ""]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.splitlines()[2].strip())
    summary = json.loads((Path(sys.argv[1]) / "summary.json").read_text())
    tasks = summary["datasets"]
    columns = [f"{task['task']} ({task['samples']})" for task in tasks]
    share = lambda part, whole: [percent(part(task), whole(task)) for task in tasks]
    samples = lambda task: task["samples"]
    wrong = lambda task: task["controls"]["control_samples"]
    before, after = share(lambda t: t["baseline_correct"], samples), share(lambda t: t["found_correct"], samples)
    control = lambda name: lambda task: task["controls"][name]
    rows = [
        [f"{summary['model']}: original -> found (oracle)", *(f"{a} -> {b}" for a, b in zip(before, after))],
        ["right answers with a shorter chain", *share(lambda t: t["correct_with_shorter"], lambda t: t["baseline_correct"])],
        ["mean depth found", *("-" if t["mean_depth_found"] is None else f"{t['mean_depth_found']:.1f}" for t in tasks)],
        ["wrong control samples", *(str(wrong(task)) for task in tasks)],
        ["of these fixed by the search", *share(control("search_fixed"), wrong)],
        ["by random chains at the same budget", *share(control("random_fixed"), wrong)],
        ["a matched wrong answer reached by the same search (luck)", *share(lambda t: t["excess"]["wrong_target_hit"], lambda t: t["excess"]["wrong_samples"])],
        ["a wrong answer drawn at random reached", *share(control("wrong_target_hit"), wrong)],
        ["excess, points: fixed less matched (95 %)", *(points(task["excess"]) for task in tasks)],
        ["the same of random chains", *(points(task["random_excess"]) for task in tasks)],
        ["selectivity: odds at equal rank, random chains (95 %)", *(odds(task["selectivity"]) for task in tasks)],
    ]
    lines = table(f"**This run**, % (samples of each task in brackets), {summary['chains']:,} chains", columns, rows)
    published = [[f"{name} (published)", *cells.split(", ")] for name, cells in PUBLISHED.items()]
    lines += table("**CoLa, Table 1**, original -> found (oracle); no control for luck was published", PUBLISHED_COLUMNS, published)
    print("\n".join(lines).rstrip())


if __name__ == "__main__":
    main()
