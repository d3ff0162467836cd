"""A task with options to score, of rows that a benchmark makes."""

import json

SPEC = """\
task: choice
dataset_path: json
test_split: test
dataset_kwargs:
  data_files:
    test: choice.jsonl
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_target: "{{choices.label.index(answerKey)}}"
doc_to_choice: "{{choices.text}}"
metric_list:
  - metric: acc
metadata:
  version: 1.0
"""


def row(number, question, options, gold):
    labels = "ABCDEFGH"[: len(options)]
    choices = {"text": options, "label": list(labels)}
    return {"id": f"choice-{number}", "question": question, "choices": choices, "answerKey": labels[gold]}


def write(out, rows):
    """Writes choice.yaml and choice.jsonl; the task file's path."""
    (out / "choice.yaml").write_text(SPEC, encoding="utf-8")
    (out / "choice.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return out / "choice.yaml"
