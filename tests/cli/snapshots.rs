//! What the program says, word for word: a change of these texts is a change that users see, and is reviewed as such
//! (`cargo insta review`).

use crate::support_cli::{Place, to_json_lines};
use serde_json::json;

const COMMANDS: [&str; 9] = [
    "demo", "search", "eval", "generate", "verify", "inspect", "analyze", "export", "synth",
];

#[test]
fn help_is_this() {
    let place = Place::new();
    let mut text = place.ok("--help").stdout;
    for command in COMMANDS {
        text += &format!("\n==== cola {command} --help\n\n");
        text += &place.ok(&format!("{command} --help")).stdout;
    }
    insta::assert_snapshot!(text);
}

#[test]
fn refusals_are_these() {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 1, 4);
    place.synth("facts.jsonl", "commonsense", 1, 4);
    place.write(
        "broken.jsonl",
        "{\"question\": \"Dial 1 up 2.\", \"answer\": \"3\"\n",
    );
    place.write(
        "unknown.yaml",
        "task: t\noutput_type: multiple_choice\ndoc_to_text: q\ndoc_to_target: a\ncolour: red\n",
    );
    let arith = "--model @demo --task arith --data arith.jsonl";
    let facts = "--model @demo --task commonsense --data facts.jsonl";
    let lines = [
        "search --model nowhere --task arith --data arith.jsonl --out run".to_owned(),
        "search --model @demo --task nothing --out run".to_owned(),
        "search --model @demo --task arith --data missing.jsonl --out run".to_owned(),
        "search --model @demo --task arith --data broken.jsonl --out run".to_owned(),
        "eval --model @demo --task unknown.yaml --data arith.jsonl".to_owned(),
        "eval --model @demo --task arc_easy".to_owned(),
        format!("search {arith} --simulations 0 --out run"),
        format!("search {arith} --preset cola-paper --damping 0.5 --out run"),
        format!("search {arith} --preset polar-release --score margin --out run"),
        format!("search {arith} --strategy exhaustive --simulations 3 --out run"),
        format!("search {arith} --letters --out run"),
        format!("search {arith} --rotations --out run"),
        format!("eval {facts} --max-gen-toks 5"),
        format!("eval {arith} --chain 0-99"),
        format!("eval {arith} --chain 0-3,,"),
        format!("eval {arith} --device cuda:0,cpu"),
        format!("search {arith} --out arith.jsonl"),
        format!("search {arith} --out ."),
        "analyze .".to_owned(),
        "export nowhere --format csv --out c.csv".to_owned(),
    ];
    let mut text = String::new();
    for line in lines {
        let reason = place.refused(&line);
        let reason = reason.replace(place.path().to_str().unwrap(), "PLACE");
        text += &format!("$ cola {line}\n{}\n\n", reason.trim_end());
    }
    insta::assert_snapshot!(text);
}

#[test]
fn an_evaluation_as_json_is_this() {
    let place = Place::new();
    let row = |id: &str, question: &str, answer: &str| json!({"id": id, "question": question, "answer": answer});
    let rows = [
        row("a", "Dial 29 up 15.", "44"),
        row("b", "Dial 1 up 1.", "3"),
    ];
    place.write("rows.jsonl", to_json_lines(&rows));
    let ended = place.ok("eval --model @demo --task arith --data rows.jsonl --json");
    let object = serde_json::to_string_pretty(&ended.json()).unwrap();
    insta::assert_snapshot!(object.replace(
        &crate::support_cli::demo_model().display().to_string(),
        "MODEL"
    ));
}
