"""Pairs of a gold answer and an answer, with what math-verify makes of them: a comparison for `math_equal`.

    pip install math-verify==0.9.0
    python crates/math-answer/tests/make_math_pairs.py pairs --data DIR --out pairs.jsonl
    cargo bench --bench grade -- $PWD/pairs.jsonl
    python crates/math-answer/tests/make_math_pairs.py compare pairs.jsonl [--core crates/math-answer/tests/math_pairs.jsonl]

DIR holds gsm8k/test.jsonl and svamp/SVAMP.json. Every pair has `same`: what is true by the way it was made, where that is
certain. `compare` prints the agreement and every disagreement; `--core` writes some pairs of each kind and outcome.
"""

import argparse
import collections
import json
import random
from fractions import Fraction
from pathlib import Path

WORDS = ["yes", "no", "Evelyn", "even", "odd", "Saturday", "blue", "parallelogram"]
# Kinds made to find where graders differ, rather than as answers are written; counted apart, and in the total.
PROBES = ["percent of a bare number", "other unit", "interval as inequality", "complex"]
# Why math-verify's verdict is not ours, for each kind where they differ.
JUDGED = {
    "percent of a bare number": "without the question a percentage may be a hundredth of what was asked: unsure is not equal",
    "percent": "92 percent are 0.92",
    "other unit": "5 cm is not 5 m; math-verify drops what a text command holds",
    "interval as inequality": "a half-open interval and the inequality are the same set",
    "complex": "equal complex numbers that math-verify does not find equal",
    "ratio": "a bare 6:15 may be a time of day, which 12:30 is not: unsure is not equal",
    "inequality": "a chain of inequalities read from right to left is the same",
    "scientific": "exactly equal",
    "polynomial": "equal when expanded",
    "function": "an exact value of the function",
}
UNITS = ["cm", "meters", "hours", "dollars", "degrees", "mph", "square feet", "minutes", "miles per hour"]


def plain(x: Fraction) -> str:
    return str(x.numerator) if x.denominator == 1 else f"{x.numerator}/{x.denominator}"


def latex(x: Fraction, command: str = "frac") -> str:
    if x.denominator == 1:
        return str(x.numerator)
    sign = "-" if x < 0 else ""
    return f"{sign}\\{command}{{{abs(x.numerator)}}}{{{x.denominator}}}"


