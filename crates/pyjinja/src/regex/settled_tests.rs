//! What is settled for a text is what every longer text gives.

use proptest::prelude::*;

use super::PythonRegex;

/// Where a text becomes settled: the length in bytes of its shortest beginning that is, and what is selected then.
fn settles(pattern: &str, text: &str, index: i64) -> Option<(usize, Option<String>)> {
    let regex = PythonRegex::new(pattern).unwrap();
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.into_iter().find_map(|end| {
        let found = regex.settled_selection(&text[..end], index)?;
        Some((end, found))
    })
}

#[test]
fn a_match_is_settled_where_nothing_can_lengthen_or_precede_it() {
    let number = r"^\s*(-?[0-9][0-9,]*)";
    let letter = r"answer is \(?([ABCDEFGHIJ])\)?";
    for (pattern, index, text, length, found) in [
        (number, 0, " 12,3 eggs", 6, Some("12,3")),
        (number, 0, " 12\n", 4, Some("12")),
        (number, -1, "7 8", 2, Some("7")),
        (number, 0, "The", 1, None),
        (number, 1, "7 8", 2, None),
        (number, 0, "- 7", 2, None),
        (letter, 0, "The answer is (B).", 17, Some("B")),
        (letter, 0, "answer is B.", 12, Some("B")),
        (r"#### (\-?[0-9\.\,]+)", 0, "#### 1.5 or", 9, Some("1.5")),
        (r"\d", 1, "a1b2", 4, Some("2")),
        (r"([ab])|c", 0, "xa", 2, Some("a")),
        (r"([ab])|c", 0, "xc", 2, Some("")),
        // Lazy: more is never better.
        (r"a.*?b", 0, "acbb", 3, Some("acb")),
        (r"\b\d+\b", 0, "x1 12 y", 7, Some("12")),
        (r"^(\d+)$", 0, "4 x", 2, None),
        (r"^(\d+)$", 0, "4\nx", 3, None),
        (r"^(\d+)(?:$|;)", 0, "4;x", 3, Some("4")),
        (r"\A\d\Z", 0, "4\n", 2, None),
        (r"(?m)^(\d+)$", 0, "4\n", 2, Some("4")),
    ] {
        let expected = Some((length, found.map(str::to_owned)));
        assert_eq!(
            settles(pattern, text, index),
            expected,
            "{pattern} in {text:?}"
        );
    }
}

#[test]
fn a_match_is_open_where_it_can_still_change() {
    for (pattern, index, text) in [
        // The last match may have followers.
        (r"(-?[$0-9.,]{2,})|(-?[0-9]+)", -1, "7 and 12 or 3."),
        (r"(\d+)$", 0, "4"),
        (r"(\d+)$", 0, "4\n"),
        (r"(\d+)$", 0, "4 x"),
        (r"(?m)(\d+)$", 0, "4"),
        (r"^(\d+)\s*", 0, "4 "),
        // A longer match would begin earlier.
        (r"1.*9|2", 0, "1 2 "),
        (
            r"answer is \(?([ABCDEFGHIJ])\)?",
            0,
            "answer is X, answer is (C",
        ),
        // Unlike the empty match after the 1.
        (r"\d?", 1, "1"),
        ("", 1, ""),
        // Look-around, back-references, possessive and atomic repetitions.
        (r"(?<=#)\d", 0, "#4 x"),
        (r"(\d)(?!\d)", 0, "4 x"),
        (r"(\d)\1", 0, "44 x"),
        (r"\d++x", 0, "4x "),
        (r"(?>\d+)x", 0, "4x "),
        // A letter beyond ASCII, at whose edges the automaton cannot judge \b.
        (r"\b\d\b", 0, "\u{e9} 4 "),
    ] {
        let regex = PythonRegex::new(pattern).unwrap();
        let settled = regex.settled_selection(text, index);
        assert_eq!(settled, None, "{pattern} in {text:?}");
    }
}

/// A pattern of letters, digits, anchors, groups and repetitions.
fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "1", r"\d", "[ab1]", ".", " ", r"\s", "\u{e9}", r"[^a]"]),
        2 => prop::sample::select(vec!["^", "$", r"\b", r"\B", r"\Z", r"\A", ""]),
    ];
    let leaf = leaf.prop_map(str::to_owned);
    let inner = leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.concat()),
            1 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            2 => inner.clone().prop_map(|part| format!("({part})")),
            2 => (inner, prop::sample::select(vec!["*", "+", "?", "*?", "+?", "??", "{1,2}", "{2}"]))
                .prop_map(|(part, times)| format!("(?:{part}){times}")),
        ]
    });
    let flags = prop::sample::select(vec!["", "", "(?m)", "(?s)", "(?i)"]);
    (flags, inner).prop_map(|(flags, pattern)| format!("{flags}{pattern}"))
}

/// All texts of at most so many of these characters.
fn texts(characters: &[char], most: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut from = 0;
    for _ in 0..most {
        let to = all.len();
        for at in from..to {
            let longer = characters.iter().map(|c| format!("{}{c}", all[at]));
            let longer: Vec<String> = longer.collect();
            all.extend(longer);
        }
        from = to;
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_settled_is_what_every_longer_text_gives(
        pattern in pattern(),
        text in r"[ab1 \n\u{e9}]{0,6}",
        index in -2_i64..3,
    ) {
        let regex = PythonRegex::new(&pattern);
        prop_assume!(regex.is_ok());
        if let Some(settled) = regex.as_ref().unwrap().settled_selection(&text, index) {
            for after in texts(&['a', 'b', '1', ' ', '\n', '\u{e9}'], 3) {
                let longer = format!("{text}{after}");
                let found = regex.as_ref().unwrap().find_and_select(&longer, index);
                prop_assert_eq!(&found, &settled, "{} in {:?}", pattern, longer);
            }
        }
    }
}

#[test]
fn no_fewer_pieces_make_a_match_than_the_reach_says() {
    let pieces = ["\\", "box", "ed", "{}", "}", "x{", " ", "\u{e9}"];
    let regex = PythonRegex::new(r"\\(?:boxed|fbox)[^!-~]*\{[\s\S]*?\}").unwrap();
    let reach = regex.reach(pieces).unwrap();
    for (text, fewest) in [
        ("", 4),
        ("so", 4),
        ("\\", 3),
        ("\\b", 4),
        ("\\box", 2),
        ("\\boxed", 1),
        ("\\boxed ", 1),
        ("\\boxed 4", 4),
        ("\\boxed{4", 1),
        ("\\boxed{4}", 0),
        // Only `x{` and `}` make this one.
        ("\\fbo", 2),
    ] {
        assert_eq!(reach.fewest(text), Some(fewest), "{text}");
        // All sequences of fewer pieces, and one of so many.
        let mut texts = vec![text.to_owned()];
        let matches =
            |texts: &[String]| texts.iter().any(|t| regex.find_and_select(t, 0).is_some());
        for _ in 0..fewest {
            assert!(!matches(&texts), "{text}");
            let longer = texts
                .iter()
                .flat_map(|t| pieces.map(|piece| format!("{t}{piece}")));
            texts = longer.collect();
        }
        assert!(matches(&texts), "{text}");
    }
    let digit = PythonRegex::new(r"^\d").unwrap().reach(["a", "1"]).unwrap();
    assert_eq!((digit.fewest(""), digit.fewest("a")), (Some(1), None));
    assert!(PythonRegex::new(r"(\d)\1").unwrap().reach(["1"]).is_none());
}
