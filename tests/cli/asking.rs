//! How questions are asked: by letter, in every order of the options, through a chat with a system
//! message, told by verdict; and `--show-prompts`, which says what the model reads.

use crate::support_cli::{
    FLOAT, Place, assert_same_records, count, json_lines, list, number, text, to_json_lines, truth,
};
use cola::{
    chain::Chain,
    model::{Compute, Model, Repeat, Tokenizer},
};
use serde_json::{Value, json};

const DATA: &str = "--model @demo --task commonsense --data facts.jsonl";

fn place() -> Place {
    let place = Place::new();
    place.synth("facts.jsonl", "commonsense", 2, 8);
    place
}

/// The rows with every list of options rotated by `turn`, and the gold label moved along: written
/// without the program's own code.
fn rotated(rows: &[Value], turn: usize) -> Vec<Value> {
    let turned = |row: &Value| {
        let mut row = row.clone();
        let texts = list(&row["choices"]["text"]).to_vec();
        let labels = list(&row["choices"]["label"]).to_vec();
        let count = texts.len();
        let gold = labels.iter().position(|l| *l == row["answerKey"]).unwrap();
        let moved: Vec<Value> = (0..count)
            .map(|at| texts[(at + turn) % count].clone())
            .collect();
        row["choices"]["text"] = json!(moved);
        row["answerKey"] = labels[(gold + count - turn) % count].clone();
        row
    };
    rows.iter().map(turned).collect()
}

/// What each pair of (sample, chain) is answered, of rows in each of four orders by itself.
fn one_by_one(place: &Place, model: &str, flags: &str, pairs: &str) -> Vec<Vec<Value>> {
    let rows = json_lines(&place.read("facts.jsonl"));
    (0..4)
        .map(|turn| {
            place.write("turned.jsonl", to_json_lines(&rotated(&rows, turn)));
            let data = DATA.replace("facts.jsonl", "turned.jsonl");
            let data = data.replace("@demo", model);
            place.ok(&format!("eval {data} {flags} --pairs {pairs} --out turned"));
            json_lines(&place.read("turned/pairs.jsonl"))
        })
        .collect()
}

/// Chains of two, some of which answer right and some do not.
fn write_pairs(place: &Place) -> usize {
    let rows = json_lines(&place.read("facts.jsonl"));
    let chains = [
        "0-11",
        "0-4,6-11",
        "0-5",
        "2-11",
        "0-3,(4-7)x2,8-11",
        "11",
        "0-8",
    ];
    let pairs: Vec<Value> = rows
        .iter()
        .flat_map(|row| chains.map(|chain| json!({"id": row["id"], "chain": chain})))
        .collect();
    place.write("pairs.jsonl", to_json_lines(&pairs));
    pairs.len()
}

#[track_caller]
fn assert_all_orders(place: &Place, model: &str, flags: &str) {
    let pairs = write_pairs(place);
    let orders = one_by_one(place, model, flags, "pairs.jsonl");
    let data = DATA.replace("@demo", model);
    place.ok(&format!(
        "eval {data} {flags} --rotations --pairs pairs.jsonl --out all"
    ));
    let lines = json_lines(&place.read("all/pairs.jsonl"));
    assert_eq!(lines.len(), pairs, "one verdict a pair");
    let (mut right, mut wrong_in_some) = (0, 0);
    for (at, line) in lines.iter().enumerate() {
        let verdicts: Vec<bool> = orders.iter().map(|o| truth(&o[at]["correct"])).collect();
        let all = verdicts.iter().all(|&right| right);
        assert_eq!(truth(&line["correct"]), all, "{line} {verdicts:?}");
        right += usize::from(all);
        wrong_in_some += usize::from(!all && verdicts.contains(&true));
        let margins = orders.iter().map(|o| number(&o[at]["margin"]));
        let least = margins.fold(f64::INFINITY, f64::min);
        assert!(
            (number(&line["margin"]) - least).abs() < FLOAT,
            "{line} {least}"
        );
    }
    println!("{flags}: {right} right, {wrong_in_some} in some orders, of {pairs}");
    assert!(
        wrong_in_some > 0,
        "no chain hangs on the order: nothing was shown"
    );
}

#[test]
fn a_chain_is_right_only_if_it_is_in_every_order_of_the_options() {
    assert_all_orders(&place(), "@demo", "");
}

