//! Verdicts on log-probabilities and texts.

use math_answer::parse_number;
use proptest::prelude::*;

use super::*;

#[test]
fn a_target_that_is_one_of_the_options_is_a_constant() {
    let task = "task: t\noutput_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [incorrect, correct]\n";
    let row = r#"{"q": "2 + 2 = 4"}"#;
    let found = sample(&format!("{task}doc_to_target: correct\n"), row).unwrap();
    assert_eq!(found.gold_text(), "correct");
    let error = sample(&format!("{task}doc_to_target: corect\n"), row).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("no column `corect` (the row has q)"),
        "{error}"
    );
    // A column comes first.
    let row = r#"{"q": "2 + 2 = 5", "correct": 0}"#;
    let found = sample(&format!("{task}doc_to_target: correct\n"), row).unwrap();
    assert_eq!(found.gold_text(), "incorrect");
}

fn options(options: &str, metrics: &str) -> Sample {
    let yaml = format!("{CHOICE}metric_list: {metrics}\n");
    sample(
        &yaml,
        &format!(r#"{{"q": "?", "options": {options}, "gold": 1}}"#),
    )
    .unwrap()
}

const BOTH: &str = "[{metric: acc}, {metric: acc_norm}]";

#[test]
fn acc_picks_the_highest_sum_and_acc_norm_the_highest_per_character() {
    let sample = options(r#"["ab", "abcdé"]"#, BOTH);
    let verdict = sample.as_asked().grade_choice(&[-4.0, -5.0]);
    assert_eq!((verdict.picked, verdict.picked_norm), (0, 1));
    assert_eq!(verdict.values, [0.0, 1.0]);
    assert!(!verdict.correct);
    assert_eq!(verdict.margin, -1.0);

    let sample = options(r#"["ab", "abcdé"]"#, "[{metric: acc_norm}]");
    let verdict = sample.as_asked().grade_choice(&[-4.0, -5.0]);
    assert!(verdict.correct);
    // -5 over five characters against -4 over two: the é is one character.
    assert_eq!(verdict.margin, 1.0);
}

#[test]
fn a_tie_goes_to_the_first_option() {
    let sample = options(r#"["a", "b", "c"]"#, BOTH);
    assert_eq!(
        sample.as_asked().grade_choice(&[-1.0, -1.0, -2.0]).picked,
        0
    );
    let verdict = sample.as_asked().grade_choice(&[-2.0, -1.0, -1.0]);
    assert!(verdict.correct);
    assert_eq!(verdict.margin, 0.0);
}

#[test]
fn the_lead_of_a_choice_is_the_least_by_sum_and_by_character() {
    let sample = options(r#"["ab", "abcd", "abcdef"]"#, BOTH);
    let lead = |log_probs: &[f64]| sample.as_asked().choice_lead(log_probs);
    // By sum -2 leads -3; per character -0.75 leads -1.
    assert_eq!(lead(&[-2.0, -3.0, -12.0]), 0.25);
    // By sum there is no lead; per character -0.5 leads -1.
    assert_eq!(lead(&[-2.0, -2.0, -12.0]), 0.0);
    // A state that is not finite is no near-tie, which would be evaluated again.
    assert_eq!(lead(&[f64::NAN, f64::NAN, f64::NAN]), f64::INFINITY);
}

#[test]
fn an_empty_option_has_no_share_of_characters() {
    // Like numpy's division by 0.
    let sample = options(r#"["", "b", "cc"]"#, BOTH);
    let verdict = sample.as_asked().grade_choice(&[-0.5, -1.0, -4.0]);
    assert_eq!((verdict.picked, verdict.picked_norm), (0, 1));
}

#[test]
fn a_broken_state_answers_nothing() {
    let sample = options(r#"["a", "b"]"#, BOTH);
    let nan = f64::NAN;
    for logprobs in [
        vec![nan, nan],
        vec![f64::NEG_INFINITY; 2],
        vec![],
        vec![0.0, f64::INFINITY],
        vec![-1.0, nan],
    ] {
        let verdict = sample.as_asked().grade_choice(&logprobs);
        assert!(!verdict.correct, "{logprobs:?}");
        assert!(verdict.margin.is_finite());
    }
    assert!(
        !sample
            .as_asked()
            .grade_choice_against(&[-1.0, -2.0], 7)
            .correct
    );
    assert_eq!(
        sample.as_asked().grade_choice(&[nan, -1.0]).margin,
        MARGIN_LIMIT
    );
}

#[test]
fn another_target_turns_the_verdict() {
    let sample = options(r#"["a", "b", "c"]"#, BOTH);
    let verdict = sample
        .as_asked()
        .grade_choice_against(&[-1.0, -2.0, -4.0], 0);
    assert!(verdict.correct);
    assert_eq!(verdict.margin, 1.0);
}

#[test]
fn the_first_metric_of_the_first_filter_decides() {
    let yaml = format!(
        "{GENERATE}filter_list:\n- {{name: strict, filter: [{{function: regex, regex_pattern: '#### (\\d+)'}}]}}\n- {{name: last, filter: [{{function: regex, regex_pattern: '\\d+', group_select: -1}}]}}\n"
    );
    let sample = sample(&yaml, r#"{"q": "", "gold": "42"}"#).unwrap();
    assert_eq!(
        sample.task.metric_keys(),
        ["exact_match,strict", "exact_match,last"]
    );
    let verdict = sample.as_asked().grade_text(" it is 42", "42");
    assert_eq!(
        (verdict.correct, verdict.answer.as_str()),
        (false, "[invalid]")
    );
    assert_eq!(verdict.values, [0.0, 1.0]);
    assert!(sample.as_asked().grade_text("#### 42 not 41", "42").correct);
    assert!(!sample.as_asked().is_complete("#### 42 not 41"));
}

#[test]
fn arithmetic_is_the_number_before_the_line_ends() {
    let sample = &built_in_samples(
        "arith",
        r#"{"question": "Dial 47 up 12 down 5.", "answer": "54"}"#,
    )[0];
    for (text, correct) in [
        (" 54", true),
        ("54\nDial 3", true),
        (" 54 ", true),
        ("\n54", false),
        ("054", false),
        ("", false),
    ] {
        assert_eq!(
            sample.as_asked().grade_text(text, "54").correct,
            correct,
            "{text:?}"
        );
    }
    assert!(sample.as_asked().is_complete(" 5\n"));
    assert!(!sample.as_asked().is_complete(" 54"));
}

#[test]
fn the_answer_filter_takes_the_strongest_mark() {
    let yaml = format!(
        "{GENERATE}filter_list:\n- {{name: a, filter: [{{function: answer, fallback: none}}]}}\nmetric_list: [{{metric: math_match}}]\n"
    );
    let sample = sample(&yaml, r#"{"q": "", "gold": "\\frac{1}{2}"}"#).unwrap();
    for (text, answer, correct) in [
        (r"3 or \boxed{0.5}", "0.5", true),
        ("so\n#### 1/2\nQ: 7", "1/2", true),
        ("The answer is $\\frac12$. 9", r"$\frac12$", true),
        ("it is 0.25", "0.25", false),
        ("?", "none", false),
    ] {
        let graded = sample.as_asked().grade_text(text, sample.gold_text());
        assert_eq!((graded.answer.as_str(), graded.correct), (answer, correct));
        // Only a box is stronger than whatever may follow.
        assert_eq!(sample.as_asked().is_complete(text), text.contains("boxed"));
    }
}

#[test]
fn a_boxed_answer_is_complete_at_its_first_box() {
    let sample = &built_in_samples(
        "gsm8k_polar",
        r#"{"question": "", "answer": "x\n#### 1,234"}"#,
    )[0];
    assert_eq!(sample.gold_text(), "1234");
    for (text, correct, complete) in [
        (r" \boxed{1,234}", true, true),
        (r" $\boxed{1234.0}$. \boxed{7}", true, true),
        (r" \boxed{7} \boxed{1234}", false, true),
        (r" \boxed{ANSWER}", false, true),
        (r" 1234", false, false),
        (r" \boxed{1234", false, false),
    ] {
        assert_eq!(
            sample
                .as_asked()
                .grade_text(text, sample.gold_text())
                .correct,
            correct,
            "{text}"
        );
        assert_eq!(sample.as_asked().is_complete(text), complete, "{text}");
    }
    assert_eq!(
        sample.as_asked().grade_text("no box", "1234").answer,
        "[invalid]"
    );
}

#[test]
fn stop_texts_cut_one_after_the_other() {
    let until = |stops: &[&str]| {
        stops
            .iter()
            .map(|stop| (*stop).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(truncate_at_stop("a\n\nb", &until(&["\n\n"])), "a");
    assert_eq!(
        truncate_at_stop("a Q: b </s>", &until(&["</s>", "Q:", ""])),
        "a "
    );
    // The second stop text overlaps the first, which is cut already.
    assert_eq!(truncate_at_stop("xabc", &until(&["bc", "abc"])), "xa");
    assert_eq!(truncate_at_stop("abc", &[]), "abc");
}

#[test]
fn a_wrong_option_is_any_other_and_depends_on_seed_and_sample() {
    let sample = options(r#"["a", "b", "c", "b"]"#, BOTH);
    let drawn: Vec<_> = (0..40).map(|seed| sample.wrong_target(seed)).collect();
    for wrong in [0, 2] {
        assert!(drawn.contains(&Some(WrongTarget::Option(wrong))));
    }
    // Option 3 has the same text as the gold one.
    assert!(
        drawn
            .iter()
            .all(|wrong| matches!(wrong, Some(WrongTarget::Option(0 | 2))))
    );
    assert_eq!(sample.wrong_target(3), sample.wrong_target(3));
    let alone = sample_of_one();
    assert_eq!(alone.wrong_target(0), None);

    let row =
        |id| format!(r#"{{"id": {id}, "q": "?", "options": ["a", "b", "c", "d"], "gold": 0}}"#);
    let wrong = |id| super::sample(CHOICE, &row(id)).unwrap().wrong_target(1);
    assert!(
        (1..20).any(|id| wrong(id) != wrong(0)),
        "one seed of a run must not give every sample the same option"
    );
}

fn sample_of_one() -> Sample {
    sample(CHOICE, r#"{"q": "?", "options": ["a"], "gold": 0}"#).unwrap()
}

#[test]
fn a_wrong_number_is_of_the_same_kind() {
    let wrong = |task: &str, row: &str| {
        let sample = built_in_samples(task, row).remove(0);
        (0..200)
            .map(|seed| match sample.wrong_target(seed) {
                Some(WrongTarget::Text(text)) => {
                    assert!(
                        !sample
                            .as_asked()
                            .grade_text(&format!("\\boxed{{{text}}}"), sample.gold_text())
                            .correct
                    );
                    text
                }
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    for text in wrong("arith", r#"{"question": "", "answer": "54"}"#) {
        let value: u32 = text.parse().unwrap();
        assert!((10..100).contains(&value) && value != 54);
    }
    let digits = wrong("arith", r#"{"question": "", "answer": "7"}"#);
    assert!(
        digits.iter().all(|text| text.len() == 1 && text != "7")
            && digits.contains(&"0".to_owned())
    );
    for text in wrong("dart_math", r#"{"query": "", "gt_ans": "\\frac{3}{4}"}"#) {
        assert!(text.starts_with("\\frac{") && parse_number(&text).is_some());
    }
    for text in wrong("dart_math", r#"{"query": "", "gt_ans": "-2.50"}"#) {
        assert!(text.starts_with('-') && text.len() == 5);
    }
    let text = built_in_samples("dart_math", r#"{"query": "", "gt_ans": "x+1"}"#).remove(0);
    assert_eq!(text.wrong_target(0), None);
    // lm-evaluation-harness's gsm8k: the gold answer is the whole solution, read by the metric.
    let yaml = format!(
        "{GENERATE}metric_list: [{{metric: exact_match, regexes_to_ignore: ['(?s).*#### ']}}]\n"
    );
    let solution = sample(&yaml, r##"{"q": "", "gold": "1+1\n#### 2"}"##).unwrap();
    assert!(
        matches!(solution.wrong_target(0), Some(WrongTarget::Text(text)) if text.len() == 1 && text != "2")
    );
}

proptest! {
    #[test]
    fn any_scores_are_graded_without_panic(logprobs in proptest::collection::vec(any::<f64>(), 0..6), target in 0usize..9) {
        let sample = options(r#"["a", "", "c"]"#, BOTH);
        let verdict = sample.as_asked().grade_choice_against(&logprobs, target);
        prop_assert!(verdict.margin.is_finite());
        prop_assert_eq!(verdict.values.len(), 2);
        prop_assert!(!(verdict.correct && verdict.margin < 0.0));
    }

    #[test]
    fn stopping_at_a_complete_answer_changes_no_verdict(
        before in r"(\\boxed\{|[0-9]|\}|\.| ){0,12}",
        after in r"(\\boxed\{|[0-9]|\}|\n| ){0,12}",
    ) {
        for (task, row) in [("gsm8k_polar", r#"{"question": "", "answer": "7"}"#), ("arith", r#"{"question": "", "answer": "7"}"#)] {
            let sample = &built_in_samples(task, row)[0];
            if sample.as_asked().is_complete(&before) {
                let longer = format!("{before}{after}");
                prop_assert_eq!(sample.as_asked().grade_text(&before, "7"), sample.as_asked().grade_text(&longer, "7"));
            }
        }
    }
}

#[test]
fn a_target_is_right_where_greedy_decoding_writes_it() {
    let yaml = "task: t\noutput_type: loglikelihood\n\
                doc_to_text: \"{{text.split(' ')[:-1]|join(' ')}}\"\n\
                doc_to_target: \"{{' '+text.split(' ')[-1]}}\"\n";
    let sample = sample(yaml, r#"{"text": "the cat sat"}"#).unwrap();
    assert_eq!(sample.own.context, "the cat");
    // No delimiter stands before it.
    let text = " sat".to_owned();
    assert_eq!(sample.own.question, Question::Text { text });
    assert_eq!(sample.task.metric_keys(), ["perplexity,none", "acc,none"]);
    for (greedy, lead) in [(true, 0.5), (false, -2.0)] {
        let verdict = sample.as_asked().grade_log_likelihood(-1.5, greedy, lead);
        assert_eq!((verdict.correct, verdict.margin), (greedy, lead));
        assert_eq!(verdict.values, [-1.5, f64::from(greedy)]);
    }
    let perplexity = &sample.task.metrics[0];
    let known = [-1.0, -3.0, f64::NAN].map(|value| (value, None));
    let reported = perplexity.over_samples(&known).unwrap();
    assert_eq!(reported.value, 2.0_f64.exp());
    assert_eq!(reported.standard_error, Some(2.0_f64.exp()));
    assert!(!perplexity.higher_is_better());
}

#[test]
fn acc_bytes_divides_by_bytes_and_a_key_written_twice_counts_once() {
    let yaml = format!("{CHOICE}description: first\nmetric_list: [{{metric: acc}}]\n");
    let twice =
        format!("{yaml}description: second\nmetric_list: [{{metric: acc, metric: acc_bytes}}]\n");
    let row = r#"{"q": "Q", "options": ["ab", "\u00e9\u00e9"], "gold": 1}"#;
    let sample = sample(&twice, row).unwrap();
    assert_eq!(sample.task.description, "second");
    assert_eq!(sample.task.metric_keys(), ["acc_bytes,none"]);
    // Per character the first option wins, per byte the second.
    let verdict = sample.as_asked().grade_choice(&[-3.0, -4.0]);
    assert_eq!(
        (verdict.picked, verdict.picked_norm, verdict.picked_bytes),
        (0, 0, 1)
    );
    assert_eq!((verdict.correct, verdict.margin), (true, 0.5));
}

#[test]
fn any_of_several_right_answers_is_right() {
    // As lm-evaluation-harness grades triviaqa's aliases.
    let yaml = "task: t\ndoc_to_text: q\ndoc_to_target: '{{answer.aliases}}'\n\
                metric_list: [{metric: exact_match, ignore_case: true, ignore_punctuation: true}]\n";
    let row = r#"{"q": "Who?", "answer": {"aliases": ["Sinclair Lewis", "Harry's 'son'", "12"]}}"#;
    let sample = sample(yaml, row).unwrap();
    assert_eq!(sample.gold_text(), "Sinclair Lewis");
    assert_eq!(
        sample.own.target,
        r#"['Sinclair Lewis', "Harry's 'son'", '12']"#
    );
    let golds = sample.gold_texts();
    for (text, correct) in [
        ("sinclair lewis.", true),
        ("harrys son", true),
        ("12", true),
        ("Lewis", false),
    ] {
        let graded = sample.as_asked().grade_text_among(text, &golds);
        assert_eq!(graded.correct, correct, "{text}");
    }
    // A wrong target equals none of the right answers.
    let numbers = row
        .replace("Sinclair Lewis", "1")
        .replace("Harry's 'son'", "2");
    let sample = super::sample(yaml, &numbers.replace("12", "3")).unwrap();
    for seed in 0..50 {
        let Some(WrongTarget::Text(wrong)) = sample.wrong_target(seed) else {
            panic!("numbers have wrong siblings");
        };
        assert!(!["1", "2", "3"].contains(&wrong.as_str()), "{wrong}");
    }
}

#[test]
fn the_best_of_several_right_options_counts() {
    let yaml = "task: t\noutput_type: multiple_choice\ndoc_to_text: q\ndoc_to_target: gold\ndoc_to_choice: options\n";
    let row = r#"{"q": "?", "options": ["aa", "bb", "cc", "dd"], "gold": [1, 3]}"#;
    let sample = sample(yaml, row).unwrap();
    assert_eq!(sample.own.target, "[1, 3]");
    for (log_probs, correct, margin) in [
        ([-4.0, -3.0, -2.0, -1.0], true, 1.0),
        ([-4.0, -1.0, -2.0, -3.0], true, 1.0),
        ([-1.0, -2.0, -3.0, -4.0], false, -1.0),
    ] {
        let graded = sample.as_asked().grade_choice(&log_probs);
        assert_eq!((graded.correct, graded.margin), (correct, margin));
        assert_eq!(graded.values, [f64::from(correct); 2]);
    }
    for seed in 0..20 {
        let wrong = sample.wrong_target(seed);
        assert!(
            matches!(wrong, Some(WrongTarget::Option(0 | 2))),
            "{wrong:?}"
        );
    }
}

#[test]
fn other_rotations_are_samples_of_their_own_where_the_options_can_be_rotated() {
    let bench = Bench::new();
    let load_as = |yaml: &str, row: &str, rotations: bool, other_rotations: bool| {
        let options = LoadOptions {
            data: vec![bench.file("rows.jsonl", row).into()],
            manner: PromptOptions {
                rotations,
                other_rotations,
                ..PromptOptions::default()
            },
            ..LoadOptions::default()
        };
        let task = Arc::new(bench.task(yaml).unwrap());
        load_samples(&task, &options).unwrap().samples.remove(0)
    };
    let listed = CHOICE.replace("doc_to_text: q", "doc_to_text: \"{{q}} {{options}}\"");
    let load = |row: &str, rotations, other| load_as(&listed, row, rotations, other);
    let row = r#"{"q": "?", "options": ["aa", "bb", "cc"], "gold": 1}"#;
    let (plain, asked) = (load(row, false, false), load(row, true, true));
    let other = load(row, false, true);
    // What the run asks is the same question, and has the same hash.
    assert_eq!(other.fingerprint(), plain.fingerprint());
    assert!(asked.other_rotations.is_empty() && !asked.rotated.is_empty());
    let rotations: Vec<Sample> = other.in_other_rotations().collect();
    assert_eq!(rotations.len(), 2);
    for (rotation, rendered) in rotations.iter().zip(&asked.rotated) {
        assert_eq!((&rotation.id, rotation.index), (&other.id, other.index));
        assert_eq!(rotation.own.question, rendered.question);
        assert_eq!(rotation.gold_text(), "bb");
        assert!(rotation.rotated.is_empty());
    }
    // Two right answers, and a prompt that lists no options.
    let several = r#"{"q": "?", "options": ["aa", "bb"], "gold": [0, 1]}"#;
    assert!(load(several, false, true).other_rotations.is_empty());
    assert!(load_as(CHOICE, row, false, true).other_rotations.is_empty());
}

#[test]
fn several_right_answers_have_no_letter_and_no_rotation() {
    let bench = Bench::new();
    let rows = r#"{"q": "? aa, bb", "options": ["aa", "bb"], "gold": [0, 1]}"#;
    let load = |letters: bool, rotations: bool| {
        let mut task = bench.task(CHOICE).unwrap();
        if letters {
            task = task.by_letters(2).unwrap();
        }
        let options = LoadOptions {
            data: vec![bench.file("rows.jsonl", rows).into()],
            manner: PromptOptions {
                rotations,
                ..PromptOptions::default()
            },
            ..LoadOptions::default()
        };
        load_samples(&Arc::new(task), &options).map(|loaded| loaded.samples.len())
    };
    assert_eq!(load(false, false).unwrap(), 1);
    for (letters, rotations) in [(true, false), (false, true)] {
        let error = load(letters, rotations).unwrap_err().to_string();
        assert!(error.contains("2 right answers"), "{error}");
    }
}
