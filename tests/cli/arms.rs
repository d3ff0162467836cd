//! `cola search --arms`: other ways to spend as many tries, and the menu, which is a stage of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use crate::support_cli::{
    FLOAT, Place, count, json_lines, list, number, text, to_json_lines, truth,
};
use serde_json::{Value, json};

const SEARCH: &str = "search --model @demo --task arith commonsense --data arith.jsonl facts.jsonl \
                      --simulations 12";
const ALL: &str = "--arms search,random,sampling,layers+sampling --arms menu";
const SAMPLES: usize = 14;

/// Samples of a run that is slow enough to be stopped midway.
const SLOW: usize = 40;

fn place() -> Place {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 4, SAMPLES);
    place.synth("facts.jsonl", "commonsense", 2, SAMPLES);
    place
}

/// A run with every arm, made once.
fn run() -> &'static Place {
    static RUN: OnceLock<Place> = OnceLock::new();
    RUN.get_or_init(|| {
        let place = place();
        let ended = place.ok(&format!("{SEARCH} {ALL} --out run"));
        for part in ["choosing", "trying"] {
            let shown = format!("cola search, menu, {part}: done, 28/28 samples");
            assert!(ended.stderr.contains(&shown), "{}", ended.stderr);
        }
        place
    })
}

/// Lines of the menu by task and id: those of pools, or those of menus.
fn lines(place: &Place, run: &str, of: &str) -> BTreeMap<String, Value> {
    let lines = json_lines(&place.read(&format!("{run}/menu.jsonl"))).into_iter();
    let named = lines.filter(|line| line[of].is_string()).map(|line| {
        let name = format!("{}/{}", text(&line["task"]), text(&line["id"]));
        (name, line)
    });
    named.collect()
}

/// All lines without degradations and margins, which differ by what a batch adds.
fn without_floats(place: &Place, run: &str) -> Vec<Value> {
    let pools = lines(place, run, "pool").into_values();
    let menus = lines(place, run, "menu").into_values();
    let mut lines: Vec<Value> = pools.chain(menus).collect();
    for line in &mut lines {
        for evaluation in line["evaluations"].as_array_mut().into_iter().flatten() {
            evaluation["degradation"] = Value::Null;
            evaluation["margin"] = Value::Null;
        }
    }
    lines
}

fn counts(evaluation: &Value) -> bool {
    truth(&evaluation["correct"]) && number(&evaluation["degradation"]) <= 0.5
}

/// Whether a sample is right within so many chains, the unmodified model first.
fn chains_right(record: &Value, chains: &[Value], tries: usize) -> f64 {
    let identity = &record["baseline"];
    let others = chains.iter().filter(|e| e["chain"] != identity["chain"]);
    let mut all = std::iter::once(identity).chain(others).take(tries);
    f64::from(u8::from(all.any(counts)))
}

/// Chance that one of so many draws is right.
fn draws_right(sampled: &Value, tries: usize) -> f64 {
    if let Some(probability) = sampled["probability"].as_f64() {
        return 1.0 - (0..tries).fold(1.0, |missed, _| missed * (1.0 - probability));
    }
    let (draws, right) = (count(&sampled["draws"]), count(&sampled["right"]));
    let ways =
        |of: u64| (0..tries as u64).fold(1.0, |ways, at| ways * of.saturating_sub(at) as f64);
    1.0 - ways(draws - right) / ways(draws)
}

