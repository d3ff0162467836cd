//! Minerva's answers (Lewkowycz et al. 2022, appendix D): how they are found in a text, and their
//! normal form.

use std::sync::LazyLock;

use math_answer::math_equal;
use pyjinja::{PythonRegex, python};

/// The end of a complete answer. It is appended to every text, because a text may stop before it.
const END: &str = "I hope it is correct.";

static FINAL: LazyLock<PythonRegex> =
    LazyLock::new(|| pattern(r"Final Answer: The final answer is(.*?). I hope it is correct."));

/// Replacements of words and signs, in the order in which they are made.
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

/// Units and marks that are removed, in this order. Words are first removed where they stand alone,
/// while there are still spaces; after that they are removed everywhere but in the names of
/// commands (`\left` contains `ft`).
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
    "\"",
    "\\dots",
];

/// A unit that is a word of its own.
static UNIT: LazyLock<PythonRegex> = LazyLock::new(|| {
    let words: Vec<&str> = REMOVED
        .iter()
        .copied()
        .filter(|gone| is_word(gone))
        .collect();
    pattern(&format!(r"(?<!\\)\b(?:{})\b", words.join("|")))
});

/// A number with commas between groups of thousands.
static THOUSANDS: LazyLock<PythonRegex> = LazyLock::new(|| pattern(r"\A-?\d{1,3}(?:,\d{3})+\Z"));

/// Rewriting that removes LaTeX's wrappers, and puts braces around the arguments of `\frac` and
/// `\sqrt`.
static REWRITTEN: LazyLock<[(PythonRegex, &str); 8]> = LazyLock::new(|| {
    [
        (pattern(r"(.*?)(\$)(.*?)(\$)(.*)"), r"$\3$"),
        (pattern(r"(\\text\{)(.*?)(\})"), r"\2"),
        (pattern(r"(\\textbf\{)(.*?)(\})"), r"\2"),
        (pattern(r"(\\overline\{)(.*?)(\})"), r"\2"),
        (pattern(r"(\\boxed\{)(.*)(\})"), r"\2"),
        (pattern(r"(frac)([^{])(.)"), r"frac{\2}{\3}"),
        (pattern(r"(sqrt)(\[[^\]]*\])(\w)"), r"\1\2{\3}"),
        (pattern(r"(sqrt)(?!\[)([^{])"), r"sqrt{\2}"),
    ]
});

fn pattern(pattern: &str) -> PythonRegex {
    PythonRegex::new(pattern).expect("the pattern is a constant")
}

/// Whether a text's final answer is the gold one, which is in normal form. lm-evaluation-harness
/// tests with sympy whether their difference is 0; here [`math_equal`] compares them.
pub(super) fn matches(text: &str, gold: &str) -> bool {
    let found = FINAL.find_and_select(&format!("{text}{END}"), 0);
    found.is_some_and(|answer| math_equal(&normal(python::strip(&answer)), gold))
}

/// An answer in normal form.
pub(super) fn normal(answer: &str) -> String {
    let answer = answer.rsplit('=').next().unwrap_or_default();
    let mut answer = UNIT.replace(answer, "", 0);
    for (from, to) in REPLACED {
        answer = answer.replace(from, to);
    }
    for gone in REMOVED {
        answer = match is_word(gone) {
            true => without(&answer, gone),
            false => answer.replace(gone, ""),
        };
    }
    for (regex, to) in &*REWRITTEN {
        answer = regex.replace(&answer, to, 0);
    }
    answer = answer.replace('$', "");
    match THOUSANDS.find_and_select(&answer, 0) {
        Some(_) => answer.replace(',', ""),
        None => answer,
    }
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Removes a word from the text, but not from the names of commands.
fn without(text: &str, word: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out += &rest[..at].replace(word, "");
        let letters = rest[at + 1..].bytes().take_while(u8::is_ascii_alphabetic);
        let end = at + 1 + letters.count();
        out += &rest[at..end];
        rest = &rest[end..];
    }
    out + &rest.replace(word, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected forms are those of lm-evaluation-harness's minerva_math 3.1.
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
            (r"\left(0, 1\right)", r"\left(0,1\right)"),
            ("0,1", "0,1"),
            ("-12,345,678", "-12345678"),
            (r"2\pi cm", r"2\pi"),
            (r"\sqrt[3]5", r"\sqrt[3]{5}"),
            (r"\infty", r"\infty"),
            ("12 square feet", "12"),
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
