"""The tasks that are compared: lm-evaluation-harness's name and ours, where the rows come from, and how they are asked."""

from dataclasses import dataclass, field
from pathlib import Path

import rows
import yaml


@dataclass
class Case:
    """One task as both programs are asked it."""

    name: str
    theirs: list  # lm-evaluation-harness's tasks; each takes the rows with `values[i]` in `column`
    ours: str
    kind: str  # how rows are made
    split: str = "test"
    real: str = ""  # file under the data directory whose rows are taken instead
    column: str = ""
    values: list = field(default_factory=list)
    shots: str = ""  # split of the examples
    num_fewshot: int = None
    dataset_name: str = None
    file: str = ""  # their own task file, which `cola eval` is given too, instead of one of ours
    own: str = ""  # a task file in own/, which both are given

    @property
    def generates(self):
        return self.kind in ("gsm8k", "mmlu_pro", "math", "aliases", "answers", "bbh") or self.name == "arc_challenge_chat"


CASES = [
    Case("arc_easy", ["arc_easy"], "arc_easy", "arc", real="arc_easy/test.jsonl"),
    Case("arc_challenge", ["arc_challenge"], "arc_challenge", "arc"),
    Case("arc_challenge-3shot", ["arc_challenge"], "arc_challenge", "arc", shots="train", num_fewshot=3),
    Case("openbookqa", ["openbookqa"], "openbookqa", "openbookqa"),
    Case("commonsense_qa", ["commonsense_qa"], "commonsense_qa", "commonsense_qa", "validation", "commonsense_qa/validation.jsonl"),
    Case("piqa", ["piqa"], "piqa", "piqa", "validation"),
    Case("hellaswag", ["hellaswag"], "hellaswag", "hellaswag", "validation"),
    Case("winogrande", ["winogrande"], "winogrande", "winogrande", "validation"),
    Case("winogrande-2shot", ["winogrande"], "winogrande", "winogrande", "validation", shots="train", num_fewshot=2),
    Case("boolq", ["boolq"], "boolq", "boolq", "validation"),
    Case("social_iqa", ["social_iqa"], "social_iqa", "social_iqa", "validation"),
    Case("mmlu-5shot", [f"mmlu_{s}" for s in rows.MMLU_SUBJECTS], "mmlu", "mmlu", column="subject", values=rows.MMLU_SUBJECTS, shots="dev", num_fewshot=5),
    Case("gsm8k-5shot", ["gsm8k"], "gsm8k", "gsm8k", real="gsm8k/test.jsonl", shots="train"),
    Case("gsm8k-0shot", ["gsm8k"], "gsm8k", "gsm8k", real="gsm8k/test.jsonl", shots="train", num_fewshot=0),
    Case(
        "mmlu_pro", [f"mmlu_pro_{c.replace(' ', '_')}" for c in rows.MMLU_PRO_CATEGORIES], "mmlu_pro", "mmlu_pro",
        column="category", values=rows.MMLU_PRO_CATEGORIES, shots="validation",
    ),
    Case("hendrycks_math", ["hendrycks_math_algebra"], "hendrycks_math", "math"),
    Case("lambada", ["lambada_openai"], "lambada_openai", "lambada", file="lambada/lambada_openai.yaml"),
    Case("minerva_math", ["minerva_math_algebra"], "minerva_math", "math"),
    # What a user may bring along: files without Python functions, with several right answers, examples in the file, a prefix.
    Case("triviaqa-2shot", ["triviaqa"], "triviaqa", "aliases", "validation", shots="train", num_fewshot=2, file="triviaqa/default.yaml"),
    Case("nq_open-2shot", ["nq_open"], "nq_open", "answers", "validation", shots="train", num_fewshot=2, file="nq_open/nq_open.yaml"),
    Case("gsm8k_cot", ["gsm8k_cot"], "gsm8k_cot", "gsm8k", real="gsm8k/test.jsonl", file="gsm8k/gsm8k-cot.yaml"),
    Case("bbh_cot", ["bbh_cot_fewshot_boolean_expressions"], "bbh_cot_fewshot_boolean_expressions", "bbh", file="bbh/cot_fewshot/boolean_expressions.yaml"),
    Case("pile_10k", ["pile_10k"], "pile_10k", "texts", "train", file="pile_10k/pile_10k.yaml"),
    Case("own_several", ["own_several"], "own_several", "aliases", shots="train", own="several.yaml"),
    Case("own_choice", ["own_choice"], "own_choice", "arc", shots="train", own="choice.yaml"),
    Case("own_text", ["own_text"], "own_text", "lambada", own="text.yaml"),
    Case("own_empty", ["own_empty"], "own_empty", "arc", own="empty.yaml"),
    Case("arc_challenge_chat", ["arc_challenge_chat"], "arc_challenge_chat", "arc", file="arc/arc_challenge_chat.yaml"),
]


def write_rows(case, directory, words, count, data):
    """The rows and those of the examples, of all of the case and of each of their tasks."""
    directory.mkdir(parents=True, exist_ok=True)
    real = rows.read_lines(Path(data) / case.real) if data and case.real else []
    asked = real[:count] or rows.made(case.kind, words, count)
    # Examples from the end of the real rows, none of which is asked.
    pool = min(40, count + 6)
    shots = (real[-pool:] if len(real) > count + pool else rows.made(case.kind, words, pool)) if case.shots else []
    files = {}
    for name, some in [("asked", asked), ("shots", shots)]:
        if not some:
            continue
        rows.write_lines(directory / f"{name}.jsonl", some)
        for at, value in enumerate(case.values):
            of_value = [row for row in some if row[case.column] == value]
            rows.write_lines(directory / f"{name}-{at}.jsonl", of_value)
        files[name] = directory / f"{name}.jsonl"
    return files


def their_config(case, at, directory):
    """Their own task, its Python functions and all, over local files."""
    suffix = f"-{at}" if case.values else ""
    files = {case.split: str(directory / f"asked{suffix}.jsonl")}
    # Splits that the task names must be there; examples come from one of them.
    for split in {"train", "validation", case.shots} - {case.split, ""}:
        name = "shots" if case.shots else "asked"
        files[split] = str(directory / f"{name}{suffix}.jsonl")
    config = {"task": case.theirs[at], "dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
    return yaml.safe_load(own_text(case)) | config if case.own else config


def own_text(case):
    return (Path(__file__).parent / "own" / case.own).read_text(encoding="utf-8")
