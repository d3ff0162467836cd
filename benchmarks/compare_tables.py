"""compare.py's results as Markdown: on the terminal, and in README.md."""

HEAD = """\
| task | pairs | beside | its chains/s | cola, same pairs | ratio (min-max) | cola, whole list | ratio (min-max) | agreeing |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def table(report):
    """A table and its remarks for every model."""
    machine, versions = report["machine"], report["versions"]
    torch = versions["torch"].partition("+")[0]
    lines = [
        f"{machine['cores']} cores, {machine['cpu']}; {versions['cola']}; torch {torch}, transformers "
        f"{versions['transformers']}; {report['rounds']} rounds, seed {report['seed']}; `{report['command']}`."
    ]
    for model in report["models"]:
        lines += ["", f"#### {title(model)}", "", HEAD]
        lines += [row(task, theirs) for task in model["tasks"] for theirs in task["ratios"]]
        lines.append("")
        lines += [remark for task in model["tasks"] for remark in remarks(task)]
    return "\n".join(lines)


def title(model):
    if model["parameters"] is None:
        return f"`{model['model']}`: the bundled model"
    return f"`{model['model']}`: random Llama, {model['parameters'] / 1e6:.1f}M parameters"


def row(task, theirs):
    rate = {arm: digits(each["median"]) for arm, each in task["chains_per_second"].items()}
    same, whole = (
        f"{each['median']:.1f}x ({each['min']:.1f}-{each['max']:.1f})"
        for each in (task["ratios"][theirs][ours] for ours in ("cola", "whole"))
    )
    return (
        f"| {task['task']} | {task['pairs']} of {task['pairs_of_the_list']} | {theirs} | {rate[theirs]} "
        f"| {rate['cola']} | {same} | {rate['whole']} | {whole} | {task['agreeing']}/{task['pairs']} |"
    )


def digits(rate):
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}"


def remarks(task):
    loop, grouped = task["settings"]["loop"][0], task["settings"]["grouped"][0]
    again, shared = task["answers_that_repeat_an_earlier_one"], task["samples_a_chain"]
    yield (
        f"- {task['task']}: {task['samples']} samples; loop with {loop['threads']} threads, grouped with "
        f"{grouped['threads']} and batches of {grouped['rows']}: their fastest settings here. A chain was run on "
        f"{shared['list']:.2f} samples in the mean ({shared['drawn']:.2f} of the pairs drawn). "
        f"{again['repeats']} of {again['of']} answers ({again['repeats'] / max(1, again['of']):.0%}) repeat an earlier "
        "one of their sample."
    )
    for each in task["disagreements"]:
        kind = "near-tie" if each["near_tie"] else "DIFFERS"
        lead = "none" if each["lead"] is None else f"{each['lead']:.2g}"
        given = ", ".join(f"{arm} {' or '.join(map(repr, answers))}" for arm, answers in each["answers"].items())
        yield f"  - {kind} {each['id']} {each['chain']}, lead {lead}: {given}"
