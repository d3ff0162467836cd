//! Prompts, options and targets of the shipped tasks, against those of lm-evaluation-harness 0.4.13
//! on the same rows.

use super::*;

fn choice(sample: &Sample) -> (&[String], &[String], usize) {
    match &sample.own.question {
        Question::Choice {
            options,
            continuations,
            gold,
        } => (options, continuations, *gold),
        other => panic!("{other:?}"),
    }
}

/// Doubles as they come out of computations: of all sizes, and sums of decimals.
fn doubles() -> impl proptest::strategy::Strategy<Value = f64> {
    use proptest::prelude::*;
    prop_oneof![
        proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO,
        (-1_000_000..1_000_000, 1..1000)
            .prop_map(|(a, b)| f64::from(a) / 100.0 + f64::from(b) / 7.0),
    ]
}

proptest::proptest! {
    #[test]
    fn a_double_of_a_row_comes_into_the_prompt_to_the_bit(value in doubles()) {
        use pyjinja::python;
        let text = python::float(value);
        proptest::prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        let row = format!(r#"{{"q": {text}, "gold": "x"}}"#);
        for prompt in ["q", "'{{q}}'"] {
            let task = format!("task: t\ndoc_to_text: {prompt}\ndoc_to_target: gold\n");
            proptest::prop_assert_eq!(&sample(&task, &row).unwrap().own.context, &text);
        }
        let read = python::loads(row.as_bytes()).unwrap();
        proptest::prop_assert_eq!(python::line_json(&read["q"]), text);
        proptest::prop_assert_eq!(read["q"].as_f64().unwrap().to_bits(), value.to_bits());
    }
}

const ARC_ROW: &str = r#"{"id": "Mercury_1", "question": "Which is a gas?", "choices": {"text": ["ice", "steam", "rock"], "label": ["1", "2", "3"]}, "answerKey": "2"}"#;

#[test]
fn arc_asks_the_question_and_scores_option_texts() {
    for task in ["arc_easy", "arc_challenge"] {
        let samples = built_in_samples(task, ARC_ROW);
        assert_eq!(samples[0].own.context, "Question: Which is a gas?\nAnswer:");
        assert_eq!(samples[0].task.name, task);
        assert_eq!(samples[0].task.metric_keys(), ["acc,none", "acc_norm,none"]);
        let (options, continuations, gold) = choice(&samples[0]);
        assert_eq!(options, ["ice", "steam", "rock"]);
        assert_eq!(continuations, [" ice", " steam", " rock"]);
        assert_eq!(gold, 1);
    }
}

#[test]
fn openbookqa_asks_the_stem_alone() {
    let row = r#"{"id": "7-980", "question_stem": "The sun is responsible for", "choices": {"text": ["puppies", "plants"], "label": ["A", "B"]}, "answerKey": " B"}"#;
    let samples = built_in_samples("openbookqa", row);
    assert_eq!(samples[0].own.context, "The sun is responsible for");
    assert_eq!(choice(&samples[0]).1, [" puppies", " plants"]);
    assert_eq!(choice(&samples[0]).2, 1);
}

#[test]
fn commonsense_qa_lists_the_options_and_scores_letters() {
    let row = r#"{"id": "x", "question": " Where? ", "choices": {"label": ["A", "B", "C", "D", "E"], "text": ["bank", "library", "shop", "mall", "new york"]}, "answerKey": "E"}"#;
    let samples = built_in_samples("commonsense_qa", row);
    assert_eq!(
        samples[0].own.context,
        "Question: Where?\nA. bank\nB. library\nC. shop\nD. mall\nE. new york\nAnswer:"
    );
    assert_eq!(choice(&samples[0]).0, ["A", "B", "C", "D", "E"]);
    assert_eq!(choice(&samples[0]).2, 4);
    assert_eq!(samples[0].task.metric_keys(), ["acc,none"]);
}

#[test]
fn math_is_asked_in_the_polar_prompt() {
    let expected = "Solve the following math problem and output ONLY the final answer directly, formatted strictly as \\boxed{ANSWER}.\n### Problem Start\nWhat is $1{,}000+1$?\n### Problem End\nAnswer:";
    let dart = built_in_samples(
        "dart_math",
        r#"{"query": "What is $1{,}000+1$?", "gt_ans": "1001", "query_id": 12}"#,
    );
    let gsm8k = built_in_samples(
        "gsm8k_polar",
        r#"{"question": "What is $1{,}000+1$?", "answer": "so <<1000+1=1001>>\n#### 1,001"}"#,
    );
    for (samples, id) in [(&dart, "12"), (&gsm8k, "1")] {
        assert_eq!(samples[0].own.context, expected);
        assert_eq!(samples[0].id, id);
        assert_eq!(samples[0].task.metric_keys(), ["math_match,boxed"]);
        let question = Question::Generate {
            until: vec![],
            max_tokens: 50,
            gold: "1001".to_owned(),
            options: vec![],
        };
        assert_eq!(samples[0].own.question, question);
    }
}

#[test]
fn the_bundled_data_is_asked_as_the_bundled_model_was_taught() {
    let arith = built_in_samples(
        "arith",
        r#"{"id": "a1", "kind": "arith", "level": 2, "question": "Dial 47 up 12 down 5.", "answer": "54"}"#,
    );
    assert_eq!(arith[0].own.context, "Dial 47 up 12 down 5.\nAnswer:");
    let until = vec!["\n".to_owned()];
    assert_eq!(
        arith[0].own.question,
        Question::Generate {
            until,
            max_tokens: 4,
            gold: "54".to_owned(),
            options: vec![]
        }
    );

    let row = r#"{"id": "c1", "kind": "commonsense", "level": 1, "question": "Where is a robin found?", "choices": {"text": ["mine", "nest"], "label": ["A", "B"]}, "answerKey": "B"}"#;
    let commonsense = built_in_samples("commonsense", row);
    assert_eq!(
        commonsense[0].own.context,
        "Where is a robin found?\nChoices: mine, nest\nAnswer:"
    );
    assert_eq!(choice(&commonsense[0]).1, [" mine", " nest"]);
    assert_eq!(choice(&commonsense[0]).2, 1);
}

#[test]
fn every_made_question_is_read_by_the_task_of_its_kind_with_its_answer() {
    use cola_synth::{Kind, Solution, Split};
    for kind in Kind::ALL {
        for level in [*kind.levels().start(), *kind.levels().end()] {
            let items = cola_synth::generate(kind, level, 40, 3, Split::Test).unwrap();
            let rows: Vec<String> = items
                .iter()
                .map(|item| serde_json::to_string(item).unwrap())
                .collect();
            let samples = built_in_samples(kind.name(), &rows.join("\n"));
            for (item, sample) in items.iter().zip(&samples) {
                assert_eq!(item.id, sample.id);
                assert!(
                    sample.own.context.contains(&item.question),
                    "{}",
                    sample.own.context
                );
                assert!(sample.own.context.ends_with("\nAnswer:"));
                let right = match &item.solution {
                    Solution::Text { answer } => answer,
                    Solution::Choice {
                        choices,
                        answer_key,
                    } => {
                        assert!(sample.own.context.contains(&choices.text.join(", ")));
                        let place = choices.label.iter().position(|label| label == answer_key);
                        &choices.text[place.unwrap()]
                    }
                };
                assert_eq!(sample.gold_text(), right, "{}", item.id);
            }
        }
    }
}

#[test]
fn a_target_is_an_index_digits_of_a_template_or_the_text_of_an_option() {
    let gold = |target: &str, row: &str| {
        let yaml = CHOICE.replace("doc_to_target: gold", &format!("doc_to_target: {target}"));
        sample(&yaml, row).map(|sample| choice(&sample).2)
    };
    let row =
        |gold: &str| format!(r#"{{"q": "?", "options": ["no", "yes", "2"], "gold": {gold}}}"#);
    assert_eq!(gold("gold", &row("1")).unwrap(), 1);
    assert_eq!(gold("gold", &row("true")).unwrap(), 1);
    assert_eq!(gold("gold", &row("\"yes\"")).unwrap(), 1);
    assert_eq!(gold("gold", &row("[0]")).unwrap(), 0);
    assert_eq!(gold("\"{{gold}}\"", &row("\"1\"")).unwrap(), 1);
    assert_eq!(gold("\"{{gold}}\"", &row("1")).unwrap(), 1);
    assert_eq!(gold("\"{{gold}}\"", &row("\"no\"")).unwrap(), 0);
    assert_eq!(gold("1", &row("0")).unwrap(), 1);
    assert_eq!(gold("'1'", &row("0")).unwrap(), 1);
    // A column's text stays text: the option that reads "2".
    assert_eq!(gold("gold", &row("\"2\"")).unwrap(), 2);
    for (wrong, message) in [
        (
            "3",
            "the gold label is option 3 (counted from 0), but there are only 3",
        ),
        ("-1", "-1 is not the index of an option"),
        (
            "\"maybe\"",
            "`maybe` is not among the choices `no`, `yes`, `2`",
        ),
        ("\"1\"", "write it as a template"),
        ("[]", "an empty list"),
        (
            "[0, 3]",
            "the gold label is option 3 (counted from 0), but there are only 3",
        ),
    ] {
        let error = gold("gold", &row(wrong)).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn description_examples_and_prefix_stand_where_lm_eval_puts_them() {
    let yaml = "task: t\noutput_type: multiple_choice\ndescription: \"About {{topic}}.\\n\\n\"\ndoc_to_text: \"Q: {{q}}\\nA:\"\ndoc_to_target: \"{{gold}}\"\n\
                doc_to_choice: [\"no\", \"yes\"]\ngen_prefix: Hm\nnum_fewshot: 2\ntest_split: test\n\
                fewshot_config: {sampler: first_n, samples: [{q: a, gold: 0}, {q: b, gold: 1}, {q: c, gold: 1}]}\n";
    let sample = sample(yaml, r#"{"q": "d", "gold": 1, "topic": "x"}"#).unwrap();
    assert_eq!(
        sample.own.context,
        "About x.\n\nQ: a\nA: Hm no\n\nQ: b\nA: Hm yes\n\nQ: d\nA: Hm"
    );
}

#[test]
fn examples_are_drawn_as_python_draws_them() {
    let bench = Bench::new();
    let train: String = (0..10)
        .map(|i| format!("{{\"q\": \"q{i}\", \"gold\": \"g{i}\"}}\n"))
        .collect();
    bench.file("train.jsonl", &train);
    let yaml = format!(
        "{GENERATE}num_fewshot: 4\ntraining_split: train\nfewshot_split: train\ntest_split: test\nfewshot_delimiter: ';'\ndataset_kwargs: {{data_files: {{train: train.jsonl}}}}\n"
    );
    let rows = "{\"q\": \"x\", \"gold\": \"\"}\n{\"q\": \"y\", \"gold\": \"\"}\n";
    let samples = bench
        .samples(bench.task(&yaml).unwrap(), "rows.jsonl", rows)
        .unwrap();
    // random.Random(1234): sample(range(10), 4) twice.
    assert_eq!(samples[0].own.context, "q7 g7;q1 g1;q0 g0;q9 g9;x");
    assert_eq!(samples[1].own.context, "q9 g9;q0 g0;q1 g1;q8 g8;y");
}

#[test]
fn examples_come_from_the_split_the_harness_takes() {
    let bench = Bench::new();
    for split in ["few", "train", "dev"] {
        bench.file(
            &format!("{split}.jsonl"),
            &format!("{{\"q\": \"{split}\", \"gold\": \"!\"}}\n"),
        );
    }
    let context = |keys: &str| {
        let yaml = format!(
            "{GENERATE}num_fewshot: 1\nfewshot_config: {{sampler: first_n, samples: [{{q: own, gold: '!'}}]}}\n{keys}\n\
             fewshot_delimiter: ';'\ntest_split: test\n\
             dataset_kwargs: {{data_files: {{few: few.jsonl, train: train.jsonl, dev: dev.jsonl}}}}\n"
        );
        let rows = "{\"q\": \"x\", \"gold\": \"\"}\n";
        let samples = bench.samples(bench.task(&yaml).unwrap(), "rows.jsonl", rows);
        samples.unwrap()[0].own.context.clone()
    };
    let no_samples = "fewshot_config: {sampler: first_n}";
    assert_eq!(context("training_split: train"), "own !;x");
    assert_eq!(
        context("training_split: train\nfewshot_split: few"),
        "few !;x"
    );
    let training = format!("training_split: train\nvalidation_split: dev\n{no_samples}");
    assert_eq!(context(&training), "train !;x");
    // The test split is the last resort.
    let validation = format!("validation_split: dev\n{no_samples}");
    assert_eq!(context(&validation), "dev !;x");
    let split = "training_split: train\nfewshot_config: {sampler: first_n, split: few, target_delimiter: '=', \
                 fewshot_delimiter: '/', gen_prefix: hm}";
    assert_eq!(context(split), "few=hm !/x");
}

#[test]
fn a_question_drawn_twice_is_drawn_again_from_the_others() {
    let bench = Bench::new();
    let yaml = format!(
        "{GENERATE}num_fewshot: 2\nfewshot_split: test\ntest_split: test\nfewshot_delimiter: ';'\n"
    );
    let rows: String = ["y", "z"]
        .map(|q| format!("{{\"q\": \"{q}\", \"gold\": \"0\"}}\n"))
        .concat();
    let twins =
        format!("{{\"q\": \"x\", \"gold\": \"1\"}}\n{{\"q\": \"x\", \"gold\": \"1\"}}\n{rows}");
    let task = bench.task(&yaml).unwrap();
    let path = bench.file("twins.jsonl", &twins);
    let options = LoadOptions {
        data: vec![path.clone().into()],
        fewshot_data: vec![path.into()],
        ..LoadOptions::default()
    };
    let samples = load_samples(&Arc::new(task), &options).unwrap().samples;
    // Python draws three rows for each question; if both twins are among them, it draws again from
    // the other rows.
    let shown: Vec<&str> = samples
        .iter()
        .map(|sample| sample.own.context.as_str())
        .collect();
    assert_eq!(shown, ["z 0;y 0;x", "y 0;z 0;x", "x 1;z 0;y", "x 1;x 1;z"]);
}

#[test]
fn a_prefix_with_white_space_of_its_own_needs_no_delimiter() {
    let yaml = "task: t\noutput_type: multiple_choice\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{gold}}'\ndoc_to_choice: ['no', 'yes']\n\
                num_fewshot: 1\nfewshot_config: {sampler: first_n, samples: [{q: a, gold: 0}, {q: b, gold: 1}]}\n";
    for (prefix, context) in [
        ("Hm", "a Hm no\n\nd Hm"),
        ("\\nHm ", "a\nHm no\n\nd\nHm "),
        ("", "a no\n\nd"),
    ] {
        let yaml = format!("{yaml}gen_prefix: \"{prefix}\"\n");
        let sample = sample(&yaml, r#"{"q": "d", "gold": 1}"#).unwrap();
        assert_eq!(sample.own.context, context);
    }
}

#[test]
fn an_include_is_overridden_by_the_including_file() {
    let bench = Bench::new();
    bench.file(
        "base.yaml",
        &format!("{CHOICE}target_delimiter: ''\ntest_split: test\nvalidation_split: dev\n"),
    );
    let task = bench
        .task("include: base.yaml\ntask: mine\ntest_split: null\n")
        .unwrap();
    assert_eq!(
        (task.name.as_str(), task.target_delimiter.as_str()),
        ("mine", "")
    );
    assert_eq!(task.source.evaluated(), Some("dev"));
    let task = bench
        .task("include: arc_easy.yaml\ntask: own_arc\n")
        .unwrap();
    assert_eq!(task.source.name.as_deref(), Some("ARC-Easy"));
    let error = bench.task("include: task.yaml\n").unwrap_err().to_string();
    assert!(
        error.contains("include: more than 16 files deep"),
        "{error}"
    );
}

/// The prompts of a test-only task, or of one whose examples are given apart, and which show their own question.
fn shown(keys: &str, rows: &str, fewshot: Option<&str>, exclude_self: bool) -> Vec<(String, bool)> {
    let bench = Bench::new();
    let yaml = format!(
        "{GENERATE}fewshot_delimiter: ';'\ntest_split: test\n{keys}\n\
         dataset_kwargs: {{data_files: {{test: test.jsonl}}}}\n"
    );
    bench.file("test.jsonl", rows);
    let options = LoadOptions {
        fewshot_data: fewshot
            .map(|rows| bench.file("shots.jsonl", rows).into())
            .into_iter()
            .collect(),
        manner: PromptOptions {
            exclude_self,
            ..PromptOptions::default()
        },
        ..LoadOptions::default()
    };
    let loaded = load_samples(&Arc::new(bench.task(&yaml).unwrap()), &options).unwrap();
    let samples = loaded.samples.into_iter();
    samples
        .map(|sample| (sample.own.context.clone(), sample.shows_itself))
        .collect()
}

#[test]
fn a_question_among_its_own_examples_is_told_and_can_be_left_out() {
    let rows: String = (0..6)
        .map(|n| format!("{{\"id\": {n}, \"q\": \"q{n}\", \"gold\": \"a{n}\"}}\n"))
        .collect();
    let other_ids = rows.replace("\"id\": ", "\"id\": 1");
    let holds_own = |at: usize, context: &str| context.contains(&format!("q{at} a{at};"));
    for (keys, fewshot) in [
        ("num_fewshot: 2", None),
        ("num_fewshot: 3\nfewshot_config: {sampler: first_n}", None),
        (
            "num_fewshot: 2\nfewshot_split: test",
            Some(other_ids.as_str()),
        ),
        ("num_fewshot: 2\ntraining_split: train", Some(rows.as_str())),
        (
            "num_fewshot: 2\ntraining_split: train",
            Some(other_ids.as_str()),
        ),
        ("num_fewshot: 5", None),
    ] {
        let plain = shown(keys, &rows, fewshot, false);
        for (at, (context, own)) in plain.iter().enumerate() {
            assert_eq!(*own, holds_own(at, context), "{keys}: {context}");
        }
        assert!(plain.iter().any(|(_, own)| *own), "{keys}");
        let excluded = shown(keys, &rows, fewshot, true);
        for (at, (context, own)) in excluded.iter().enumerate() {
            assert!(!own && !holds_own(at, context), "{keys}: {context}");
            assert_eq!(
                context.matches(';').count(),
                plain[0].0.matches(';').count(),
                "{keys}"
            );
        }
    }
    // As in lm-evaluation-harness, a question of the examples' own split is not its own example.
    let same_split = shown("num_fewshot: 5\nfewshot_split: test", &rows, None, false);
    assert!(same_split.iter().all(|(_, own)| !own));
}

#[test]
fn examples_in_the_task_file_have_the_values_that_pyyaml_reads() {
    let values = [
        ("yes", "True"),
        ("Off", "False"),
        ("010", "8"),
        ("0x1F", "31"),
        ("12:30", "750"),
        ("1e3", "1e3"),
        ("1.0e+3", "1000.0"),
        ("1e+16", "1e+16"),
        (".inf", "inf"),
        ("-.INF", "-inf"),
        (".nan", "nan"),
        ("~", "None"),
        ("", "None"),
        ("2020-01-02", "2020-01-02"),
        ("1_000", "1000"),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
        ("'yes'", "yes"),
        ("\"010\"", "010"),
        ("!!str no", "no"),
        ("[no, 1e3, .5]", "[False, '1e3', 0.5]"),
        ("{a: on}", "{'a': True}"),
    ];
    for (written, printed) in values {
        let yaml = format!(
            "{GENERATE}num_fewshot: 1\nfewshot_config:\n  sampler: first_n\n  samples:\n  - q: {written}\n    gold: x\n"
        );
        let context = sample(&yaml, r#"{"q": "own", "gold": "y"}"#)
            .unwrap()
            .own
            .context;
        assert_eq!(context, format!("{printed} x\n\nown"), "{written}");
    }
    // Other values of a task file are printed alike.
    let task = Bench::new()
        .task(&format!(
            "{GENERATE}target_delimiter: yes\nfewshot_delimiter: 1.50\nwhere: {{a: no, b: 0x10}}\n"
        ))
        .unwrap();
    assert_eq!(
        (
            task.target_delimiter.as_str(),
            task.fewshot_delimiter.as_str()
        ),
        ("True", "1.5")
    );
    let conditions: Vec<String> = task
        .source
        .conditions
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(conditions, ["a=False", "b=16"]);
}

#[test]
fn every_built_in_task_resolves() {
    for name in built_in_names() {
        let task = resolve(name).unwrap();
        assert_eq!(task.name, name);
        assert!(!task.metric_keys().is_empty());
    }
}

#[test]
fn targets_are_what_python_makes_of_their_text() {
    let target = |key: &str, gold: &str| {
        let yaml = format!("task: t\ndoc_to_text: q\ndoc_to_target: {key}\n");
        let sample = sample(&yaml, &format!(r#"{{"q": "?", "gold": {gold}}}"#)).unwrap();
        let golds: Vec<String> = sample.gold_texts().into_iter().map(str::to_owned).collect();
        (sample.own.target.clone(), golds)
    };
    let all = |printed: &str, golds: &[&str]| {
        let golds = golds.iter().map(|&gold| gold.to_owned()).collect();
        (printed.to_owned(), golds)
    };
    // White space around an expression is text.
    assert_eq!(target("' {{gold}}'", "\"a\""), all(" a", &[" a"]));
    // A text is one answer, whatever it looks like.
    for text in ["[1, 2, 3]", "[-10,4]", "['a']", "[]", "[1,2)"] {
        for key in [
            "gold",
            "'{{gold}}'",
            "'{{ gold | trim }}'",
            "'{{ gold ~ \"\" }}'",
        ] {
            assert_eq!(
                target(key, &format!("\"{text}\"")),
                all(text, &[text]),
                "{key}"
            );
        }
    }
    assert_eq!(
        target("'{{ gold[1:] | string }}'", "[0, 1, 2]"),
        all("[1, 2]", &["[1, 2]"])
    );
    // A list is several, whether the row or the template has it.
    for key in [
        "gold",
        "{{gold}}",
        "{% if gold %}{{ gold }}{% endif %}",
        "{% set g = gold %}{{ g }}",
        r#"{{ [gold[0], "it's"] }}"#,
        r#"['{{gold[0]}}', "it's"]"#,
        r#"{% if gold %}['{{gold[0]}}', "it's"]{% endif %}"#,
    ] {
        assert_eq!(
            target(&serde_json::json!(key).to_string(), r#"["a", "it's"]"#),
            all(r#"['a', "it's"]"#, &["a", "it's"]),
            "{key}"
        );
    }
    // What a text brings along does not make a list of it.
    assert_eq!(
        target("'[{{gold}}]'", "\"range(3)\""),
        all("[range(3)]", &["[range(3)]"])
    );
    assert_eq!(target("gold", "[1, 2.5]"), all("[1, 2.5]", &["1", "2.5"]));
    assert_eq!(target("gold", "\"[1,2]\""), all("[1,2]", &["[1,2]"]));
    let yaml = CHOICE;
    let row = r#"{"q": "?", "options": ["no", "yes"], "gold": true}"#;
    let labelled = sample(yaml, row).unwrap();
    assert_eq!(
        (labelled.own.target.as_str(), labelled.gold_text()),
        ("True", "yes")
    );
}

#[test]
fn a_description_may_be_a_column_and_a_prompt_white_space() {
    let yaml = format!("{CHOICE}description: intro\n");
    let row = r#"{"q": "x", "options": ["no", "yes"], "gold": 1, "intro": "Hello. "}"#;
    assert_eq!(sample(&yaml, row).unwrap().own.context, "Hello. x");
}

#[test]
fn options_that_are_prompts_take_a_prefix() {
    let yaml = "task: t\noutput_type: multiple_choice\ndoc_to_text: '{{gold}}'\ndoc_to_target: end\n\
                doc_to_choice: options\ngen_prefix: ' so'\n";
    let row = r#"{"options": ["A is", "B is"], "gold": 1, "end": "big"}"#;
    let sample = sample(yaml, row).unwrap();
    let Question::ChoiceOfPrompts {
        prompts,
        continuation,
        ..
    } = &sample.own.question
    else {
        panic!("{:?}", sample.own.question);
    };
    assert_eq!(prompts, &["A is so", "B is so"]);
    assert_eq!(continuation, " big");
}

#[test]
fn a_task_file_may_begin_with_a_mark_and_merge_keys() {
    let bench = Bench::new();
    let yaml = format!(
        "\u{feff}{GENERATE}base: &base {{until: ['.']}}\ngeneration_kwargs: {{<<: *base, max_gen_toks: 3}}\n"
    );
    // The merged mapping is a key of its own here, which lm-evaluation-harness does not have.
    let error = bench.task(&yaml).unwrap_err().to_string();
    assert!(error.contains("base: unknown"), "{error}");
    let yaml = yaml.replace(
        "base: &base {until: ['.']}",
        "metadata: &base {until: ['.']}",
    );
    let output = bench.task(&yaml).unwrap().output;
    let until = vec![".".to_owned()];
    assert_eq!(
        output,
        Output::Generate {
            until,
            max_tokens: 3
        }
    );
}

#[test]
fn the_last_of_several_includes_wins() {
    let bench = Bench::new();
    bench.file(
        "a.yaml",
        &format!("{CHOICE}description: a\ntarget_delimiter: '-'\n"),
    );
    bench.file("b.yaml", "description: b\n");
    let task = bench
        .task("include: [a.yaml, b.yaml]\ntask: mine\n")
        .unwrap();
    assert_eq!(
        (task.description.as_str(), task.target_delimiter.as_str()),
        ("b", "-")
    );
}

#[test]
fn the_first_name_of_the_most_tokens_counts() {
    let tokens = |options: &str| {
        let yaml = format!("{GENERATE}generation_kwargs: {{{options}}}\n");
        match Bench::new().task(&yaml).unwrap().output {
            Output::Generate { max_tokens, .. } => max_tokens,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(tokens("max_gen_toks: 100, max_new_tokens: 50"), 100);
    assert_eq!(tokens("max_completion_tokens: 10, max_tokens: 20"), 20);
    assert_eq!(
        tokens("do_sample: false, temperature: 0.8, top_p: 0.95, num_beams: 1"),
        256
    );
}
