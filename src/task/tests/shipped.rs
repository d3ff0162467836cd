//! What the shipped tasks of lm-evaluation-harness ask beyond a prompt and options: prompts that are options, columns made
//! of others, examples of a question's own subject.

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
    let expected = Question::MultipleChoice {
        options: vec![
            "The cup did not fit because the box".to_owned(),
            "The cup did not fit because the cup".to_owned(),
        ],
        continuations: vec![" was too small. _!".to_owned(); 2],
        contexts: vec![
            "The cup did not fit because the box".to_owned(),
            "The cup did not fit because the cup".to_owned(),
        ],
        gold: 1,
    };
    assert_eq!(sample.question, expected);
    assert_eq!(sample.target, "was too small. _!");
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
    let Question::MultipleChoice { contexts, .. } = &samples[0].question else {
        panic!("multiple choice");
    };
    assert_eq!(contexts, &["He x did.\n\nWho x", "He x did.\n\nWho y"]);
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
        samples[0].context,
        format!("{}e2{letters} C\n\nq1{letters}", about("high school law"))
    );
    assert_eq!(
        samples[1].context,
        format!("{}e1{letters} C\n\nq2{letters}", about("anatomy"))
    );
    let other = LoadOptions {
        data: vec![bench.file("other.jsonl", &row("q3", "virology")).into()],
        ..options
    };
    let error = load_samples(&task, &other).unwrap_err().to_string();
    assert!(
        error.contains("1 rows whose subject is virology") && error.contains("there are 0"),
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
    let context = &samples[0].context;
    assert!(context.starts_with("The following are multiple choice questions (with answers) about law. Think step by step and then finish your answer with \"the answer is (X)\" where X is the correct letter choice.\nQuestion:\ne1\nOptions:\nA. x\nB. y\nAnswer: Let's think step by step. So (B).\n\nQuestion:\ne2\n"), "{context}");
    assert!(
        context
            .ends_with("\n\nQuestion:\nq\nOptions:\nA. x\nB. y\nAnswer: Let's think step by step."),
        "{context}"
    );
    let verdict = samples[0].grade_text("Hence the answer is (B).", samples[0].gold_text());
    assert_eq!(verdict.values, [1.0]);
}

#[test]
fn the_tasks_of_math_read_the_last_box_of_the_solution() {
    let row = r#"{"problem": "p", "solution": "$\\boxed{1}$, so $\\boxed{\\frac12}$.", "level": "Level 1", "type": "Algebra"}"#;
    let hendrycks = &built_in_samples("hendrycks_math", row)[0];
    assert_eq!(hendrycks.context, "Problem: p\nAnswer:");
    assert_eq!(hendrycks.gold_text(), r"\frac12");
    assert_eq!(
        hendrycks.task.metric_keys(),
        ["exact_match,none", "math_match,none"]
    );
    let values = |sample: &Sample, text: &str| sample.grade_text(text, sample.gold_text()).values;
    assert_eq!(values(hendrycks, r" so $\frac{1}{2}$."), [1.0, 0.0]);
    assert_eq!(values(hendrycks, r" \boxed{0.5}"), [0.0, 1.0]);

    let minerva = &built_in_samples("minerva_math", row)[0];
    assert_eq!(minerva.gold_text(), r"\frac{1}{2}");
    assert!(minerva.context.starts_with("Problem:\nFind the domain"));
    assert!(minerva.context.ends_with(
        "The final answer is $-\\frac{2}{3}$. I hope it is correct.\n\nProblem:\np\n\nSolution:"
    ));
    let text = "Final Answer: The final answer is $0.5$. I hope it is correct.";
    assert_eq!(values(minerva, text), [1.0, 1.0]);
    assert_eq!(values(minerva, "0.5"), [0.0, 1.0]);
}

#[test]
fn functions_go_by_name_and_others_are_refused() {
    let bench = Bench::new();
    let error = bench
        .task(&format!("{CHOICE}process_docs: arc\n"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("process_docs: `arc` is unknown: hellaswag"),
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
    assert!(error.contains("the label `` is no number"), "{error}");
}
