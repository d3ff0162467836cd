//! Finds `\boxed{...}`, the usual mark of a math answer; `\fbox{...}` counts as well.

/// The content of the first complete `\boxed{...}` in `text`.
///
/// Models often continue after their answer and may repeat the box of the prompt, so later boxes are
/// ignored. *First* is the box whose closing brace comes first: text appended later never changes the
/// result, so decoding may stop as soon as a box is complete. Braces nest; `\{` and `\}` are characters of
/// the answer, not braces.
pub fn first_boxed(text: &str) -> Option<&str> {
    let mut first = None;
    each_boxed(text, |content| {
        first = Some(content);
        false
    });
    first
}

/// The content of the complete `\boxed{...}` in `text` whose closing brace comes last, which is the answer
/// in the solutions of MATH. Without such a box, the text between the last `\boxed ` and the next `$`, a
/// form that some solutions use.
pub fn last_boxed(text: &str) -> Option<&str> {
    let mut last = None;
    each_boxed(text, |content| {
        last = Some(content);
        true
    });
    last.or_else(|| {
        let (_, after) = text.rsplit_once("\\boxed ")?;
        let (content, _) = after.split_once('$')?;
        let content = content.trim();
        (!content.is_empty() && !content.starts_with('{')).then_some(content)
    })
}

/// Calls `found` with the content of every complete box, in the order of their closing braces, until
/// `found` returns false.
fn each_boxed<'t>(text: &'t str, mut found: impl FnMut(&'t str) -> bool) {
    const COMMANDS: [&[u8]; 2] = [b"boxed", b"fbox"];
    let bytes = text.as_bytes();
    // For every open brace: the offset of the box's content, or `None` if the brace does not open a box.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                let rest = &bytes[at + 1..];
                let command = COMMANDS.iter().find(|name| rest.starts_with(name));
                let brace = command.map(|name| {
                    let after = at + 1 + name.len();
                    after + spaces(&bytes[after..])
                });
                match brace {
                    Some(brace) if bytes.get(brace) == Some(&b'{') => {
                        open.push(Some(brace + 1));
                        at = brace + 1;
                    }
                    _ => at += 2,
                }
                continue;
            }
            b'{' => open.push(None),
            b'}' => {
                if let Some(Some(start)) = open.pop()
                    && !found(&text[start..at])
                {
                    return;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_complete_box_is_the_answer_of_a_solution() {
        assert_eq!(
            last_boxed(r"not \boxed{1} but \boxed{\frac{1}{2}}."),
            Some(r"\frac{1}{2}")
        );
        assert_eq!(last_boxed(r"\boxed{2} and \boxed{3"), Some("2"));
        assert_eq!(last_boxed(r"\boxed{a \boxed{b} c}"), Some(r"a \boxed{b} c"));
        assert_eq!(last_boxed("none"), None);
        assert_eq!(last_boxed(r"so $x = \boxed 2$."), Some("2"));
        assert_eq!(last_boxed(r"$\boxed{1}$ or $\boxed 2$"), Some("1"));
        assert_eq!(last_boxed(r"\boxed {"), None);
    }

    #[test]
    fn the_first_complete_box_is_the_answer() {
        assert_eq!(first_boxed(r"so \boxed{42} or \boxed{ANSWER}"), Some("42"));
        assert_eq!(first_boxed(r" \boxed{\frac{1}{2}}."), Some(r"\frac{1}{2}"));
        assert_eq!(first_boxed(r"\boxed {7}"), Some("7"));
        assert_eq!(first_boxed("\\boxed\n{7}"), Some("7"));
        assert_eq!(first_boxed(r"\fbox{7}"), Some("7"));
        assert_eq!(first_boxed(r"\boxed{}"), Some(""));
        assert_eq!(first_boxed(r"\boxed{\{1,2\}}"), Some(r"\{1,2\}"));
        assert_eq!(first_boxed(r"} {\boxed{5}"), Some("5"));
    }

    #[test]
    fn an_open_box_is_no_answer() {
        for text in [
            "",
            r"\boxed",
            r"\boxed{",
            r"\boxed{1{2}",
            r"\boxed 4",
            "boxed{4}",
            "\\",
        ] {
            assert_eq!(first_boxed(text), None, "{text}");
        }
    }

    #[test]
    fn of_nested_boxes_the_one_that_closes_first_counts() {
        assert_eq!(first_boxed(r"\boxed{a \boxed{4}"), Some("4"));
        assert_eq!(first_boxed(r"\boxed{a \boxed{4}}"), Some("4"));
    }

    #[test]
    fn ten_thousand_nested_braces_are_no_problem() {
        let text = format!("\\boxed{{{}{}}}", "{".repeat(10_000), "}".repeat(10_000));
        assert_eq!(first_boxed(&text).unwrap().len(), 20_000);
        assert_eq!(first_boxed(&"\\boxed{".repeat(10_000)), None);
    }

    proptest! {
        #[test]
        fn text_added_later_never_changes_the_answer(
            before in r"(\\boxed\{|\\|\{|\}|[a-z0-9é ]){0,30}",
            after in r"(\\boxed\{|\\|\{|\}|[a-z0-9é ]){0,30}",
        ) {
            if let Some(answer) = first_boxed(&before) {
                let longer = format!("{before}{after}");
                prop_assert_eq!(first_boxed(&longer), Some(answer));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in any::<String>()) {
            let _ = first_boxed(&text);
        }
    }
}
