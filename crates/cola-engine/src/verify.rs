//! Compares a model with a reference file: logits that another implementation computed for the same
//! chains.
//!
//! A reference file is safetensors: for every case `k`, `case{k}.input_ids` i64 `[T]`,
//! `case{k}.logits` f32 `[T, V]` and, optionally, `case{k}.greedy` i64 `[n]`, the `n` tokens greedy
//! decoding continues with; the metadata holds `case{k}.chain` in chain syntax.

use std::{
    collections::HashMap,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use safetensors::{Dtype, SafeTensors};
use tch::{Kind, Tensor};
use thiserror::Error;

use super::{DecodePlan, Engine, EngineError, Request, Row};
use cola_model::ModelError;
use cola_search::chain::{Chain, ChainError};

/// The reason why a model could not be compared with a reference file.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The reference file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is not a reference file, or not one for this model.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The reference file.
        path: PathBuf,
        /// The problem, and the case that has it.
        reason: String,
    },
    /// A case's chain is not one of this model.
    #[error("{}: {source}", path.display())]
    Chain {
        /// The reference file.
        path: PathBuf,
        /// The problem with the chain.
        source: ChainError,
    },
    /// The model failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Comparison of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseReport {
    /// Number of the case in the file.
    pub case: usize,
    /// The chain.
    pub chain: Chain,
    /// Largest absolute difference of a logit. NaN where a logit is not finite.
    pub max_difference: f64,
    /// Number of positions whose most likely token agrees, and number of all positions.
    pub argmax_agree: (usize, usize),
    /// Number of tokens of the greedy continuation before the first that differs, and number of all
    /// its tokens. `None` if the file has no continuation for this case.
    pub greedy_agree: Option<(usize, usize)>,
}

impl CaseReport {
    /// Whether every logit is within `tolerance` and the greedy tokens agree. The most likely
    /// tokens may differ: if all logits are within the tolerance, the two candidates tie, with
    /// logits that differ by at most twice the tolerance.
    pub fn passes(&self, tolerance: f64) -> bool {
        let all = |(agree, of): (usize, usize)| agree == of;
        self.max_difference <= tolerance && self.greedy_agree.is_none_or(all)
    }
}

struct Case {
    case: usize,
    chain: Chain,
    tokens: Vec<u32>,
    logits: Tensor,
    greedy: Option<Vec<u32>>,
}

/// Runs every case of the file through the engine's model.
pub fn verify(engine: &Engine, path: &Path) -> Result<Vec<CaseReport>, VerifyError> {
    let bytes = read(path)?;
    let cases = read_cases(engine, path, &bytes)?;
    cases
        .into_iter()
        .map(|case| compare(engine, path, case))
        .collect()
}

