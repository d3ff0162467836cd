"""Compares `cola eval` with lm-evaluation-harness, 0.4.13 or 0.4.9, on the same models and rows, sample by sample.

    python tests/parity/parity.py --work DIR --data SHARED_DATA --out parity.json     everything; what is in --out is kept
    python tests/parity/parity.py --work DIR --models demo --tasks piqa boolq --out parity.json
    python tests/parity/parity.py --work DIR --real datasets/real --data SHARED_DATA --models smollm2 stories260K --out real.json
    python tests/parity/parity.py --work DIR --recorded tests/fixtures/lm_eval        the recorded core of `make test`

--real takes the rows and the model that `datasets/real.py` fetches. A run can be killed and started again: every case that is
done is in --out. --minutes begins no case after that time.

Needs lm_eval, torch and transformers; minerva_math also sympy, math-verify and antlr4-python3-runtime 4.11; smollm2 gguf.
lm-evaluation-harness runs its own task files and Python functions, its model in float32, one request at a time, and 0.4.9 with
`add_bos_token=True`: it leaves that token out by default; from 0.4.10 on it does as the tokenizer says, as cola does. With --no-bos
it is asked `add_bos_token=False`.
"""

import argparse
import importlib.metadata
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import compare
import rows
from models import FAMILIES, REPOSITORY, model_path
from tasks import CASES, REAL_CASES, fetched_rows, made_rows, own_text, their_config, write_rows

SEED = 7


def main():
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    outcomes = json.loads(args.out.read_text()) if args.out and args.out.exists() else {}
    cases = [case for case in (REAL_CASES if args.real else CASES) if not args.tasks or case.name in args.tasks]
    left = [(name, case) for name in args.models for case in cases if f"{case.name}/{name}" not in outcomes or args.recorded]
    theirs, began, late = None, time.monotonic(), []
    for at, (name, case) in enumerate(left):
        key = f"{case.name}/{name}"
        if args.minutes and time.monotonic() - began > 60 * args.minutes:
            late.append(key)
            continue
        print(f"{time.strftime('%H:%M:%S')} {at + 1} of {len(left)}: {key}", flush=True)
        path = model_path(name, args.work, args.data)
        if theirs is None or theirs.path != path:
            theirs = Theirs(path, args)
        outcomes[key] = outcome(case, theirs, args)
        print(key, compare.in_words(outcomes[key]), flush=True)
        if args.out:
            whole = args.out.with_suffix(".new")
            whole.write_text(json.dumps(outcomes, indent=1) + "\n")
            whole.replace(args.out)
    print(compare.table(outcomes))
    if args.out:
        args.out.with_suffix(".md").write_text(compare.report(outcomes))
    failed = [key for key, found in outcomes.items() if not compare.is_same(found)]
    print("different:", ", ".join(failed) if failed else "none")
    if late:
        print("not begun:", ", ".join(late))
    raise SystemExit(bool(failed or late))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="directory for rows, random models and results")
    parser.add_argument("--data", type=Path, help="directory with arc_easy/, commonsense_qa/, gsm8k/ and models/stories260K")
    parser.add_argument("--real", type=Path, help="directory that datasets/real.py filled: its rows instead")
    parser.add_argument("--models", nargs="+", default=["demo", "stories260K", *FAMILIES])
    parser.add_argument("--tasks", nargs="+", help="names of the cases in tasks.py (default: all)")
    parser.add_argument("--count", type=int, help="rows a task (default: 400, with --real 200)")
    parser.add_argument("--max-gen-toks", type=int, default=32)
    parser.add_argument("--minutes", type=float, help="begin no case after so many minutes")
    parser.add_argument("--no-bos", action="store_true", help="both leave out the tokens that the tokenizer would add")
    parser.add_argument("--cola", type=Path, default=REPOSITORY / "target/release/cola")
    parser.add_argument("--out", type=Path, help="JSON of outcomes, to continue and to keep; a table beside it")
    parser.add_argument("--recorded", type=Path, help="write what lm-evaluation-harness says of a few rows there")
    args = parser.parse_args()
    args.count = args.count or (200 if args.real else 400)
    if args.recorded and args.real:
        parser.error("--recorded takes rows that are made here, none of --real")
    return args


