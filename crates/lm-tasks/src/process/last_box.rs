//! The answer of a worked solution as lm-evaluation-harness's MATH tasks find it.

const BOX: &str = "\\boxed";

/// The content of the `\boxed{}` that begins last. If there is a `\boxed ` with a space: the text
/// after the last of these, up to a dollar sign.
pub(super) fn content(solution: &str) -> Result<String, String> {
    let spaced = format!("{BOX} ");
    if let Some((_, after)) = solution.rsplit_once(&spaced) {
        let end = after.find('$').unwrap_or(after.len());
        return Ok(after[..end].to_owned());
    }
    let missing = || "column `solution` has no complete \\boxed{}".to_owned();
    let start = solution.rfind(BOX).ok_or_else(missing)?;
    let mut depth = 0_i64;
    for (at, byte) in solution.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if byte == b'}' && depth == 0 {
            let inside = solution[start..at].strip_prefix(&format!("{BOX}{{"));
            return inside.map(str::to_owned).ok_or_else(missing);
        }
    }
    Err(missing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_that_begins_last_counts() {
        for (solution, answer) in [
            (r"so $\boxed{1}$ and $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
            (r"$\boxed{a\boxed{b}c}$", "b"),
            (r"thus $x = \boxed 7$ or so", "7"),
        ] {
            assert_eq!(content(solution).unwrap(), answer);
        }
        for solution in ["no box", r"\boxed{", r"\boxed3", ""] {
            assert!(content(solution).is_err(), "{solution}");
        }
    }
}