/// The bytes of a safetensors file.
fn read(path: &Path) -> Result<Vec<u8>, VerifyError> {
    let io = |source| VerifyError::Io {
        path: path.to_owned(),
        source,
    };
    let mut file = cola_files::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut bytes = Vec::new();
    (&mut file).take(9).read_to_end(&mut bytes).map_err(io)?;
    // The length of the header, then the header, which is JSON. Checked before the rest is read, which may be anything.
    let header = bytes
        .split_first_chunk::<8>()
        .filter(|(_, json)| *json == b"{")
        .map(|(length, _)| u64::from_le_bytes(*length));
    if header.is_none_or(|length| length > size - 8) {
        let reason = "this is not a safetensors file, as a reference file is";
        return Err(malformed(path, reason));
    }
    file.read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

fn malformed(path: &Path, reason: impl Into<String>) -> VerifyError {
    VerifyError::Malformed {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

fn read_cases(engine: &Engine, path: &Path, bytes: &[u8]) -> Result<Vec<Case>, VerifyError> {
    let bad = |reason: String| malformed(path, reason);
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| bad(e.to_string()))?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| bad(e.to_string()))?;
    let empty = HashMap::new();
    let metadata = header.metadata().as_ref().unwrap_or(&empty);
    let mut cases = Vec::new();
    while let Some(text) = metadata.get(&format!("case{}.chain", cases.len())) {
        let case = cases.len();
        let chain =
            Chain::parse(text, engine.model().depth()).map_err(|source| VerifyError::Chain {
                path: path.to_owned(),
                source,
            })?;
        let name = |part: &str| format!("case{case}.{part}");
        let tokens = read_ids(&file, &name("input_ids")).map_err(bad)?;
        if tokens.is_empty() {
            return Err(bad(format!("case{case}.input_ids is empty")));
        }
        let shape = [tokens.len(), engine.model().spec().vocabulary as usize];
        cases.push(Case {
            case,
            chain,
            logits: read_logits(&file, &name("logits"), shape).map_err(bad)?,
            greedy: match file.tensor(&name("greedy")) {
                Ok(_) => Some(read_ids(&file, &name("greedy")).map_err(bad)?),
                Err(_) => None,
            },
            tokens,
        });
    }
    let named = metadata.keys().filter(|key| key.ends_with(".chain"));
    if named.count() > cases.len() && !cases.is_empty() {
        let next = cases.len();
        return Err(bad(format!(
            "the metadata has no `case{next}.chain`, but it has chains of other cases; number the cases without gaps"
        )));
    }
    match cases.is_empty() {
        true => Err(bad(
            "this is not a reference file: its metadata has no `case0.chain`".into(),
        )),
        false => Ok(cases),
    }
}

fn read_ids(file: &SafeTensors<'_>, name: &str) -> Result<Vec<u32>, String> {
    let view = file.tensor(name).map_err(|e| format!("`{name}`: {e}"))?;
    if view.dtype() != Dtype::I64 || view.shape().len() != 1 {
        return Err(format!("`{name}` must be i64 of shape [T]"));
    }
    let (ids, _) = view.data().as_chunks::<8>();
    ids.iter()
        .map(|id| {
            u32::try_from(i64::from_le_bytes(*id))
                .map_err(|_| format!("`{name}` holds a negative id"))
        })
        .collect()
}

fn read_logits(file: &SafeTensors<'_>, name: &str, shape: [usize; 2]) -> Result<Tensor, String> {
    let view = file.tensor(name).map_err(|e| format!("`{name}`: {e}"))?;
    if view.dtype() != Dtype::F32 || view.shape() != shape {
        return Err(format!(
            "`{name}` must be f32 of shape {shape:?} for this model, found {:?} of shape {:?}",
            view.dtype(),
            view.shape()
        ));
    }
    Tensor::f_from_data_size(view.data(), &shape.map(|n| n as i64), Kind::Float)
        .map_err(|e| e.to_string())
}

fn compare(engine: &Engine, path: &Path, case: Case) -> Result<CaseReport, VerifyError> {
    let vocabulary = engine.model().spec().vocabulary;
    if let Some(token) = case.tokens.iter().find(|&&t| i64::from(t) >= vocabulary) {
        let reason = format!(
            "case{}: token {token} is outside the vocabulary of {vocabulary} tokens",
            case.case
        );
        return Err(malformed(path, reason));
    }
    let ours = engine
        .model()
        .logits(&case.tokens, &case.chain, engine.repeat())?
        .f_to_device(tch::Device::Cpu)
        .map_err(ModelError::from)?;
    let (max_difference, agree) = differences(&ours, &case.logits).map_err(ModelError::from)?;
    let greedy_agree = match &case.greedy {
        Some(reference) => Some((greedy_agreement(engine, &case, reference)?, reference.len())),
        None => None,
    };
    Ok(CaseReport {
        case: case.case,
        chain: case.chain,
        max_difference,
        argmax_agree: (agree, case.tokens.len()),
        greedy_agree,
    })
}

fn differences(ours: &Tensor, reference: &Tensor) -> Result<(f64, usize), tch::TchError> {
    let largest = ours.f_sub(reference)?.f_abs()?.f_max()?;
    let agree = ours
        .f_argmax(1, false)?
        .f_eq_tensor(&reference.f_argmax(1, false)?)?
        .f_sum(Kind::Int64)?;
    Ok((f64::try_from(&largest)?, i64::try_from(&agree)? as usize))
}

/// Number of tokens at the beginning of the reference's continuation that ours has too.
fn greedy_agreement(engine: &Engine, case: &Case, reference: &[u32]) -> Result<usize, EngineError> {
    let mut builder = Row::builder(&case.tokens);
    builder.keep_decodable();
    let row = engine.register(builder.build())?;
    let outcome = engine.evaluate(Request {
        row: Arc::clone(&row),
        chain: case.chain.clone(),
        decode: Some(DecodePlan {
            max_tokens: reference.len(),
            stop_tokens: Arc::from([]),
            finished: None,
            sampling: None,
        }),
        isolated: false,
        tag: 0,
    });
    engine.release(&row);
    let tokens = outcome?.generated.map_or_else(Vec::new, |g| g.tokens);
    Ok(tokens
        .iter()
        .zip(reference)
        .take_while(|(ours, theirs)| ours == theirs)
        .count())
}