#[test]
fn letters_are_asked_in_every_order_too() {
    let place = place();
    // The bundled model answers in words: here they are read as letters, by how they begin.
    place.model_copy("m").edit("tokenizer.json", |tokenizer| {
        let bytes = tokenizer["decoder"].take();
        let letters = ["[a-g]", "[h-l]", "[m-r]", "[s-z]"]
            .iter()
            .zip(["A", "B", "C", "D"]);
        let read = letters.map(|(class, letter)| {
            let pattern = format!("^ ?{class}[a-z]*");
            json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": letter})
        });
        let steps: Vec<Value> = std::iter::once(bytes).chain(read).collect();
        tokenizer["decoder"] = json!({"type": "Sequence", "decoders": steps});
    });
    assert_all_orders(&place, "m", "--letters");
}

#[test]
fn a_search_over_rotations_records_each_sample_once_and_resumes() {
    let place = place();
    let search = format!("search {DATA} --limit 5 --simulations 15 --controls 3 --rotations");
    place.ok(&format!("{search} --out whole"));
    let whole = place.records("whole");
    assert_eq!(whole.len(), 5);
    for (id, record) in &whole {
        assert!(record["error"].is_null(), "{id}");
        assert_eq!(text(&record["prompt_hash"]).len(), 32);
        for evaluation in list(&record["evaluations"]) {
            let right = truth(&evaluation["correct"]);
            assert_eq!(
                right,
                evaluation["answer"] == record["gold"],
                "{evaluation}"
            );
            assert_eq!(right, number(&evaluation["margin"]) > 0.0, "{evaluation}");
        }
    }
    // Cut off after two records, and in other batches.
    place.ok(&format!("{search} --out run"));
    let journal = place.read("run/samples.jsonl");
    let cut: String = journal.split_inclusive('\n').take(2).collect();
    place.write("run/samples.jsonl", cut);
    let again = "--in-flight 2 --workers 2 --state-budget 0";
    place.ok(&format!("{search} --out run {again}"));
    assert_same_records(&whole, &place.records("run"));
    // The chains of the search, one by one.
    let pairs: Vec<Value> = whole
        .iter()
        .flat_map(|(_, record)| {
            let told = list(&record["evaluations"]).iter();
            told.map(|e| json!({"id": record["id"], "chain": e["chain"], "told": e["correct"]}))
        })
        .collect();
    let asked = pairs
        .iter()
        .map(|p| json!({"id": p["id"], "chain": p["chain"]}));
    place.write("asked.jsonl", to_json_lines(&asked.collect::<Vec<_>>()));
    let orders = one_by_one(&place, "@demo", "", "asked.jsonl");
    for (at, pair) in pairs.iter().enumerate() {
        let all = orders.iter().all(|order| truth(&order[at]["correct"]));
        assert_eq!(truth(&pair["told"]), all, "{pair}");
    }
}

#[test]
fn rotations_of_what_the_prompt_does_not_list_are_refused() {
    let place = place();
    place.synth("arith.jsonl", "arith", 2, 3);
    place.synth("boolean.jsonl", "boolean", 1, 3);
    let eval = |task: &str, flags: &str| {
        format!("eval --model @demo --task {task} --data {task}.jsonl --limit 2 {flags}")
    };
    for (line, names) in [
        (
            eval("arith", "--rotations"),
            ["arith", "--rotations", "generated text"],
        ),
        (
            eval("arith", "--letters"),
            ["arith", "--letters", "generated text"],
        ),
        (
            eval("boolean", "--rotations"),
            ["boolean", "--rotations", "--letters"],
        ),
    ] {
        let reason = place.refused(&line);
        for name in names {
            assert!(reason.contains(name), "{reason}\nlacks {name:?}");
        }
    }
    place.write(
        "facts.yaml",
        "task: facts\noutput_type: multiple_choice\ndoc_to_text: '{{question}}'\n\
         doc_to_target: '{{choices.label.index(answerKey)}}'\ndoc_to_choice: '{{choices.text}}'\n\
         metric_list:\n  - metric: acc\n",
    );
    let facts = "eval --model @demo --task facts.yaml --data facts.jsonl --rotations";
    let reason = place.refused(facts);
    assert!(reason.contains("lists no options"), "{reason}");
    place.ok(&format!("{facts} --letters --limit 2"));
    place.ok(&eval("boolean", "--rotations --letters"));
}

