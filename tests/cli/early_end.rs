//! A generation that ends as soon as its verdict is known is judged as one that goes on to the token limit.

use std::fs;
use std::sync::Arc;

use crate::support_cli::{demo_model, repository};
use cola::{
    chain::Chain,
    prelude::{
        Interrupt, Pair, Prepared, Problem, Progress, PromptLayout, SampleProblem, Session, Verdict,
    },
    prepare::PreparedSample,
    task::{LoadOptions, load_samples, resolve},
};

/// A sample whose generation goes on to a stop token or to the token limit.
struct ToTheLimit(SampleProblem);

impl Problem for ToTheLimit {
    type Judge = PreparedSample;

    fn task(&self) -> &str {
        self.0.task()
    }

    fn id(&self) -> &str {
        self.0.id()
    }

    fn gold(&self) -> String {
        self.0.gold()
    }

    fn fingerprint(&self) -> String {
        self.0.fingerprint()
    }

    fn prepare(&self) -> Result<Prepared<PreparedSample>, String> {
        let mut prepared = self.0.prepare()?;
        let plan = prepared.decode.as_mut().ok_or("nothing is generated")?;
        plan.finished = None;
        Ok(prepared)
    }
}

/// The verdict on each pair, and the tokens that were generated for it.
fn evaluate<P: Problem>(
    session: &Session,
    problems: &[P],
    chains: &[Chain],
) -> Vec<(Verdict, usize)> {
    let each = (0..problems.len()).flat_map(|problem| {
        let chains = chains.iter().cloned();
        chains.map(move |chain| Pair { problem, chain })
    });
    let pairs: Vec<Pair> = each.collect();
    let mut found: Vec<Option<(Verdict, usize)>> = vec![None; pairs.len()];
    let (never, mut progress) = (Interrupt::never(), Progress::quiet());
    let done = session.evaluate(problems, &pairs, &never, &mut progress, |at, evaluated| {
        let evaluated = evaluated.unwrap();
        let generated = evaluated.outcomes[0].generated.as_ref().unwrap();
        found[at] = Some((evaluated.verdict.clone(), generated.tokens.len()));
        Ok(())
    });
    assert!(!done.unwrap());
    found.into_iter().map(Option::unwrap).collect()
}

#[test]
fn early_ends_change_no_verdict_and_save_tokens() {
    let session = Session::builder(demo_model()).build().unwrap();
    let mut layout: PromptLayout = session.layout(None).unwrap();
    // So that every generation goes on.
    layout.stop_tokens = [].into();
    let layout = Arc::new(layout);
    let chains = [
        "0-11",
        "0-5,7-11",
        "0-3,5,4,6-11",
        "0-7,(8-9)x2,10-11",
        "0-2",
        "0-11,0-11",
    ];
    let chains: Vec<Chain> = chains.iter().map(|chain| chain.parse().unwrap()).collect();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("task.yaml");
    let mut saved = 0;
    for (filters, until) in [
        (
            r"[{function: regex, regex_pattern: '^\s*(-?[0-9][0-9,]*)'}]",
            "[]",
        ),
        (r"[{function: remove_whitespace}]", r#"["\n", "4", "7"]"#),
        (
            r"[{function: regex, regex_pattern: '\d', group_select: 1}, {function: lowercase}]",
            "[]",
        ),
        (
            r"[{function: lowercase}, {function: regex, regex_pattern: '([a-z]+)\d'}]",
            r#"["\n", "Dial"]"#,
        ),
    ] {
        let yaml = format!(
            "task: t\ndoc_to_text: \"{{{{question}}}}\\nAnswer:\"\ndoc_to_target: answer\n\
             filter_list: [{{name: f, filter: {filters}}}]\n\
             generation_kwargs: {{until: {until}, max_gen_toks: 16}}\n"
        );
        fs::write(&file, yaml).unwrap();
        let task = Arc::new(resolve(file.to_str().unwrap()).unwrap());
        let options = LoadOptions {
            data: vec![repository().join("datasets/demo/arith-2.jsonl")],
            limit: Some(6),
            ..LoadOptions::default()
        };
        let samples = load_samples(&task, &options).unwrap().samples;
        let early = SampleProblem::all(samples, &layout);
        let full: Vec<ToTheLimit> = early.iter().cloned().map(ToTheLimit).collect();
        let early = evaluate(&session, &early, &chains);
        let full = evaluate(&session, &full, &chains);
        let tokens =
            |found: &[(Verdict, usize)]| found.iter().map(|(_, tokens)| tokens).sum::<usize>();
        assert_eq!(tokens(&full), 16 * full.len(), "{filters}");
        saved += tokens(&full) - tokens(&early);
        for ((early, _), (full, _)) in early.iter().zip(&full) {
            // The rest of a batch may change a margin in its last digits.
            let apart = early.margin.zip(full.margin).map(|(a, b)| (a - b).abs());
            assert!(apart.is_none_or(|nats| nats < 1e-4), "{filters}: {apart:?}");
            let margin = full.margin;
            assert_eq!(
                Verdict {
                    margin,
                    ..early.clone()
                },
                *full,
                "{filters}"
            );
        }
    }
    assert!(saved > 0, "every generation ran to its limit");
}
