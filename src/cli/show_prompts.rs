//! `cola eval --show-prompts`: the questions as the model reads them. Needs no weights.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use serde_json::{Value, json};

use super::{CliError, Ending, args::EvalArgs, error::in_flags, output, tasks};
use crate::prepare::Prompt;
use cola_model::{Model, Tokenizer};
use lm_tasks::{Question, Sample};

/// Prints the prompts of the first `count` samples of each task.
pub fn run(args: &EvalArgs, count: usize) -> Result<Ending, CliError> {
    let mut wanted = args.tasks.clone();
    wanted.limit = Some(wanted.limit.map_or(count, |limit| limit.min(count)));
    let loaded = tasks::load(&wanted)?;
    let located = args.model.locate()?;
    let max_positions = Model::describe(&located.path)?.max_positions;
    tasks::check_room(&loaded, max_positions)?;
    let tokenizer = Arc::new(Tokenizer::load(&located.tokenizer)?);
    let how = &args.tasks.prompts;
    let layout = how.layout(Arc::clone(&tokenizer), &located.path, max_positions)?;
    let (mut text, mut objects) = (String::new(), Vec::new());
    for sample in &loaded.samples {
        let prompts = layout.prompts(sample)?;
        for prompt in &prompts {
            let read = tokenizer.decode_special(&prompt.tokens)?;
            match args.json {
                true => objects.push(object(sample, prompt, &read)),
                // Writing to a String cannot fail.
                false => drop(write_prompt(&mut text, sample, prompt, &read)),
            }
        }
    }
    if args.json {
        let model = located.name;
        output::json(&json!({ "model": model, "prompts": objects }))?;
    } else {
        output::print(&text)?;
    }
    Ok(Ending::Done)
}

fn object(sample: &Sample, prompt: &Prompt, read: &str) -> Value {
    let continuations = prompt.continuations.iter();
    let continuations = continuations.map(|c| json!({ "text": c.text, "tokens": c.tokens }));
    let warnings: BTreeMap<&str, String> = prompt
        .warnings
        .iter()
        .map(|warning| (warning.name(), in_flags(&warning.to_string())))
        .collect();
    let mut object = json!({
        "task": sample.task.name,
        "id": sample.id,
        "rotation": prompt.rotation,
        "prompt": read,
        "tokens": prompt.tokens,
        "cut": prompt.cut,
        "continuations": continuations.collect::<Vec<_>>(),
        "gold": prompt.gold,
        "warnings": warnings,
    });
    if let Question::Generate {
        until, max_tokens, ..
    } = &sample.own.question
    {
        object["generate"] = json!({ "max_tokens": max_tokens, "until": until });
    }
    object
}

fn write_prompt(
    text: &mut String,
    sample: &Sample,
    prompt: &Prompt,
    read: &str,
) -> std::fmt::Result {
    let rotation = match prompt.rotation {
        0 => String::new(),
        places => format!(", options rotated by {places}"),
    };
    let cut = match prompt.cut {
        0 => String::new(),
        cut => format!(", {cut} before them cut off"),
    };
    let count = prompt.tokens.len();
    let (task, id) = (&sample.task.name, &sample.id);
    writeln!(text, "{task}, sample {id}{rotation}: {count} tokens{cut}")?;
    // Bars show white space at both ends.
    writeln!(text, "  |{}|", read.replace('\n', "\n  |"))?;
    writeln!(text, "  {:?}", prompt.tokens)?;
    match &sample.own.question {
        Question::Generate {
            until, max_tokens, ..
        } => {
            let until = match until.as_slice() {
                [] => String::new(),
                until => format!(" or until {until:?}"),
            };
            writeln!(text, "up to {max_tokens} tokens generated{until}; gold:")?;
        }
        _ => writeln!(text, "scored after it:")?,
    }
    for (at, continuation) in prompt.continuations.iter().enumerate() {
        let mark = match at == prompt.gold {
            true => "*",
            false => " ",
        };
        let tokens = &continuation.tokens;
        writeln!(text, "{mark} {:?} {tokens:?}", continuation.text)?;
    }
    for warning in &prompt.warnings {
        writeln!(text, "warning: {}", in_flags(&warning.to_string()))?;
    }
    writeln!(text)
}
