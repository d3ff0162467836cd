//! Texts of unknown authors: templates that would hang or say too much, control characters on their way to the terminal,
//! questions among their own examples, and settings of a model that are not applied.

use crate::support_cli::{Place, list, text, to_json_lines};
use serde_json::{Value, json};

const GENERATE: &str = "task: t\noutput_type: generate_until\ntest_split: test\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{a}}'\n\
     generation_kwargs: {max_gen_toks: 2}\nmetric_list:\n  - metric: exact_match\n";

/// Whether a terminal would obey something in a text.
fn obeys(text: &str) -> bool {
    text.chars()
        .any(|char| (char.is_control() && !matches!(char, '\n' | '\t')) || char == '\u{202e}')
}

fn rows(place: &Place, count: usize) {
    let rows: Vec<Value> = (0..count)
        .map(|at| json!({"id": format!("q{at}"), "q": format!("Dial {at}"), "a": format!("{at}")}))
        .collect();
    place.write("rows.jsonl", to_json_lines(&rows));
    place.write("t.yaml", GENERATE);
}

#[test]
fn a_chat_template_that_hangs_or_rambles_is_refused_in_one_line() {
    let place = Place::new();
    rows(&place, 1);
    let loops = "{% for a in range(1000) %}".repeat(4) + "x" + &"{% endfor %}".repeat(4);
    let doubles = "{% set ns = namespace(a=['x']) %}{% for i in range(40) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}";
    let nested = format!("{{{{ {} 1 }}}}", "not ".repeat(100_000));
    let said = format!("{{{{ raise_exception('{}') }}}}", "line\\n".repeat(50));
    for (template, expected) in [
        (loops.as_str(), "too many steps"),
        (doubles, "more than 16 MiB"),
        ("{{ 'x' * 50000000 }}", "more than 16 MiB"),
        ("{{ 'x' | center(10 ** 12) }}", "too wide"),
        (nested.as_str(), "256 levels deep"),
        (said.as_str(), "line line"),
        ("{{ raise_exception('x' * 1000000) }}", "xxx..."),
        ("{{ raise_exception('a\\x1b[2Jb\\r\\nc') }}", "a\\x1b[2Jb c"),
    ] {
        place.model_copy("m").with_chat_template(template);
        for command in [
            "generate --model m --prompt x --chat",
            "eval --model m --task t.yaml --data rows.jsonl --chat --show-prompts 1",
        ] {
            let reason = place.refused(command);
            assert!(reason.contains(expected), "{reason}");
            assert!(!obeys(&reason) && reason.len() < 2_000, "{reason}");
        }
    }
}

#[test]
fn no_control_character_of_a_file_reaches_the_terminal() {
    let place = Place::new();
    let bad = "\u{1b}]0;title\u{7}\u{9b}31m\u{202e}";
    let row =
        json!({"id": format!("i{bad}"), "q": format!("Dial{bad}"), "a": "1", "c": ["up", bad]});
    place.write("rows.jsonl", to_json_lines(&[row]));
    // As YAML has it, where no control character may stand as it is.
    let quoted = |text: &str| {
        let escaped = text.chars().map(|char| match char.is_ascii_graphic() {
            true => char.to_string(),
            false => format!("\\u{:04x}", char as u32),
        });
        format!("\"{}\"", escaped.collect::<String>())
    };
    let name = quoted(&format!("t{bad}"));
    place.write(
        "t.yaml",
        GENERATE.replace("task: t", &format!("task: {name}")),
    );
    let data = "--model @demo --task t.yaml --data rows.jsonl";
    for line in [
        format!("eval {data} --show-prompts 1"),
        format!("eval {data} --show-prompts 1 --json"),
        format!("eval {data}"),
        format!("eval {data} --json"),
    ] {
        let ended = place.ok(&line);
        assert!(
            !obeys(&ended.stdout) && !obeys(&ended.stderr),
            "{line}: {ended:?}"
        );
    }
    // JSON says the same as before.
    let shown = place
        .ok(&format!("eval {data} --show-prompts 1 --json"))
        .json();
    assert_eq!(text(&shown["prompts"][0]["id"]), format!("i{bad}"));
    // An error that quotes a file, of any length.
    for wrong in [bad.to_owned(), "x\n".repeat(100_000)] {
        let yaml = GENERATE.replace("generate_until", &quoted(&wrong));
        place.write("wrong.yaml", yaml);
        let reason = place.refused("eval --model @demo --task wrong.yaml --data rows.jsonl");
        assert!(reason.contains("output_type"), "{reason}");
        assert!(!obeys(&reason) && reason.len() < 3_000, "{reason}");
    }
    let model = place.model_copy("m");
    model.edit("config.json", |config| {
        config["architectures"] = json!([bad])
    });
    let reason = place.refused("inspect --model m");
    assert!(
        reason.contains("\\u{1b}]0;title") && !obeys(&reason),
        "{reason}"
    );
}

