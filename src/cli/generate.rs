//! `cola generate`.

use std::{io::IsTerminal, sync::Arc};

use serde_json::json;

use super::{
    CliError, Ending,
    args::GenerateArgs,
    generation::tell_unapplied,
    output,
    prompts::{check_system, messages},
    setup,
};
use crate::terminal::note;
use cola_engine::{DecodePlan, Finish, Generated, Request, Row};
use cola_model::{Model, Sampling, stop_tokens};
use cola_search::chain::Chain;

pub fn run(args: &GenerateArgs) -> Result<Ending, CliError> {
    let sampling = sampling(args)?;
    let model = args.model.locate()?;
    let depth = Model::inspect(&model.path)?.spec.layers.len();
    let chain = match &args.chain {
        Some(text) => Chain::parse(text, depth)?,
        None => Chain::identity(depth),
    };
    tell_unapplied("cola generate", &model.path)?;
    let loaded = setup::load(&model, &args.model.compute)?;
    let tokenizer = &loaded.tokenizer;
    let prompt = match args.chat {
        true => {
            if let Some(system) = &args.system {
                check_system(tokenizer, system)?;
            }
            let messages = messages(args.system.as_deref(), &args.prompt);
            tokenizer.chat()?.render(&messages)?
        }
        false => args.prompt.clone(),
    };
    // A chat template writes the special tokens itself.
    let tokens = match args.chat || args.no_bos {
        true => tokenizer.encode_with(&prompt, false)?,
        false => tokenizer.encode(&prompt)?,
    };
    let mut builder = Row::builder(&tokens);
    builder.keep_decodable();
    let row = loaded.session.engine().register(builder.build())?;
    let stop_tokens = match args.ignore_eos {
        true => Vec::new(),
        false => stop_tokens(&model.path)?,
    };
    let outcome = loaded.session.engine().evaluate(Request {
        row,
        chain: chain.clone(),
        decode: Some(DecodePlan {
            max_tokens: args.max_new_tokens,
            stop_tokens: Arc::from(stop_tokens),
            finished: None,
            sampling,
        }),
        isolated: false,
        tag: 0,
    })?;
    // A request with a plan always comes back with what was generated.
    let Some(generated) = outcome.generated else {
        return Ok(Ending::Failures);
    };
    let text = new_text(&loaded, &tokens, &generated)?;
    if args.json {
        output::json(&json!({
            "chain": chain,
            "prompt_tokens": tokens,
            "tokens": generated.tokens,
            "text": text,
            "finish": finish_name(generated.finish),
        }))?;
    } else if std::io::stdout().is_terminal() {
        output::line(&text)?;
    } else {
        output::exact(&text)?;
    }
    Ok(match generated.finish {
        Finish::NotFinite => {
            note(
                "cola generate: the model computed numbers that are not finite, so the text ends here",
            );
            Ending::Failures
        }
        _ => Ending::Done,
    })
}

/// How to draw tokens; `None` is greedy.
fn sampling(args: &GenerateArgs) -> Result<Option<Sampling>, CliError> {
    let &GenerateArgs {
        temperature,
        top_p,
        seed,
        ..
    } = args;
    match temperature > 0.0 {
        true => Ok(Some(Sampling {
            temperature,
            top_p,
            seed,
        })),
        false if top_p < 1.0 => Err(CliError::Usage(format!(
            "--top-p {top_p}: the most likely token is taken, so there is nothing to draw from; give a --temperature above 0"
        ))),
        false => Ok(None),
    }
}

/// What the new tokens add to the prompt's text: decoded alone they could lose a leading space.
fn new_text(
    loaded: &setup::Loaded,
    prompt: &[u32],
    generated: &Generated,
) -> Result<String, CliError> {
    let before = loaded.tokenizer.decode(prompt)?;
    let whole = loaded
        .tokenizer
        .decode(&[prompt, &generated.tokens].concat())?;
    match whole.strip_prefix(&before) {
        Some(new) => Ok(new.to_owned()),
        None => Ok(loaded.tokenizer.decode(&generated.tokens)?),
    }
}

fn finish_name(finish: Finish) -> &'static str {
    match finish {
        Finish::StopToken(_) => "stop",
        Finish::Complete => "complete",
        Finish::Length => "length",
        Finish::NotFinite => "not finite",
    }
}
