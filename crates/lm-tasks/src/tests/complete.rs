//! A generation that ends early is judged as one that does not.

use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Pieces of answers, right and wrong ones, and of what ends them.
const PIECES: [&str; 74] = [
    "1",
    "2",
    "7",
    "12",
    "0",
    "1,234",
    "1,",
    ",",
    "3.5",
    ".",
    "-",
    "- ",
    "$",
    "$7",
    "\u{20ac}",
    "%",
    "1/2",
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    "\u{a0}",
    "x",
    " eggs",
    " km",
    "The ",
    "so ",
    "=",
    "\\",
    "\\boxed",
    "\\boxed{",
    "\\boxed{7}",
    "\\boxed{\\frac{1}{2}}",
    "\\boxed{}",
    "\\fbox{",
    "{",
    "}",
    "boxed",
    "\\frac12",
    "####",
    "#### ",
    "#",
    "#### 7",
    "the answer is ",
    "answer is (",
    "Answer:",
    "answer",
    "Final Answer: The final answer is ",
    ". I hope it is correct.",
    "A",
    "B",
    "(B)",
    "(",
    ")",
    "B.",
    "C",
    "j",
    "Question:",
    "Question",
    "Quest",
    "Problem:",
    "Problem",
    "</s>",
    "</s",
    "<",
    "<|im_end|>",
    "<|im_",
    "\u{e9}",
    "\u{3a3}",
    "\u{df}",
    "\u{65e5}\u{672c}",
    "\u{1f600}",
];