#[test]
fn a_question_among_its_own_examples_is_counted_and_left_out_on_demand() {
    let place = Place::new();
    rows(&place, 4);
    for fewshot in ["--fewshot-data rows.jsonl", "--fewshot-data copy.jsonl"] {
        let copy = place
            .read("rows.jsonl")
            .replace("\"id\":\"q", "\"id\":\"copy");
        place.write("copy.jsonl", copy);
        let data =
            format!("eval --model @demo --task t.yaml --data rows.jsonl {fewshot} --num-fewshot 3");
        let own = |flags: &str| -> Vec<bool> {
            let shown = place.ok(&format!("{data} --show-prompts 4 --json {flags}"));
            let warned = |prompt: &Value| prompt["warnings"].get("shows-itself").is_some();
            let shown = shown.json();
            let prompts = list(&shown["prompts"]);
            for (at, prompt) in prompts.iter().enumerate() {
                // Question and answer of the examples, and the question itself.
                let there = text(&prompt["prompt"])
                    .matches(&format!("Dial {at}"))
                    .count()
                    == 2;
                assert_eq!(there, warned(prompt), "{prompt}");
            }
            prompts.iter().map(warned).collect()
        };
        let shown = own("").into_iter().filter(|own| *own).count();
        assert!(shown > 0, "{fewshot}");
        assert_eq!(own("--exclude-self"), [false; 4], "{fewshot}");
        let words = "stands among its own solved examples";
        let told = place.ok(&data).stderr;
        let line = told.lines().find(|line| line.contains(words)).unwrap();
        assert!(
            line.contains("warning: t: ") && line.contains("--exclude-self leaves it out"),
            "{line}"
        );
        let samples = if shown == 1 {
            "sample q"
        } else {
            &format!("{shown} samples, q")
        };
        assert!(line.contains(samples), "{line}");
        let told = place.ok(&format!("{data} --exclude-self")).stderr;
        assert!(!told.contains(words), "{told}");
    }
}

#[test]
fn settings_of_a_generation_that_are_not_applied_are_told() {
    let place = Place::new();
    rows(&place, 1);
    let choice = "task: c\noutput_type: multiple_choice\ndoc_to_text: '{{q}}'\ndoc_to_target: 0\ndoc_to_choice: ['1', '2']\nmetric_list:\n  - metric: acc\n";
    place.write("c.yaml", choice);
    let model = place.model_copy("m");
    let words = "cola does not apply";
    let told = |line: &str| place.ok(line).stderr.matches(words).count();
    let eval = "eval --model m --task t.yaml --data rows.jsonl";
    model.edit("generation_config.json", |config| {
        config["temperature"] = json!(0.6);
        config["repetition_penalty"] = json!(1.0);
    });
    assert_eq!(told(eval), 0);
    let plain = place.ok("inspect --model m").stdout;
    assert!(!plain.contains("not applied"), "{plain}");
    model.edit("generation_config.json", |config| {
        config["repetition_penalty"] = json!(1.1);
        config["suppress_tokens"] = json!([5, 6]);
        config["chat_format"] = json!("x");
    });
    let stderr = place.ok(eval).stderr;
    assert!(
        stderr.contains("cola eval: warning: the model's generation config sets repetition_penalty 1.1, suppress_tokens [5,6], which cola does not apply")
            && stderr.contains("sets chat_format \"x\", which cola does not know"),
        "{stderr}"
    );
    assert_eq!(told("generate --model m --prompt x --max-new-tokens 1"), 1);
    assert_eq!(
        told("search --model m --task t.yaml --data rows.jsonl --simulations 1 --out run"),
        1
    );
    // Options are scored, not generated.
    assert_eq!(told("eval --model m --task c.yaml --data rows.jsonl"), 0);
    let inspected = place.ok("inspect --model m --json").json();
    let expected =
        json!({"chat_format": "x", "repetition_penalty": 1.1, "suppress_tokens": [5, 6]});
    assert_eq!(inspected["generation_not_applied"], expected);
    let shown = place.ok("inspect --model m").stdout;
    assert!(
        shown.contains("not applied:\n  chat_format \"x\", repetition_penalty 1.1"),
        "{shown}"
    );
}
