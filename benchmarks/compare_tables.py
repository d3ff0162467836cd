"""compare.py's results as Markdown: on the terminal, and in README.md."""

BESIDE = ("loop", "grouped", "llama.cpp")
# What `cola` wants to reach: case, arm, beside what, how many times its rate. Of the word problems, 16 and 50 tokens.
TARGETS = [
    ("options", "whole", "loop", 25),
    ("arithmetic", "whole", "loop", 15),
    ("16", "whole", "loop", 14),
    ("50", "whole", "loop", 20),
    ("16", "128 in flight", "llama.cpp", 3),
    ("50", "128 in flight", "llama.cpp", 3),
]
RUNS = {"drawn": "drawn", "list": "of the list", "part": "of the list", "unmodified": "unmodified"}
# Of the rate with 128 evaluations in flight, what 24 should reach.
FEW_IN_FLIGHT = 2 / 3


def table(report):
    """A table of all cases and arms, what to know of each case, and the targets where there are some."""
    cases = report["cases"]
    beside = [name for name in BESIDE if any(name in case["arms"] for case in cases)]
    columns = ["case", "arm", "evaluations", "a second", *(f"against {name} (min-max)" for name in beside), "agreeing"]
    lines = [*setting(report), "", f"#### {title(report)}", "", *header(columns)]
    for case in cases:
        lines += [row(case, name, run, beside) for name, run in case["arms"].items()]
    lines.append("")
    for case in cases:
        lines += remarks(case)
    against = list(targets(cases))
    if against:
        lines += ["", *header(["case", "arm", "target", "reached", ""]), *against]
    return "\n".join(lines)


def setting(report):
    machine, versions = report["machine"], report["versions"]
    torch = versions["torch"].partition("+")[0]
    with_llama_cpp = f", {versions['llama_cpp']}" if versions["llama_cpp"] else ""
    yield (
        f"{machine['cores']} cores, {machine['cpu']}; {versions['cola']}; torch {torch}, transformers "
        f"{versions['transformers']}{with_llama_cpp}; {report['rounds']} rounds, seed {report['seed']}; "
        f"`{report['command']}`."
    )
    if versions["llama_cpp_left_out"]:
        yield f"llama.cpp is left out: {versions['llama_cpp_left_out'].splitlines()[0]}."


def title(report):
    if report["model"] == "smollm2":
        return "`smollm2`: SmolLM2-135M-Instruct"
    if report["parameters"] is None:
        return f"`{report['model']}`: the bundled model"
    return f"`{report['model']}`: random Llama, {report['parameters'] / 1e6:.1f}M parameters"


def header(columns):
    return [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]


def row(case, name, run, beside):
    ratios = [run["ratios"].get(each) if each in case["arms"] and each != name else None for each in beside]
    agreeing = run.get("agreeing")
    cells = [
        case["case"],
        name,
        f"{run['evaluations']} {RUNS[run['runs']]}",
        digits(run["chains_per_second"]["median"]),
        *("" if each is None else times(each) for each in ratios),
        f"{agreeing['alike']}/{agreeing['of']}" if agreeing else "",
    ]
    return f"| {' | '.join(cells)} |"


def times(ratio):
    return f"{ratio['median']:.1f}x ({ratio['min']:.1f}-{ratio['max']:.1f})"


def digits(rate):
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}"


def remarks(case):
    tried, again, shared = case["settings"], case["answers_that_repeat_an_earlier_one"], case["samples_a_chain"]
    layers = case["mean_layers"]
    loop, grouped = tried["loop"][0], tried["grouped"][0]
    rows = f" of {case['rows']}" if case["rows"] else ""
    ends = f", at most {case['max_new_tokens']} new ones" if case["max_new_tokens"] else ""
    batched = tried.get("llama.cpp, batched")
    llama_cpp = f"; llama.cpp with {batched[0]['threads']}, batched with {batched[0]['sequences']} sequences" if batched else ""
    first = f", of which the first {case['chains_a_sample']} chains count" if case["chains_a_sample"] else ""
    yield (
        f"- {case['case']}: `{case['task']}`, {case['samples']} samples{rows}, {case['prompt_tokens']:.0f} prompt tokens in "
        f"the mean{ends}; {case['simulations']} simulations for a sample{first}. Fastest settings here: loop with "
        f"{loop['threads']} threads, grouped with {grouped['threads']} and batches of {grouped['rows']}{llama_cpp}. A chain "
        f"has {layers['list']:.1f} layers and was run on {shared['list']:.2f} samples in the mean (of the pairs drawn "
        f"{layers['drawn']:.1f} and {shared['drawn']:.2f}). "
        f"{again['repeats']} of {again['of']} answers ({again['repeats'] / max(1, again['of']):.0%}) repeat an earlier "
        "one of their sample."
    )
    alone = case["decoding_alone"]
    if alone and alone["tokens_per_second"]:
        rounds = alone["rounds"]
        yield (
            f"  - The unmodified model decodes {alone['tokens_per_second']:.0f} tokens/s ({min(rounds):.0f}-{max(rounds):.0f}) "
            "after the prompts and their first tokens."
        )
    for each in case["disagreements"]:
        kind = "near-tie" if each["near_tie"] else "DIFFERS"
        lead = "none" if each["lead"] is None else f"{each['lead']:.2g}"
        given = ", ".join(f"{arm} {' or '.join(map(repr, answers))}" for arm, answers in each["answers"].items())
        yield f"  - {kind} {each['id']} {each['chain']}, lead {lead}: {given}"


def targets(cases):
    for case in cases:
        arms = case["arms"]
        for ending, arm, beside, wanted in TARGETS:
            # Only the real model's cases end so; the others have no target here.
            if arm in arms and beside in arms and case["case"].endswith(ending):
                reached = arms[arm]["ratios"][beside]
                yield target(case["case"], arm, f"{wanted}x against {beside}", times(reached), reached["median"] >= wanted)
        few, many = (arms.get(f"{number} in flight") for number in (24, 128))
        if few and many:
            share = few["chains_per_second"]["median"] / many["chains_per_second"]["median"]
            wanted = f"{FEW_IN_FLIGHT:.2f} of 128 in flight"
            yield target(case["case"], "24 in flight", wanted, f"{share:.2f}", share >= FEW_IN_FLIGHT)


def target(case, arm, wanted, reached, met):
    return f"| {case} | {arm} | {wanted} | {reached} | {'met' if met else 'missed'} |"