#[test]
fn arms_count_what_is_recorded() {
    let place = run();
    let summary: Value = serde_json::from_str(&place.read("run/summary.json")).unwrap();
    let records = place.records("run");
    let menus = lines(place, "run", "menu");
    let temperature = |record: &Value, arm: &str| {
        let sampling = list(&record["sampling"]).to_vec();
        let named = |s: &Value| arm.ends_with(&format!(" {}", number(&s["temperature"])));
        sampling.into_iter().find(named).unwrap()
    };
    let mut arms = BTreeSet::new();
    for dataset in list(&summary["datasets"]).iter().chain([&summary["total"]]) {
        let task = text(&dataset["task"]);
        let samples = records
            .iter()
            .filter(|(_, r)| task == "all" || r["task"] == task);
        let samples: Vec<&(String, Value)> = samples.collect();
        for curve in list(&dataset["arms"]) {
            let arm = text(&curve["arm"]);
            arms.insert(arm.to_owned());
            for point in list(&curve["points"]) {
                let tries = count(&point["tries"]) as usize;
                let search = |r: &Value, tries| chains_right(r, list(&r["evaluations"]), tries);
                let right = |(name, r): &(String, Value)| match arm.split(' ').next().unwrap() {
                    "search" => search(r, tries),
                    "random" => {
                        chains_right(r, list(&r["controls"]["random"]["evaluations"]), tries)
                    }
                    "menu" => chains_right(r, list(&menus[name]["evaluations"]), tries),
                    "sampling" => draws_right(&temperature(r, arm), tries),
                    _ => {
                        let drawn = draws_right(&temperature(r, arm), tries / 2);
                        1.0 - (1.0 - search(r, tries.div_ceil(2))) * (1.0 - drawn)
                    }
                };
                let of = samples.len() as f64;
                let expected = samples.iter().map(|s| right(s)).sum::<f64>() / of;
                let found = number(&point["right"]["value"]);
                assert!(
                    (found - expected).abs() < 1e-9,
                    "{task} {arm} {tries}: {found} {expected}"
                );
                let searched = samples.iter().map(|(_, r)| search(r, tries)).sum::<f64>() / of;
                let ahead = number(&point["search_ahead"]["value"]);
                assert!(
                    (ahead - (searched - expected)).abs() < 1e-9,
                    "{task} {arm} {tries}"
                );
            }
        }
    }
    let kinds: BTreeSet<&str> = arms
        .iter()
        .map(|arm| arm.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["layers+sampling", "menu", "random", "sampling", "search"]
    );
    assert_eq!(arms.len(), 9);
    // Generated answers are drawn, options are not.
    for (_, record) in &records {
        for sampled in list(&record["sampling"]) {
            let drawn = record["task"] == "arith";
            assert_eq!(count(&sampled["draws"]), if drawn { 12 } else { 0 });
            assert_eq!(sampled["probability"].is_null(), drawn);
        }
        // The menu is not in the journal.
        assert!(record["menu"].is_null());
    }

    // The same in the table, the file and the figure.
    let shown = place.read("run/summary.txt");
    assert!(shown.contains("Arms, % of all samples"), "{shown}");
    let widest = shown
        .lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap();
    assert!(widest <= 120, "{widest}\n{shown}");
    place.ok("analyze run --out analysis");
    let csv = place.read("analysis/arms.csv");
    for dataset in list(&summary["datasets"]) {
        for curve in list(&dataset["arms"]) {
            for point in list(&curve["points"]) {
                let [task, arm] = [&dataset["task"], &curve["arm"]].map(text);
                let right = number(&point["right"]["value"]);
                let row = format!(",{task},{arm},{},{right:.6},", point["tries"]);
                assert!(csv.contains(&row), "{row}\n{csv}");
            }
        }
    }
    assert!(place.has("analysis/arms.svg"));
}

