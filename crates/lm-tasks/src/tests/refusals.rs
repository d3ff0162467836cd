//! Task files with anything that is not understood are refused, by file and key.

use super::*;

fn refused(yaml: &str) -> String {
    let bench = Bench::new();
    let error = bench
        .task(yaml)
        .map(|task| panic!("{task:?}"))
        .unwrap_err()
        .to_string();
    error.replace(bench.directory.path().to_str().unwrap(), "DIR")
}

#[track_caller]
fn check(base: &str, extra: &str, expected: &str) {
    let error = refused(&format!("{base}{extra}\n"));
    let expected = format!("DIR/task.yaml: {expected}");
    assert!(
        error.starts_with(&expected),
        "expected {expected}\nfound {error}"
    );
}

#[test]
fn unknown_keys_and_options_are_refused_by_name() {
    check(
        GENERATE,
        "colour: red",
        "colour: unknown or unsupported key",
    );
    check(
        GENERATE,
        "use_prompt: x",
        "use_prompt: unknown or unsupported key",
    );
    check(
        GENERATE,
        "generation_kwargs: {best_of: 3}",
        "generation_kwargs.best_of: unknown option",
    );
    check(
        GENERATE,
        "generation_kwargs: {max_length: 5}",
        "generation_kwargs.max_length: unknown option",
    );
    check(
        GENERATE,
        "dataset_kwargs: {revision: x}",
        "dataset_kwargs.revision: unknown option",
    );
    check(
        GENERATE,
        "fewshot_config: {fewshot_indices: [2]}",
        "fewshot_config.fewshot_indices: lm-evaluation-harness reads this",
    );
    check(
        GENERATE,
        "fewshot_config: {seed: 3}",
        "fewshot_config.seed: unknown option",
    );
    check(
        GENERATE,
        "fewshot_config: {sampler: balanced}",
        "fewshot_config.sampler: only default and first_n",
    );
    check(
        GENERATE,
        "filter_list: [{name: a, filter: [{function: custom}]}]",
        "filter_list[0].filter[0].function: `custom` is not supported",
    );
    check(
        GENERATE,
        "filter_list: [{name: a, filter: [{function: regex, flags: i}]}]",
        "filter_list[0].filter[0].flags: unknown",
    );
    check(
        GENERATE,
        "filter_list: [{name: a, filters: []}]",
        "filter_list[0].filter: expected a list",
    );
    check(
        GENERATE,
        "metric_list: [{metric: exact_match, strip: true}]",
        "metric_list[0].strip: unknown",
    );
    check(
        GENERATE,
        "metric_list: [{metric: bleu}]",
        "metric_list[0].metric: `bleu` is not supported",
    );
    check(
        GENERATE,
        "metric_list: [{metric: acc}]",
        "metric_list[0].metric: `acc` is not supported",
    );
    check(
        CHOICE,
        "metric_list: [{metric: f1}]",
        "metric_list[0].metric: `f1` is not supported",
    );
}

#[test]
fn what_would_change_the_numbers_is_refused() {
    check(
        GENERATE,
        "output_type: ranking",
        "output_type: `ranking` is not supported",
    );
    check(
        GENERATE,
        "generation_kwargs: {do_sample: true}",
        "generation_kwargs.do_sample: only false",
    );
    check(
        GENERATE,
        "generation_kwargs: {temperature: 0.7}",
        "generation_kwargs.temperature: only 0",
    );
    check(
        GENERATE,
        "generation_kwargs: {max_gen_toks: 0}",
        "generation_kwargs.max_gen_toks: expected",
    );
    check(GENERATE, "repeats: 8", "repeats: only 1");
    check(
        GENERATE,
        "num_fewshot: -1",
        "num_fewshot: expected a whole number",
    );
    check(
        GENERATE,
        "metric_list: [{metric: exact_match, aggregation: median}]",
        "metric_list[0].aggregation: `median`",
    );
    check(
        GENERATE,
        "metric_list: [{metric: exact_match}, {metric: exact_match}]",
        "metric_list[1].metric: `exact_match` is listed twice",
    );
    check(
        GENERATE,
        "metric_list: [{metric: exact_match, regexes_to_ignore: ['(']}]",
        "metric_list[0].regexes_to_ignore: `(` is not a regular expression",
    );
    check(
        CHOICE,
        "filter_list: [{name: a, filter: [{function: lowercase}]}]",
        "filter_list: a multiple_choice or loglikelihood task has no text",
    );
}

#[test]
fn python_functions_are_refused_by_name() {
    check(
        GENERATE,
        "process_docs: !function utils.process_docs",
        "process_docs: `!function utils.process_docs` names a Python function",
    );
    check(
        GENERATE,
        "metric_list: [{metric: !function utils.f1}]",
        "metric_list: `!function utils.f1`",
    );
}

#[test]
fn a_broken_task_file_says_what_is_missing() {
    assert_eq!(
        refused("doc_to_text: a"),
        "DIR/task.yaml: task: missing: the name of the task"
    );
    check("task: t\n", "doc_to_text: a", "doc_to_target: missing");
    check(
        "task: t\noutput_type: multiple_choice\n",
        "doc_to_text: a\ndoc_to_target: b",
        "doc_to_choice: missing",
    );
    check("task: [a, b]\n", "", "task: this is a group of tasks");
    check(
        "task: t\n",
        "doc_to_text: '{{ q'\ndoc_to_target: b",
        "doc_to_text: syntax error",
    );
    check("- a\n", "", "not a task file");
    check("a: [\n", "", "not YAML: ");
    let bench = Bench::new();
    bench.file("base.yaml", "colour: red\n");
    let error = bench
        .task(&format!("include: base.yaml\n{GENERATE}"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("base.yaml: colour: unknown"), "{error}");
}

#[test]
fn an_unknown_task_lists_the_known_ones() {
    let error = resolve("arc_hard").unwrap_err().to_string();
    assert!(
        error.starts_with(
            "no built-in task is named `arc_hard`; known: arith, commonsense, countdown"
        ),
        "{error}"
    );
    let error = resolve("no/such/task.yaml").unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read no/such/task.yaml: "),
        "{error}"
    );
}

#[test]
fn a_prompt_that_chooses_an_option_chooses_one_there_is() {
    for prompt in ["q", "\"{{q}}\""] {
        let yaml = CHOICE.replace("doc_to_text: q", &format!("doc_to_text: {prompt}"));
        let row = r#"{"q": 2, "options": ["a", "b"], "gold": "then"}"#;
        let error = sample(&yaml, row).unwrap_err().to_string();
        assert!(error.contains("option 2 (counted from 0)"), "{error}");
    }
}
