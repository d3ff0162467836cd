//! From flags to a loaded model and a running engine.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use tch::Kind;

use super::{
    CliError,
    args::{self, ComputeArgs, Dtype},
    fetching,
    prompts::PromptArgs,
};
use crate::{
    prepare::PromptLayout,
    session::{Interrupt, Session},
    terminal::note,
    trials,
};
use cola_hub::HubModel;
use cola_model::Tokenizer;

/// A model on its devices, with its tokenizer.
pub struct Loaded {
    pub session: Session,
    pub tokenizer: Arc<Tokenizer>,
    /// A directory in Hugging Face layout, or a GGUF file.
    pub path: PathBuf,
}

/// What a `--model` names.
pub struct Located {
    /// A directory in Hugging Face layout, or a GGUF file.
    pub path: PathBuf,
    /// Where its tokenizer is: the same, unless `--tokenizer` says otherwise.
    pub tokenizer: PathBuf,
    /// The name as typed; for a model of the hub, with its commit.
    pub name: String,
}

/// Finds what a `--model` names: a local directory or GGUF file, or else a model of the hub, fetched if need be.
pub fn locate_model(text: &str, tokenizer: Option<&Path>) -> Result<Located, CliError> {
    let located = |path: PathBuf, name| Located {
        tokenizer: tokenizer.map_or_else(|| path.clone(), Path::to_owned),
        path,
        name,
    };
    if let Some(directory) = tokenizer
        && !directory.is_dir()
    {
        let reason = "no such directory; give the one that holds tokenizer.json";
        let directory = directory.display();
        return Err(CliError::Usage(format!(
            "--tokenizer {directory}: {reason}"
        )));
    }
    let path = PathBuf::from(text);
    let gguf = path
        .extension()
        .is_some_and(|extension| extension == "gguf");
    let refuse = |reason: &str| Err(CliError::Usage(format!("--model {text}: {reason}")));
    let config = path.join("config.json");
    if path.is_dir() && !config.exists() {
        return refuse(&format!(
            "there is no {}; give a directory in Hugging Face layout (config.json, safetensors weights, tokenizer.json), or \
             a GGUF file",
            config.display()
        ));
    }
    if path.is_dir() || (gguf && path.exists()) {
        return Ok(located(path, text.to_owned()));
    }
    if path.exists() {
        return refuse(
            "this is a file whose name does not end in .gguf; give a GGUF file, or the directory that holds config.json",
        );
    }
    if gguf && !text.contains(':') {
        return refuse("no such file");
    }
    let Some((model, file)) = HubModel::parse_with_file(text) else {
        return refuse(
            "there is no such directory or GGUF file, and this is not the name of a model on the Hugging Face hub \
             (org/name, org/name@revision, org/name:FILE.gguf)",
        );
    };
    let fetched = fetching::fetch(&model, file.as_deref())?;
    let file = file.map_or_else(String::new, |file| format!(":{file}"));
    let name = format!("{}@{}{file}", model.repository(), fetched.commit);
    Ok(located(fetched.path, name))
}

/// Loads the model without its tokenizer and starts the engine.
pub fn start_session(path: &Path, args: &ComputeArgs) -> Result<Session, CliError> {
    let session = Session::builder(path)
        .device(&args.device)
        .dtype(match args.dtype {
            Dtype::Auto => None,
            Dtype::F32 => Some(Kind::Float),
            Dtype::Bf16 => Some(Kind::BFloat16),
            Dtype::F16 => Some(Kind::Half),
        })
        .repeat(args.repeat.into())
        .decode(match args.decode {
            args::Decode::Draft => cola_engine::Decode::Draft,
            args::Decode::Plain => cola_engine::Decode::Plain,
        })
        .state_budget(args.state_budget)
        .workers(args.workers)
        .threads(args.threads)
        .in_flight(args.in_flight)
        .invariant(args.invariant)
        .trials(trials::of_user())
        .build();
    Ok(session?)
}

/// Loads model and tokenizer and starts the engine.
pub fn load(model: &Located, args: &ComputeArgs) -> Result<Loaded, CliError> {
    let tokenizer = Arc::new(Tokenizer::load(&model.tokenizer)?);
    let session = start_session(&model.path, args)?;
    let rows = session.model().spec().vocabulary;
    if let Some(misfit) = misfit(tokenizer.ids(), rows) {
        note(format_args!("cola: warning: {misfit}"));
    }
    Ok(Loaded {
        session,
        tokenizer,
        path: model.path.clone(),
    })
}

/// What is odd about a tokenizer with so many ids for a model with so many rows of its embedding. Rows beyond the ids are
/// padding, up to a multiple of a power of two; a few ids beyond the rows are of images.
fn misfit(ids: i64, rows: i64) -> Option<String> {
    const PADDING: i64 = 1024;
    const BEYOND: i64 = 16;
    let padded = rows - ids < PADDING && rows <= 2 * ids;
    match ids <= rows + BEYOND && padded {
        true => None,
        false => Some(format!(
            "the tokenizer has {ids} token ids, but the model's embedding {rows} rows; check that they belong together"
        )),
    }
}

impl Loaded {
    /// How samples are put to this model.
    pub fn layout(
        &self,
        how: &PromptArgs,
        wrong_targets: Option<u64>,
    ) -> Result<PromptLayout, CliError> {
        let model = self.session.model();
        let tokenizer = Arc::clone(&self.tokenizer);
        let layout = how.layout(tokenizer, &self.path, model.spec().max_positions)?;
        Ok(PromptLayout {
            near_tie_nats: self.session.near_tie_nats()?,
            wrong_targets,
            ..layout
        })
    }
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the process at once.
pub fn interrupt_flag() -> Interrupt {
    let flag = Interrupt::default();
    let seen = Arc::clone(&flag.0);
    let handler = move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        note("cola: stopping; what is known so far is kept");
    };
    // Fails only where a handler is set already, by a caller of this library: theirs stays.
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::debug!(%error, "no Ctrl-C handler");
    }
    flag
}

#[cfg(test)]
mod tests {
    use super::misfit;

    #[test]
    fn only_padding_may_be_between_token_ids_and_rows() {
        // GPT-2, Pythia, Phi-2, Qwen 2.5 of two sizes, Gemma 3 of two sizes.
        for (ids, rows) in [
            (50257, 50257),
            (50277, 50304),
            (50295, 51200),
            (151665, 151936),
            (151665, 152064),
            (262145, 262208),
            (262145, 262144),
        ] {
            assert_eq!(misfit(ids, rows), None, "{ids} {rows}");
        }
        for (ids, rows) in [
            (816, 49152),
            (49152, 816),
            (310, 96),
            (32000, 151936),
            (100, 816),
        ] {
            let text = misfit(ids, rows).unwrap();
            assert!(text.contains(&format!("{ids} token ids")), "{text}");
            assert!(text.contains(&format!("{rows} rows")), "{text}");
        }
    }
}
