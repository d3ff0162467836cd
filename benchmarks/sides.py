"""The sides of compare.py as processes: the `cola` binary, and a Python with transformers. llama_cpp.py has the third."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Refused(Exception):
    """Could not run; the message says why."""


def run(command, **options):
    """Standard output of a command that must succeed."""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    except OSError as error:
        raise Refused(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise Refused(f"{' '.join(command)}\nended with status {done.returncode}:\n{tail(done.stderr)}")
    return done.stdout


def tail(text):
    return "\n".join(text.strip().splitlines()[-8:])


def note(line):
    print(line, file=sys.stderr, flush=True)


def read_lines(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def write_lines(path, objects):
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects)
    path.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Task:
    """What `cola` takes the questions from: a task file or a built-in task, and flags such as --data and --limit."""

    name: object
    flags: tuple = ()

    def arguments(self):
        return ["--task", self.name, *self.flags]

    def with_flag(self, name, value):
        """The same with another value of a flag that it has."""
        at = self.flags.index(name) + 1
        return Task(self.name, (*self.flags[:at], value, *self.flags[at + 1 :]))


class Cola:
    def __init__(self, binary, model):
        self.binary, self.model = binary, model

    def version(self):
        return run([self.binary, "--version"]).strip()

    def knows(self, *flags):
        """Whether `cola eval` takes these flags."""
        # A binary that does not know them says so before it looks for a task.
        done = subprocess.run([str(self.binary), "eval", *flags, "--help"], capture_output=True, check=False)
        return done.returncode == 0

    def search(self, task, simulations, seed, out):
        """{sample id: the chains its search ran, in their order}. Resumes, or ends at once, where `out` is there."""
        flags = ["--simulations", simulations, "--seed", seed, "--controls", 0, "--progress", "none", "--out", out]
        run([self.binary, "search", "--model", self.model, *task.arguments(), *flags])
        records = sorted(read_lines(out / "samples.jsonl"), key=lambda record: record["index"])
        return {r["id"]: [evaluation["chain"] for evaluation in r["evaluations"]] for r in records}

    def prompts(self, task):
        """Of every sample "id", "prompt", "tokens", "continuations" and, where text is generated, "generate"."""
        flags = ["--show-prompts", 1_000_000, "--json"]
        return json.loads(run([self.binary, "eval", "--model", self.model, *task.arguments(), *flags]))["prompts"]

    def evaluate(self, task, pairs, out, *flags):
        """The summary, with "seconds", and a line for each pair."""
        flags = [*flags, "--pairs", pairs, "--progress", "none", "--out", out, "--json"]
        summary = json.loads(run([self.binary, "eval", "--model", self.model, *task.arguments(), *flags]))
        return summary, read_lines(out / "pairs.jsonl")


class Transformers:
    """A `transformers_worker.py` with one model, idle unless asked."""

    def __init__(self, python, model):
        self.errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8")
        command = [str(python), str(HERE / "transformers_worker.py"), "--model", str(model)]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
            )
        except OSError as error:
            raise Refused(f"{python}: {error.strerror}; name another Python with --python") from error
        self.versions = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        raise Refused(
            f"transformers_worker.py ended:\n{tail(self.errors.read())}\nIt needs torch and transformers, for a GGUF "
            "file gguf and accelerate too (python3 -m pip install torch transformers gguf accelerate); --python names "
            "another Python"
        )

    def evaluate(self, arm, pairs, setting, out):
        """Seconds, and a verdict for each pair; `arm` and `setting` as the worker reads them."""
        request = {"arm": arm, "pairs": str(pairs), "out": str(out), **setting}
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # `read` says why
        return self.read()["seconds"], read_lines(out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