#[test]
fn letters_are_generated_extracted_and_compared() {
    let place = place();
    place.ok(&format!("eval {DATA} --letters --out out --json"));
    let lines = place.samples("out", "commonsense");
    let rows = json_lines(&place.read("facts.jsonl"));
    assert_eq!(lines.len(), rows.len());
    for (line, row) in lines.iter().zip(&rows) {
        assert_eq!(line["target"], row["answerKey"]);
        let listed: Vec<String> = list(&row["choices"]["text"])
            .iter()
            .zip(["A", "B", "C", "D"])
            .map(|(option, letter)| format!("{letter}. {}\n", text(option)))
            .collect();
        let prompt = text(&line["prompt"]);
        let end = format!("\n{}Answer:", listed.concat());
        assert!(prompt.ends_with(&end), "{prompt}");
        let written = text(&line["resps"][0][0]).trim();
        let written = written.strip_suffix('.').unwrap_or(written);
        let answer = match written.len() == 1 && written.as_bytes()[0].is_ascii_alphabetic() {
            true => written.to_uppercase(),
            false => "[invalid]".to_owned(),
        };
        assert_eq!(text(&line["answer"]), answer, "{line}");
        assert_eq!(truth(&line["correct"]), line["answer"] == line["target"]);
        assert_eq!(
            number(&line["exact_match"]),
            f64::from(truth(&line["correct"]))
        );
    }
    // The control looks for another letter.
    place.ok(&format!(
        "search {DATA} --letters --simulations 4 --limit 4 --out run"
    ));
    let wrong: Vec<Value> = place
        .journal("run")
        .into_iter()
        .filter(|r| !r["controls"]["wrong_target"].is_null())
        .collect();
    assert!(!wrong.is_empty());
    for record in wrong {
        let target = text(&record["controls"]["wrong_target"]["target"]);
        assert!(
            ["A", "B", "C", "D"].contains(&target) && record["gold"] != target,
            "{record}"
        );
    }
}

#[test]
fn the_margin_of_a_text_is_the_least_lead_of_its_gold_tokens() {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 2, 6);
    let rows = json_lines(&place.read("arith.jsonl"));
    let chains = ["0-11", "0-4,6-11", "0-3,(4-7)x2,8-11"];
    let pairs: Vec<Value> = rows
        .iter()
        .flat_map(|row| chains.map(|chain| json!({"id": row["id"], "chain": chain})))
        .collect();
    place.write("pairs.jsonl", to_json_lines(&pairs));
    place.ok("eval --model @demo --task arith --data arith.jsonl --pairs pairs.jsonl --out out");
    let model = Model::load(&crate::support_cli::demo_model(), Compute::cpu()).unwrap();
    let tokenizer = Tokenizer::load(&crate::support_cli::demo_model()).unwrap();
    for line in json_lines(&place.read("out/pairs.jsonl")) {
        let row = rows.iter().find(|row| row["id"] == line["id"]).unwrap();
        let prompt = format!("{}\nAnswer:", text(&row["question"]));
        let before = tokenizer.encode(&prompt).unwrap().len();
        let whole = format!("{prompt} {}", text(&row["answer"]));
        let tokens = tokenizer.encode(&whole).unwrap();
        let chain = Chain::parse(text(&line["chain"]), model.depth()).unwrap();
        // Differences of logits are differences of log-probabilities.
        let logits = model.logits(&tokens, &chain, Repeat::Clean).unwrap();
        let lead = |at: usize| {
            let scores = Vec::<f32>::try_from(logits.get(at as i64 - 1)).unwrap();
            let gold = tokens[at] as usize;
            let others = scores
                .iter()
                .enumerate()
                .filter(|(token, _)| *token != gold);
            let best = others
                .map(|(_, score)| *score)
                .fold(f32::NEG_INFINITY, f32::max);
            f64::from(scores[gold] - best)
        };
        let least = (before..tokens.len())
            .map(lead)
            .fold(f64::INFINITY, f64::min);
        assert!(
            (number(&line["margin"]) - least).abs() < FLOAT,
            "{line} {least}"
        );
    }
}