#[test]
fn a_menu_is_of_the_other_half_and_gives_what_evaluating_it_gives() {
    let place = run();
    let records: BTreeMap<String, Value> = place.records("run").into_iter().collect();
    let (pools, menus) = (lines(place, "run", "pool"), lines(place, "run", "menu"));
    assert_eq!((pools.len(), menus.len()), (2 * SAMPLES, 2 * SAMPLES));
    for task in ["arith", "commonsense"] {
        // Samples by the pool that they chose from.
        let mut halves: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for (name, line) in pools.iter().filter(|(_, line)| line["task"] == task) {
            halves.entry(text(&line["pool"])).or_default().push(name);
            for (field, value) in [
                ("seed", json!(0)),
                ("max_degradation", json!(0.5)),
                ("tries", json!(12)),
            ] {
                assert_eq!((&line[field], &menus[name][field]), (&value, &value));
            }
        }
        let halves: Vec<Vec<&String>> = halves.into_values().collect();
        assert_eq!(halves.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7]);
        for (half, choosers) in [(&halves[0], &halves[1]), (&halves[1], &halves[0])] {
            let best = |name: &&String| records[*name]["best"]["chain"].as_str();
            let bests: BTreeSet<&str> = choosers.iter().filter_map(best).collect();
            let chains = |name: &String| -> Vec<&str> {
                let menu = list(&menus[name]["evaluations"]).iter();
                menu.map(|evaluation| text(&evaluation["chain"])).collect()
            };
            let menu = chains(half[0]);
            assert_eq!(menu[0], "0-11");
            assert!(menu.len() > 1 && menu.len() <= 12);
            assert!(menu[1..].iter().all(|chain| bests.contains(chain)));
            for name in half {
                assert_eq!(chains(name), menu);
                let baseline = &records[*name]["baseline"];
                assert_eq!(&menus[*name]["evaluations"][0], baseline);
                // What a sample says of its own pool, its own menu does not hang on.
                let own: BTreeSet<&str> = half.iter().filter_map(best).collect();
                let right = list(&pools[*name]["right"]).iter().map(text);
                assert!(right.into_iter().all(|chain| own.contains(chain)));
            }
        }
    }
    let of_task = |task: &str| -> Vec<&Value> {
        menus.values().filter(|line| line["task"] == task).collect()
    };
    for (task, data) in [("arith", "arith.jsonl"), ("commonsense", "facts.jsonl")] {
        let pairs: Vec<Value> = of_task(task)
            .into_iter()
            .flat_map(|line| {
                let menu = list(&line["evaluations"]).iter();
                menu.map(|e| json!({"id": line["id"], "chain": e["chain"]}))
            })
            .collect();
        place.write("pairs.jsonl", to_json_lines(&pairs));
        place.ok(&format!(
            "eval --model @demo --task {task} --data {data} --pairs pairs.jsonl --out evaluated"
        ));
        let mut results = json_lines(&place.read("evaluated/pairs.jsonl")).into_iter();
        for line in of_task(task) {
            for evaluation in list(&line["evaluations"]) {
                let result = results.next().unwrap();
                for field in ["chain", "correct", "answer"] {
                    assert_eq!(evaluation[field], result[field], "{line} {result}");
                }
                let nats = number(&evaluation["degradation"]) - number(&result["degradation"]);
                assert!(nats.abs() < FLOAT, "{line} {result}");
            }
        }
    }
}

