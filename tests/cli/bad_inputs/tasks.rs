//! Task files and rows.

use super::Case;
use crate::support_cli::Place;

const TASK: &str = "task: t
output_type: generate_until
doc_to_text: \"{{question}}\"
doc_to_target: answer
generation_kwargs: {until: [\"\\n\"], max_gen_toks: 2}
metric_list: [{metric: exact_match}]
";

pub fn cases(place: &Place) -> Vec<Case> {
    let mut cases = Vec::new();
    for (from, to) in [
        ("task: t", "task: 7"),
        ("task: t", "task: [a]"),
        ("task: t\n", ""),
        ("task: t", "task: ''"),
        ("generate_until", "poetry"),
        ("generate_until", "multiple_choice"),
        ("output_type: generate_until\n", ""),
        ("doc_to_text: \"{{question}}\"\n", ""),
        ("{{question}}", "{{question"),
        ("{{question}}", "{{ nothing }}"),
        ("{{question}}", "{% for x in y %}"),
        ("{{question}}", "{{ question.a.b }}"),
        ("{{question}}", "{{ 1/0 }}"),
        ("{{question}}", "{{ question | nothing }}"),
        ("{{question}}", "{{ 'x' * 1000000000000 }}"),
        (
            "{{question}}",
            "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        ),
        ("{{question}}", "{{ raise_exception('no') }}"),
        ("doc_to_target: answer", "doc_to_target: nothing"),
        ("doc_to_target: answer", "doc_to_target: \"{{ nothing }}\""),
        ("doc_to_target: answer", "doc_to_target: 3"),
        ("doc_to_target: answer\n", ""),
        ("max_gen_toks: 2", "max_gen_toks: 0"),
        ("max_gen_toks: 2", "max_gen_toks: -1"),
        ("max_gen_toks: 2", "max_gen_toks: many"),
        ("max_gen_toks: 2", "temperature: 1, do_sample: true"),
        ("max_gen_toks: 2", "num_beams: 4"),
        ("max_gen_toks: 2", "colour: red"),
        ("[\"\\n\"]", "7"),
        ("[\"\\n\"]", "[7]"),
        ("exact_match", "best_match"),
        ("[{metric: exact_match}]", "7"),
        ("[{metric: exact_match}]", "[{}]"),
        (
            "[{metric: exact_match}]",
            "[{metric: exact_match, colour: red}]",
        ),
        ("[{metric: exact_match}]", "[]"),
        (
            "[{metric: exact_match}]",
            "[{metric: exact_match, aggregation: sum}]",
        ),
        ("task: t", "task: t\ncolour: red"),
        ("task: t", "task: t\ntask: u"),
        ("task: t", "task: t\ninclude: none.yaml"),
        ("task: t", "task: t\ninclude: x.yaml"),
        ("task: t", "task: t\nfilter_list: 7"),
        ("task: t", "task: t\nfilter_list: [{name: a}]"),
        (
            "task: t",
            "task: t\nfilter_list: [{name: a, filter: [{function: magic}]}]",
        ),
        (
            "task: t",
            "task: t\nfilter_list: [{name: a, filter: [{function: regex, regex_pattern: '('}]}]",
        ),
        ("task: t", "task: t\nnum_fewshot: -1"),
        ("task: t", "task: t\nnum_fewshot: x"),
        ("task: t", "task: t\nnum_fewshot: 2"),
        ("task: t", "task: t\nprocess_docs: !function x.y"),
        ("task: t", "task: t\ndoc_to_choice: [a"),
        ("task: t", "task: t\nfewshot_config: 7"),
        ("task: t", "- task: t"),
        ("task: t", "task: &a [*a]"),
        ("task: t", "\ttask: t"),
        ("task: t", "task: !!python/object x"),
        ("task: t", "task: t\nrepeats: 3"),
        ("task: t", "task: t\nshould_decontaminate: maybe"),
        ("task: t", "task: t\ndataset_kwargs: 7"),
    ] {
        assert!(TASK.contains(from), "{from}");
        let name = format!("t{}.yaml", cases.len());
        place.write(&name, TASK.replacen(from, to, 1));
        let line = format!("eval --model @demo --task {name} --data arith.jsonl --limit 1");
        cases.push(Case::new(format!("task: {from:?} -> {to:?}"), line));
    }
    place.write("x.yaml", "include: x.yaml\n");
    for (what, text) in [
        ("empty", String::new()),
        ("a list", "[]".into()),
        ("a text", "hello".into()),
        ("not UTF-8", String::new()),
        ("deep brackets", "[".repeat(100_000)),
        ("a loop of includes", "include: x.yaml\n".into()),
        ("unfinished", "task: {".into()),
        ("a NUL", "task: \0".into()),
        (
            "aliases of aliases",
            (0..30)
                .map(|n| format!("a{n}: &a{n} [*a{m}, *a{m}]\n", m = n - 1))
                .collect(),
        ),
    ] {
        let name = format!("y{}.yaml", cases.len());
        match what {
            "not UTF-8" => place.write(&name, [0xff, 0xfe, b'a']),
            _ => place.write(&name, text),
        };
        let line = format!("eval --model @demo --task {name} --data arith.jsonl");
        cases.push(Case::new(format!("task file: {what}"), line));
    }
    rows(place, &mut cases);
    cases
}

fn rows(place: &Place, cases: &mut Vec<Case>) {
    let good = "{\"id\": \"a\", \"question\": \"Dial 1 up 2.\", \"answer\": \"3\"}\n";
    let long = format!(
        "{{\"question\": \"{}\", \"answer\": \"3\"}}\n",
        "x".repeat(1 << 20)
    );
    let digits = format!(
        "{{\"question\": \"q\", \"answer\": {}}}\n",
        "9".repeat(10_000)
    );
    for (name, text) in [
        ("empty.jsonl", String::new()),
        ("blank.jsonl", "\n\n".into()),
        ("brace.jsonl", "{".into()),
        ("list.jsonl", "[1]\n".into()),
        ("number.jsonl", "7\n".into()),
        ("text.jsonl", "\"x\"\n".into()),
        ("null.jsonl", "null\n".into()),
        ("nan.jsonl", "{\"question\": NaN, \"answer\": 1}\n".into()),
        ("comma.jsonl", "{\"question\": \"q\",}\n".into()),
        ("two.jsonl", format!("{good}{good}")),
        ("lacks-answer.jsonl", "{\"question\": \"q\"}\n".into()),
        ("lacks-question.jsonl", "{\"answer\": \"3\"}\n".into()),
        ("later.jsonl", format!("{good}{{\"question\": 1\n")),
        ("nul.jsonl", "\0\0\0".into()),
        (
            "surrogate.jsonl",
            "{\"question\": \"\\ud800\", \"answer\": \"3\"}\n".into(),
        ),
        (
            "deep.jsonl",
            format!("{{\"question\": {}\n", "[".repeat(100_000)),
        ),
        ("long.jsonl", long),
        ("digits.jsonl", digits),
        (
            "answer-null.jsonl",
            "{\"question\": \"q\", \"answer\": null}\n".into(),
        ),
        (
            "answer-object.jsonl",
            "{\"question\": \"q\", \"answer\": {\"a\": 1}}\n".into(),
        ),
        ("a.json", "{".into()),
        ("b.json", "{}".into()),
        ("c.json", "7".into()),
        ("d.json", "[7]".into()),
        ("e.json", "[]".into()),
        ("f.json", "{\"data\": 7}".into()),
        ("a.csv", String::new()),
        ("b.csv", "question,answer\n".into()),
        ("c.csv", "question,answer\nq\n".into()),
        ("d.csv", "question,answer\n\"q,3\n".into()),
        ("e.csv", "a,a\n1,2\n".into()),
        ("a.tsv", "question\tanswer\nq\n".into()),
        ("a.parquet", "PAR1".into()),
        ("b.parquet", "PAR1xxxxPAR1".into()),
        ("c.parquet", String::new()),
        ("a.arrow", "ARROW1".into()),
        ("b.arrow", String::new()),
        ("a.jsonl.gz", "not gzip".into()),
        ("a.jsonl.zst", "not zstd".into()),
        ("a.txt", good.into()),
        ("noending", good.into()),
    ] {
        place.write(name, text);
        let line = format!("eval --model @demo --task arith --data {name}");
        cases.push(Case::new(format!("rows {name}"), line));
    }
}
