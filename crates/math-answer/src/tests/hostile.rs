//! Any two texts are compared in bounded work. Work units are counted (`limits.rs`), not seconds, so a case
//! that passes once passes on every machine.

use proptest::prelude::*;

use super::super::{MathVerdict, Unsure, math_equal, math_verdict, parse_number};

/// Texts that would take too much time or memory without limits.
fn hostile() -> Vec<String> {
    let nested = |open: &str, close: &str, depth: usize| {
        format!("{}1{}", open.repeat(depth), close.repeat(depth))
    };
    let sum = |term: &dyn Fn(usize) -> String, count: usize| {
        (0..count).map(term).collect::<Vec<_>>().join("+")
    };
    let mut texts: Vec<String> = [
        "9^{9^{9^9}}",
        "1e999999",
        "1e-99999999999999999999",
        "(x+y+z+w)^{100}",
        "(x+1)^{99999}",
        "2^{4000}+1/3^{2000}",
        "(1+10^{-200})^{19}",
        "1000000!",
        r"\binom{9999}{5000}",
        r"e^{e^{e^{e^{e^{9}}}}}",
        r"(\sqrt{2}+\sqrt{3}+\sqrt{5}+\sqrt{7}+\sqrt{11})^{40}",
        r"(\sqrt{x+1}+1)^{60}",
        r"\sqrt[100]{x^{99999}}",
        "x^{99999^{99999}}",
        "123456789123456789123456789^{40}",
    ]
    .map(str::to_owned)
    .into();
    texts.extend([
        nested("{", "}", 10_000),
        nested("{", "}", 900),
        nested("(", ")", 900),
        nested("(", ")", 39),
        nested(r"\sqrt{2+", "}", 38),
        nested(r"\sqrt{x+", "}", 150),
        nested(r"\frac{1}{x+", "}", 38),
        nested(r"\sin(", ")", 38),
        nested(r"\{", r"\}", 38),
        nested("2^{", "}", 38),
        nested(r"\text{", "}", 300),
        "-".repeat(1_999) + "1",
        "|".repeat(1_999),
        "1,".repeat(999) + "1",
        "9".repeat(2_000),
        "9".repeat(250) + "/7",
        "x!".repeat(900),
        "2^".repeat(900) + "2",
        r"\pm1".repeat(400),
        r"\frac".repeat(390),
        "ab".repeat(999),
        "cm ".repeat(660) + "!",
        format!("5{}", r"\text{ cm}".repeat(190)),
        r"\begin{pmatrix}".repeat(130),
        sum(&|i| format!("x_{{{i}}}"), 200),
        format!("({})^3", sum(&|i| format!("x_{{{i}}}"), 80)),
        sum(&|i| format!(r"\frac{{1}}{{x+{i}}}"), 90),
        sum(&|i| format!(r"\sqrt{{{}}}", 10u128.pow(30) + i as u128), 40),
        sum(&|i| format!(r"\sin({i}x)"), 150),
    ]);
    texts
}

#[test]
fn hostile_answers_are_compared_with_each_other_and_with_plain_ones() {
    let texts = hostile();
    for text in &texts {
        assert!(math_equal(text, text), "the same text is the same answer");
        for other in ["1", "x", r"\sin x", "yes"] {
            let _ = (math_verdict(text, other), math_verdict(other, text));
        }
        let _ = parse_number(text);
    }
    for pair in texts.windows(2) {
        let _ = math_verdict(&pair[0], &pair[1]);
    }
}

#[test]
fn what_is_too_much_is_said() {
    let nested = format!("{}1{}", "{".repeat(10_000), "}".repeat(10_000));
    for (text, why) in [
        (nested.as_str(), Unsure::TooLong),
        (&nested[9_500..10_501], Unsure::TooDeep),
        ("9^{9^{9^9}}", Unsure::TooLarge),
        ("1e999999", Unsure::TooLarge),
        ("(x+y+z+w)^{100}", Unsure::TooMuchWork),
    ] {
        assert_eq!(math_verdict(text, "5"), MathVerdict::Unsure(why));
    }
}

proptest! {
    #[test]
    fn any_two_texts_are_compared_without_panic(a in any::<String>(), b in r"[-+$%0-9.,/{}()\[\]^_|!=<> \\a-fxyπ°é]{0,60}") {
        prop_assert_eq!(math_equal(&a, &b), math_verdict(&a, &b).is_equal());
        let _ = math_verdict(&b, &a);
        let _ = parse_number(&b);
    }

    #[test]
    fn any_two_strings_of_tokens_are_compared_without_panic(
        a in r"(\\frac|\\sqrt|\\pm|\\sin|\\ln|\\cup|\\text\{|\\infty|\\begin\{pmatrix\}|\\{1,2}|cm|[-+/^_=<>(){}\[\]|,!%xei0-9 ]){0,25}",
        b in r"(\\frac|\\sqrt|\\pm|\\cos|\\log|\\circ|\\left|\\pi|\\end\{pmatrix\}|&|mph|[-+/^_=<>(){}\[\]|,!%xyi0-9 ]){0,25}",
    ) {
        let _ = (math_verdict(&a, &b), math_verdict(&b, &a));
        prop_assert!(a.trim().is_empty() || math_equal(&a, &a));
    }
}