#[test]
fn a_menu_only_adds_to_a_finished_run_and_is_the_same_every_time() {
    let place = place();
    place.ok(&format!("{SEARCH} --out run"));
    let before = place.files("run");
    let with_menu = format!("{SEARCH} --arms menu --in-flight 3 --out run");
    let ended = place.ok(&with_menu);
    let row = |line: &str| line.starts_with("arith ") && line.contains(" menu ");
    assert!(ended.stdout.lines().any(row), "{}", ended.stdout);
    for (path, content) in before {
        let journal = path.ends_with("samples.jsonl") || path.ends_with("manifest.json");
        assert!(!journal || std::fs::read(&path).unwrap() == content);
    }
    let expected = without_floats(run(), "run");
    assert_eq!(without_floats(&place, "run"), expected);
    let whole = place.read("run/menu.jsonl");
    for length in [whole.len() - 1, whole.len() / 2, 10] {
        place.write("run/menu.jsonl", &whole[..length]);
        // Whoever reads the run reads whole lines.
        place.ok("export run --format csv --out rows.csv");
        place.ok(&with_menu);
        assert_eq!(without_floats(&place, "run"), expected);
    }
    let files = place.files("run");
    let ended = place.ok(&with_menu);
    let shown = "cola search, menu, trying: all 28 samples are done already";
    assert!(ended.stderr.contains(shown), "{}", ended.stderr);
    assert_eq!(place.files("run"), files);
    // Without the flag the menu is kept and shown.
    let ended = place.ok(&format!("{SEARCH} --out run"));
    assert!(ended.stdout.lines().any(row), "{}", ended.stdout);

    // Draws are part of what the run is, and another seed is another run.
    let reason = place.refused(&format!("{SEARCH} --arms sampling --out run"));
    assert!(reason.contains("`sampling` was null"), "{reason}");
    let mut lines = json_lines(&place.read("run/menu.jsonl"));
    lines[1]["seed"] = 9.into();
    place.write("run/menu.jsonl", to_json_lines(&lines));
    for line in [
        &*with_menu,
        "export run --format csv --out c.csv",
        "analyze run --out a",
    ] {
        let reason = place.refused(line);
        for words in [
            "run/menu.jsonl: the menu of sample ",
            " is for seed",
            "delete this file",
            "with --arms menu",
        ] {
            assert!(reason.contains(words), "{line}\n{reason}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_menu_that_is_interrupted_or_killed_continues_to_the_same_lines() {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 4, SLOW);
    let search = "search --model @demo --task arith --data arith.jsonl --simulations 20 --controls 0 \
                  --in-flight 2 --workers 1";
    place.ok(&format!("{search} --out run"));
    place.ok(&format!("{search} --arms menu --out whole"));
    let expected = without_floats(&place, "whole");
    assert_eq!(expected.len(), 2 * SLOW);
    let with_menu = format!("{search} --arms menu --out run");
    let written = || match place.has("run/menu.jsonl") {
        true => place.read("run/menu.jsonl").lines().count(),
        false => 0,
    };
    let mut running = place.start(&with_menu);
    assert!(running.wait_until(|| written() >= 2));
    // Held where it is, so that it cannot end before the second one begins.
    running.signal("-STOP");
    let locked = place.run(&with_menu).with_status(2).stderr;
    assert!(locked.contains("cola: run: another process"), "{locked}");
    running.signal("-INT");
    running.signal("-CONT");
    let ended = running.end().with_status(130);
    let done = written();
    assert!((2..SLOW).contains(&done), "{done}");
    for words in [
        "cola search, menu, choosing: interrupted",
        &format!("{done}/{SLOW} samples"),
        "cola search: the same command continues this run",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    // No menu is shown of which a part is missing.
    assert!(!ended.stdout.contains("menu"), "{}", ended.stdout);
    // In the second step.
    let mut running = place.start(&with_menu);
    assert!(running.wait_until(|| written() >= SLOW + 2));
    running.kill();
    assert!(written() < 2 * SLOW);
    place.ok(&with_menu);
    assert_eq!(without_floats(&place, "run"), expected);
}

#[test]
fn arms_that_cannot_be_compared_are_refused_or_told() {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 2, 3);
    let search = "search --model @demo --task arith --data arith.jsonl --simulations 4";
    for arms in ["menus", "layers", ""] {
        let ended = place.run(&format!("{search} --arms {arms} --out run"));
        let stderr = ended.with_status(2).stderr;
        let arms = "[possible values: search, random, sampling, layers+sampling, menu]";
        assert!(stderr.contains(arms), "{stderr}");
    }
    for controls in [0, 2] {
        let reason = place.refused(&format!(
            "{search} --arms random --controls {controls} --out run"
        ));
        assert!(reason.contains("give --controls all"), "{reason}");
    }
    assert!(!place.has("run"));
    // Without other arms the search is compared with its control, if that is asked for.
    place.ok(&format!("{search} --out run"));
    assert!(!place.read("run/summary.txt").contains("Arms"));
    let ended = place.ok(&format!("{search} --arms random --out run"));
    assert!(ended.stdout.contains("Arms"), "{}", ended.stdout);
    let ended = place.ok(&format!("{search} --arms menu --out run"));
    let told = "cola search, menu: no menu for arith, nor over all tasks: a menu takes 4 samples that did not fail, and arith has 3\n";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert_eq!(place.read("run/menu.jsonl"), "");
}

#[test]
fn a_demonstration_has_arms_too_and_many_datasets_are_shown_as_one() {
    let place = Place::new();
    let ended = place.ok("demo --limit 4 --simulations 6 --arms menu sampling --out run");
    let arms: Vec<&str> = ended
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("Arms"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    let expected = [
        "arm",
        "search",
        "random",
        "menu",
        "sampling 0.3",
        "layers+sampling 0.3",
        "sampling 0.7",
        "layers+sampling 0.7",
        "sampling 1",
        "layers+sampling 1",
    ];
    assert_eq!(arms, expected);
    assert!(
        ended
            .stderr
            .contains("cola demo, menu, trying: done, 28/28")
    );
}
