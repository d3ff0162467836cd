"""What growth.py measures on: models, prompts of any length, and chains."""

import json
import random

import choice_task
from compare_cases import REAL, ROOT, SMOLLM2
from sides import Cola, Task, run, write_lines

HIDDEN = 256  # of the random models
OPTIONS = 4


def edited(layers, draw):
    """The identity with one to three blocks skipped or repeated."""
    found = list(range(layers))
    for _ in range(draw.randint(1, 3)):
        length = draw.randint(1, min(4, len(found)))
        start = draw.randrange(len(found) - length + 1)
        block = found[start : start + length]
        found[start : start + length] = draw.choice(([], block * 2)) if len(found) > length else block
    return found


def resized(chain, length, draw):
    """The chain with blocks skipped or repeated until it has so many layers."""
    while len(chain) != length:
        size = draw.randint(1, min(4, abs(length - len(chain))))
        start = draw.randrange(len(chain) - size + 1)
        block = chain[start : start + size]
        chain[start : start + size] = block * 2 if len(chain) < length else []
    return chain


def pairs(ids, count, make, seed):
    """So many distinct chains for each sample."""
    draw, found = random.Random(seed), []
    for id in ids:
        chains = {}
        while len(chains) < count:
            chains[",".join(map(str, make(draw)))] = None
        found += [{"id": id, "chain": chain} for chain in chains]
    return found


class SmolLM2:
    """The real model, on prompts of running text; every chain has as many layers as its point says."""

    name = "smollm2"
    base = {"questions": 16, "chains": 4, "prompt tokens": 64, "layers of chain": 30}
    # What is varied, and in what the others then differ from `base`: so few that a table takes minutes.
    varied = {
        "questions": ([32, 128, 512, 1024], {"chains": 2}),
        "chains": ([8, 32, 128, 256], {"questions": 4}),
        "prompt tokens": ([32, 128, 512, 2048], {"questions": 4}),
        "layers of chain": ([30, 60, 120], {"questions": 8, "chains": 8}),
    }
    quick = {
        "questions": ([2, 4], {"chains": 2}),
        "chains": ([2, 4], {"questions": 2}),
        "prompt tokens": ([32, 64], {"questions": 2, "chains": 2}),
        "layers of chain": ([30, 60], {"questions": 2, "chains": 2}),
    }
    in_flight = [1, 4, 16, 64, 128]
    memory = base | {"questions": 128, "chains": 2}
    quick_memory = base | {"questions": 4, "chains": 2}

    def __init__(self, args, work):
        self.args, self.work, self.made = args, work, {}

    def prepare(self, point):
        """Model, task, file of the pairs, and mean number of prompt tokens."""
        tokens, count = point["prompt tokens"], point["questions"]
        if (tokens, count) not in self.made:
            self.made[tokens, count] = self.texts(tokens, count)
        task, prompts = self.made[tokens, count]
        make = lambda draw: resized(edited(30, draw), point["layers of chain"], draw)
        file = self.work / "pairs.jsonl"
        write_lines(file, pairs([prompt["id"] for prompt in prompts], point["chains"], make, self.args.seed))
        return SMOLLM2, task, file, sum(len(prompt["tokens"]) for prompt in prompts) / count

    def texts(self, tokens, count):
        """A task of so many texts of about so many tokens: words of LAMBADA, as many as two corrections come to."""
        lines = (REAL / "lambada.jsonl").read_text(encoding="utf-8").splitlines()
        words = [word for line in lines for word in json.loads(line)["text"].split()]
        folder = self.work / f"texts-{tokens}-{count}"
        folder.mkdir()
        cola, lengths = Cola(self.args.cola, SMOLLM2), [tokens * 3 // 4] * count
        for _ in range(3):
            rows = []
            for number, length in enumerate(lengths):
                start = number * len(words) // count
                # From the beginning again where the words end.
                text = (words + words)[start : start + length + OPTIONS]
                rows.append(choice_task.row(number, " ".join(text[:length]), text[length:], number % OPTIONS))
            task = choice_task.write(folder, rows)
            prompts = cola.prompts(Task(task))
            lengths = [max(1, round(n * tokens / len(each["tokens"]))) for n, each in zip(lengths, prompts, strict=True)]
        return task, prompts


class RandomLlama:
    """Small random Llamas, whose depth can be varied; chains of about as many layers as the model."""

    name = "random"
    base = {"questions": 16, "chains": 16, "prompt tokens": 64, "layers of the model": 12}
    varied = {
        "questions": ([4, 8, 16, 32, 64], {}),
        "chains": ([1, 4, 16, 64], {}),
        "prompt tokens": ([16, 32, 64, 128, 256], {}),
        "layers of the model": ([6, 12, 24, 48], {}),
    }
    quick = {name: (values[:2], others) for name, (values, others) in varied.items()}
    in_flight = [1, 4, 16, 64]
    memory = {"questions": 64, "chains": 2, "prompt tokens": 256, "layers of the model": 12}
    quick_memory = memory | {"questions": 8}

    def __init__(self, args, work):
        self.args, self.work = args, work

    def prepare(self, point):
        """Model, task, file of the pairs, and number of prompt tokens."""
        layers, tokens = point["layers of the model"], point["prompt tokens"]
        model, task = self.work / f"layers-{layers}", self.work / f"prompts-{tokens}"
        script, common = ROOT / "benchmarks/random_model.py", ["--hidden", HIDDEN, "--intermediate", 3 * HIDDEN]
        if not model.exists():
            run([self.args.python, script, "--out", model, *common, "--layers", layers, "--samples", 1])
        if not task.exists():
            most = max(self.memory["questions"], *self.varied["questions"][0])
            flags = ["--layers", 1, "--samples", most, "--prompt-tokens", tokens]
            run([self.args.python, script, "--out", task, *common, *flags])
        ids = [f"choice-{number}" for number in range(point["questions"])]
        file = self.work / "pairs.jsonl"
        write_lines(file, pairs(ids, point["chains"], lambda draw: edited(layers, draw), self.args.seed))
        return model / "model", task / "choice.yaml", file, tokens


SUBJECTS = {subject.name: subject for subject in (SmolLM2, RandomLlama)}