def decimal(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def of_real_number(r: random.Random, gold: str):
    """A gold answer of GSM8K or SVAMP and one spelling or mistake: (kind, answer, same)."""
    n = Fraction(gold)
    wrong = n + r.choice([-10, -2, -1, 1, 2, 10, 100])
    whole = n.denominator == 1
    text = decimal(f"{float(n):.6f}")
    grouped = f"{int(n):,}" if whole else text
    forms = [
        ("itself", text, True),
        ("math", f"${text}$", True),
        ("decimals", f"{text}.00" if whole else f"{text}0", True),
        ("money", f"\\${text}", True),
        ("money", f"${text}", True),
        ("thousands", grouped, True),
        ("thousands", grouped.replace(",", "{,}"), True),
        ("thousands", grouped.replace(",", ",\\!"), True),
        ("fraction", latex(n * 3 / 3, "dfrac") if not whole else f"\\frac{{{int(n) * 3}}}{{3}}", True),
        ("equation", f"x = {text}", True),
        ("equation", f"n={text}", True),
        ("unit", f"{text}\\text{{ {r.choice(UNITS)}}}", True),
        ("unit", f"{text} \\text{{ dollars}}", True),
        ("sum", f"{plain(n - 7)} + 7", True),
        ("product", f"2 \\cdot {text} / 2", True),
        ("full stop", f"{text}.", True),
        ("text", f"\\text{{{text}}}", True),
        ("bold", f"\\mathbf{{{text}}}", True),
        ("scientific", f"{decimal(f'{float(n) / 1000:.9f}')} \\times 10^{{3}}", True),
        ("wrong", plain(wrong), False),
        ("wrong", f"{plain(wrong)}.0" if whole else plain(wrong), False),
        ("wrong", f"\\${plain(wrong)}", False),
        ("wrong", f"{text}0", not whole or n == 0),
        ("sign", f"-{text}", n == 0),
        ("percent of a bare number", f"{text}\\%", n == 0),
        ("pair", f"({text}, {text})", False),
        ("word", "no solution", False),
    ]
    return r.choice(forms)


def term(coefficient: int, name: str) -> str:
    return {1: name, -1: f"-{name}"}.get(coefficient, f"{coefficient}{name}")


def polynomial(coefficients: dict, order: list) -> str:
    parts = []
    for key in order:
        c = coefficients.get(key, 0)
        if not c:
            continue
        name = "".join(v if p == 1 else f"{v}^{{{p}}}" if p > 9 else f"{v}^{p}" for v, p in key if p)
        parts.append(term(c, name) if name else str(c))
    return "+".join(parts).replace("+-", "-") or "0"


def product(a: dict, b: dict) -> dict:
    out: dict = collections.defaultdict(int)
    for ka, ca in a.items():
        for kb, cb in b.items():
            powers = collections.Counter(dict(ka))
            powers.update(dict(kb))
            out[tuple(sorted(powers.items()))] += ca * cb
    return {k: c for k, c in out.items() if c}


def linear(r: random.Random, names) -> dict:
    out = {((v, 1),): r.choice([1, 1, 2, 3, -1, -2]) for v in names}
    out[()] = r.choice([-5, -3, -2, -1, 1, 2, 4, 7])
    return out


def generated(r: random.Random):
    """(kind, gold, answer, same)."""
    a, b, c, d = (r.randint(1, 9) for _ in range(4))
    n = r.randint(2, 12)
    x = Fraction(r.randint(-30, 30) or 7, r.choice([2, 3, 4, 5, 6, 7, 8]))
    other = x + Fraction(1, r.choice([2, 3, 5, 7]))
    right = r.random() < 0.6
    y = x if right else other

    def fraction():
        form = r.choice([lambda v: latex(v, "dfrac"), lambda v: latex(v, "tfrac"), plain,
                         lambda v: f"\\frac{{{v.numerator * 2}}}{{{v.denominator * 2}}}", lambda v: f"${latex(v)}$"])
        return "fraction", latex(x), form(y), right

    def short_fraction():
        p, q = r.randint(1, 9), r.randint(2, 9)
        q2 = q if right else (q + 1 if q < 9 else 2)
        return "short fraction", f"\\frac{{{p}}}{{{q}}}", f"\\frac{p}{q2}" if r.random() < 0.5 else f"\\frac {p} {q2}", right

    def decimals():
        v = Fraction(r.randint(1, 999), r.choice([2, 4, 5, 8, 10, 20, 100]))
        w = v if right else v + Fraction(1, 100)
        return "decimal", latex(v), decimal(f"{float(w):.6f}"), right

    def mixed():
        whole, f = r.randint(1, 9), Fraction(r.randint(1, 6), 7)
        v = whole + f
        w = v if right else v + 1
        text = f"{whole if right else whole + 1}{latex(f)}"
        return ("mixed", text, latex(v), right) if r.random() < 0.5 else ("mixed", latex(v), text if right else plain(w + 1), right)

    def percent():
        p = r.randint(1, 99)
        q = p if right else p + 1
        form = r.choice([f"{q}\\%", f"{q}%", f"{q} \\%", f"{q}.0\\%", decimal(f"{q / 100:.4f}")])
        return "percent", f"{p}\\%", form, right

    def root():
        s = r.choice([2, 3, 5, 6, 7, 10])
        gold = f"{a}\\sqrt{{{s}}}"
        inside = a * a * s if right else a * a * s + 1
        form = r.choice([f"\\sqrt{{{inside}}}", f"\\sqrt{s} \\cdot {a}" if right and s < 10 else f"\\sqrt{{{inside}}}",
                         f"\\frac{{{a * s}}}{{\\sqrt{{{s}}}}}" if right else f"\\frac{{{a}}}{{\\sqrt{{{s}}}}}"])
        return "root", gold, form, right

    def conjugate():
        s = r.choice([2, 3, 5, 7])
        k = a if a * a != s else a + 1
        below = k * k - s
        gold = f"\\frac{{{k}-\\sqrt{{{s}}}}}{{{below}}}"
        answer = f"\\frac{{1}}{{{k}+\\sqrt{{{s}}}}}" if right else f"\\frac{{1}}{{{k}-\\sqrt{{{s}}}}}"
        return "conjugate", gold, answer, right

    def cube_root():
        v = a**3
        return "n-th root", f"\\sqrt[3]{{{v * 2}}}", f"{a if right else a + 1}\\sqrt[3]{{2}}", right

    def powers():
        e = r.randint(2, 9)
        v = n**e if right else n ** (e - 1)
        return "power", f"{n}^{{{e}}}", r.choice([str(v), f"{v}.0"]), right

    def negative_power():
        e = r.randint(1, 4)
        return "power", f"{n}^{{-{e}}}", f"\\frac{{1}}{{{n**e if right else n**e + 1}}}", right

    def pi():
        v = latex(x)
        w = r.choice([f"{latex(y)}\\pi", f"\\frac{{{y.numerator}\\pi}}{{{y.denominator}}}", f"\\pi \\cdot {plain(abs(y))}" if y > 0 else f"{latex(y)} \\pi"])
        return "pi", f"{v}\\pi", w, right

    def rounded():
        return r.choice([("rounded", "\\pi", "3.14", False), ("rounded", "\\frac{1}{3}", "0.333", False),
                         ("rounded", "\\sqrt{2}", "1.414", False), ("rounded", f"\\frac{{{a}}}{{7}}", f"{a / 7:.3f}", a == 7)])

    def interval():
        lo, hi = sorted([r.randint(-9, 9), r.randint(10, 19)])
        o, e = r.choice("(["), r.choice(")]")
        form = r.choice([f"{o}{lo}, {hi}{e}", f"\\left{o}{lo},{hi}\\right{e}", f"x \\in {o}{lo},{hi}{e}"])
        if not right:
            form = r.choice([f"{'[' if o == '(' else '('}{lo},{hi}{e}", f"{o}{lo},{hi + 1}{e}"])
        return "interval", f"{o}{lo},{hi}{e}", form, right

    def union():
        gold = f"(-\\infty,-{a})\\cup({b},\\infty)"
        form = r.choice([f"(-\\infty, -{a}) \\cup ({b}, +\\infty)", f"({b},\\infty)\\cup(-\\infty,-{a})",
                         f"x \\in \\left(-\\infty,-{a}\\right)\\cup\\left({b},\\infty\\right)"])
        return "union", gold, form if right else f"(-\\infty,-{a}]\\cup({b},\\infty)", right

    def inequality():
        form = r.choice([f"{a} < x", f"x>{a}", f"x > {a}.0"]) if right else r.choice([f"x \\ge {a}", f"x < {a}", f"x>{a + 1}"])
        return "inequality", f"x > {a}", form, right

    def chain():
        form = r.choice([f"{a + b}\\geq x>{a}", f"{a}<x\\leq{a + b}", f"{a} < x \\le {a + b}"]) if right else f"{a} \\le x \\le {a + b}"
        return "inequality", f"{a} < x \\leq {a + b}", form, right

    def interval_inequality():
        return "interval as inequality", f"({a}, {a + b}]", f"{a} < x \\le {a + b if right else a + b + 1}", right

    def finite_set():
        items = r.sample(range(-9, 20), 3)
        shown = items[:]
        r.shuffle(shown)
        if not right:
            shown[0] += 30
        g, s = ", ".join(map(str, items)), ",".join(map(str, shown))
        return "set", f"\\{{{g}\\}}", r.choice([f"\\{{{s}\\}}", f"\\left\\{{{s}\\right\\}}"]), right

    def solutions():
        items = r.sample(range(-9, 20), 2)
        shown = items[::-1] if right else [items[0], items[1] + 1]
        s = r.choice([f"{shown[0]}, {shown[1]}", f"{shown[0]} \\text{{ or }} {shown[1]}", f"x = {shown[0]}, x = {shown[1]}",
                      f"{shown[0]} \\text{{ and }} {shown[1]}"])
        return "list", f"{items[0]}, {items[1]}", s, right

    def point():
        form = r.choice([f"({a}, {latex(y)})", f"\\left({a},\\, {latex(y, 'dfrac')}\\right)", f"({a},{plain(y)})"])
        return "pair", f"({a},{latex(x)})", form, right

    def swapped():
        return "pair", f"({a},{a + b})", f"({a + b},{a})", False

    def matrix():
        kind = r.choice(["pmatrix", "bmatrix"])
        w = d if right else d + 1
        form = r.choice([f"\\begin{{{kind}}} {a} & {b} \\\\ {c} & {w} \\end{{{kind}}}",
                         f"\\begin{{pmatrix}}{a}&{b}\\\\{c}&{w}.0\\end{{pmatrix}}"])
        return "matrix", f"\\begin{{pmatrix}}{a}&{b}\\\\{c}&{d}\\end{{pmatrix}}", form, right

    def vector():
        w = f"\\frac{{{2 * c}}}{{2}}" if right else str(c + 1)
        return "matrix", f"\\begin{{pmatrix}}{a}\\\\{b}\\\\{c}\\end{{pmatrix}}", f"\\begin{{pmatrix}} {a} \\\\ {b} \\\\ {w} \\end{{pmatrix}}", right

    def factored():
        names = r.choice([["x"], ["x", "y"], ["a", "b"]])
        p, q = linear(r, names), linear(r, names)
        both = product(p, q)
        wrong = dict(both)
        key = r.choice(sorted(wrong))
        wrong[key] += r.choice([-1, 1])
        def show(poly):
            order = sorted(poly, key=lambda k: (-sum(e for _, e in k), k))
            if r.random() < 0.3:
                r.shuffle(order)
            return polynomial(poly, order)
        gold = f"({show(p)})({show(q)})"
        return "polynomial", gold, show(both if right else wrong), right

    def rational_function():
        p, q = linear(r, ["x"]), linear(r, ["x"])
        order = [(("x", 2),), (("x", 1),), ()]
        full, below = product(p, q), q
        answer = polynomial(p if right else {**p, (): p[()] + 1}, order)
        return "rational function", f"\\frac{{{polynomial(full, order)}}}{{{polynomial(below, order)}}}", answer, right

    def partial():
        gold = f"\\frac{{1}}{{x}}+\\frac{{{a}}}{{x+{b}}}"
        top = f"{a + 1}x+{b if right else b + 1}"
        return "rational function", gold, f"\\frac{{{top}}}{{x(x+{b})}}", right

    def binomial_power():
        return "polynomial", f"(x+{a})^2", f"x^2+{2 * a if right else 2 * a + 1}x+{a * a}", right

    def trigonometric():
        g, s, w = r.choice([("\\sin^2 x", "1-\\cos^2 x", "1-\\cos x"), ("\\sin 2x", "2\\sin x\\cos x", "\\sin x\\cos x"),
                            ("\\tan x", "\\frac{\\sin x}{\\cos x}", "\\frac{\\cos x}{\\sin x}"), ("\\sin 60^\\circ", "\\frac{\\sqrt{3}}{2}", "\\frac12"),
                            ("\\cos\\frac{\\pi}{3}", "\\frac{1}{2}", "\\frac{\\sqrt3}{2}"), ("\\arctan 1", "\\frac{\\pi}{4}", "\\frac{\\pi}{3}")])
        return "function", g, s if right else w, right

    def logarithm():
        g, s, w = r.choice([("\\ln 8", "3\\ln 2", "2\\ln 3"), ("\\log_2 8", "3", "2"), ("e^{2x}", "(e^x)^2", "e^{x^2}"),
                            ("2^{x+1}", "2\\cdot 2^x", "2^x"), ("\\ln \\frac{1}{2}", "-\\ln 2", "\\ln 2"), ("e^{\\ln 5}", "5", "4")])
        return "function", g, s if right else w, right

    def plus_minus():
        s = r.choice([2, 3, 5, 7])
        gold = f"{a} \\pm \\sqrt{{{s}}}"
        return "plus-minus", gold, f"{a}-\\sqrt{{{s}}}, {a if right else a + 1}+\\sqrt{{{s}}}", right

    def equation():
        m = r.randint(2, 9)
        form = r.choice([f"y = {b} + {m}x", f"{m}x + {b}"]) if right else f"y = {m}x - {b}"
        return "equation", f"y = {m}x + {b}", form, right

    def line():
        return "equation", f"{a}x + {b + 1}y = {c}", f"{2 * a}x + {2 * (b + 1)}y - {2 * c if right else 2 * c + 1} = 0", right

    def scientific():
        e = r.randint(2, 6)
        return "scientific", f"{a}.{b} \\times 10^{{{e}}}", str(int((a * 10 + b) * 10 ** (e - 1))) if right else f"{a}{b}", right

    def degrees():
        v = r.randint(1, 180)
        return "degrees", f"{v}^\\circ", r.choice([str(v), f"{v}^{{\\circ}}", f"{v} \\text{{ degrees}}"]) if right else str(v + 1), right

    def unit():
        u = r.choice(["cm", "m", "hours", "mph", "km", "inches", "feet", "square feet", "minutes"])
        return "unit", f"{n}\\text{{ {u}}}", r.choice([str(n), f"{n} \\text{{ {u}}}", f"{n}.0", f"{n}\\ \\mathrm{{{u}}}"]) if right else str(n + 1), right

    def other_unit():
        u, w = r.sample(["cm", "m", "hours", "km", "feet", "minutes"], 2)
        return "other unit", f"{n}\\text{{ {u}}}", f"{n}\\text{{ {w}}}", False

    def word():
        w = r.choice(WORDS)
        v = r.choice([v for v in WORDS if v != w])
        return "word", f"\\text{{{w}}}", r.choice([f"\\text{{{w}}}", w, w.lower(), f"\\text{{ {w}}}", f"\\textbf{{{w}}}"]) if right else f"\\text{{{v}}}", right

    def letter():
        w = r.choice("ABCDE")
        v = r.choice([v for v in "ABCDE" if v != w])
        return "letter", w, r.choice([f"({w})", f"\\text{{{w}}}", f"\\text{{({w})}}", f"\\textbf{{({w})}}"]) if right else r.choice([v, f"({v})", f"\\text{{{v}}}"]), right

    def complex_number():
        return "complex", f"{a}+{b}i", r.choice([f"{b}i+{a}", f"{a} + {b} i"]) if right else f"{a}-{b}i", right

    def complex_quotient():
        return "complex", f"\\frac{{{a}-{b}i}}{{{a * a + b * b}}}", f"\\frac{{1}}{{{a}{'+' if right else '-'}{b}i}}", right

    def ratio():
        return "ratio", f"{a}:{a + b}", f"{2 * a}:{2 * (a + b)}" if right else f"{a + b}:{a}", right

    kinds = [fraction, fraction, short_fraction, decimals, mixed, percent, root, root, conjugate, cube_root, powers, negative_power, pi,
             rounded, interval, interval, union, inequality, chain, interval_inequality, finite_set, solutions, point, swapped,
             matrix, vector, factored, factored, factored, rational_function, partial, binomial_power, trigonometric, logarithm,
             plus_minus, equation, line, scientific, degrees, unit, other_unit, word, letter, complex_number, complex_quotient, ratio]
    return r.choice(kinds)()


def real_answers(data: Path):
    for line in (data / "gsm8k/test.jsonl").read_text().splitlines():
        yield "gsm8k", json.loads(line)["answer"].split("####")[-1].strip().replace(",", "")
    for row in json.loads((data / "svamp/SVAMP.json").read_text()):
        yield "svamp", decimal(str(row["Answer"]))


def judged_by_math_verify(gold: str, answer: str):
    from math_verify import parse, verify
    try:
        g, a = (parse(text if text.startswith("$") else f"${text}$") for text in (gold, answer))
        return bool(verify(g, a))
    except Exception as error:  # a crash of theirs is an outcome to record
        return f"error: {type(error).__name__}"


def make(arguments):
    r = random.Random(arguments.seed)
    pairs = {}
    for source, gold in real_answers(arguments.data):
        kind, answer, same = of_real_number(r, gold)
        pairs[gold, answer] = {"kind": f"{source} {kind}", "gold": gold, "answer": answer, "same": same}
    while len(pairs) < arguments.count:
        kind, gold, answer, same = generated(r)
        pairs[gold, answer] = {"kind": kind, "gold": gold, "answer": answer, "same": same}
    with arguments.out.open("w") as out:
        for pair in pairs.values():
            pair["math_verify"] = judged_by_math_verify(pair["gold"], pair["answer"])
            out.write(json.dumps(pair, ensure_ascii=False) + "\n")
    print(f"{len(pairs)} pairs in {arguments.out}")


def compare(arguments):
    pairs = [json.loads(line) for line in arguments.pairs.read_text().splitlines()]
    verdicts = [json.loads(line) for line in Path(f"{arguments.pairs}.verdicts").read_text().splitlines()]
    assert len(pairs) == len(verdicts)
    groups = collections.defaultdict(lambda: [0, 0])
    agreed, ours_right, theirs_right, false_positives = 0, 0, 0, []
    disagreements = collections.defaultdict(list)
    kept, seen = [], collections.Counter()
    for pair, verdict in zip(pairs, verdicts):
        ours, theirs, same = verdict["equal"], pair["math_verify"], pair["same"]
        group = next((probe for probe in PROBES if pair["kind"].endswith(probe)), None)
        group = "probes" if group else pair["kind"].split()[0] if pair["kind"].startswith(("gsm8k", "svamp")) else "generated LaTeX"
        groups[group][0] += ours == theirs
        groups[group][1] += 1
        ours_right += ours == same
        theirs_right += theirs == same
        if ours and not same:
            false_positives.append(pair)
        if ours == theirs:
            agreed += 1
        else:
            disagreements[pair["kind"], ours, theirs, same].append((pair, verdict["why"]))
        key = pair["kind"].split(" ", 1)[-1] if pair["kind"].startswith(("gsm8k", "svamp")) else pair["kind"], ours, theirs, same
        seen[key] += 1
        if seen[key] <= (5 if ours == theirs == same else 2):
            kind = next((kind for kind in JUDGED if pair["kind"].endswith(kind)), None)
            judged = {"judged": JUDGED.get(kind, "not judged")} if ours != theirs else {}
            kept.append({**pair, "ours": ours, **judged})
    total = len(pairs)
    print(f"pairs {total}  agreement {agreed} ({agreed / total:.2%})  as constructed: ours {ours_right}, math-verify {theirs_right}")
    for group, (agreed, count) in groups.items():
        print(f"    {group}: {agreed} of {count} ({agreed / count:.2%})")
    ordinary = [sum(column) for column in zip(*(counts for group, counts in groups.items() if group != "probes"))]
    print(f"    all but probes: {ordinary[0]} of {ordinary[1]} ({ordinary[0] / ordinary[1]:.2%})")
    print(f"ours equal where the pair was made different: {len(false_positives)}")
    for (kind, ours, theirs, same), found in sorted(disagreements.items(), key=lambda item: -len(item[1])):
        print(f"\n{kind}: ours {ours}, math-verify {theirs}, made {'equal' if same else 'different'}: {len(found)}")
        for pair, why in found[: arguments.show]:
            print(f"    gold {pair['gold']}    answer {pair['answer']}    ({why})")
    wrong = [(p, v["why"]) for p, v in zip(pairs, verdicts) if v["equal"] != p["same"]]
    print(f"\nours differs from how the pair was made: {len(wrong)}")
    for pair, why in wrong[: 200]:
        print(f"    {pair['kind']}: gold {pair['gold']}    answer {pair['answer']}    made {pair['same']}    ({why})")
    if arguments.core:
        with arguments.core.open("w") as out:
            for pair in kept:
                out.write(json.dumps(pair, ensure_ascii=False) + "\n")
        print(f"\n{len(kept)} pairs in {arguments.core}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    pairs = commands.add_parser("pairs")
    pairs.add_argument("--data", type=Path, required=True)
    pairs.add_argument("--out", type=Path, required=True)
    pairs.add_argument("--count", type=int, default=5000)
    pairs.add_argument("--seed", type=int, default=0)
    pairs.set_defaults(run=make)
    comparison = commands.add_parser("compare")
    comparison.add_argument("pairs", type=Path)
    comparison.add_argument("--core", type=Path)
    comparison.add_argument("--show", type=int, default=1000)
    comparison.set_defaults(run=compare)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