#[test]
fn how_questions_are_asked_is_part_of_the_run() {
    let place = place();
    place.model_copy("m").with_chat_template(
        "{% for m in messages %}{{ m.content }}~{% endfor %}"
            .replace('~', "\n")
            .as_str(),
    );
    let data = DATA.replace("@demo", "m");
    let search = format!("search {data} --limit 2 --simulations 3 --controls 0");
    for (flags, other, name) in [
        (
            "",
            "--letters",
            "`letters` was false when this run began, and is true now",
        ),
        ("--rotations", "", "`rotations` was true"),
        (
            "",
            "--score verdict",
            "`search.params.verdict_only` was null",
        ),
        (
            "--chat --system Be~brief",
            "--chat",
            "`system` was \"Be brief\"",
        ),
    ] {
        let out = format!("run{}", flags.len() + other.len());
        place.ok(&format!("{search} {flags} --out {out}"));
        place.ok(&format!("{search} {flags} --out {out}"));
        let reason = place.refused(&format!("{search} {other} --out {out}"));
        assert!(reason.contains(name), "{reason}\nlacks {name}");
    }
    let reason = place.refused(&format!("{search} --out x --preset dr-llm --score margin"));
    assert!(reason.contains("--preset dr-llm reproduces"), "{reason}");
    assert!(!place.has("x"));
}

#[test]
fn a_system_message_that_the_template_does_not_take_is_refused() {
    let place = place();
    place
        .model_copy("m")
        .with_chat_template("{{ messages[-1].content }}");
    place.model_copy("n").with_chat_template(
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}\
         {{ messages[0].content }}",
    );
    let eval = |model: &str| format!("eval {} --limit 2 --chat", DATA.replace("@demo", model));
    for (model, reason) in [("m", "drops system messages"), ("n", "no system")] {
        let told = place.refused(&format!("{} --system Be~brief", eval(model)));
        assert!(told.contains("--system") && told.contains(reason), "{told}");
    }
    // A description is left out instead, as lm-evaluation-harness leaves it out, and that is told.
    let yaml = include_str!("../../datasets/commonsense.yaml");
    place.write(
        "described.yaml",
        format!("{yaml}description: \"Think.\\n\"\n"),
    );
    let described = eval("n").replace("--task commonsense", "--task described.yaml");
    let told = place.ok(&described).stderr;
    assert!(
        told.contains("2 samples") && told.contains("description is left out"),
        "{told}"
    );
    let ended = place.run(&format!("eval {DATA} --system x"));
    assert!(ended.stderr.contains("--chat"), "{}", ended.stderr);
}

#[test]
fn prompts_are_shown_as_the_model_reads_them_without_reading_weights() {
    let place = place();
    place.model_copy("m").write("model.safetensors", "");
    let data = DATA.replace("@demo", "m");
    let shown = place
        .ok(&format!("eval {data} --show-prompts 2 --json"))
        .json();
    let prompts = list(&shown["prompts"]);
    assert_eq!(prompts.len(), 2);
    let rows = json_lines(&place.read("facts.jsonl"));
    place.ok(&format!("eval {DATA} --limit 2 --out out"));
    let lines = place.samples("out", "commonsense");
    for ((prompt, row), line) in prompts.iter().zip(&rows).zip(&lines) {
        assert_eq!(
            (&prompt["id"], &prompt["rotation"]),
            (&row["id"], &json!(0))
        );
        assert_eq!(
            text(&prompt["prompt"]).strip_prefix("<s>"),
            line["prompt"].as_str()
        );
        let texts: Vec<&Value> = list(&prompt["continuations"])
            .iter()
            .map(|c| &c["text"])
            .collect();
        let argument = |at: usize| &line["arguments"][format!("gen_args_{at}")]["arg_1"];
        let arguments: Vec<&Value> = (0..texts.len()).map(argument).collect();
        assert_eq!(texts, arguments);
        assert!(list(&prompt["tokens"]).len() > 4);
        let gold = &prompt["continuations"][count(&prompt["gold"]) as usize]["text"];
        assert_eq!(text(gold).trim(), text(&line["gold"]));
        assert_eq!(prompt["warnings"], json!({}));
    }
    let table = place
        .ok(&format!(
            "eval {data} --show-prompts 1 --rotations --letters"
        ))
        .stdout;
    assert_eq!(
        table.matches("up to 2 tokens generated").count(),
        4,
        "{table}"
    );
    for words in [
        "  |<s>",
        "Answer:|",
        "options rotated by 3",
        "* \" ",
        "\nA. ",
    ]
    .map(|w| w.replace("\nA", "\n  |A"))
    {
        assert!(table.contains(&words), "{table}\nlacks {words:?}");
    }
    let reason = place.run(&format!("eval {data} --show-prompts 1 --out out"));
    assert_eq!(reason.status, Some(2));
}

