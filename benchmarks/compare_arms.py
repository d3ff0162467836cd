"""The arms of compare.py: what each of them runs, on which pairs, in which setting."""

from collections import Counter
from dataclasses import dataclass
from typing import Callable

from compare_cases import asked, unmodified
from sides import note, write_lines

# The settings of transformers are tried on this share of the drawn pairs, the most common chains first.
CALIBRATION = 1 / 8
# With so many evaluations in flight or fewer, the list's every fourth sample is enough.
FEW_IN_FLIGHT, PART = 32, 4
# Of the prompts that llama.cpp answers one at a time, every eighth: their rate does not depend on the number.
ONE_AT_A_TIME = 8
# Of its sequences at once these are tried, with at most so many new tokens.
SEQUENCES = (8, 32, 128)
SHORT = 12


@dataclass
class Arm:
    """One way to evaluate some pairs."""

    runs: str  # "drawn" pairs, the "list", a "part" of it, or the "unmodified" model
    size: int  # evaluations
    evaluate: Callable  # () -> seconds, verdicts, counts of its own
    exact: bool = True  # must answer as the others do


def arms(recorded, cola, transformers, llama_cpp, args, work):
    """All arms of a case by name, and the settings tried."""
    pairs = asked(recorded)
    files = {name: work / f"{name}.jsonl" for name in ("whole", "part", "drawn", "asked", "few", "out", "unmodified")}
    samples = list(dict.fromkeys(pair["id"] for pair in recorded.whole))[::PART]
    part = [pair for pair in recorded.whole if pair["id"] in samples]
    for name, lines in (("whole", recorded.whole), ("part", part), ("drawn", recorded.drawn), ("asked", pairs)):
        write_lines(files[name], lines)
    tried = settings(recorded, pairs, transformers, files, args.quick)

    def theirs(arm):
        return Arm("drawn", len(pairs), lambda: (*transformers.evaluate(arm, files["asked"], tried[arm][0], files["out"]), {}))

    def ours(runs, file, size, *flags, task=recorded.task, exact=True):
        def evaluate():
            summary, verdicts = cola.evaluate(task, file, work / "eval", *flags)
            return summary["seconds"], verdicts, counts(summary)

        return Arm(runs, size, evaluate, exact)

    found = {
        "loop": theirs("loop"),
        "grouped": theirs("grouped"),
        "cola": ours("drawn", files["drawn"], len(pairs)),
        "whole": ours("list", files["whole"], len(recorded.whole)),
    }
    for number in recorded.case.in_flight:
        # A few in flight go through a few samples as fast as through all.
        few = number <= FEW_IN_FLIGHT
        file, size = (files["part"], len(part)) if few else (files["whole"], len(recorded.whole))
        found[f"{number} in flight"] = ours("part" if few else "list", file, size, "--in-flight", number)
    if cola.knows("--dtype", "mixed"):
        flags = ["--dtype", "mixed", *in_flight(recorded.case)]
        found["mixed"] = ours("list", files["whole"], len(recorded.whole), *flags, exact=False)
    if recorded.case.unmodified:
        prompts, identities = unmodified(recorded)
        write_lines(files["unmodified"], identities)
        flags = in_flight(recorded.case)
        found["unmodified"] = ours("unmodified", files["unmodified"], len(prompts), *flags)
        # What `unmodified` takes longer than this is decoding alone.
        first = recorded.task.with_flag("--max-gen-toks", 1)
        found["unmodified, 1 token"] = ours("unmodified", files["unmodified"], len(prompts), *flags, task=first, exact=False)
        if llama_cpp:
            found |= llama_cpp_arms(prompts, llama_cpp, tried, args, work)
    return pairs, found, tried


def in_flight(case):
    return ["--in-flight", max(case.in_flight)] if case.in_flight else []


def counts(summary):
    names = ("steps_run", "steps_saved", "tokens_decoded", "tokens_drafted", "decode_steps", "passes")
    return {name: summary[name] for name in names if name in summary}


def settings(recorded, asked_pairs, transformers, files, quick):
    """Of both transformers arms: every setting with its chains a second, fastest first."""
    common = Counter(pair["chain"] for pair in recorded.drawn)
    pairs = sorted(asked_pairs, key=lambda pair: -common[pair["chain"]])
    few = pairs[: max(1, round(len(pairs) * CALIBRATION))]
    write_lines(files["few"], few)

    def tried(arm, choices):
        for setting in choices:
            seconds, _ = transformers.evaluate(arm, files["few"], setting, files["out"])
            setting["chains_per_second"] = len(few) / seconds
            batches = f", batches of {setting['rows']}" if arm == "grouped" else ""
            note(f"    {arm}, {setting['threads']} threads{batches}: {setting['chains_per_second']:.2f} chains/s")
        return fastest(choices)

    loop = tried("loop", [{"threads": threads, "rows": 1} for threads in (1, 2)])
    threads, rows = ([loop[0]["threads"]], (16,)) if quick else ((1, 2), (4, 16, 64))
    return {"loop": loop, "grouped": tried("grouped", [{"threads": t, "rows": r} for t in threads for r in rows])}


def fastest(choices):
    return sorted(choices, key=lambda setting: -setting["chains_per_second"])


def llama_cpp_arms(prompts, llama_cpp, tried, args, work):
    """llama.cpp with one prompt at a time, and with the number of sequences at once that is fastest."""
    files = {name: work / f"llama-cpp-{name}.jsonl" for name in ("prompts", "some", "short", "out")}
    some = prompts[::ONE_AT_A_TIME]
    short = [{**prompt, "max_new_tokens": min(prompt["max_new_tokens"], SHORT)} for prompt in prompts]
    for name, lines in (("prompts", prompts), ("some", some), ("short", short)):
        write_lines(files[name], lines)
    threads = 1 if args.quick else 2
    numbers = [number for number in SEQUENCES if number <= len(prompts)] or [len(prompts)]
    choices = [{"threads": threads, "sequences": number} for number in numbers]
    for setting in choices:
        seconds, _ = llama_cpp.evaluate(files["short"], setting, files["out"])
        setting["chains_per_second"] = len(prompts) / seconds
        note(f"    llama.cpp, {setting['sequences']} sequences, short: {setting['chains_per_second']:.2f} chains/s")
    tried["llama.cpp"] = [{"threads": threads, "sequences": 1}]
    tried["llama.cpp, batched"] = fastest(choices)

    def arm(name, file, size):
        def evaluate():
            seconds, answers = llama_cpp.evaluate(files[file], tried[name][0], files["out"])
            return seconds, answers, {"tokens_decoded": sum(each["generated"] for each in answers)}

        return Arm("unmodified", size, evaluate, exact=False)

    return {
        "llama.cpp": arm("llama.cpp", "some", len(some)),
        "llama.cpp, batched": arm("llama.cpp, batched", "prompts", len(prompts)),
    }
