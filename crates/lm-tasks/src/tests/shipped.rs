//! Special features of the shipped tasks: options that are prompts, columns computed from others,
//! examples of the question's own subject, and templates over the columns of single tasks.

use super::*;

fn with_examples(task: &str, rows: &str, examples: &str) -> Vec<Sample> {
    let bench = Bench::new();
    let options = LoadOptions {
        data: vec![bench.file("rows.jsonl", rows).into()],
        fewshot_data: vec![bench.file("examples.jsonl", examples).into()],
        ..LoadOptions::default()
    };
    load_samples(&Arc::new(resolve(task).unwrap()), &options)
        .unwrap()
        .samples
}

#[test]
fn winogrande_scores_what_follows_the_gap_after_either_option() {
    let row = r#"{"sentence": "The cup did not fit because the _ was too small. _!", "option1": "box", "option2": "cup", "answer": "2"}"#;
    let sample = &built_in_samples("winogrande", row)[0];
    let expected = Question::ChoiceOfPrompts {
        options: vec![
            "The cup did not fit because the box".to_owned(),
            "The cup did not fit because the cup".to_owned(),
        ],
        continuation: " was too small. _!".to_owned(),
        prompts: vec![
            "The cup did not fit because the box".to_owned(),
            "The cup did not fit because the cup".to_owned(),
        ],
        gold: 1,
    };
    assert_eq!(sample.own.question, expected);
    assert_eq!(sample.own.target, "was too small. _!");
}