#[test]
fn what_looks_wrong_with_a_prompt_is_told_with_the_prompt_and_counted_in_a_run() {
    let place = Place::new();
    let rows: Vec<Value> = (0..4)
        .map(|at| {
            let long = at == 3;
            let question = if long {
                "Dial 3 up 5. ".repeat(60)
            } else {
                "Dial 3".to_owned()
            };
            json!({"id": format!("q{at}"), "q": question, "a": 1, "c": ["up", "down"]})
        })
        .collect();
    place.write("rows.jsonl", to_json_lines(&rows));
    let task = |name: &str, prompt: &str, delimiter: &str, rest: &str| {
        place.write(
            &format!("{name}.yaml"),
            format!(
                "task: {name}\ndoc_to_text: \"{prompt}\"\ntarget_delimiter: \"{delimiter}\"\n{rest}"
            ),
        );
    };
    let choice = "output_type: multiple_choice\ndoc_to_target: a\ndoc_to_choice: c\nmetric_list:\n  - metric: acc\n";
    let generate = "output_type: generate_until\ndoc_to_target: '{{c[1]}}'\ngeneration_kwargs: {max_gen_toks: 3}\nmetric_list:\n  - metric: exact_match\n";
    task("glued", "{{q}}:", "", choice);
    task("double", "{{q}} ", " ", choice);
    task("trailing", "{{q}} ", " ", generate);
    task("twice", "<s><s>{{q}}", " ", generate);
    task("once", "<s>{{q}}", " ", generate);
    let spaced = choice.replace("c\nm", "\"{{[' up', ' down']}}\"\nm");
    task("spaced", "{{q}}", " ", &spaced);
    task("fine", "{{q}}", " ", generate);
    for (name, warning, words) in [
        ("glued", "no-space", "no space between"),
        ("double", "double-space", "both sides"),
        ("trailing", "trailing-space", "ends in white space"),
        ("twice", "double-beginning", "two beginning-of-sequence"),
        ("once", "own-beginning", "so that there is one"),
        ("spaced", "double-space", "both sides"),
        ("fine", "", ""),
    ] {
        let data = format!("--model @demo --task {name}.yaml --data rows.jsonl");
        let shown = place
            .ok(&format!("eval {data} --show-prompts 9 --json"))
            .json();
        let prompts = list(&shown["prompts"]);
        let has = |prompt: &Value, name: &str| prompt["warnings"].get(name).is_some();
        assert_eq!(prompts.len(), 4);
        for prompt in prompts {
            let long = prompt["id"] == "q3";
            assert_eq!(has(prompt, "cut"), long, "{prompt}");
            assert_eq!(count(&prompt["cut"]) > 0, long, "{prompt}");
            assert!(
                warning.is_empty() || long || has(prompt, warning),
                "{prompt}"
            );
        }
        let told = place.ok(&format!("eval {data} --json")).stderr;
        let of = |words: &str| -> Vec<String> {
            let lines = told
                .lines()
                .filter(|line| line.contains("warning: ") && line.contains(words));
            lines.map(str::to_owned).collect()
        };
        let cut = of("longer than the model's context");
        assert_eq!(cut.len(), 1, "{told}");
        assert!(cut[0].contains(&format!("{name}: sample q3: ")), "{told}");
        if !words.is_empty() {
            let lines = of(words);
            assert_eq!(lines.len(), 1, "{told}");
            assert!(lines[0].contains("samples, q0 among them"), "{told}");
        }
    }
    let data = "--model @demo --task trailing.yaml --data rows.jsonl --limit 3";
    let told = place
        .ok(&format!("search {data} --simulations 2 --out run"))
        .stderr;
    assert_eq!(
        told.matches("warning: trailing: 3 samples").count(),
        1,
        "{told}"
    );
}

