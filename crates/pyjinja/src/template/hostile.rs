//! Tests of templates that would hang, eat memory or overflow the stack.

use serde_json::json;

use super::*;

/// The message that a template is refused with, in both environments, on a stack of a thread's usual size.
fn refusal(source: &str) -> String {
    let row = json!({"text": "x".repeat(1_000), "list": [1], "messages": []});
    let refusals = [Templates::new(), Templates::of_chats()].map(|templates| {
        let rendered = templates.render(source, &Row::new(row.as_object().unwrap()));
        rendered.err().unwrap_or_default()
    });
    assert!(
        refusals.iter().all(|refusal| !refusal.is_empty()),
        "{source:.80} was rendered: {refusals:?}"
    );
    refusals.join("\n")
}

#[test]
fn loops_that_do_not_end_run_out_of_fuel() {
    for source in [
        "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% for d in range(1000) %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(a=[]) %}{% for a in range(1000) %}{% for b in range(1000) %}{% set ns.a = [ns.a] %}{% endfor %}{% endfor %}",
        "{{ range(1000000) | list | map('string') | list | map('string') | list | length }}",
        "{% set l = range(100000) | list %}{% for a in range(1000000) %}{{ l.count(0) }}{% endfor %}",
    ] {
        assert_eq!(
            refusal(source),
            [bounds::OUT_OF_FUEL; 2].join("\n"),
            "{source}"
        );
    }
}

#[test]
fn texts_and_lists_that_grow_beyond_measure_are_refused() {
    let doubled = "{% set ns = namespace(a='ab') %}{% for i in range(40) %}{% set ns.a = ns.a + ns.a %}{% endfor %}{{ ns.a }}";
    for source in [
        doubled,
        &doubled.replace("ns.a + ns.a", "ns.a ~ ns.a"),
        &doubled.replace("ns.a + ns.a", "ns.a * 2"),
        &doubled.replace("ns.a + ns.a", "[ns.a, ns.a]"),
        &doubled.replace("ns.a + ns.a", "{'x': ns.a, 'y': ns.a}"),
        &doubled
            .replace("ns.a + ns.a", "[ns.a, ns.a]")
            .replace("{{ ns.a }}", "{{ ns.a | tojson }}"),
        &doubled
            .replace("ns.a + ns.a", "[ns.a, ns.a]")
            .replace("{{ ns.a }}", "{{ ns.a | string | length }}"),
        &doubled
            .replace("ns.a + ns.a", "[ns.a, ns.a]")
            .replace("{{ ns.a }}", "{{ [ns.a] | join | length }}"),
        "{% for i in range(1000) %}{{ text * 50 }}{% endfor %}",
        "{{ 'x' * 10 ** 12 }}",
        "{{ ([0] * 10 ** 9) | list | length }}",
        "{{ ([0] * 10 ** 15).index(1) }}{{ ([0] * 10 ** 15).count(1) }}",
        "{{ ([0] * 10 ** 15) | join }}",
        "{{ 'x'.center(10 ** 12) }}{{ 'x' | center(10 ** 12) }}",
        "{{ 'x'.ljust(10 ** 12) }}",
        "{{ 'x'.zfill(10 ** 12) }}",
        "{{ ('\t' * 10000).expandtabs(100000) }}",
        "{{ (text * 1000).replace('', text * 1000) }}",
        "{{ (text * 1000) | replace('x', text * 1000) }}",
        "{{ (text * 1000) | regex_replace('x', text * 1000) if regex_replace is undefined }}{{ (text * 1000) | replace('x', text * 1000) }}",
        "{{ (text * 1000).join(['a'] * 1000000) }}",
        "{{ (['a'] * 1000) | join(text * 1000) }}",
        "{{ ('\n' * 100000 + 'x') | indent(text * 1000, true, true) }}",
        "{{ ('\nx' * 100000) | indent(60000) }}",
        "{{ ('{:>99999}' * 10000).format(*([1] * 10000)) }}",
        "{{ ('{0:>99999}' * 10000).format(1) }}",
        "{{ '%099999999999d' | format(1) }}",
        "{{ ('%99999s' * 1000) | format(*([1] * 1000)) }}",
        "{{ [1] | batch(10 ** 12, 0) | list }}",
        "{{ [1] | slice(10 ** 12, 0) | list }}",
        "{{ range(10 ** 15) | list }}",
        "{{ messages | tojson(indent=10 ** 9) if messages }}{{ 'x' * 10 ** 9 }}",
        "{% macro m(x, n) %}{{ m(x + x, n) }}{% endmacro %}{{ m('x', 1) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(n) %}{% if n %}{% for i in [1] %}{{ m(n) }}{% endfor %}{% endif %}{% endmacro %}{{ m(1) }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ (text * 10000).split('') }}{{ (text * 10000).split('x') | length }}",
        "{{ ('<' * 10000000) | e | e | e }}",
    ] {
        refusal(source);
    }
    // lm-evaluation-harness's own filter, and a list of the row that grows.
    let row = json!({"text": "x".repeat(1_000), "list": [1]});
    for source in [
        "{{ (text * 1000) | regex_replace('x', text * 1000) }}",
        "{{ (text * 10000) | regex_replace('(x+)', '\\\\1' * 10) }}",
        "{% for i in range(40) %}{% set _ = list.extend(list) %}{% endfor %}",
        "{% for i in range(40) %}{% set _ = list.append(list.copy()) %}{% endfor %}{{ list }}",
        "{% for i in range(1000000) %}{% set _ = list.insert(0, i) %}{% endfor %}",
    ] {
        let rendered = Templates::new().render(source, &Row::new(row.as_object().unwrap()));
        assert!(rendered.is_err(), "{source}");
    }
}

