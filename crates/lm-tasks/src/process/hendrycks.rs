//! Equality of answers by the MATH dataset's own grader (Hendrycks et al. 2021): LaTeX is brought
//! into one spelling, then texts are compared. If the grader fails on an answer, both are compared
//! as they are written.

/// The grader fails on the answer.
struct Lost;

/// Whether the text between the first and the last dollar sign, or all of it, is the gold answer.
pub(super) fn matches(text: &str, gold: &str) -> bool {
    let answer = match (text.find('$'), text.rfind('$')) {
        (Some(first), Some(last)) if first < last => &text[first + 1..last],
        _ => text,
    };
    match (normal(answer), normal(gold)) {
        (Ok(answer), Ok(gold)) => answer == gold,
        _ => answer == gold,
    }
}

fn normal(text: &str) -> Result<String, Lost> {
    let mut text = text.to_owned();
    for (from, to) in [
        ("\n", ""),
        ("\\!", ""),
        ("\\\\", "\\"),
        ("tfrac", "frac"),
        ("dfrac", "frac"),
        ("\\left", ""),
        ("\\right", ""),
        ("^{\\circ}", ""),
        ("^\\circ", ""),
        ("\\$", ""),
    ] {
        text = text.replace(from, to);
    }
    text = without_unit(&text)?;
    text = text
        .replace("\\%", "")
        .replace(" .", " 0.")
        .replace("{.", "{0.");
    if text.is_empty() {
        return Ok(text);
    }
    if text.starts_with('.') {
        text.insert(0, '0');
    }
    // A short left side is the name of the unknown: `k = 3`.
    if let [left, right] = text.split('=').collect::<Vec<_>>()[..]
        && left.chars().count() <= 2
    {
        text = right.to_owned();
    }
    text = braced_root(&text)?.replace(' ', "");
    text = braced_fractions(&text)?;
    if text == "0.5" {
        text = "\\frac{1}{2}".to_owned();
    }
    fraction_of_slash(text)
}

/// The text before the unit.
fn without_unit(text: &str) -> Result<String, Lost> {
    match text.split("\\text{ ").collect::<Vec<_>>()[..] {
        [all] => Ok(all.to_owned()),
        [before, _] => Ok(before.to_owned()),
        _ => Err(Lost),
    }
}

/// Rewrites `\sqrt3` as `\sqrt{3}`.
fn braced_root(text: &str) -> Result<String, Lost> {
    let mut parts = text.split("\\sqrt");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let first = part.chars().next().ok_or(Lost)?;
        out.push_str("\\sqrt");
        match first {
            '{' => out.push_str(part),
            _ => {
                out.push_str(&format!("{{{first}}}"));
                out.push_str(&part[first.len_utf8()..]);
            }
        }
    }
    Ok(out)
}

/// Rewrites `\frac12` as `\frac{1}{2}`. A numerator without a denominator, at the end, leaves the
/// whole text as it is.
fn braced_fractions(text: &str) -> Result<String, Lost> {
    let mut parts = text.split("\\frac");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        let numerator = letters.next().ok_or(Lost)?;
        out.push_str("\\frac");
        if numerator == '{' {
            out.push_str(part);
            continue;
        }
        let Some(denominator) = letters.next() else {
            return Ok(text.to_owned());
        };
        out.push_str(&format!("{{{numerator}}}"));
        match denominator {
            '{' => out.push('{'),
            digit => out.push_str(&format!("{{{digit}}}")),
        }
        out.push_str(letters.as_str());
    }
    Ok(out)
}

/// Rewrites `1/2` as `\frac{1}{2}`, for whole numbers only.
fn fraction_of_slash(text: String) -> Result<String, Lost> {
    let [above, below] = text.split('/').collect::<Vec<_>>()[..] else {
        return Ok(text);
    };
    let (above, below) = (whole(above)?, whole(below)?);
    match text == format!("{above}/{below}") {
        true => Ok(format!("\\frac{{{above}}}{{{below}}}")),
        false => Ok(text),
    }
}

/// A whole number in the form in which Python prints it.
fn whole(text: &str) -> Result<String, Lost> {
    let text = pyjinja::python::strip(text);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let grouped = digits.split('_');
    if !grouped
        .clone()
        .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(Lost);
    }
    let digits: String = grouped.collect();
    Ok(match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => format!("{sign}{digits}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected verdicts are those of lm-evaluation-harness's hendrycks_math.
    #[test]
    fn spellings_are_evened_out_as_the_datasets_grader_does() {
        for (text, gold) in [
            (r"The answer is $\frac12$.", r"\frac{1}{2}"),
            (r"\dfrac{1}{2}", r"\tfrac12"),
            ("1/2", r"\frac{1}{2}"),
            ("0.5", r"\frac{1}{2}"),
            ("$x = 5$", "5"),
            (r"$ \sqrt3 $ or $\sqrt{3}$", r"\sqrt3$or$\sqrt{3}"),
            (r"90^\circ", "90"),
            (r"12\text{ cm}", "12"),
            (".5", r"\frac{1}{2}"),
            ("50\\%", "50"),
            ("x/y", "x/y"),
            ("", ""),
        ] {
            assert!(matches(text, gold), "{text} and {gold}");
        }
        for (text, gold) in [
            ("so 5", "5"),
            ("1/02", r"\frac{1}{2}"),
            ("x / y", "x/y"),
            (r"\sqrt", r"\sqrt{}"),
            ("0.25", r"\frac14"),
        ] {
            assert!(!matches(text, gold), "{text} and {gold}");
        }
    }
}