def sentences(args):
    """Real questions to cut into phrases; of what is recorded, words of our own."""
    if args.recorded or not args.data:
        return (REPOSITORY / "tests/parity/sentences.txt").read_text(encoding="utf-8").splitlines()
    found = [row["question"] for row in rows.read_lines(args.data / "arc_easy/test.jsonl")]
    found += [row["question"] for row in rows.read_lines(args.data / "commonsense_qa/validation.jsonl")]
    return [re.sub(r"\s+", " ", text) for text in found]


def rows_of(case, args):
    if args.real:
        return fetched_rows(case, args.count, args.real)
    data = None if args.recorded else args.data
    return made_rows(case, rows.Words(sentences(args), f"{SEED} {case.name}"), args.count, data)


def outcome(case, theirs, args):
    """Both programs on one case."""
    which = "recorded" if args.recorded else f"real-{args.count}" if args.real else f"{args.count}"
    case, files = write_rows(case, args.work / "rows" / which / case.name, *rows_of(case, args))
    began = time.perf_counter()
    expected = theirs.run(case, files, args)
    middle = time.perf_counter()
    ours = run_ours(case, theirs.path, files, args)
    if args.recorded and not case.file:
        record(case, expected, files, args)
    found = compare.case(case, expected, ours, theirs.least_lead)
    seconds = {"lm_eval": round(middle - began, 1), "cola": round(time.perf_counter() - middle, 1)}
    return found | {"lm_eval": theirs.version, "seconds": seconds}


class Theirs:
    """lm-evaluation-harness with one model."""

    def __init__(self, path, args):
        import accelerate  # noqa: F401
        import datasets  # noqa: F401
        import peft  # noqa: F401
        import torch

        # One of these loads transformers anew.
        transformers = sys.modules["transformers"]
        if not hasattr(transformers, "AutoModelForVision2Seq"):
            # 0.4.9 names it; transformers 5 calls it otherwise, and nothing here uses it.
            transformers.AutoModelForVision2Seq = transformers.AutoModelForImageTextToText
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager

        self.path = path
        self.version = importlib.metadata.version("lm_eval")
        # By default 0.4.9 leaves the token out and later versions do as the tokenizer says: left out of the settings there.
        by_default = inspect.signature(HFLM.__init__).parameters["add_bos_token"].default is None
        bos = {"add_bos_token": False} if args.no_bos else {} if by_default else {"add_bos_token": True}
        tokenizer = None
        if path.name in FAMILIES:
            # The bundled model's tokenizer as its file says: by the model's type transformers 5 would put Qwen's way of
            # splitting words into it.
            tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(path)
        # A GGUF file's weights are made float32 as it is read.
        where = {"pretrained": str(path.parent), "gguf_file": path.name} if path.suffix == ".gguf" else {"pretrained": str(path)}
        # In float32 its log-softmax over 49,152 tokens is off by 1.6e-5 nats a token, by 1e-3 over an option.
        softmax = {"softmax_dtype": "float64"} if args.real else {}
        self.model = HFLM(
            **where, tokenizer=tokenizer, dtype="float32", batch_size=1, device="cpu", trust_remote_code=False, **bos, **softmax
        )
        self.torch = torch
        self.manager = TaskManager()

    def task(self, config):
        """Their own task over our rows. Later versions take a mapping for all of a task: built as they build one by its name."""
        if "doc_to_target" in config:
            from lm_eval.api.task import ConfigurableTask

            return ConfigurableTask(config=config)
        if not hasattr(self.manager, "load"):
            return config
        entry = self.manager._entry(config["task"])
        return self.manager._factory.build(entry, overrides=config, registry=self.manager._index)

    def run(self, case, files, args):
        """What it says of each of its tasks of a case."""
        from lm_eval import simple_evaluate

        tasks = [self.task(their_config(case, at, files)) for at in range(len(case.theirs))]
        found = simple_evaluate(
            self.model, tasks=tasks, num_fewshot=case.num_fewshot, verbosity="ERROR", task_manager=self.manager,
            gen_kwargs={"max_gen_toks": args.max_gen_toks} if case.generates else None,
        )
        return [found | {"samples": {name: found["samples"][name]}} for name in case.theirs]

    def least_lead(self, prompt, length):
        """The least lead, in nats, of a greedy token over the next best one: below rounding either may win."""
        torch = self.torch
        tokens = self.model.tok_encode(prompt)[-(self.model.max_length - length) :]
        lead = float("inf")
        with torch.no_grad():
            for _ in range(length):
                logits = self.model.model(torch.tensor([tokens])).logits[0, -1]
                best, second = logits.log_softmax(-1).topk(2).values.tolist()
                lead = min(lead, best - second)
                tokens.append(int(logits.argmax()))
        return lead


