//! `cola eval` on the bundled model says what lm-evaluation-harness 0.4.13 said of the same rows:
//! `tests/parity/parity.py --recorded` wrote down a few of every task.

use crate::support_cli::{Place, list, number, repository, text, to_json_lines};
use serde_json::Value;

/// Nats: both compute in f32, in another order.
const TOLERANCE: f64 = 1e-3;

fn recorded(case: &str) -> Value {
    let path = repository().join(format!("tests/fixtures/lm_eval/{case}.json"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Runs our program on a recorded case; its results and sample lines.
fn evaluate(case: &str, theirs: &Value) -> (Value, Vec<Value>) {
    let place = Place::new();
    let task = text(&theirs["task"]);
    place.write("rows.jsonl", to_json_lines(list(&theirs["rows"])));
    // A task file of the recording's own, or a task that is built in.
    let file = match theirs["yaml"].as_str() {
        Some(yaml) => {
            place.write("own.yaml", yaml);
            "own.yaml"
        }
        None => task,
    };
    let mut line = format!("eval --model @demo --task {file} --data rows.jsonl --out out --json");
    if !theirs["max_gen_toks"].is_null() {
        // Less text than the task generates: a test has no time for more.
        line += &format!(" --max-gen-toks {}", theirs["max_gen_toks"]);
    }
    if !list(&theirs["shots"]).is_empty() {
        place.write("shots.jsonl", to_json_lines(list(&theirs["shots"])));
        line += " --fewshot-data shots.jsonl";
    }
    if !theirs["num_fewshot"].is_null() {
        line += &format!(" --num-fewshot {}", theirs["num_fewshot"]);
    }
    let printed = place.ok(&line).json();
    let results = place.results("out");
    assert_eq!(printed["results"], results["results"], "{case}");
    (results, place.samples("out", task))
}

/// Theirs in the order of our lines: they ran one subject after the other, we all rows at once.
fn in_our_order<'v>(theirs: &'v Value, ours: &[Value]) -> Vec<&'v Value> {
    let column = text(&theirs["column"]);
    let mut left: Vec<&Value> = list(&theirs["samples"]).iter().collect();
    let mut next = |our: &Value| {
        let same = |their: &&Value| {
            their["filter"] == our["filter"]
                && (column.is_empty() || their["row"] == our["doc"][column])
        };
        left.remove(left.iter().position(same).expect("as many of theirs"))
    };
    ours.iter().map(&mut next).collect()
}

#[track_caller]
fn assert_same_line(case: &str, their: &Value, our: &Value) {
    // An index is a number to them; in their files all targets are text.
    let target = their["target"]
        .as_str()
        .map_or_else(|| their["target"].to_string(), str::to_owned);
    assert_eq!(target, text(&our["target"]), "{case}: target of {our:#}");
    // The hashes are those of the row, of the first prompt and of the target.
    for key in ["filter", "doc_hash", "prompt_hash", "target_hash"] {
        assert_eq!(
            their[key].as_str(),
            our[key].as_str(),
            "{case}: {key} of {our:#}"
        );
    }
    let (theirs, ours) = (list(&their["filtered_resps"]), list(&our["filtered_resps"]));
    assert_eq!(theirs.len(), ours.len(), "{case}: {our:#}");
    for (their, our) in theirs.iter().zip(ours) {
        if their.is_string() {
            assert_eq!(their, our, "{case}");
            continue;
        }
        let log_prob: f64 = text(&our[0]).parse().unwrap();
        assert!(
            (number(&their[0]) - log_prob).abs() < TOLERANCE,
            "{case}: {their} and {our}"
        );
        assert_eq!(their[1].as_bool(), Some(text(&our[1]) == "True"), "{case}");
    }
    if theirs[0].is_string() {
        assert_eq!(their["resps"], our["resps"], "{case}");
    }
    for metric in ["acc", "acc_norm", "acc_bytes", "exact_match"] {
        if !their[metric].is_null() {
            assert_eq!(
                number(&their[metric]),
                number(&our[metric]),
                "{case}: {metric} of {our:#}"
            );
        }
    }
}

#[track_caller]
fn check(case: &str) {
    let theirs = recorded(case);
    let (results, ours) = evaluate(case, &theirs);
    assert_eq!(list(&theirs["samples"]).len(), ours.len(), "{case}");
    for (their, our) in in_our_order(&theirs, &ours).into_iter().zip(&ours) {
        assert_same_line(case, their, our);
    }
    // Of several subjects they have as many results, we the one of all.
    let [expected] = list(&theirs["results"]) else {
        return;
    };
    let task = text(&theirs["task"]);
    for (key, value) in expected.as_object().unwrap() {
        let ours = &results["results"][task][key];
        match value.as_f64() {
            // Theirs is drawn at random, ours computed.
            Some(_) if key.starts_with("perplexity_stderr") => {}
            Some(value) if !ours.is_null() => {
                // A perplexity is as near as its log-probabilities.
                let allowed = match key.starts_with("perplexity") {
                    true => TOLERANCE * value,
                    false => 1e-9,
                };
                assert!(
                    (number(ours) - value).abs() < allowed,
                    "{case}: {key}: {value} and {ours}"
                );
            }
            // math_verify: Minerva's other metric, in whose place stands math_match.
            _ => assert!(
                ["alias", "name"].contains(&key.as_str()) || key.starts_with("math_verify"),
                "{case}: {key}"
            ),
        }
    }
}

macro_rules! cases {
    ($($test:ident: $case:literal),+ $(,)?) => {
        $(#[test] fn $test() { check($case); })+
    };
}

cases! {
    arc_easy: "arc_easy",
    arc_challenge: "arc_challenge",
    arc_challenge_with_three_drawn_examples: "arc_challenge-3shot",
    openbookqa: "openbookqa",
    commonsense_qa: "commonsense_qa",
    piqa: "piqa",
    hellaswag: "hellaswag",
    winogrande: "winogrande",
    winogrande_with_two_examples: "winogrande-2shot",
    boolq: "boolq",
    boolq_with_googles_columns: "boolq-google",
    social_iqa: "social_iqa",
    sciq: "sciq",
    copa: "copa",
    copa_with_two_examples: "copa-2shot",
    medmcqa: "medmcqa",
    basic_arithmetic: "basic_arithmetic",
    basic_arithmetic_generate: "basic_arithmetic_generate",
    lambada: "lambada",
    mmlu_with_the_subjects_own_examples: "mmlu-5shot",
    gsm8k_with_five_drawn_examples: "gsm8k-5shot",
    gsm8k_alone: "gsm8k-0shot",
    mmlu_pro: "mmlu_pro",
    hendrycks_math: "hendrycks_math",
    minerva_math: "minerva_math",
    several_right_answers_after_a_prefix: "own_several",
    options_and_their_index_by_templates: "own_choice",
    a_text_with_a_space_before_it: "own_text",
    options_after_nothing: "own_empty",
}
