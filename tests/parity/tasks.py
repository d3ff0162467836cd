"""The tasks that are compared: lm-evaluation-harness's name and ours, where the rows come from, and how they are asked."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import rows
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "datasets"))
from real_rows import MMLU  # noqa: E402


@dataclass
class Case:
    """One task as both programs are asked it."""

    name: str
    theirs: list  # lm-evaluation-harness's tasks; each takes the rows with `values[i]` in `column`
    ours: str
    kind: str  # how rows are made
    split: str = "test"
    real: str = ""  # file under the directory of real rows whose rows are taken instead
    real_shots: str = ""  # file there of the examples
    column: str = ""
    values: list = field(default_factory=list)
    shots: str = ""  # split of the examples
    num_fewshot: int = None
    dataset_name: str = None
    file: str = ""  # their own task file, which `cola eval` is given too, instead of one of ours
    own: str = ""  # a task file of ours, which both are given: of a built-in task, or in own/

    @property
    def generates(self):
        return self.kind in ("gsm8k", "mmlu_pro", "math", "aliases", "answers", "bbh") or self.name in ("arc_challenge_chat", "basic_arithmetic_generate")

    @property
    def is_built_in(self):
        return self.own.startswith("datasets/")


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
    Case("boolq-google", ["boolq"], "boolq", "google_boolq", "validation", own="datasets/boolq.yaml"),
    Case("social_iqa", ["social_iqa"], "social_iqa", "social_iqa", "validation"),
    Case("sciq", ["sciq"], "sciq", "sciq"),
    Case("copa", ["copa"], "copa", "copa", "validation"),
    Case("copa-2shot", ["copa"], "copa", "copa", "validation", shots="train", num_fewshot=2),
    Case("medmcqa", ["medmcqa"], "medmcqa", "medmcqa", "validation"),
    Case("basic_arithmetic", ["basic_arithmetic"], "basic_arithmetic", "sums", "validation", own="datasets/basic_arithmetic.yaml"),
    Case(
        "basic_arithmetic_generate", ["basic_arithmetic_generate"], "basic_arithmetic_generate", "sums", "validation",
        own="datasets/basic_arithmetic_generate.yaml",
    ),
    Case("mmlu-5shot", [f"mmlu_{s}" for s in rows.MMLU_SUBJECTS], "mmlu", "mmlu", column="subject", values=rows.MMLU_SUBJECTS, shots="dev", num_fewshot=5),
    Case("gsm8k-5shot", ["gsm8k"], "gsm8k", "gsm8k", real="gsm8k/test.jsonl", shots="train"),
    Case("gsm8k-0shot", ["gsm8k"], "gsm8k", "gsm8k", real="gsm8k/test.jsonl", shots="train", num_fewshot=0),
    Case(
        "mmlu_pro", [f"mmlu_pro_{c.replace(' ', '_')}" for c in rows.MMLU_PRO_CATEGORIES], "mmlu_pro", "mmlu_pro",
        column="category", values=rows.MMLU_PRO_CATEGORIES, shots="validation",
    ),
    Case("hendrycks_math", ["hendrycks_math_algebra"], "hendrycks_math", "math"),
    Case("lambada", ["lambada_openai"], "lambada", "lambada"),
    Case("minerva_math", ["minerva_math_algebra"], "minerva_math", "math"),
    # What a user may bring along: files without Python functions, with several right answers, examples in the file, a prefix.
    Case("triviaqa-2shot", ["triviaqa"], "triviaqa", "aliases", "validation", shots="train", num_fewshot=2, file="triviaqa/default.yaml"),
    Case("nq_open-2shot", ["nq_open"], "nq_open", "answers", "validation", shots="train", num_fewshot=2, file="nq_open/nq_open.yaml"),
    Case("gsm8k_cot", ["gsm8k_cot"], "gsm8k_cot", "gsm8k", real="gsm8k/test.jsonl", file="gsm8k/gsm8k-cot.yaml"),
    Case("bbh_cot", ["bbh_cot_fewshot_boolean_expressions"], "bbh_cot_fewshot_boolean_expressions", "bbh", file="bbh/cot_fewshot/boolean_expressions.yaml"),
    Case("pile_10k", ["pile_10k"], "pile_10k", "texts", "train", file="pile_10k/pile_10k.yaml"),
    Case("own_several", ["own_several"], "own_several", "aliases", shots="train", own="tests/parity/own/several.yaml"),
    Case("own_choice", ["own_choice"], "own_choice", "arc", shots="train", own="tests/parity/own/choice.yaml"),
    Case("own_text", ["own_text"], "own_text", "lambada", own="tests/parity/own/text.yaml"),
    Case("own_empty", ["own_empty"], "own_empty", "arc", own="tests/parity/own/empty.yaml"),
    Case("arc_challenge_chat", ["arc_challenge_chat"], "arc_challenge_chat", "arc", file="arc/arc_challenge_chat.yaml"),
]


# The same tasks over the rows of `datasets/real.py`: every built-in task that has some there and does not score with filters or
# metrics of ours alone.
REAL_CASES = [
    Case("arc_easy", ["arc_easy"], "arc_easy", "arc", real="arc_easy.jsonl"),
    Case("arc_challenge", ["arc_challenge"], "arc_challenge", "arc", real="arc_challenge.jsonl"),
    Case(
        "arc_challenge-3shot", ["arc_challenge"], "arc_challenge", "arc", real="arc_challenge.jsonl", shots="train",
        real_shots="arc_challenge_validation.arrow", num_fewshot=3,
    ),
    Case("openbookqa", ["openbookqa"], "openbookqa", "openbookqa", real="openbookqa.jsonl"),
    Case("commonsense_qa", ["commonsense_qa"], "commonsense_qa", "commonsense_qa", "validation", "commonsense_qa.arrow"),
    Case("piqa", ["piqa"], "piqa", "piqa", "validation", "piqa.arrow"),
    Case("hellaswag", ["hellaswag"], "hellaswag", "hellaswag", "validation", "hellaswag.arrow"),
    Case("winogrande", ["winogrande"], "winogrande", "winogrande", "validation", "winogrande.arrow"),
    Case("boolq", ["boolq"], "boolq", "google_boolq", "validation", "boolq.arrow", own="datasets/boolq.yaml"),
    Case("social_iqa", ["social_iqa"], "social_iqa", "social_iqa", "validation", "social_iqa.arrow"),
    Case("sciq", ["sciq"], "sciq", "sciq", real="sciq.arrow"),
    Case("copa", ["copa"], "copa", "copa", "validation", "copa.arrow"),
    Case("medmcqa", ["medmcqa"], "medmcqa", "medmcqa", "validation", "medmcqa.jsonl"),
    Case("basic_arithmetic", ["basic_arithmetic"], "basic_arithmetic", "sums", "validation", "basic_arithmetic.arrow", own="datasets/basic_arithmetic.yaml"),
    Case(
        "basic_arithmetic_generate", ["basic_arithmetic_generate"], "basic_arithmetic_generate", "sums", "validation",
        "basic_arithmetic.arrow", own="datasets/basic_arithmetic_generate.yaml",
    ),
    Case("lambada", ["lambada_openai"], "lambada", "lambada", real="lambada.jsonl"),
    Case(
        "mmlu", [f"mmlu_{subject}" for subject in MMLU], "mmlu", "mmlu", real="mmlu.arrow", column="subject", values=MMLU, shots="dev",
        real_shots="mmlu_dev.arrow",
    ),
    Case(
        "mmlu-5shot", [f"mmlu_{subject}" for subject in MMLU], "mmlu", "mmlu", real="mmlu.arrow", column="subject", values=MMLU, shots="dev",
        real_shots="mmlu_dev.arrow", num_fewshot=5,
    ),
    Case("gsm8k-0shot", ["gsm8k"], "gsm8k", "gsm8k", real="gsm8k.jsonl", shots="train", num_fewshot=0),
    Case("gsm8k-5shot", ["gsm8k"], "gsm8k", "gsm8k", real="gsm8k.jsonl", shots="train"),
    Case("hendrycks_math", ["hendrycks_math_algebra"], "hendrycks_math", "math", real="math.jsonl"),
    Case("minerva_math", ["minerva_math_algebra"], "minerva_math", "math", real="math.jsonl"),
]


def made_rows(case, words, count, data):
    """Rows to ask and rows of the examples: of the first tasks real ones, else such as are made; JSON lines."""
    real = rows.read_lines(Path(data) / case.real) if data and case.real else []
    asked = real[:count] or rows.made(case.kind, words, count)
    # Examples from the end of the real rows, none of which is asked.
    pool = min(40, count + 6)
    shots = (real[-pool:] if len(real) > count + pool else rows.made(case.kind, words, pool)) if case.shots else []
    return asked, shots, None


def fetched_rows(case, count, directory):
    """Rows to ask and rows of the examples as `datasets/real.py` fetched them, and the schema of an Arrow stream."""
    every, schema = rows.read_real(directory / case.real)
    asked = rows.spread(every, count)
    if case.real_shots:
        # Examples are written in the form of the rows that are asked, whatever their own.
        return asked, rows.read_real(directory / case.real_shots)[0], schema
    # There is no training split: rows that are not asked.
    return asked, [row for row in every if row not in asked][-40:] if case.shots else [], schema


def write_rows(case, directory, asked, shots, schema):
    """The rows and those of the examples, of all of the case and of each of their tasks. The case without tasks that have no
    row, and the files that both programs read."""
    directory.mkdir(parents=True, exist_ok=True)
    if case.values:
        there = [at for at, value in enumerate(case.values) if any(row[case.column] == value for row in asked)]
        case = replace(case, theirs=[case.theirs[at] for at in there], values=[case.values[at] for at in there])
    files = {}
    for name, some in [("asked", asked), ("shots", shots)]:
        if not some:
            continue
        for at, value in enumerate(case.values):
            rows.write(directory / f"{name}-{at}", [row for row in some if row[case.column] == value], schema)
        files[name] = rows.write(directory / name, some, schema)
    return case, files


def their_config(case, at, files):
    """Their own task, its Python functions and all, over local files."""
    suffix = f"-{at}" if case.values else ""

    def path(name):
        return str(files[name].with_stem(f"{name}{suffix}"))

    data = {case.split: path("asked")}
    # Splits that the task names must be there; examples come from one of them.
    for split in {"train", "validation", case.shots} - {case.split, ""}:
        data[split] = path("shots" if case.shots else "asked")
    kind = "arrow" if files["asked"].suffix == ".arrow" else "json"
    config = {"task": case.theirs[at], "dataset_path": kind, "dataset_name": None, "dataset_kwargs": {"data_files": data}}
    return yaml.safe_load(own_text(case)) | config if case.own else config


def own_text(case):
    return (REPOSITORY / case.own).read_text(encoding="utf-8")
