"""What PyYAML reads and Python's `str` prints: `yaml_cases.json`, which `--lib values_are_those_of_pyyaml` reads.

    pip install pyyaml
    python crates/pyjinja/tests/make_yaml_cases.py
"""

import json
from pathlib import Path

import yaml

SCALARS = """yes no on off Yes NO On OFF y n true True TRUE tRue false ~ null Null NULL nUll None 0 1 -1 +1 010 08 0o10 0b101 -0b11
0x1F 0x1f_f -0x10 1_000 1__0 _1 12:30 1:2:3 -1:30 12:60 190:20:30.15 1e3 1.0e3 1.0e+3 1.5E-3 1e+3 1. 1.5 -1.5 +.5 .5 .5e-1 . .. -. 1_0.5_0
.inf -.inf +.inf .Inf .INF .nan .NaN .NAN -.nan inf nan 1.0e+400 2020-01-02 2020-1-2 2020-01-02T03:04:05Z 2001-12-14t21:59:43.10-05:00
2001-12-15 20200102 00 -0 0_0 0b 0x - -- 1,000 1/2 50% $5 A B a:b a:1 1:a 12:30:45 0:30 00:30 3:07 9223372036854775807 9223372036854775808 -9223372036854775809
18446744073709551616 1234567890123456789012345678901234567890123 0777 0o777 077_7 0.1 100.0 1.10 1e-5 1.0e-5 123456789.123456789 1.0e+16 < <<x é 漢字 NULL~ yes! no. off,on
""".split()


def main():
    texts = []
    for scalar in SCALARS:
        for form in ["{}", "[{}, x]", "k: {}", "- '{}'\n- \"{}\"\n- {}", "[{{a: {}}}]"]:
            texts.append(form.replace("{{", "{").replace("}}", "}").replace("{}", scalar) if "{{" in form else form.replace("{}", scalar))
    texts += ["", "~", "- \n- x", "a: |\n  yes\n", "a: >\n  010\n", "a: !!str yes", "a: !!str 010", "a: !!int 0x10", "a: !!float 1", "a: !!float 1e3",
              "a: !!bool yes", "a: !!null ''", "a: !!int '7'", "a: ! 5", "a: !!seq [1]", "a: &x yes\nb: *x", "a: &x [1, no]\nb: *x", "a: 1\na: 2",
              "yes: 1\n2: x\n1.5: y\n~: z", "2001-12-14 21:59:43.10 -5", "2001-12-15 2:59:43.10", "- 2001-12-14 21:59:43\n- x", "? a\n: b", "a: 'it''s'", "a: \"\\u00e9\\x41\\n\"",
              "a: b # c", "a:\n- b\n-  - c", "{a: b, c: , d}", "[a, [b, {c: d}]]", "--- a: 1\n", "---\na: 1\n...\n", "%YAML 1.1\n---\na: yes\n", "a: 1\n---\nb: 2",
              "a: [", "a: b: c", "\ta: 1", "a: *u", "a: !!int x", "a: @b", "a: `b`", "a: 'x", "a: [1, 2", "- a\nb"]
    cases = []
    for text in texts:
        try:
            loaded = as_json(yaml.safe_load(text))
            cases.append([text, str(loaded)])
        except (yaml.YAMLError, ValueError, TypeError):
            cases.append([text, None])
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (Path(__file__).parent / "yaml_cases.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(len(cases), "texts")


def as_json(value):
    """Dates as the text that Python prints, and keys as texts: a row has no others."""
    if isinstance(value, dict):
        return {str(key): as_json(value) for key, value in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


if __name__ == "__main__":
    main()
