//! Minerva's answers (Lewkowycz et al. 2022, appendix D): where they stand, and their normal form.

use std::sync::LazyLock;

use super::super::{answer::math_equal, python, regex::PythonRegex};

/// What a finished answer ends with; a text that stops short of it is taken to have it.
const END: &str = "I hope it is correct.";

static FINAL: LazyLock<PythonRegex> =
    LazyLock::new(|| pattern(r"Final Answer: The final answer is(.*?). I hope it is correct."));

/// Words and signs that go, and what comes in their place, one after the other.
const REPLACED: &[(&str, &str)] = &[
    ("an ", ""),
    ("a ", ""),
    (".$", "$"),
    ("\\$", ""),
    ("\\ ", ""),
    (" ", ""),
    ("mbox", "text"),
    (",\\text{and}", ","),
    ("\\text{and}", ","),
    ("\\text{m}", "\\text{}"),
];

/// Units and marks that go, in this order.
const REMOVED: &[&str] = &[
    "square",
    "ways",
    "integers",
    "dollars",
    "mph",
    "inches",
    "ft",
    "hours",
    "km",
    "units",
    "\\ldots",
    "sue",
    "points",
    "feet",
    "minutes",
    "digits",
    "cents",
    "degrees",
    "cm",
    "gm",
    "pounds",
    "meters",
    "meals",
    "edges",
    "students",
    "childrentickets",
    "multiples",
    "\\text{s}",
    "\\text{.}",
    "\\text{\ns}",
    "\\text{}^2",
    "\\text{}^3",
    "\\text{\n}",
    "\\text{}",
    "\\mathrm{th}",
    "^\\circ",
    "^{\\circ}",
    "\\;",
    ",\\!",
    "{,}",
];

/// What is left of LaTeX's wrappers, and braces around what follows `\frac` and `\sqrt`.
static REWRITTEN: LazyLock<[(PythonRegex, &str); 7]> = LazyLock::new(|| {
    [
        (pattern(r"(.*?)(\$)(.*?)(\$)(.*)"), r"$\3$"),
        (pattern(r"(\\text\{)(.*?)(\})"), r"\2"),
        (pattern(r"(\\textbf\{)(.*?)(\})"), r"\2"),
        (pattern(r"(\\overline\{)(.*?)(\})"), r"\2"),
        (pattern(r"(\\boxed\{)(.*)(\})"), r"\2"),
        (pattern(r"(frac)([^{])(.)"), r"frac{\2}{\3}"),
        (pattern(r"(sqrt)([^{])"), r"sqrt{\2}"),
    ]
});

fn pattern(pattern: &str) -> PythonRegex {
    PythonRegex::new(pattern).expect("the pattern is a constant")
}

/// Whether a text's final answer is the gold one, which is in normal form. lm-evaluation-harness asks sympy whether their
/// difference is 0; here they are the same where `math_match` says so.
pub(super) fn matches(text: &str, gold: &str) -> bool {
    let found = FINAL.find_and_select(&format!("{text}{END}"), 0);
    found.is_some_and(|answer| math_equal(&normal(python::strip(&answer)), gold))
}

/// An answer in normal form.
pub(super) fn normal(answer: &str) -> String {
    let mut answer = answer.rsplit('=').next().unwrap_or_default().to_owned();
    for (from, to) in REPLACED {
        answer = answer.replace(from, to);
    }
    for gone in REMOVED {
        answer = answer.replace(gone, "");
    }
    answer = answer.replace('"', "").replace("\\dots", "");
    for (regex, to) in &*REWRITTEN {
        answer = regex.replace(&answer, to, 0);
    }
    answer = answer.replace('$', "");
    let digits = answer.replace(',', "");
    match !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits,
        false => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As lm-evaluation-harness 0.4.9's minerva_math makes them.
    #[test]
    fn normal_forms_are_minervas() {
        for (answer, expected) in [
            (r"\$1{,}000", "1000"),
            ("x = 5", "5"),
            (r"$\frac12$ units", r"\frac{1}{2}"),
            (r"\text{(A)}", "(A)"),
            (r"2\sqrt3 \text{ cm}", r"2\sqrt{3}"),
            (r"90^\circ", "90"),
            ("an apple", "apple"),
        ] {
            assert_eq!(normal(answer), expected);
        }
    }

    #[test]
    fn the_final_answer_counts_whether_the_hope_is_there_or_not() {
        for text in [
            "so. Final Answer: The final answer is $5$. I hope it is correct.",
            "Final Answer: The final answer is $x = 5$. ",
            "Final Answer: The final answer is $\\frac{10}{2}$. I hope it is correct. More",
        ] {
            assert!(matches(text, "5"), "{text}");
        }
        for text in [
            "5",
            "The final answer is 5.",
            "Final Answer: The final answer is $6$. I hope it is correct.",
        ] {
            assert!(!matches(text, "5"), "{text}");
        }
    }
}