/// Rows of the built-in tasks that generate.
const ROWS: [(&str, &str); 10] = [
    ("arith", r#"{"question": "", "answer": "12"}"#),
    (
        "basic_arithmetic_generate",
        r#"{"id": "q1", "question": "", "choices": {"text": ["1234", "3"], "label": ["A", "B"]}, "answerKey": "A"}"#,
    ),
    ("dart_math", r#"{"query": "", "gt_ans": "\\frac{1}{2}"}"#),
    ("gsm8k", r##"{"question": "", "answer": "1+6\n#### 7"}"##),
    (
        "gsm8k_polar",
        r##"{"question": "", "answer": "1+6\n#### 7"}"##,
    ),
    (
        "hendrycks_math",
        r#"{"problem": "p", "solution": "\\boxed{7}", "level": "Level 1", "type": "Algebra"}"#,
    ),
    ("math", r#"{"problem": "p", "solution": "\\boxed{7}"}"#),
    (
        "minerva_math",
        r#"{"problem": "p", "solution": "\\boxed{7}", "level": "Level 1", "type": "Algebra"}"#,
    ),
    (
        "mmlu_pro",
        r#"{"question": "q", "options": ["x", "y"], "answer": "B", "category": "law", "cot_content": "c"}"#,
    ),
    (
        "svamp",
        r#"{"Body": "B.", "Question": "Q?", "Answer": "12.0"}"#,
    ),
];

/// Task files with the filters that no built-in task has.
const MADE: [(&str, &str); 8] = [
    (
        "lowercase",
        "[{function: lowercase}, {function: regex, regex_pattern: 'answer is (\\S+)'}]",
    ),
    (
        "uppercase",
        "[{function: uppercase}, {function: regex, regex_pattern: '([A-D])\\b'}]",
    ),
    (
        "line",
        "[{function: remove_whitespace}, {function: regex, regex_pattern: '^(\\d+)$'}]",
    ),
    (
        "second",
        "[{function: regex, regex_pattern: '(-?\\d+)|([A-J])', group_select: 1}, {function: lowercase}]",
    ),
    (
        "only",
        "[{function: regex, regex_pattern: '\\A\\s*(\\d+)', group_select: -1, fallback: none}]",
    ),
    ("answer", "[{function: answer}]"),
    (
        "listed",
        "[{function: multi_choice_regex, regex_pattern: '(\\([A-Z]\\))'}]",
    ),
    (
        "boxed",
        "[{function: boxed}, {function: regex, regex_pattern: '\\d+', group_select: -1}]",
    ),
];

/// A sample of every built-in task that generates, of a task that lists its options by letter, and of the made ones.
fn samples() -> Vec<Sample> {
    let bench = Bench::new();
    let mut samples = Vec::new();
    for name in built_in_names() {
        let mut task = resolve(name).unwrap();
        if !matches!(task.output, Output::Generate { .. }) {
            continue;
        }
        // Examples may be rows, and do not matter here.
        task.num_fewshot = 0;
        let (_, row) = ROWS.iter().find(|(known, _)| *known == name).unwrap();
        samples.extend(bench.samples(task, "rows.jsonl", row).unwrap());
    }
    let letters = resolve("copa").unwrap().by_letters(10).unwrap();
    let row = r#"{"premise": "P.", "choice1": "x", "choice2": "y", "question": "cause", "idx": 0, "label": 1}"#;
    samples.extend(bench.samples(letters, "rows.jsonl", row).unwrap());
    for (name, filter) in MADE {
        let yaml = format!(
            "task: {name}\ndoc_to_text: q\ndoc_to_target: gold\nfilter_list: [{{name: f, filter: {filter}}}]\n\
             generation_kwargs: {{until: [\"\\n\\n\", \"</s>\", \"\\n\"]}}\n"
        );
        let row = r#"{"q": "", "gold": "7", "choices": ["7", "12", "x"]}"#;
        samples.push(sample(&yaml, row).unwrap());
    }
    samples
}

/// Some pieces, one after the other.
fn text(random: &mut ChaCha8Rng) -> String {
    let count = random.random_range(0..12);
    (0..count)
        .filter_map(|_| PIECES.choose(random).copied())
        .collect()
}

/// All that a verdict says of a text: against every target, against several at once, and what each pipeline finds.
fn judged(sample: &Sample, text: &str) -> (Vec<TextVerdict>, Vec<String>) {
    let asked = sample.as_asked();
    let Question::Generate { until, .. } = &asked.question else {
        panic!("{:?}", asked.question);
    };
    let mut targets: Vec<String> = vec![sample.gold_text().to_owned()];
    targets.extend(
        sample
            .wrong_targets(1, 3)
            .into_iter()
            .map(|wrong| match wrong {
                WrongTarget::Text(text) => text,
                WrongTarget::Option(at) => letter(at).unwrap().to_owned(),
            }),
    );
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let mut verdicts = vec![asked.grade_text_among(text, &targets)];
    verdicts.extend(targets.iter().map(|target| asked.grade_text(text, target)));
    let cut = truncate_at_stop(text, until);
    let filters = sample.task.filters.iter();
    let answers = filters.map(|filter| filter.apply(cut, &sample.doc));
    (verdicts, answers.collect())
}

#[test]
fn what_is_judged_of_a_complete_text_is_judged_of_every_longer_one() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    for sample in samples() {
        let asked = sample.as_asked();
        let mut early = 0;
        for _ in 0..200 {
            let text = text(&mut random);
            let ends = text.char_indices().map(|(at, _)| at);
            let complete = ends.filter(|&end| asked.is_complete(&text[..end]));
            // Few lengths are enough: a longer text is complete soon after.
            for end in complete.take(3) {
                early += 1;
                let expected = judged(&sample, &text[..end]);
                let mut longer = vec![text.clone()];
                longer
                    .extend((0..4).map(|_| format!("{}{}", &text[..end], self::text(&mut random))));
                longer.extend(
                    ["}", ")", "0", "\n", " ", "\\boxed{3}"]
                        .map(|c| format!("{}{c}", &text[..end])),
                );
                for longer in longer {
                    let judged = judged(&sample, &longer);
                    let task = &sample.task.name;
                    assert_eq!(judged, expected, "{task}: {:?} of {longer:?}", &text[..end]);
                }
            }
        }
        assert!(early > 5, "{}: {early}", sample.task.name);
    }
}

#[test]
fn a_generation_ends_as_soon_as_its_verdict_is_settled() {
    let samples = samples();
    let mut wrong = Vec::new();
    for (task, text, end) in [
        ("arith", "12 \n7", 4),
        ("basic_arithmetic_generate", " 1,234 eggs", 7),
        ("basic_arithmetic_generate", "The answer", 1),
        ("basic_arithmetic_generate", " \n", 2),
        ("dart_math", r" \boxed{\frac12}, or", 16),
        ("svamp", r"It is \boxed{12}", 16),
        ("gsm8k", "#### 7\n\nQuestion: x", 17),
        ("mmlu_pro", "So the answer is (B). Next", 20),
        ("mmlu_pro", "So the answer is B. Next", 19),
        ("minerva_math", r"\boxed{7} Problem: x", 18),
        ("copa", "The", 2),
        ("copa", "Answer: B ", 99),
        ("lowercase", "Answer is B, so", 13),
        ("second", "2 or B", 6),
        ("only", "x", 1),
        ("answer", r"so \boxed{7}", 12),
        ("answer", "#### 7 or", 99),
        ("listed", "It is (B)", 9),
        ("boxed", r"\boxed{7}", 9),
        ("line", "7\n", 2),
        ("line", "7 x", 3),
    ] {
        let sample = samples.iter().find(|sample| sample.task.name == task);
        let asked = sample.unwrap().as_asked();
        let mut ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        let first = ends.find(|&end| asked.is_complete(&text[..end]));
        if first.unwrap_or(99) != end {
            wrong.push((task, text, first));
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn a_stop_text_stops_and_a_settled_answer_does_not() {
    let sample = &built_in_samples(ROWS[1].0, ROWS[1].1)[0];
    let asked = sample.as_asked();
    for (text, stopped, complete) in [
        ("12", false, false),
        ("12 ", false, true),
        ("12\n", true, true),
    ] {
        assert_eq!(
            (asked.is_stopped(text), asked.is_complete(text)),
            (stopped, complete),
            "{text:?}"
        );
    }
}

#[test]
fn too_few_tokens_for_a_box_write_none() {
    let boxes = BoxReach::new(PIECES).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(12);
    let marks = [
        "\\",
        "\\boxed",
        "boxed",
        "{",
        "}",
        "\\boxed{",
        " ",
        "7",
        "\\fbox{",
        "\\boxed{7}",
    ];
    let reads_boxes = |sample: &Sample| sample.task.filters.iter().any(Pipeline::reads_a_box);
    for sample in samples().into_iter().filter(reads_boxes) {
        let asked = sample.as_asked();
        let mut early = 0;
        for _ in 0..400 {
            let mut some = |most: usize| {
                let count = random.random_range(0..=most);
                let pieces = (0..count).filter_map(|_| match random.random_bool(0.7) {
                    true => marks.choose(&mut random).copied(),
                    false => PIECES.choose(&mut random).copied(),
                });
                pieces.collect::<String>()
            };
            let text = some(5);
            for left in 0..4 {
                if asked.is_complete(&text) || !asked.is_complete_within(&text, left, &boxes) {
                    continue;
                }
                early += 1;
                let expected = judged(&sample, &text);
                for _ in 0..20 {
                    let longer = format!("{text}{}", some(left));
                    assert_eq!(
                        judged(&sample, &longer),
                        expected,
                        "{text:?} and {longer:?}"
                    );
                }
            }
        }
        assert!(early > 20, "{}: {early}", sample.task.name);
    }
    // One piece is a whole box.
    let svamp = &built_in_samples(ROWS[9].0, ROWS[9].1)[0];
    assert!(!svamp.as_asked().is_complete_within("so", 1, &boxes));
    assert!(svamp.as_asked().is_complete_within("so", 0, &boxes));
    let letters = BoxReach::new(["\\", "box", "ed", "{}"]).unwrap();
    for (text, left, complete) in [
        ("so", 3, true),
        ("so", 4, false),
        ("\\", 3, false),
        (r"\boxed{7", 1, false),
    ] {
        let asked = svamp.as_asked();
        assert_eq!(
            asked.is_complete_within(text, left, &letters),
            complete,
            "{text} {left}"
        );
    }
}