#[test]
fn no_bos_leaves_the_tokenizers_special_tokens_out() {
    let place = place();
    let prompts = |flags: &str| {
        let ended = place.ok(&format!("eval {DATA} --show-prompts 3 --json {flags}"));
        list(&ended.json()["prompts"]).to_vec()
    };
    let (with, without) = (prompts(""), prompts("--no-bos"));
    assert_eq!(with.len(), without.len());
    for (with, without) in with.iter().zip(&without) {
        // The bundled tokenizer puts token 0 first.
        assert_eq!(list(&with["tokens"])[0], json!(0));
        assert_eq!(list(&with["tokens"])[1..], *list(&without["tokens"]));
        assert_eq!(with["continuations"], without["continuations"]);
    }
    let log_probs = |flags: &str, out: &str| {
        place.ok(&format!("eval {DATA} --limit 2 --out {out} {flags}"));
        place.samples(out, "commonsense")[0]["resps"].clone()
    };
    assert_ne!(log_probs("", "with"), log_probs("--no-bos", "without"));
    place.ok(&format!(
        "search {DATA} --limit 1 --simulations 2 --no-bos --out run"
    ));
    let manifest: Value = serde_json::from_str(&place.read("run/manifest.json")).unwrap();
    assert_eq!(manifest["no_bos"], json!(true));
    let generated = |flags: &str| {
        let ended = place.ok(&format!(
            "generate --model @demo --prompt Mia --max-new-tokens 1 --json {flags}"
        ));
        list(&ended.json()["prompt_tokens"]).to_vec()
    };
    assert_eq!(generated("")[1..], *generated("--no-bos"));
}

#[test]
fn an_option_longer_than_the_context_fails_its_sample() {
    let place = Place::new();
    let rows =
        ["up", &"up and down ".repeat(200)].map(|long| json!({ "q": "Dial", "c": [long, "down"] }));
    place.write("rows.jsonl", to_json_lines(&rows));
    place.write(
        "t.yaml",
        "task: t\noutput_type: multiple_choice\ndoc_to_text: q\ndoc_to_target: 1\ndoc_to_choice: c\n",
    );
    let ended = place
        .run("eval --model @demo --task t.yaml --data rows.jsonl --json")
        .with_status(1);
    assert_eq!(ended.json()["failed"], 1);
    assert!(
        ended
            .stderr
            .contains("longer than the model's context of 256"),
        "{}",
        ended.stderr
    );
}

#[test]
fn results_say_how_questions_were_asked() {
    let place = Place::new();
    place.synth("facts.jsonl", "commonsense", 2, 6);
    let eval = "eval --model @demo --task commonsense --data facts.jsonl --limit 3 --out out";
    place.ok(&format!("{eval} --letters --rotations --where level=2"));
    let results = place.results("out");
    assert_eq!(
        results["asked"],
        json!({ "chat": false, "letters": true, "rotations": true, "no_bos": false, "where": ["level=2"] })
    );
    assert_eq!(
        results["configs"]["commonsense"]["output_type"],
        "generate_until"
    );
    assert_eq!(
        results["n-samples"]["commonsense"],
        json!({ "original": null, "effective": 3 })
    );
    for line in place.samples("out", "commonsense") {
        // Four options in three other orders.
        assert_eq!(list(&line["rotated_resps"]).len(), 3, "{line}");
    }
}

#[test]
fn a_template_that_drops_the_description_is_told() {
    let place = Place::new();
    place.synth("facts.jsonl", "commonsense", 1, 2);
    place.write(
        "t.yaml",
        "include: commonsense.yaml\ntask: t\ndescription: Choose well.\n",
    );
    place.model_copy("m").with_chat_template(
        "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}",
    );
    let told = place
        .ok("eval --model m --task t.yaml --data facts.jsonl --chat")
        .stderr;
    assert!(told.contains("no place for a system message"), "{told}");
}

#[test]
fn what_export_writes_can_be_run_again() {
    let place = Place::new();
    place.synth("facts.jsonl", "commonsense", 2, 6);
    let search = "--model @demo --task commonsense --data facts.jsonl";
    place.ok(&format!(
        "search {search} --simulations 10 --controls 0 --out run"
    ));
    place.ok("export run --format jsonl --out chains.jsonl");
    place.ok(&format!("eval {search} --pairs chains.jsonl --out again"));
    let exported = json_lines(&place.read("chains.jsonl"));
    let found: Vec<&Value> = exported
        .iter()
        .filter(|row| !row["chain"].is_null())
        .collect();
    let again = json_lines(&place.read("again/pairs.jsonl"));
    assert!(!found.is_empty() && found.len() == again.len());
    for (row, pair) in found.iter().zip(&again) {
        assert_eq!(
            (&row["id"], &row["chain"], &pair["correct"]),
            (&pair["id"], &pair["chain"], &json!(true))
        );
    }
}
