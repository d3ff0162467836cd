use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::python;

fn templates() -> Templates {
    Templates::new()
}

fn columns(value: Json) -> Columns {
    value.as_object().unwrap().clone()
}

#[test]
fn pythons_methods_work_in_templates() {
    let columns = columns(json!({
        "choices": {"text": ["red", "blue"], "label": ["A", "B"]},
        "answerKey": " B",
        "answer": "steps\n#### 1,234",
        "label": 3,
    }));
    let row = Row::new(&columns);
    let text = |source: &str| templates().render(source, &row).unwrap();
    assert_eq!(text("{{choices.label.index(answerKey.lstrip())}}"), "1");
    assert_eq!(
        text("{{ answer.split('####')[-1].strip() | replace(',', '') }}"),
        "1234"
    );
    assert_eq!(
        text("{{choices['text'][0]}}, {{choices.text | join('/')}}"),
        "red, red/blue"
    );
    assert_eq!(text("{{ 'ABCD'[label] }}{{ 'ABCD'.index('C') }}"), "D2");
    assert_eq!(
        text("{{ 'ABCD'[answerKey|int - 1] if answerKey|string in '1234' else answerKey }}"),
        " B"
    );
    assert_eq!(
        text(r"{{ answer | regex_replace('[a-z]+', 'x') }}"),
        "x\n#### 1,234"
    );
    assert_eq!(
        text("{% for c in choices.text %}{{ loop.index }}.{{ c.title() }} {% endfor %}"),
        "1.Red 2.Blue "
    );
    assert_eq!(text("{{ answer[6:] }}{{ label|string }}"), "#### 1,2343");
}

#[test]
fn values_print_as_python_prints_them() {
    let columns = columns(json!({"a": ["x", "y's"], "n": null, "t": true, "f": 51.0}));
    let row = Row::new(&columns);
    assert_eq!(
        templates()
            .render("{{a}} {{n}} {{t}} {{f}}\n", &row)
            .unwrap(),
        "['x', \"y's\"] None True 51.0\n"
    );
}

#[test]
fn a_lone_expression_keeps_its_type() {
    let columns = columns(json!({"sol1": "a", "sol2": "it's", "label": 1, "gold": ["x"]}));
    let row = Row::new(&columns);
    assert_eq!(
        templates().evaluate("{{[sol1, sol2]}}", &row).unwrap(),
        json!(["a", "it's"])
    );
    assert_eq!(templates().evaluate("{{ label }}", &row).unwrap(), json!(1));
    assert_eq!(
        templates().evaluate("{{gold}}", &row).unwrap(),
        json!(["x"])
    );
    assert_eq!(
        templates()
            .evaluate("['{{sol1}}', \"{{sol2}}\"]", &row)
            .unwrap(),
        json!(["a", "it's"])
    );
    assert_eq!(
        templates()
            .evaluate("{% if label %}{{[sol2]}}{% endif %}", &row)
            .unwrap(),
        json!(["it's"])
    );
}

#[test]
fn a_missing_column_is_named() {
    let columns = columns(json!({"question": "q", "choices": {}}));
    let row = Row::new(&columns);
    for result in [
        templates()
            .render("{{question}} {{answer}}", &row)
            .map(|_| ()),
        templates().evaluate("{{answer}}", &row).map(|_| ()),
        templates()
            .evaluate("{{[answer, question]}}", &row)
            .map(|_| ()),
    ] {
        assert_eq!(
            result.unwrap_err(),
            "no column `answer` (the row has question, choices)"
        );
    }
    assert!(
        templates()
            .render("{{choices.text[0]}}", &row)
            .unwrap_err()
            .contains("undefined")
    );
    assert!(
        templates()
            .evaluate("{{choices.text}}", &row)
            .unwrap_err()
            .contains("undefined")
    );
    assert!(templates().check("{{ question").is_err());
}

/// Output of jinja2 in the environment of lm-evaluation-harness, recorded by `tests/make_jinja_cases.py`.
const RECORDED: &str = include_str!("../../tests/jinja_cases.json");

