//! The model computes the logits and continuations that transformers computes on physically
//! re-stacked layers.

use std::path::Path;

use crate::support::{
    chain, decoding_row, engine, evaluate_all, fixtures, generated, model, model_directory, models,
    naive_greedy, options, outcomes, plan, random_tokens, related_chains, request,
};
use cola_engine::{CaseReport, Engine, EngineOptions, VerifyError, verify};
use cola_model::{Compute, Model, Repeat};
use cola_search::chain::Chain;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tch::{Device, Kind, Tensor};

/// The first fixtures, all of them Llama models.
const LLAMAS: [&str; 6] = [
    "biases-f32",
    "head-dim-f32",
    "llama2-mha-f32",
    "llama31-gqa-tied-bf16",
    "rope-parameters-f32",
    "sharded-f16",
];

/// Largest difference of a logit allowed in f32.
const TOLERANCE: f64 = 2e-4;

fn reference(name: &str) -> std::path::PathBuf {
    fixtures()
        .join("references")
        .join(format!("{name}.safetensors"))
}

#[test]
fn every_chain_of_every_fixture_gives_the_logits_and_the_continuation_of_transformers() {
    for name in models() {
        let name = name.as_str();
        let engine = engine(name, options());
        for case in verify(&engine, &reference(name)).unwrap() {
            assert!(case.passes(TOLERANCE), "{name}: {case:?}");
            assert_eq!(case.greedy_agree, Some((20, 20)), "{name}: {case:?}");
        }
    }
}

#[test]
fn the_references_hold_every_kind_of_chain() {
    for name in models() {
        let name = name.as_str();
        let depth = model(name).depth();
        let bytes = std::fs::read(reference(name)).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        let written = metadata.iter().filter(|(key, _)| key.ends_with(".chain"));
        let chains: Vec<Chain> = written.map(|(_, text)| chain(text)).collect();
        let has = |kind: &str, is: &dyn Fn(&Chain) -> bool| {
            assert!(chains.iter().any(is), "{name}: {kind}");
        };
        has("identity", &|c| c.is_identity(depth));
        has("skip", &|c| c.only_skips() && c.len() + 1 == depth);
        has("block skip", &|c| c.only_skips() && c.len() + 2 == depth);
        has("repeat", &|c| c.only_repeats(depth) && c.len() == depth + 1);
        has("block x3", &|c| {
            c.only_repeats(depth) && c.uses(depth)[1..3] == [3, 3]
        });
        has("reorder", &|c| {
            c.len() == depth && c.unique_layers() == depth && !c.is_identity(depth)
        });
        has("reversed", &|c| {
            c.layers().windows(2).all(|w| w[0] == w[1] + 1)
        });
        has("empty", &|c| c.is_empty());
        has("a long chain", &|c| c.len() >= 40);
        has("damped", &|c| c.is_damped() || LLAMAS.contains(&name));
    }
}

/// A copy of a reference file in which one tensor's bytes were changed.
fn corrupted(name: &str, tensor: &str, change: impl Fn(&mut [u8])) -> tempfile::TempPath {
    let bytes = std::fs::read(reference(name)).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(name, view)| {
            let data = view.data().to_vec();
            (name.to_owned(), view.dtype(), view.shape().to_vec(), data)
        })
        .collect();
    let changed = tensors.iter_mut().find(|(name, ..)| name == tensor);
    change(&mut changed.unwrap().3);
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
        (name.as_str(), view)
    });
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    safetensors::serialize_to_file(views, header.metadata().clone(), &path).unwrap();
    path
}

/// Numbers of the cases that do not pass.
fn failing(name: &str, file: &Path) -> Vec<usize> {
    let engine = engine(name, options());
    let cases = verify(&engine, file).unwrap();
    let fails = |case: &&CaseReport| !case.passes(TOLERANCE);
    cases.iter().filter(fails).map(|case| case.case).collect()
}

#[test]
fn a_reference_with_one_logit_off_by_a_thousandth_does_not_pass() {
    let file = corrupted("biases-f32", "case5.logits", |bytes| {
        let at = bytes.len() / 8 * 4;
        let logit = f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        bytes[at..at + 4].copy_from_slice(&(logit + 1e-3).to_le_bytes());
    });
    assert_eq!(failing("biases-f32", &file), [5]);
}

