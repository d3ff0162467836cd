//! Damped repeats on the command line: `(block)xN@alpha` and `--damping`.

use crate::support_cli::{Place, json_lines, list, number, text};
use serde_json::Value;

fn place() -> Place {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 5, 4);
    place
}

const SEARCH: &str = "search --model @demo --task arith --data arith.jsonl --controls 1 --out run";

/// Chains of the search itself that are damped anywhere.
fn damped(record: &Value) -> usize {
    let chains = list(&record["evaluations"]).iter();
    chains.filter(|e| text(&e["chain"]).contains('@')).count()
}

#[test]
fn a_search_with_damping_tries_damped_repeats_and_is_continued_with_the_same_damping_only() {
    let place = place();
    let search = format!("{SEARCH} --simulations 40");
    place.ok(&format!("{search} --damping 0.500"));
    // A sample that is right from the start is only made shorter.
    assert!(place.records("run").iter().any(|(_, r)| damped(r) > 0));
    let manifest: Value = serde_json::from_str(&place.read("run/manifest.json")).unwrap();
    for space in ["root_edits", "deep_edits"] {
        let damping = &manifest["search"]["params"][space]["damping"];
        assert_eq!(number(damping), 0.5);
    }
    place.ok(&format!("{search} --damping 0.5"));
    for (flag, now) in [("--damping 0.25", "is 0.25 now"), ("", "is null now")] {
        let reason = place.refused(&format!("{search} {flag}"));
        for words in ["search.params.root_edits.damping` was 0.5", now] {
            assert!(reason.contains(words), "{reason}\nlacks {words:?}");
        }
    }
    // Everything that reads a run reads damped chains.
    place.ok("analyze run");
    place.ok("export run --format jsonl --out rows.jsonl");
    for row in json_lines(&place.read("rows.jsonl")) {
        let chain = row["chain"].as_str().unwrap_or_default();
        assert_eq!(chain.contains('@'), !row["alphas"].is_null(), "{row}");
    }
}

#[test]
fn random_and_exhaustive_searches_take_damping_and_without_it_no_chain_is_damped() {
    let place = place();
    for (out, flags) in [
        ("random", "--strategy random --simulations 40 --damping 0.5"),
        (
            "exhaustive",
            "--strategy exhaustive --simulations 1000 --damping 0.5",
        ),
        ("plain", "--simulations 40"),
    ] {
        let search = SEARCH.replace("--out run", &format!("--out {out}"));
        place.ok(&format!("{search} --limit 1 {flags}"));
        for (id, record) in place.records(out) {
            assert_eq!(damped(&record) > 0, out != "plain", "{out} {id}");
        }
    }
}

#[test]
fn searches_that_reproduce_published_ones_refuse_damping() {
    let place = place();
    for preset in ["cola-paper", "polar-release", "dr-llm", "re-polar"] {
        let reason = place.refused(&format!("{SEARCH} --preset {preset} --damping 0.5"));
        let expected = format!("--damping 0.5: --preset {preset} reproduces");
        assert!(reason.starts_with(&expected), "{reason}");
        let demo = place.refused(&format!("demo --preset {preset} --damping 0.5 --out run"));
        assert!(demo.starts_with(&expected), "{demo}");
    }
    let above = place
        .run(&format!("{SEARCH} --damping 2"))
        .with_status(2)
        .stderr;
    assert!(
        above.contains("expected a number above 0 and below 1"),
        "{above}"
    );
    let plain = place.refused(&format!("{SEARCH} --damping 1"));
    assert!(plain.starts_with("--damping 1:"), "{plain}");
    for alpha in ["0", "1.5", "0.1234", "x", "-0.5"] {
        let ended = place
            .run(&format!("{SEARCH} --damping {alpha}"))
            .with_status(2);
        let quoted = format!("alpha \"{alpha}\"");
        assert!(ended.stderr.contains(&quoted), "{}", ended.stderr);
    }
    assert!(!place.has("run"));
}

#[test]
fn eval_reads_damped_chains_and_refuses_broken_alphas_in_one_line() {
    let place = place();
    let eval = "eval --model @demo --task arith --data arith.jsonl --limit 1 --chain";
    for chain in ["0-3,(4)x2@0.5,5-11", "0-3,4@0.5,5-11", "0-3,(4-5)x3@1,6-11"] {
        place.ok(&format!("{eval} {chain}"));
    }
    for (chain, reason) in [
        ("0-3,(4)x2@0,5-11", "alpha \"0\": expected a number above 0"),
        (
            "0-3,(4)x2@1.5,5-11",
            "alpha \"1.5\": expected a number above 0 and at most 1",
        ),
        (
            "(4)x2@0.1234",
            "alpha \"0.1234\": expected at most three decimals",
        ),
        ("(4)x2@x", "alpha \"x\": expected a decimal number"),
        ("(4)x2@", "alpha \"\": expected a decimal number"),
        ("empty@0.5", "is not a layer index"),
        ("empty@", "alpha \"\""),
        ("(4)x1@0.5", "runs once"),
        ("(4@0.5)x2", "inside a group"),
    ] {
        let refusal = place.refused(&format!("{eval} {chain}"));
        assert!(refusal.contains(reason), "{chain}\n{refusal}");
        assert!(refusal.contains(chain), "{chain}\n{refusal}");
    }
}
