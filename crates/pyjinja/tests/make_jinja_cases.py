"""What lm-evaluation-harness's templates give (`jinja_cases.json`), and what chat templates give in transformers
(`chat_cases.json`); `--lib templates_give_what_jinja2_gives` and `--lib chats_are_those_of_transformers` read them.

    pip install jinja2 transformers
    python crates/pyjinja/tests/make_jinja_cases.py

The first environment is that of lm_eval 0.4.9 (`lm_eval/utils.py`), the second that of transformers
(`utils/chat_template_utils.py`); every template is rendered over every row.
"""

import json
import re
from pathlib import Path

from jinja2 import BaseLoader, Environment, StrictUndefined

HERE = Path(__file__).parent
ROWS = [
    {"q": "Where is a robin found?", "opts": ["garden", "sea"], "lab": ["A", "B"], "ans": "A", "idx": 0,
     "txt": "garden", "label": True, "ctx": "  spaced text  ", "n": 3, "big": 123456789012345678901234567890, "f": 0.5, "meta": {"lvl": 1, "tags": ["x", "y"]}},
    {"q": "O'Neil's 3, 4?", "opts": ["five", "six", "a b c"], "lab": ["A", "B", "C"], "ans": "C", "idx": 2,
     "txt": "six", "label": False, "ctx": "Hello\tWorld's \"x\"\nline2", "n": 0, "big": 18446744073709551616, "f": 1e-05,
     "meta": {"lvl": 2, "tags": []}},
    {"q": "é ünï 漢字?", "opts": ["ja", "nein", "Ja ja"], "lab": ["A", "B", "C"], "ans": "B", "idx": 1,
     "txt": "nein", "label": True, "ctx": "", "n": 12345678, "big": -9223372036854775809, "f": 12345678.9, "meta": {"tags": ["z"], "lvl": 3}},
    {"q": "a/b <c> & d", "opts": ["1", "x", "3.7"], "lab": ["A", "B"], "ans": "A", "idx": 0,
     "txt": "1", "label": False, "ctx": "x|y|z", "n": -2, "big": 12345678901234567890123456789012345678901234567890, "f": -2.5e300, "meta": {"lvl": 5, "tags": ["p", "q"]}},
    {"q": "W", "opts": ["p"], "lab": ["A"], "ans": "A", "idx": 0, "txt": "p", "label": True, "ctx": "\n",
     "n": 7, "big": 5, "f": 1e16, "meta": {"lvl": 0.1, "tags": [1e-07, None]}},
]


def regex_replace(string, pattern, repl, count=0):
    return re.sub(pattern, repl, string, count=count)


CHATS = [
    {"messages": [{"role": "system", "content": "Be <brief> & 'kind'."}, {"role": "user", "content": " Hi é\u4e2d\n"}],
     "tools": None, "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"},
    {"messages": [{"role": "user", "content": "a, b"}, {"role": "assistant", "content": "<think>x</think>\n\nyes"},
                  {"role": "user", "content": "c"}],
     "tools": [{"type": "function", "function": {"name": "f", "description": "d's <b>", "parameters": {
         "type": "object", "properties": {"zeta": {"type": "string"}, "alpha": {"type": ["integer", "null"]}}, "required": []}}}],
     "documents": [], "add_generation_prompt": False, "bos_token": "", "eos_token": "<|end|>"},
]


def chat_cases():
    """What transformers gives, and an error where it gives one."""
    from transformers.utils.chat_template_utils import _compile_jinja_template

    cases = []
    for template in json.loads((HERE / "chat_templates.json").read_text(encoding="utf-8")):
        outputs = []
        for row in CHATS:
            try:
                outputs.append(_compile_jinja_template(template).render(**json.loads(json.dumps(row))))
            except Exception as error:
                outputs.append(None)
                print(f"{template!r}: {type(error).__name__}: {error}")
        cases.append({"template": template, "outputs": outputs})
    text = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in CHATS)
    (HERE / "chat_cases.json").write_text(f'{{"rows": [\n{rows}\n], "cases": [\n{text}\n]}}\n', encoding="utf-8")
    print(len(cases), "chat templates over", len(CHATS), "rows")


def main():
    chat_cases()
    environment = Environment(loader=BaseLoader, undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["regex_replace"] = regex_replace
    templates = (HERE / "jinja_templates.txt").read_text(encoding="utf-8").splitlines()
    cases = []
    for template in filter(None, templates):
        outputs = []
        for row in ROWS:
            try:
                # A row of its own: a template may change its lists.
                outputs.append(environment.from_string(template).render(**json.loads(json.dumps(row))))
            except Exception:
                outputs.append(None)
        if not any(output is not None for output in outputs):
            raise SystemExit(f"an error over every row: {template}")
        cases.append({"template": template, "outputs": outputs})
    text = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    (HERE / "jinja_cases.json").write_text(f'{{"rows": [\n{rows}\n], "cases": [\n{text}\n]}}\n', encoding="utf-8")
    print(len(cases), "templates over", len(ROWS), "rows")


if __name__ == "__main__":
    main()