#[test]
fn what_a_template_says_is_one_line_that_a_terminal_does_not_obey() {
    let chats = Templates::of_chats();
    let columns = Columns::new();
    let row = Row::new(&columns);
    for (message, expected) in [
        (
            "'a\\n\\n  b\\x1b[31m\\r\\nc'",
            "invalid operation: a b\\x1b[31m c".to_owned(),
        ),
        (
            "'line\\n' * 50",
            format!("invalid operation: {}line", "line ".repeat(49)),
        ),
        (
            "'x' * 1000000",
            format!("invalid operation: {}...", "x".repeat(500)),
        ),
        ("[1, none]", "invalid operation: [1, None]".to_owned()),
    ] {
        let source = format!("{{{{ raise_exception({message}) }}}}");
        assert_eq!(chats.render(&source, &row), Err(expected));
    }
}

#[test]
fn templates_that_are_nested_too_deeply_or_too_long_are_refused() {
    let many = |unit: &str| unit.repeat(100_000);
    for source in [
        format!("{{{{ {} text }}}}", many("not ")),
        format!("{{{{ {}1 }}}}", many("-")),
        format!("{{{{ text{} }}}}", many(" ~ text")),
        format!("{{{{ text{} }}}}", many(" and text")),
        format!("{{{{ text{} }}}}", many(" + text")),
        format!("{{{{ text{} }}}}", many("|upper")),
        format!("{{{{ text{} }}}}", many(".a")),
        format!("{{{{ text{} }}}}", many("[0]")),
        format!("{{{{ {}1{} }}}}", many("["), many("]")),
        format!("{{{{ {}1{} }}}}", many("("), many(")")),
        format!("{{{{ {}1{} }}}}", many("{1:"), many("}")),
        format!("{{{{ 1{} }}}}", many(" if 1 else 1")),
        format!("{{{{ 1{} }}}}", many(" < 1")),
        format!("{{{{ text{} }}}}", many(" is defined")),
        format!("{{{{ text is{} defined }}}}", many(" not")),
        format!("{{% if text %}}{}{{% endif %}}", many("{% elif text %}")),
        format!("{}{}", many("{% if text %}"), many("{% endif %}")),
        format!("{}{}", many("{% for x in text %}"), many("{% endfor %}")),
        "x".repeat(2_000_000),
    ] {
        let message = refusal(&source);
        assert!(message.len() < 1_000, "{message:.200}");
        assert!(Templates::of_chats().check(&source).is_err());
    }
}

#[test]
fn what_real_templates_do_is_within_the_bounds() {
    let messages: Vec<Json> = (0..2_000)
        .map(|at| json!({"role": if at % 2 == 0 { "user" } else { "assistant" }, "content": "text ".repeat(200)}))
        .collect();
    let row = json!({"messages": messages, "add_generation_prompt": true});
    let source = "{%- set ns = namespace(last=0) %}{%- for message in messages %}{%- set ns.last = loop.index0 %}{%- \
         if message.role == 'user' and message.content is string %}{{- '<|im_start|>' + message.role + '\\n' + \
         message.content | trim + '<|im_end|>' + '\\n' }}{%- else %}{{- message | tojson }}{%- endif %}{%- endfor %}";
    let text = Templates::of_chats()
        .render(source, &Row::new(row.as_object().unwrap()))
        .unwrap();
    assert!(text.len() > 2_000_000);
    let elifs = "{% elif x == 'b' %}b".repeat(200);
    let long = format!("{{% if x == 'a' %}}a{elifs}{{% else %}}c{{% endif %}}");
    let row = json!({"x": "z"});
    let rendered = Templates::new().render(&long, &Row::new(row.as_object().unwrap()));
    assert_eq!(rendered.unwrap(), "c");
}
