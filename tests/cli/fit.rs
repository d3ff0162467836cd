//! `cola fit`: one chain for a task, chosen on some samples and reported on others.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support_cli::{
    Place, assert_same_values, count, json_lines, list, number, text, to_json_lines,
};

const FIT: &str = "fit --model @demo --task facts.yaml --data facts.jsonl --depths 9-11,13 --seed 3 --progress none";

fn place() -> Place {
    let place = Place::new();
    place.synth("facts.jsonl", "commonsense", 1, 60);
    place.write(
        "facts.yaml",
        include_str!("../../datasets/commonsense.yaml"),
    );
    place
}

fn fit(place: &Place, out: &str) -> Value {
    serde_json::from_str(&place.read(&format!("{out}/fit.json"))).unwrap()
}

/// The samples of each side.
fn sides(place: &Place, out: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut sides: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in place.read(&format!("{out}/split.csv")).lines().skip(1) {
        let [_, id, side] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        sides.entry(side.into()).or_default().insert(id.into());
    }
    sides
}

#[test]
fn the_best_chain_of_every_depth_is_reported_on_samples_that_did_not_choose_it() {
    let place = place();
    let shown = place.ok(&format!("{FIT} --out one"));
    assert!(
        shown.stdout.contains("held-out samples"),
        "{}",
        shown.stdout
    );
    let fit = fit(&place, "one");
    let sides = sides(&place, "one");
    let (training, held_out) = (&sides["training"], &sides["held-out"]);
    assert_eq!(training.len() + held_out.len(), 60);
    assert!(training.is_disjoint(held_out));
    assert_eq!(count(&fit["training"]), training.len() as u64);
    assert_eq!(count(&fit["held_out"]), held_out.len() as u64);
    let depths: Vec<u64> = list(&fit["front"])
        .iter()
        .map(|f| count(&f["depth"]))
        .collect();
    assert_eq!(depths, [9, 10, 11, 13]);

    // What `cola eval` makes of the same chains on the same samples.
    let mut chains: BTreeSet<String> = BTreeSet::from(["0-11".to_owned()]);
    for fitted in list(&fit["front"]) {
        chains.insert(text(&fitted["chain"]).to_owned());
        for baseline in list(&fitted["baselines"]) {
            chains.insert(text(&baseline["chain"]).to_owned());
        }
    }
    let pairs = chains.iter().flat_map(|chain| {
        held_out
            .iter()
            .map(move |id| json!({"id": id, "chain": chain}))
    });
    place.write("pairs.jsonl", to_json_lines(&pairs.collect::<Vec<_>>()));
    place.ok("eval --model @demo --task facts.yaml --data facts.jsonl --pairs pairs.jsonl --out eval --progress none");
    let mut by_chain: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in json_lines(&place.read("eval/pairs.jsonl")) {
        by_chain
            .entry(text(&line["chain"]).into())
            .or_default()
            .push(line);
    }
    let mean = |chain: &str, field: &str| {
        let values = by_chain[chain].iter().map(|line| match &line[field] {
            Value::Bool(right) => f64::from(u8::from(*right)),
            value => number(value),
        });
        values.sum::<f64>() / held_out.len() as f64
    };
    let check = |chain: &str, scores: &Value| {
        for (name, field) in [
            ("accuracy", "correct"),
            ("margin", "margin"),
            ("degradation", "degradation"),
        ] {
            let (ours, theirs) = (number(&scores[name]["value"]), mean(chain, field));
            assert!(
                (ours - theirs).abs() < 1e-3,
                "{chain} {name}: {ours} {theirs}"
            );
        }
        let gain = mean(chain, "margin") - mean("0-11", "margin");
        assert!((number(&scores["margin_gain"]["value"]) - gain).abs() < 1e-3);
    };
    check("0-11", &fit["unmodified"]);
    for fitted in list(&fit["front"]) {
        check(text(&fitted["chain"]), &fitted["held_out"]);
        for baseline in list(&fitted["baselines"]) {
            check(text(&baseline["chain"]), &baseline["held_out"]);
        }
    }
    // Every chain of the front, and its baselines, are in the table.
    let table = place.read("one/front.csv");
    assert!(
        chains
            .iter()
            .all(|chain| table.contains(&format!("\"{chain}\"")))
    );
    assert_eq!(
        place.read("one/blocks.csv").lines().count(),
        1 + 12 + 11 + 10 + 12
    );
    assert!(place.read("one/blocks.svg").starts_with("<svg "));
}