#[test]
fn an_option_that_is_a_prompt_stands_after_the_examples() {
    let mut task = resolve("winogrande").unwrap();
    task.num_fewshot = 1;
    task.first_examples = true;
    let bench = Bench::new();
    let row = |gap: &str| {
        format!(r#"{{"sentence": "{gap} _ did.", "option1": "x", "option2": "y", "answer": "1"}}"#)
    };
    let options = LoadOptions {
        data: vec![bench.file("rows.jsonl", &row("Who")).into()],
        fewshot_data: vec![
            bench
                .file("examples.jsonl", &format!("{}\n{}", row("He"), row("She")))
                .into(),
        ],
        ..LoadOptions::default()
    };
    let samples = load_samples(&Arc::new(task), &options).unwrap().samples;
    let Question::ChoiceOfPrompts { prompts, .. } = &samples[0].own.question else {
        panic!("{:?}", samples[0].own.question);
    };
    assert_eq!(prompts, &["He x did.\n\nWho x", "He x did.\n\nWho y"]);
}

#[test]
fn mmlu_takes_the_examples_of_the_questions_subject() {
    let row = |question: &str, subject: &str| {
        format!(
            r#"{{"question": "{question}", "subject": "{subject}", "choices": ["a", "b", "c", "d"], "answer": 2}}"#
        )
    };
    let examples = [
        row("e1", "anatomy"),
        row("e2", "high_school_law"),
        row("e3", "anatomy"),
    ];
    let rows = [row(" q1 ", "high_school_law"), row("q2", "anatomy")];
    let mut task = resolve("mmlu").unwrap();
    assert_eq!(task.num_fewshot, 0);
    task.num_fewshot = 1;
    let bench = Bench::new();
    let options = LoadOptions {
        data: vec![bench.file("rows.jsonl", &rows.join("\n")).into()],
        fewshot_data: vec![bench.file("examples.jsonl", &examples.join("\n")).into()],
        ..LoadOptions::default()
    };
    let task = Arc::new(task);
    let samples = load_samples(&task, &options).unwrap().samples;
    let about = |subject: &str| {
        format!("The following are multiple choice questions (with answers) about {subject}.\n\n")
    };
    let letters = "\nA. a\nB. b\nC. c\nD. d\nAnswer:";
    assert_eq!(
        samples[0].own.context,
        format!("{}e2{letters} C\n\nq1{letters}", about("high school law"))
    );
    assert_eq!(
        samples[1].own.context,
        format!("{}e1{letters} C\n\nq2{letters}", about("anatomy"))
    );
    let other = LoadOptions {
        data: vec![bench.file("other.jsonl", &row("q3", "virology")).into()],
        ..options
    };
    let error = load_samples(&task, &other).unwrap_err().to_string();
    assert!(
        error.contains("1 rows whose subject is virology") && error.contains("there are only 0"),
        "{error}"
    );
}

#[test]
fn mmlu_pros_examples_are_worked_and_its_question_is_not() {
    let row = |question: &str| {
        format!(
            r#"{{"question": "{question}", "options": ["x", "y"], "answer": "B", "category": "law", "cot_content": "A: Let's think step by step. So (B)."}}"#
        )
    };
    let examples: Vec<String> = (1..=5).map(|n| row(&format!("e{n}"))).collect();
    let samples = with_examples("mmlu_pro", &row("q"), &examples.join("\n"));
    let context = &samples[0].own.context;
    assert!(context.starts_with("The following are multiple choice questions (with answers) about law. Think step by step and then finish your answer with \"the answer is (X)\" where X is the correct letter choice.\nQuestion:\ne1\nOptions:\nA. x\nB. y\nAnswer: Let's think step by step. So (B).\n\nQuestion:\ne2\n"), "{context}");
    assert!(
        context
            .ends_with("\n\nQuestion:\nq\nOptions:\nA. x\nB. y\nAnswer: Let's think step by step."),
        "{context}"
    );
    let verdict = samples[0]
        .as_asked()
        .grade_text("Hence the answer is (B).", samples[0].gold_text());
    assert_eq!(verdict.values, [1.0]);
}

#[test]
fn the_tasks_of_math_read_the_last_box_of_the_solution() {
    let row = r#"{"problem": "p", "solution": "$\\boxed{1}$, so $\\boxed{\\frac12}$.", "level": "Level 1", "type": "Algebra"}"#;
    let hendrycks = &built_in_samples("hendrycks_math", row)[0];
    assert_eq!(hendrycks.own.context, "Problem: p\nAnswer:");
    assert_eq!(hendrycks.gold_text(), r"\frac12");
    assert_eq!(
        hendrycks.task.metric_keys(),
        ["exact_match,none", "math_match,none"]
    );
    let values = |sample: &Sample, text: &str| {
        sample
            .as_asked()
            .grade_text(text, sample.gold_text())
            .values
    };
    assert_eq!(values(hendrycks, r" so $\frac{1}{2}$."), [1.0, 0.0]);
    assert_eq!(values(hendrycks, r" \boxed{0.5}"), [0.0, 1.0]);

    let minerva = &built_in_samples("minerva_math", row)[0];
    assert_eq!(minerva.gold_text(), r"\frac{1}{2}");
    assert!(minerva.own.context.starts_with("Problem:\nFind the domain"));
    assert!(minerva.own.context.ends_with(
        "The final answer is $-\\frac{2}{3}$. I hope it is correct.\n\nProblem:\np\n\nSolution:"
    ));
    let text = "Final Answer: The final answer is $0.5$. I hope it is correct.";
    assert_eq!(values(minerva, text), [1.0, 1.0]);
    assert_eq!(values(minerva, "0.5"), [0.0, 1.0]);
}

fn continuations(sample: &Sample) -> (&[String], usize) {
    match &sample.own.question {
        Question::Choice {
            continuations,
            gold,
            ..
        } => (continuations, *gold),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_of_a_math_problem_that_looks_like_a_list_is_one_answer() {
    let row = r#"{"problem": "P", "solution": "So $\\boxed{[-10,4]}$.", "level": "Level 4", "subject": "Algebra", "type": "Algebra"}"#;
    for task in ["math", "hendrycks_math", "minerva_math"] {
        let sample = &built_in_samples(task, row)[0];
        assert_eq!(sample.gold_texts(), ["[-10,4]"], "{task}");
        for (answer, right) in [("[-10,4]", true), ("4", false), ("-10", false)] {
            let text = match task {
                "minerva_math" => {
                    format!("Final Answer: The final answer is ${answer}$. I hope it is correct.")
                }
                "hendrycks_math" => format!("${answer}$"),
                _ => format!("\\boxed{{{answer}}}"),
            };
            let graded = sample.as_asked().grade_text(&text, sample.gold_text());
            assert_eq!(graded.correct, right, "{task}: {text}");
        }
    }
}

#[test]
fn sciq_asks_after_the_supporting_text_even_where_it_is_empty() {
    let row = |support: &str| {
        format!(
            r#"{{"question": "What melts?", "distractor3": "c", "distractor1": "a", "distractor2": "b", "correct_answer": "ice", "support": "{support}"}}"#
        )
    };
    let samples = built_in_samples("sciq", &format!("{}\n{}", row("  Ice melts. "), row("")));
    assert_eq!(
        samples[0].own.context,
        "Ice melts. \nQuestion: What melts?\nAnswer:"
    );
    assert_eq!(samples[1].own.context, "\nQuestion: What melts?\nAnswer:");
    let (options, gold) = continuations(&samples[0]);
    assert_eq!(
        (options, gold),
        (&[" a", " b", " c", " ice"].map(String::from)[..], 3)
    );
    assert_eq!(samples[0].task.metric_keys(), ["acc,none", "acc_norm,none"]);
}

#[test]
fn copa_connects_the_premise_with_either_alternative() {
    let row = |question: &str, label: u8| {
        format!(
            r#"{{"premise": " The cup fell. ", "choice1": "It broke.", "choice2": "I pushed it.", "question": "{question}", "idx": 0, "label": {label}}}"#
        )
    };
    let rows = format!("{}\n{}", row("effect", 0), row("cause", 1));
    let samples = built_in_samples("copa", &rows);
    assert_eq!(samples[0].own.context, "The cup fell therefore");
    assert_eq!(samples[1].own.context, "The cup fell because");
    // Two spaces: the delimiter and the option's own, as in lm-evaluation-harness 0.4.13.
    let options = ["  it broke.", "  i pushed it."].map(String::from);
    for (sample, (gold, target)) in samples
        .iter()
        .zip([(0, " it broke."), (1, " i pushed it.")])
    {
        assert_eq!(continuations(sample), (&options[..], gold));
        assert_eq!(sample.own.target, target);
    }
}

#[test]
fn medmcqa_lists_the_options_and_scores_letters() {
    let row = r#"{"id": "x", "question": "Which bone?", "opa": "rib", "opb": "ulna", "opc": "tibia", "opd": "hip", "cop": 2, "exp": null}"#;
    let sample = &built_in_samples("medmcqa", row)[0];
    assert_eq!(
        sample.own.context,
        "Question: Which bone?\nChoices:\nA. rib\nB. ulna\nC. tibia\nD. hip\nAnswer:"
    );
    let (options, gold) = continuations(sample);
    assert_eq!(
        (options, gold),
        (&[" A", " B", " C", " D"].map(String::from)[..], 2)
    );
}

#[test]
fn boolq_takes_the_columns_of_super_glue_and_those_of_google() {
    let gold = |answer: &str| {
        let row = format!(r#"{{"passage": "P.", "question": "is it so", {answer}}}"#);
        let bench = Bench::new();
        let samples = bench.samples(resolve("boolq").unwrap(), "rows.jsonl", &row)?;
        assert_eq!(samples[0].own.context, "P.\nQuestion: is it so?\nAnswer:");
        let (options, gold) = continuations(&samples[0]);
        assert_eq!(options, [" no", " yes"]);
        assert_eq!(samples[0].own.target, gold.to_string());
        Ok(gold)
    };
    for (answer, expected) in [
        (r#""label": 0"#, 0),
        (r#""label": 1"#, 1),
        (r#""answer": false"#, 0),
        (r#""answer": true"#, 1),
    ] {
        let found: Result<_, TaskError> = gold(answer);
        assert_eq!(found.unwrap(), expected, "{answer}");
    }
    // A text is not a truth value, and a hidden label is no answer.
    for (answer, told) in [
        (r#""answer": "False""#, "False"),
        (r#""label": -1"#, "-1"),
        (r#""x": 1"#, "answer"),
    ] {
        let error = gold(answer).unwrap_err().to_string();
        assert!(
            error.contains(told) && error.contains("rows.jsonl:1:"),
            "{error}"
        );
    }
}

const SUM: &str = r#"{"id": "q1", "question": "Calculate 2 - 5 =", "choices": {"text": ["-3", "3", "-4", "7"], "label": ["A", "B", "C", "D"]}, "answerKey": "A", "type_tag": "easy"}"#;

#[test]
fn basic_arithmetic_scores_the_four_numbers() {
    let sample = &built_in_samples("basic_arithmetic", SUM)[0];
    assert_eq!(sample.own.context, "Question: Calculate 2 - 5 =\nAnswer:");
    let (options, gold) = continuations(sample);
    assert_eq!(
        (options, gold),
        (&[" -3", " 3", " -4", " 7"].map(String::from)[..], 0)
    );
}

#[test]
fn basic_arithmetic_generate_reads_the_number_that_begins_the_answer() {
    let sample = &built_in_samples("basic_arithmetic_generate", SUM)[0];
    assert_eq!(
        sample.own.context,
        "Question: Calculate 30 + 12 =\nAnswer: 42\n\nQuestion: Calculate 2 - 5 =\nAnswer:"
    );
    assert_eq!(sample.task.metric_keys(), ["exact_match,number"]);
    for (text, value) in [
        (" -3", 1.0),
        ("-3 apples", 1.0),
        (" 3", 0.0),
        (" -33", 0.0),
        (" 2 - 5 = -3", 0.0),
        (" ", 0.0),
    ] {
        assert_eq!(
            sample
                .as_asked()
                .grade_text(text, sample.gold_text())
                .values,
            [value],
            "{text}"
        );
    }
    let large = &built_in_samples("basic_arithmetic_generate", &SUM.replace("-3\"", "54320\""))[0];
    assert_eq!(
        large
            .as_asked()
            .grade_text(" 54,320", large.gold_text())
            .values,
        [1.0]
    );
}

#[test]
fn lambada_asks_the_last_word_after_all_others() {
    let row = r#"{"text": "\"No,\"  said the\nowl to Ann"}"#;
    let sample = &built_in_samples("lambada", row)[0];
    assert_eq!(sample.own.context, "\"No,\"  said the\nowl to");
    assert_eq!(sample.own.target, " Ann");
    assert_eq!(sample.task.metric_keys(), ["perplexity,none", "acc,none"]);
}

#[test]
fn functions_go_by_name_and_others_are_refused() {
    let bench = Bench::new();
    let error = bench
        .task(&format!("{CHOICE}process_docs: arc\n"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("process_docs: `arc` is unknown; known: hellaswag"),
        "{error}"
    );
    let error = bench
        .task(&format!(
            "{CHOICE}process_docs: !function utils.process_docs\n"
        ))
        .unwrap_err()
        .to_string();
    for part in [
        "process_docs: `!function utils.process_docs`",
        "by name (hellaswag",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let error = sample(
        "include: hellaswag.yaml\n",
        r#"{"activity_label": "x", "ctx_a": "y", "ctx_b": "", "endings": ["a"]}"#,
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains("the label `` is not a number"), "{error}");
}