#[test]
fn a_reference_with_one_greedy_token_changed_does_not_pass() {
    let file = corrupted("head-dim-f32", "case9.greedy", |bytes| bytes[19 * 8] ^= 1);
    assert_eq!(failing("head-dim-f32", &file), [9]);
}

#[test]
fn a_reference_with_a_logit_that_is_not_a_number_does_not_pass() {
    let file = corrupted("sharded-f16", "case0.logits", |bytes| {
        bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert_eq!(failing("sharded-f16", &file), [0]);
}

#[test]
fn a_reference_of_another_model_is_refused_by_tensor() {
    let error = verify(&engine("biases-f32", options()), &reference("sharded-f16")).unwrap_err();
    assert!(matches!(error, VerifyError::Chain { .. }), "{error}");
    let error = verify(&engine("sharded-f16", options()), &reference("biases-f32")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`case0.logits` must be f32 of shape [20, 120]"),
        "{text}"
    );
}

#[test]
fn greedy_decoding_equals_computing_everything_again_for_every_token() {
    const TOKENS: usize = 16;
    for name in models() {
        let name = name.as_str();
        let model = model(name);
        if frequencies_change_by(&model, 7 + TOKENS) {
            continue;
        }
        let engine = engine(name, options());
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let prompt = random_tokens(&mut random, &model, 7);
        let row = engine.register(decoding_row(&prompt)).unwrap();
        let chains = related_chains(&mut random, model.depth(), 12);
        let requests = chains
            .iter()
            .map(|chain| request(&row, chain, Some(plan(TOKENS))));
        let mut compared = 0;
        for (chain, outcome) in chains.iter().zip(outcomes(&engine, requests)) {
            let naive = naive_greedy(&model, &prompt, chain, TOKENS);
            compared += naive.len();
            assert_eq!(generated(&outcome).len(), TOKENS, "{name} {chain}");
            assert_eq!(generated(&outcome)[..naive.len()], naive, "{name} {chain}");
        }
        assert!(
            compared > chains.len() * TOKENS / 2,
            "{name}: too many ties"
        );
    }
}

/// Whether a sequence of this length is rotated by other frequencies than a shorter one. Keys in
/// the cache keep the old frequencies, here as in transformers, so that recomputing the whole
/// sequence gives other results.
fn frequencies_change_by(model: &Model, length: usize) -> bool {
    let ropes = model
        .spec()
        .layers
        .iter()
        .filter_map(|layer| layer.attention.rope.as_ref());
    let mut limits = ropes.filter_map(|rope| rope.scaling.longest_usual());
    limits.any(|limit| limit < length as i64)
}

/// Largest difference between the logits of two models over some chains, in units of the standard
/// deviation of the logits.
fn relative_difference(a: &Model, b: &Model) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let tokens = random_tokens(&mut random, a, 40);
    let mut largest: f64 = 0.0;
    for chain in related_chains(&mut random, a.depth(), 8) {
        let (ours, theirs) = (
            a.logits(&tokens, &chain, Repeat::Clean).unwrap(),
            b.logits(&tokens, &chain, Repeat::Clean).unwrap(),
        );
        let spread = f64::try_from(ours.std(true)).unwrap();
        let difference = f64::try_from((&ours - &theirs).abs().max()).unwrap();
        largest = largest.max(difference / spread);
    }
    largest
}

fn half_precision(name: &str, kind: Kind) -> Model {
    let compute = Compute {
        device: Device::Cpu,
        kind,
    };
    Model::load(&model_directory(name), compute).unwrap()
}

#[test]
fn half_precision_stays_near_f32_and_is_not_f32() {
    for (kind, bound) in [(Kind::BFloat16, 0.2), (Kind::Half, 0.03)] {
        for name in LLAMAS {
            let difference = relative_difference(&model(name), &half_precision(name, kind));
            println!("{name} {kind:?}: {difference:.4}");
            assert!(difference < bound, "{name} {kind:?}: {difference}");
            assert!(difference > 1e-5, "{name} {kind:?}: {difference}");
        }
    }
}

#[test]
fn bfloat16_is_as_near_to_f32_as_that_of_transformers_in_every_family() {
    let mut families = 0;
    for name in models() {
        let cases = Reference::read(&name);
        let Some(theirs) = cases.largest_bf16_difference() else {
            continue;
        };
        families += 1;
        let model = half_precision(&name, Kind::BFloat16);
        let of_case = |case: &ReferenceCase| {
            let ours = model.logits(&case.tokens, &case.chain, Repeat::Clean);
            f64::try_from((ours.unwrap() - &case.logits).abs().max()).unwrap()
        };
        let ours = cases.0.iter().map(of_case).fold(0.0, f64::max);
        println!("{name}: {ours:.3}, transformers {theirs:.3}");
        assert!(ours > 1e-4, "{name}: {ours}: was this bfloat16?");
        assert!(
            ours <= 2.0 * theirs,
            "{name}: {ours}, transformers {theirs}"
        );
    }
    assert!(families > 30, "{families}");
}

/// The contents of a reference file, for the tests that read it themselves.
struct Reference(Vec<ReferenceCase>);

struct ReferenceCase {
    chain: Chain,
    tokens: Vec<u32>,
    logits: Tensor,
    bf16_difference: Option<f64>,
}

impl Reference {
    fn read(name: &str) -> Self {
        let bytes = std::fs::read(reference(name)).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let case = |k: usize| -> Option<ReferenceCase> {
            let chain = chain(metadata.get(&format!("case{k}.chain"))?);
            let logits = file.tensor(&format!("case{k}.logits")).unwrap();
            let shape: Vec<i64> = logits.shape().iter().map(|&n| n as i64).collect();
            let ids = file.tensor(&format!("case{k}.input_ids")).unwrap();
            let ids = ids.data().as_chunks::<8>().0;
            Some(ReferenceCase {
                chain,
                tokens: ids
                    .iter()
                    .map(|id| i64::from_le_bytes(*id) as u32)
                    .collect(),
                logits: Tensor::from_data_size(logits.data(), &shape, Kind::Float),
                bf16_difference: metadata
                    .get(&format!("case{k}.bf16_difference"))
                    .map(|text| text.parse().unwrap()),
            })
        };
        Self((0..).map_while(case).collect())
    }

    fn largest_bf16_difference(&self) -> Option<f64> {
        let differences = self.0.iter().filter_map(|case| case.bf16_difference);
        differences.reduce(f64::max)
    }
}

#[test]
fn a_shared_slot_computes_what_the_cache_of_transformers_makes_of_repeats() {
    let references = std::fs::read_dir(fixtures().join("references")).unwrap();
    let mut names: Vec<String> = references
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| Some(file.strip_suffix(".shared-slot.safetensors")?.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() >= 3, "{names:?}");
    let shared = EngineOptions {
        repeat: Repeat::SharedSlot,
        ..options()
    };
    for name in names {
        let file = reference(&format!("{name}.shared-slot"));
        let mut repeats = 0;
        for case in verify(&engine(&name, shared), &file).unwrap() {
            assert!(case.passes(1e-4), "{name}: {case:?}");
            assert_eq!(case.greedy_agree, Some((20, 20)), "{name}: {case:?}");
            repeats += usize::from(case.chain.unique_layers() < case.chain.len());
        }
        assert!(repeats >= 3, "{name}");
        // With clean repeats, the cases that repeat a layer do not pass, and all others do.
        let clean = verify(&engine(&name, options()), &file).unwrap();
        let differing = clean.iter().filter(|case| !case.passes(1e-4)).count();
        assert_eq!(differing, repeats, "{name}");
    }
}

#[test]
fn half_precision_decodes_through_the_engine() {
    let model = std::sync::Arc::new(half_precision("llama31-gqa-tied-bf16", Kind::BFloat16));
    let engine = Engine::start(model, options());
    let row = engine.register(decoding_row(&[310, 4, 8, 15])).unwrap();
    let chains = ["0-5", "0-2,1-5", "5,4,3", "empty"].map(chain);
    let requests = chains.iter().map(|c| request(&row, c, Some(plan(8))));
    for result in evaluate_all(&engine, requests) {
        let outcome = result.unwrap();
        assert!(outcome.is_finite());
        assert_eq!(generated(&outcome).len(), 8);
    }
}
