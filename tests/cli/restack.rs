//! `cola export --model`: one chain as a checkpoint, and in the notations of other tools.
#![cfg(unix)]

use serde_json::Value;

use crate::support_cli::{Place, assert_same_values};

const CHAIN: &str = "0-4,(3-4)x2,7-11";

fn place() -> Place {
    let place = Place::new();
    place.synth("facts.jsonl", "commonsense", 1, 12);
    place.write(
        "facts.yaml",
        include_str!("../../datasets/commonsense.yaml"),
    );
    place
}

#[test]
fn a_checkpoint_of_a_chain_answers_as_the_chain() {
    let place = place();
    let said = place.ok(&format!(
        "export --model @demo --chain {CHAIN} --format hf --out copy"
    ));
    assert!(said.stdout.starts_with("14 layers, "), "{}", said.stdout);
    let eval = |model: &str, chain: &str, out: &str| -> Vec<Value> {
        place.ok(&format!(
            "eval --model {model} {chain} --task facts.yaml --data facts.jsonl --out {out} --progress none"
        ));
        place.samples(out, "commonsense")
    };
    let ours = eval("@demo", &format!("--chain {CHAIN}"), "ours");
    let theirs = eval("copy", "", "theirs");
    assert_eq!(ours.len(), 12);
    for (a, b) in ours.iter().zip(&theirs) {
        assert_same_values(&a["filtered_resps"], &b["filtered_resps"]);
        assert_eq!((&a["doc_id"], &a["acc"]), (&b["doc_id"], &b["acc"]));
    }
    let shown = place.ok("inspect --model copy --json").json();
    assert_eq!(shown["layers"], 14);
    // The tokenizer came along, and nothing is written over.
    assert!(place.has("copy/tokenizer.json"));
    let refused = place.refused(&format!(
        "export --model @demo --chain {CHAIN} --format hf --out copy"
    ));
    assert!(
        refused.contains("--out copy: the directory is not empty"),
        "{refused}"
    );
}

#[test]
fn a_chain_is_written_in_the_notations_of_other_tools() {
    let place = place();
    place.ok(&format!(
        "export --model @demo --chain {CHAIN} --format mergekit --out merge.yaml"
    ));
    let merge = ranges(&place.read("merge.yaml"));
    assert_eq!(merge, "0-5 3-5 3-5 7-12 passthrough float32");
    place.ok("export --model @demo --chain 0-2,1 --format rys --out layers.txt");
    assert_eq!(place.read("layers.txt"), "layers:0,1,2,1\n");
}

/// The layer ranges of a merge, its method and its dtype.
fn ranges(yaml: &str) -> String {
    let mut words = Vec::new();
    for line in yaml.lines() {
        if let Some((_, range)) = line.split_once("layer_range: [") {
            words.push(range.trim_end_matches(']').replace(", ", "-"));
        }
        for key in ["merge_method: ", "dtype: "] {
            words.extend(line.strip_prefix(key).map(str::to_owned));
        }
    }
    words.join(" ")
}

#[test]
fn what_cannot_be_written_is_refused() {
    let place = place();
    for (flags, reason) in [
        ("--model @demo --chain 0-99 --format hf", "99"),
        (
            "--model @demo --chain 0-3 --format csv",
            "is unknown for a chain; known: hf, mergekit, rys",
        ),
        (
            "--model @demo --chain 0,(0)x2@0.5 --format hf",
            "a damped chain is no checkpoint",
        ),
        (
            "--model @demo --chain 0,(0)x2@0.5 --format rys",
            "rys has no damped layers",
        ),
        (
            "--model @demo --chain empty --format hf",
            "at least one layer",
        ),
        ("--model @demo --format hf", "--chain"),
        ("--chain 0-3 --format hf", "--model"),
        ("--model nowhere --chain 0-3 --format hf", "nowhere"),
        (
            "run --model @demo --chain 0-3 --format hf",
            "cannot be used with",
        ),
    ] {
        let refused = place.run(&format!("export {flags} --out out"));
        let refused = refused.with_status(2).without_panic().stderr;
        assert!(refused.contains(reason), "{flags}: {refused}");
    }
}
