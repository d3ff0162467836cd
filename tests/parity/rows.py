"""Rows for tasks whose data are not here, in the schema of the hub, from words that are: seeded, so that they are the same
anywhere. They make no sense; they have what a prompt may trip over: odd spaces, marks, markup, options of all lengths."""

import json
import random
from pathlib import Path

import pyarrow
import pyarrow.ipc

MMLU_SUBJECTS = ["abstract_algebra", "high_school_world_history"]
MMLU_PRO_CATEGORIES = ["math", "computer science"]
LETTERS = "ABCDEFGHIJ"


class Words:
    """Sentences to cut up: from real files, or the few that `--recorded` may put into the repository."""

    def __init__(self, sentences, seed):
        self.sentences = sentences
        self.random = random.Random(seed)

    def sentence(self):
        return self.random.choice(self.sentences)

    def phrase(self, low, high):
        words = self.sentence().split()
        length = min(len(words), self.random.randint(low, high))
        start = self.random.randint(0, len(words) - length)
        return " ".join(words[start : start + length]).strip(" .,?") or "it"

    def phrases(self, count, low, high):
        """Different ones: a repeated option would be a tie."""
        found = []
        while len(found) < count:
            phrase = self.phrase(low, high)
            if phrase not in found:
                found.append(phrase)
        return found

    def space(self, text):
        """Sometimes with white space around or in it."""
        return self.random.choice([text] * 6 + [f" {text}", f"{text} ", text.replace(" ", "  ", 1)])

    def number(self):
        return self.random.randint(2, 10 ** self.random.randint(1, 4))


def read_lines(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def read_real(path):
    """Rows that `datasets/real.py` fetched, and of an Arrow stream its schema."""
    if path.suffix != ".arrow":
        return read_lines(path), None
    table = pyarrow.ipc.open_stream(path.read_bytes()).read_all()
    return table.to_pylist(), table.schema


def write(path, rows, schema):
    """Rows in the form they were read in; the file, with its ending."""
    path = path.with_suffix(".arrow" if schema else ".jsonl")
    if schema:
        table = pyarrow.Table.from_pylist(rows, schema=schema)
        with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, schema) as stream:
            stream.write_table(table)
    else:
        write_lines(path, rows)
    return path


