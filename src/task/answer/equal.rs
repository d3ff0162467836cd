//! Whether two math answers are the same.

use super::parse_number;

/// Equal as numbers where both are numbers, else equal as normalised text.
///
/// Percent: `50%` equals `50%`; a gold answer of `50%` also takes `50`, since the question then asked for percent. An
/// answer in percent where the gold answer has none is not equal: it may mean a hundredth of it.
pub fn math_equal(answer: &str, gold: &str) -> bool {
    let (answer, gold) = (normalise(answer), normalise(gold));
    match (parse_number(&answer), parse_number(&gold)) {
        (Some(a), Some(g)) => a.same_value(&g) && (!a.percent || g.percent),
        _ => !gold.is_empty() && answer == gold,
    }
}

/// Takes away what LaTeX needs and an answer does not: `\left`, thin spaces, one wrapping `\text{}`, surrounding `$`,
/// a final full stop, white space that separates no words.
fn normalise(text: &str) -> String {
    let mut text = text.trim();
    text = text.strip_suffix('.').unwrap_or(text).trim_end();
    if let Some(inner) = text.strip_prefix('$').and_then(|t| t.strip_suffix('$')) {
        text = inner.trim();
    }
    text = unwrap_command(text);
    let mut text = text.to_owned();
    for (from, to) in [
        ("\\left", ""),
        ("\\right", ""),
        ("\\!", ""),
        ("\\,", " "),
        ("\\;", " "),
        ("\\ ", " "),
        ("\\dfrac", "\\frac"),
        ("\\tfrac", "\\frac"),
        ("\u{2212}", "-"),
    ] {
        // `\left` is also the start of `\leftarrow`.
        text = if from.ends_with(char::is_alphabetic) {
            replace_command(&text, from, to)
        } else {
            text.replace(from, to)
        };
    }
    join_words(text.strip_suffix('.').unwrap_or(&text))
}

/// `\text{yes}` -> `yes`, where the command spans the whole text.
fn unwrap_command(text: &str) -> &str {
    for command in ["\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{", "\\mbox{"] {
        let inner = text.strip_prefix(command).and_then(|t| t.strip_suffix('}'));
        if let Some(inner) = inner
            && !inner.contains(['{', '}'])
        {
            return inner.trim();
        }
    }
    text
}

/// Replaces a command where no further letter follows it.
fn replace_command(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let after = &rest[at + from.len()..];
        let longer = after.chars().next().is_some_and(char::is_alphabetic);
        out.push_str(&rest[..at]);
        out.push_str(if longer { from } else { to });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Drops white space, except for one space between two letters or digits: `1 2` must not become `12`.
fn join_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && c.is_alphanumeric() && out.ends_with(char::is_alphanumeric) {
            out.push(' ');
        }
        gap = false;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_numbers_are_equal_answers() {
        for (answer, gold) in [
            ("18", "18"),
            (" 18.00 ", "18"),
            ("1,000", "1000"),
            (r"\frac{3}{4}", "0.75"),
            (r"\dfrac{3}{4}", r"\frac34"),
            (r"\$70,000", "70000"),
            ("50", r"50\%"),
            ("50%", r"50\%"),
            ("$-7$.", "-7"),
            (r"\text{12}", "12"),
            (r"1,\!234", "1234"),
        ] {
            assert!(math_equal(answer, gold), "{answer} = {gold}");
        }
    }

    #[test]
    fn equal_texts_are_equal_answers() {
        for (answer, gold) in [
            (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})"),
            (r"\text{Evelyn}", "Evelyn"),
            (r"x \in [-2, 7]", r"x\in[-2,7]"),
            (r"2\sqrt{3}", r"2 \sqrt{3}."),
            (r"\text{ even}", "even"),
        ] {
            assert!(math_equal(answer, gold), "{answer} = {gold}");
        }
    }

    #[test]
    fn unsure_is_not_equal() {
        for (answer, gold) in [
            ("", ""),
            ("50%", "50"),
            ("0.5", "50%"),
            ("1 2", "12"),
            ("0.33", "1/3"),
            ("(1,234)", "1234"),
            ("18 dollars", "18"),
            (r"\leftarrow", "arrow"),
            ("[invalid]", "7"),
            ("7", ""),
        ] {
            assert!(!math_equal(answer, gold), "{answer} != {gold}");
        }
    }

    proptest! {
        #[test]
        fn any_two_texts_are_compared_without_panic(a in any::<String>(), b in r"[-$%0-9.,/{} \\lefttext!é]{0,40}") {
            let _ = math_equal(&a, &b);
            let _ = math_equal(&b, &a);
        }
    }
}