#[test]
fn a_fit_is_the_same_however_it_is_run_and_killed() {
    let place = place();
    place.ok(&format!("{FIT} --out one"));
    let one = fit(&place, "one");
    place.ok(&format!("{FIT} --in-flight 3 --workers 2 --out other"));
    assert_same_values(&one, &fit(&place, "other"));
    for lines in [1, 200, 700] {
        let mut running = place.start(&format!("{FIT} --out killed"));
        running.wait_until(|| {
            place.has("killed/fit.log") && place.read("killed/fit.log").lines().count() > lines
        });
        running.kill();
    }
    let known = place.read("killed/fit.log").lines().count() - 1;
    let ended = place.ok(&format!("{} --out killed", FIT.replace("none", "auto")));
    assert!(
        ended.stderr.contains("evaluations are known from before"),
        "{known}: {}",
        ended.stderr
    );
    assert_same_values(&one, &fit(&place, "killed"));
    // Other depths run only what is not known.
    let again = place.ok(&format!(
        "{} --out killed --json",
        FIT.replace("9-11,13", "10,11")
    ));
    assert_eq!(list(&again.json()["front"]).len(), 2);
    // Another seed has other sides, and the log knows the same samples.
    place.ok(&format!(
        "{} --out killed",
        FIT.replace("--seed 3", "--seed 4")
    ));
    assert_ne!(sides(&place, "killed"), sides(&place, "one"));
}

#[test]
fn samples_of_another_file_are_held_out() {
    let place = place();
    place.synth("others.jsonl", "commonsense", 2, 20);
    let command = FIT.replace("9-11,13", "11");
    place.ok(&format!(
        "{command} --test-data others.jsonl --objective depth --max-drop 1 --out out"
    ));
    let fit = fit(&place, "out");
    assert_eq!((count(&fit["training"]), count(&fit["held_out"])), (60, 20));
    assert_eq!(list(&fit["front"])[0]["chain"], fit["chosen"]);
    let ids: BTreeSet<String> = json_lines(&place.read("others.jsonl"))
        .iter()
        .map(|row| text(&row["id"]).to_owned())
        .collect();
    assert_eq!(sides(&place, "out")["held-out"], ids);
}

#[test]
fn a_fit_that_cannot_be_is_refused() {
    let place = place();
    for (change, reason) in [
        ("--depths 12", "nothing to choose"),
        ("--depths 19", "a chain may have 1 to 18"),
        ("--depths 5-", "expected depths like"),
        ("--limit 2", "both take 2 at least"),
        ("--holdout 0", "both take 2 at least"),
        ("--holdout 2", "expected a number from 0 to 1"),
        (
            "--test-data facts.jsonl --holdout 0.2",
            "cannot be used with",
        ),
        (
            "--test-data facts.jsonl",
            "--test-data: 60 of its 60 samples are in --data too",
        ),
        (
            "--test-data facts.jsonl facts.jsonl",
            "--test-data: 2 files for 1 task;",
        ),
    ] {
        let flag = change.split(' ').next().unwrap();
        let command = match flag {
            "--depths" => FIT.replace("--depths 9-11,13", change),
            _ => format!("{FIT} {change}"),
        };
        let refused = place.run(&format!("{command} --out out"));
        let refused = refused.with_status(2).without_panic().stderr;
        assert!(refused.contains(reason), "{change}: {refused}");
    }
    // A log of other samples.
    place.ok(&format!("{} --out out", FIT.replace("9-11,13", "11")));
    place.synth("facts.jsonl", "commonsense", 1, 61);
    let refused = place.refused(&format!("{FIT} --out out"));
    assert!(
        refused.contains("out/fit.log: this log has `samples`"),
        "{refused}"
    );
}