def run_ours(case, model, files, args):
    """Results and samples of `cola eval`."""
    with tempfile.TemporaryDirectory() as place:
        task = case.ours
        if case.own and not case.is_built_in:
            task = REPOSITORY / case.own
        elif case.file:
            task = Path(sys.modules["lm_eval"].__file__).parent / "tasks" / case.file
        command = [args.cola, "eval", "--model", model, "--task", task, "--data", files["asked"], "--out", f"{place}/out"]
        if case.num_fewshot is not None:
            command += ["--num-fewshot", case.num_fewshot]
        if case.generates:
            command += ["--max-gen-toks", args.max_gen_toks]
        if args.no_bos:
            command += ["--no-bos"]
        if "shots" in files:
            command += ["--fewshot-data", files["shots"]]
        ran = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if ran.returncode:
            raise SystemExit(f"{' '.join(map(str, command))}\n{ran.stderr}")
        (results,) = Path(place, "out").glob("results_*.json")
        (samples,) = Path(place, "out").glob("samples_*.jsonl")
        return json.loads(results.read_text(encoding="utf-8")), rows.read_lines(samples)


def record(case, expected, files, args):
    """What lm-evaluation-harness says, as the Rust test reads it: rows, and by filter and row what was asked and found."""
    args.recorded.mkdir(parents=True, exist_ok=True)
    samples = [sample for each in expected for sample in compare.lines(each)]
    kept = ["doc_id", "doc", "filter", "target", "doc_hash", "prompt_hash", "target_hash", "resps", "filtered_resps"]
    lines = [{key: sample[key] for key in [*kept, *sample["metrics"]]} for sample in samples]
    for line in lines:
        # Text as it is, log-probabilities with the digits that are compared.
        line["resps"] = [[compare.rounded(response) for response in responses] for responses in line["resps"]]
        line["filtered_resps"] = [compare.rounded(response) for response in line["filtered_resps"]]
        if isinstance(line["target"], list):
            line["target"] = str(line["target"])
        # The rows are in a file of their own.
        line["row"] = line.pop("doc").get(case.column, "") if case.column else ""
    results = [each["results"][name] for each, name in zip(expected, case.theirs)]
    content = {
        "yaml": own_text(case) if case.own and not case.is_built_in else None, "task": case.ours, "num_fewshot": case.num_fewshot, "column": case.column,
        "max_gen_toks": args.max_gen_toks if case.generates else None, "results": results, "samples": lines,
        "rows": rows.read_lines(files["asked"]), "shots": rows.read_lines(files["shots"]) if "shots" in files else [],
    }
    path = args.recorded / f"{case.name}.json"
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