def spread(rows, count):
    """So many of them, from all parts of a file: some are sorted by subject or difficulty."""
    return [rows[at * len(rows) // count] for at in range(count)] if len(rows) > count else rows


def arc(words, at):
    count = words.random.choice([4, 4, 4, 3, 5])
    labels = list(words.random.choice(["ABCDE", "12345"])[:count])
    texts = [words.space(text) for text in words.phrases(count, 1, 7)]
    choices = {"text": texts, "label": labels}
    return {"id": f"Made_{at}", "question": words.space(words.sentence()), "choices": choices, "answerKey": words.random.choice(labels)}


def openbookqa(words, at):
    row = arc(words, at)
    key = words.random.choice(["", " "]) + row["answerKey"]
    return {"id": row["id"], "question_stem": words.space(words.phrase(4, 12)), "choices": row["choices"], "answerKey": key}


def commonsense_qa(words, at):
    choices = {"label": list("ABCDE"), "text": words.phrases(5, 1, 3)}
    question = words.space(words.sentence())
    return {"id": f"made-{at}", "question": question, "question_concept": words.phrase(1, 1), "choices": choices, "answerKey": words.random.choice("ABCDE")}


def piqa(words, at):
    one, two = words.phrases(2, 3, 14)
    return {"goal": words.space(words.phrase(3, 10)), "sol1": words.space(one), "sol2": two, "label": words.random.randint(0, 1)}


def hellaswag(words, at):
    def marked(text):
        mark = words.random.choice(["", "", "[header] ", "[step] ", "[title] "])
        return mark + text.replace(" ", words.random.choice([" ", " ", "  ", " [title] ", " [substeps] "]), 1)

    endings = [marked(text) for text in words.phrases(4, 3, 12)]
    row = {"ind": at, "activity_label": words.phrase(1, 3).title(), "ctx_a": marked(words.sentence())}
    row["ctx_b"] = words.random.choice(["", words.phrase(1, 4), words.phrase(1, 4).upper()])
    row["ctx"] = f"{row['ctx_a']} {row['ctx_b']}"
    return row | {"endings": endings, "source_id": f"made~{at}", "split": "val", "split_type": "indomain", "label": str(words.random.randint(0, 3))}


def winogrande(words, at):
    one, two = words.phrases(2, 1, 2)
    sentence = f"{words.phrase(3, 9)} {words.random.choice(['_', 'the _'])} {words.phrase(2, 8)}{words.random.choice(['.', ' .', ' _ too.'])}"
    return {"sentence": sentence, "option1": one, "option2": two, "answer": words.random.choice("12")}


def boolq(words, at):
    passage = " ".join(words.sentence() for _ in range(words.random.randint(1, 3)))
    return {"question": words.phrase(4, 9).lower(), "passage": passage, "idx": at, "label": words.random.randint(0, 1)}


def social_iqa(words, at):
    answers = dict(zip(["answerA", "answerB", "answerC"], words.phrases(3, 1, 6)))
    return {"context": words.sentence(), "question": f"What will {words.phrase(1, 1)} do next?"} | answers | {"label": words.random.choice("123")}


def sciq(words, at):
    answers = dict(zip(["distractor3", "distractor1", "distractor2", "correct_answer"], words.phrases(4, 1, 4)))
    support = words.random.choice(["", f"  {words.sentence()}", f"{words.sentence()} {words.sentence()}"])
    return {"question": words.space(words.sentence())} | answers | {"support": support}


def copa(words, at):
    one, two = (f"{words.space(text)[:1].upper()}{text[1:]}." for text in words.phrases(2, 2, 7))
    question = words.random.choice(["cause", "effect"])
    return {"premise": words.space(words.sentence()), "choice1": one, "choice2": two, "question": question, "idx": at, "label": words.random.randint(0, 1)}


def medmcqa(words, at):
    options = dict(zip(["opa", "opb", "opc", "opd"], (words.space(text) for text in words.phrases(4, 1, 5))))
    row = {"id": f"made-{at}", "question": words.space(words.sentence())} | options | {"cop": words.random.randint(0, 3), "choice_type": "single"}
    return row | {"exp": words.sentence(), "subject_name": words.phrase(1, 1), "topic_name": words.phrase(1, 2)}


def google_boolq(words, at):
    row = boolq(words, at)
    return {"question": row["question"], "answer": bool(row["label"]), "passage": row["passage"]}


def sums(words, at):
    one, two = words.number(), words.number()
    sign = words.random.choice("+-*")
    right = {"+": one + two, "-": one - two, "*": one * two}[sign]
    texts = [str(number) for number in words.random.sample([right, right + 1, right - 1, right + 10], 4)]
    choices = {"text": texts, "label": list("ABCD")}
    return {"id": f"made{at}", "question": f"Calculate {one} {sign} {two} =", "choices": choices, "answerKey": "ABCD"[texts.index(str(right))], "type_tag": "easy"}


def mmlu(words, at):
    subject = MMLU_SUBJECTS[at % 2]
    return {"question": words.space(words.sentence()), "subject": subject, "choices": words.phrases(4, 1, 6), "answer": words.random.randint(0, 3)}


def mmlu_pro(words, at):
    count = words.random.choice([10, 10, 4, 7])
    index = words.random.randrange(count)
    letter = LETTERS[index]
    row = {"question_id": at, "question": words.sentence(), "options": words.phrases(count, 1, 4), "answer": letter, "answer_index": index}
    thought = f"A: Let's think step by step. {words.sentence()} The answer is ({letter})."
    return row | {"cot_content": thought, "category": MMLU_PRO_CATEGORIES[at % 2], "src": "made"}


def math(words, at):
    n = words.number()
    answer = words.random.choice([f"{n}", f"\\frac{{{n}}}{{7}}", f"\\frac{n % 10}3", f"{n}{{,}}000", f"{n}\\%", f"\\text{{{words.phrase(1, 2)}}}", f"x = {n}", f"{n}^\\circ"])
    box = words.random.choice([f"$\\boxed{{{answer}}}$", f"\\[\\boxed{{{answer}}}.\\]", f"$\\boxed{{3}}$ or rather $\\boxed{{{answer}}}$"])
    return {"problem": f"{words.sentence()} Find ${words.phrase(1, 2)} + {n}$.", "level": f"Level {1 + at % 5}", "type": "Algebra", "solution": f"{words.sentence()} Thus {box}"}


def gsm8k(words, at):
    n = words.number()
    return {"question": words.sentence(), "answer": f"{words.sentence()} So {n} - 1 = <<{n}-1={n - 1}>>{n - 1}.\n#### {n - 1:,}"}


def lambada(words, at):
    return {"text": f"{words.sentence()} {words.phrase(2, 4)}"}


def texts(words, at):
    """Some longer than a model's context."""
    text = " ".join(words.sentence() for _ in range(words.random.choice([1, 3, 10, 40])))
    return {"text": text + words.random.choice(["", "\n", " \n "])}


def aliases(words, at):
    names = words.phrases(words.random.randint(1, 4), 1, 3)
    return {"question": words.sentence(), "question_id": f"made_{at}", "answer": {"value": names[0], "aliases": names}}


def answers(words, at):
    return {"question": words.phrase(4, 9).lower(), "answer": words.phrases(words.random.randint(1, 3), 1, 3)}


def bbh(words, at):
    return {"input": f"{words.random.choice(['not ', ''])}True and {words.random.choice(['True', 'False'])} is", "target": words.random.choice(["True", "False"])}


MAKERS = {
    "lambada": lambada, "texts": texts, "aliases": aliases, "answers": answers, "bbh": bbh,
    "arc": arc, "openbookqa": openbookqa, "commonsense_qa": commonsense_qa, "piqa": piqa, "hellaswag": hellaswag,
    "sciq": sciq, "copa": copa, "medmcqa": medmcqa, "google_boolq": google_boolq, "sums": sums,
    "winogrande": winogrande, "boolq": boolq, "social_iqa": social_iqa, "mmlu": mmlu, "mmlu_pro": mmlu_pro, "math": math, "gsm8k": gsm8k,
}


def made(kind, words, count):
    return [MAKERS[kind](words, at) for at in range(count)]
