//! Special files, run directories, pairs and references.

use std::process::Command;

use super::{Case, linked_model};
use crate::support_cli::Place;

pub fn cases(place: &Place) -> Vec<Case> {
    let mut cases = Vec::new();
    std::fs::create_dir(place.join("directory")).unwrap();
    let made = Command::new("mkfifo")
        .arg(place.join("fifo"))
        .status()
        .unwrap();
    assert!(made.success());
    let sparse = std::fs::File::create(place.join("sparse")).unwrap();
    sparse.set_len(10 << 30).unwrap();
    for special in [
        "fifo",
        "/dev/zero",
        "directory",
        "sparse",
        "/dev/null",
        "/proc/self/mem",
    ] {
        let arith = "--model @demo --task arith --data arith.jsonl";
        for line in [
            format!("eval --model @demo --task arith --data {special}"),
            format!("eval {arith} --pairs {special} --out e"),
            format!("eval {arith} --num-fewshot 1 --fewshot-data {special}"),
            format!("verify --model @demo --reference {special}"),
            format!("status {special}"),
        ] {
            cases.push(Case::new(format!("cola {line}"), line));
        }
        let link = |name: &str| {
            let target = match special.starts_with('/') {
                true => special.into(),
                false => place.join(special),
            };
            let _ = std::fs::remove_file(place.join(name));
            std::os::unix::fs::symlink(target, place.join(name)).unwrap();
        };
        let task = format!("special{}.yaml", cases.len());
        link(&task);
        let line = format!("eval --model @demo --task {task} --data arith.jsonl");
        cases.push(Case::new(format!("task file: {special}"), line));
        for file in [
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "generation_config.json",
            "model.safetensors",
            "special_tokens_map.json",
            "model.safetensors.index.json",
            "chat_template.jinja",
        ] {
            let name = format!("s{}", cases.len());
            linked_model(place, &name);
            link(&format!("{name}/{file}"));
            let line = format!("generate --model {name} --prompt Dial --max-new-tokens 1 --chat");
            let line = if file == "chat_template.jinja" {
                line
            } else {
                line.replace(" --chat", "")
            };
            cases.push(Case::new(format!("{file}: {special}"), line));
        }
    }
    runs(place, &mut cases);
    pairs(place, &mut cases);
    cases
}

/// Run directories that something happened to.
fn runs(place: &Place, cases: &mut Vec<Case>) {
    let search = "search --model @demo --task arith --data arith.jsonl --simulations 3 --controls 0 --in-flight 1";
    place.ok(&format!("{search} --out good"));
    let copy = |name: &str| {
        for (path, content) in place.files("good") {
            let file = path.strip_prefix(place.join("good")).unwrap();
            place.write(&format!("{name}/{}", file.display()), content);
        }
    };
    let manifest = place.read("good/manifest.json");
    let samples = place.read("good/samples.jsonl");
    // A cut before what differs from machine to machine: the version and the paths.
    let half: String = manifest.split_inclusive('\n').take(2).collect();
    // A header with its checksum.
    let log = "66d4bc4a {\"cola\":\"0.0.1\",\"manifest\":\"00\"}\n";
    let lines: Vec<&str> = samples.lines().collect();
    let damaged = format!("{}\n{{\"task\":\n{}\n", lines[0], lines[1]);
    let other_layers = samples.replacen("\"layers\":12", "\"layers\":13", 1);
    for (what, file, content) in [
        ("an empty manifest", "manifest.json", String::new()),
        ("half a manifest", "manifest.json", half),
        (
            "a manifest of another format",
            "manifest.json",
            manifest.replace("\"format\": 3", "\"format\": 99"),
        ),
        ("a manifest that is a list", "manifest.json", "[]".into()),
        ("a damaged line in the journal", "samples.jsonl", damaged),
        (
            "a line of something else in the journal",
            "samples.jsonl",
            format!("{{}}\n{}\n", lines[1]),
        ),
        ("a journal of two models", "samples.jsonl", other_layers),
        (
            "a journal that is no text",
            "samples.jsonl",
            "\u{0}\n".into(),
        ),
        ("a log without a header", "evaluations.log", "x\ny\n".into()),
        ("a log of another run", "evaluations.log", log.to_owned()),
        (
            "a certificate of something else",
            "certificates.jsonl",
            "{}\n".into(),
        ),
        ("a menu of something else", "menu.jsonl", "{}\n".into()),
    ] {
        let name = format!("run{}", cases.len());
        copy(&name);
        place.write(&format!("{name}/{file}"), content);
        for line in [
            format!("{search} --out {name}"),
            format!("analyze {name}"),
            format!("status {name}"),
        ] {
            let command = line.split(' ').next().unwrap().to_owned();
            cases.push(Case::new(format!("{what}: {command}"), line));
        }
    }
    let other = search.replace("--simulations 3", "--simulations 4");
    cases.push(Case::new(
        "another command in a run directory",
        format!("{other} --out good"),
    ));
    place.write("full/thesis.tex", "x");
    cases.push(Case::new(
        "a directory of other things",
        format!("{search} --out full"),
    ));
    cases.push(Case::new(
        "export over a directory",
        "export good --format csv --out directory",
    ));
    cases.push(Case::new(
        "export into no directory",
        "export good --format csv --out none/x.csv",
    ));
    cases.push(Case::new(
        "export of certified labels without certificates",
        "export good --format csv --certified --out x.csv",
    ));
    cases.push(Case::new(
        "a format that is none",
        "export good --format xml --out x.xml",
    ));
    cases.push(Case::new(
        "analysis into a file",
        "analyze good --out arith.jsonl",
    ));
}

/// Files of pairs.
fn pairs(place: &Place, cases: &mut Vec<Case>) {
    let id = serde_json::from_str::<serde_json::Value>(
        place.read("arith.jsonl").lines().next().unwrap(),
    )
    .unwrap();
    let id = id["id"].as_str().unwrap().to_owned();
    for (what, text) in [
        ("empty", String::new()),
        ("brace", "{".into()),
        ("a list", "[]\n".into()),
        ("no chain", format!("{{\"id\": \"{id}\"}}\n")),
        ("no id", "{\"chain\": \"0-11\"}\n".into()),
        (
            "another id",
            "{\"id\": \"x\", \"chain\": \"0-11\"}\n".into(),
        ),
        (
            "a bad chain",
            format!("{{\"id\": \"{id}\", \"chain\": \"0-12\"}}\n"),
        ),
        (
            "a chain that is a number",
            format!("{{\"id\": \"{id}\", \"chain\": 7}}\n"),
        ),
        (
            "a field more",
            format!("{{\"id\": \"{id}\", \"chain\": \"0\", \"colour\": 1}}\n"),
        ),
        (
            "another task",
            format!("{{\"id\": \"{id}\", \"chain\": \"0\", \"task\": \"t\"}}\n"),
        ),
        (
            "only null chains",
            format!("{{\"id\": \"{id}\", \"chain\": null}}\n"),
        ),
        ("no text", "\0".into()),
    ] {
        let name = format!("p{}.jsonl", cases.len());
        place.write(&name, text);
        let line =
            format!("eval --model @demo --task arith --data arith.jsonl --pairs {name} --out e");
        cases.push(Case::new(format!("pairs: {what}"), line));
    }
}