#[test]
fn templates_give_what_jinja2_gives() {
    let recorded = python::loads(RECORDED.as_bytes()).unwrap();
    let rows: Vec<Columns> = recorded["rows"]
        .as_array()
        .unwrap()
        .iter()
        .cloned()
        .map(columns)
        .collect();
    // Refused although jinja2 renders them: `%` on a string, `~` on other values, changed list literals of
    // the template.
    const REFUSALS: [&str; 3] = ["`~` ", "cannot be changed", "tried to use % operator"];
    let (mut different, mut refused) = (Vec::new(), BTreeSet::new());
    for case in recorded["cases"].as_array().unwrap() {
        let template = case["template"].as_str().unwrap();
        for (columns, output) in rows.iter().zip(case["outputs"].as_array().unwrap()) {
            let found = templates().render(template, &Row::new(columns));
            if let Err(reason) = &found
                && REFUSALS.iter().any(|refusal| reason.contains(refusal))
            {
                refused.insert(template);
                continue;
            }
            // No output is recorded if jinja2 raises an error. Such a template may render here, for example
            // if a list is longer than Python's.
            if let Some(output) = output.as_str()
                && found.as_deref() != Ok(output)
            {
                different.push(format!(
                    "{template}\n  jinja2: {output:?}\n  ours:   {found:?}"
                ));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert_eq!(refused.len(), 13, "{refused:#?}");
}

/// Output of transformers' environment, recorded by `tests/make_jinja_cases.py`.
const CHATS: &str = include_str!("../../tests/chat_cases.json");

#[test]
fn chats_are_those_of_transformers() {
    let recorded = python::loads(CHATS.as_bytes()).unwrap();
    let chats = Templates::of_chats();
    let mut different = Vec::new();
    for case in recorded["cases"].as_array().unwrap() {
        let template = case["template"].as_str().unwrap();
        let rows = recorded["rows"].as_array().unwrap().iter();
        for (row, output) in rows.zip(case["outputs"].as_array().unwrap()) {
            let columns = row.as_object().unwrap();
            let found = chats.render(template, &Row::new(columns));
            // No output is recorded if transformers refuses.
            if found.as_deref().ok() != output.as_str() {
                different.push(format!(
                    "{template}\n  theirs: {output}\n  ours:   {found:?}"
                ));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn what_no_template_here_can_is_refused_by_name() {
    let columns = columns(json!({"q": "a b", "l": [1]}));
    for (template, reason) in [
        ("{{ lipsum() }}", "unknown function: lipsum is unknown"),
        (
            "{{ q|wordwrap(3) }}",
            "unknown filter: filter wordwrap is unknown",
        ),
        (
            "{{ q|filesizeformat }}",
            "unknown filter: filter filesizeformat is unknown",
        ),
        (
            "{{ q.translate({}) }}",
            "unknown method: string has no method named translate",
        ),
        (
            "{{ '%d'|format(q) }}",
            "invalid operation: expected a number to format, not a string",
        ),
        (
            "{{ '%s %s'|format(q) }}",
            "invalid operation: not enough arguments for format string",
        ),
        (
            "{{ '%s'|format(q, q) }}",
            "invalid operation: not all arguments converted during string formatting",
        ),
        (
            "{{ '{:d}'.format(q) }}",
            "invalid operation: `d` is not a format for a string",
        ),
        (
            "{{ '{} {}'.format(q) }}",
            "invalid operation: format() has no argument for {}",
        ),
        (
            "{{ '%099999999d'|format(1) }}",
            "invalid operation: 99999999 is too wide",
        ),
        (
            "{{ l.append(l) }}",
            "invalid operation: a list within itself",
        ),
        (
            "{{ '%d' % l[0] }}",
            "invalid operation: tried to use % operator on unsupported types string and number",
        ),
        (
            "{% set a = [] %}{{ a.append(1) }}",
            "invalid operation: append: a list that a template writes out cannot be changed, only a list of the row",
        ),
        (
            "{{ q ~ 0.5 }}",
            "`~` of `0.5`, which Python prints in another way: write {{ a }}{{ b }}, or a|string ~ b",
        ),
        (
            "{{ 1 % 0 }}",
            "invalid operation: unable to calculate 1 % 0",
        ),
    ] {
        assert_eq!(
            templates()
                .render(template, &Row::new(&columns))
                .unwrap_err(),
            reason,
            "{template}"
        );
    }
}

#[test]
fn line_ends_of_a_template_are_jinja2s_and_those_of_a_row_stay() {
    let columns = columns(json!({"q": "x\r\ny\rz"}));
    let row = Row::new(&columns);
    let source = "a\r\n{{ q }}\rb{{ 'c\r\nd' }}{{ '\\r' }}\r\n";
    let expected = "a\nx\r\ny\rz\nbc\nd\r";
    assert_eq!(
        templates().render(source, &row).unwrap(),
        format!("{expected}\n")
    );
    // transformers leaves out the last line end.
    assert_eq!(
        Templates::of_chats().render(source, &row).unwrap(),
        expected
    );
    let evaluated = templates().evaluate("{{ ['a\r\nb', q] }}", &row);
    assert_eq!(evaluated.unwrap(), json!(["a\nb", "x\r\ny\rz"]));
}

#[test]
fn bytes_are_bytes_whatever_they_spell() {
    let columns =
        columns(json!({"raw": python::bytes_value(b"x"), "other": python::bytes_value(b"\xff")}));
    let row = Row::new(&columns);
    assert_eq!(
        templates()
            .render(
                "{{ raw }} {{ other }} {{ raw|string ~ 1 }} {{ [raw]|join }} {{ raw.decode() }}",
                &row
            )
            .unwrap(),
        r"b'x' b'\xff' b'x'1 b'x' x"
    );
    assert_eq!(
        templates().evaluate("{{ raw }}", &row).unwrap(),
        columns["raw"]
    );
}
