//! Seeded, solver-checked datasets with a difficulty dial, for `cola synth` and for training the
//! bundled model.
//!
//! An item's id and its side of the train/test split are functions of its content. Every generated
//! item has been answered again by a solver that works from its text alone.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | kind | a family of questions ([`Kind`]): arithmetic on a dial, facts of a small world, formulas, ... |
//! | level | how hard: the number of turns, facts or operators a question takes |
//! | item | a question with its answer ([`Item`]) |
//! | split | the side of the train/test line an item falls on ([`Split`]) |
//!
//! ```text
//! (kind, level, seed) ── draw ──▶ item ── solver, from its text ──▶ the same answer? ──▶ kept
//! ```
//!
//! # Example
//!
//! ```
//! use cola_synth::{Kind, Split, check, generate};
//!
//! let items = generate(Kind::Arith, 2, 3, 7, Split::Test)?;
//! assert_eq!(items.len(), 3);
//! let mut wrong = items[0].clone();
//! wrong.question = "Dial 1 up 1 up 1.".to_owned();
//! assert!(check(&items[0]).is_ok() && check(&wrong).is_err());
//! # Ok::<(), cola_synth::SynthError>(())
//! ```

mod arith;
mod boolean;
mod choice;
mod commonsense;
mod countdown;
mod counting;
mod error;
mod fraction;
mod hops;
mod item;
mod list_ops;
mod split;
mod world;

use std::collections::HashSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use error::SynthError;
pub use item::{Choices, Item, Kind, Solution};
pub use split::Split;

/// Draws in a row without a new item after which the items count as exhausted. At this patience an
/// item that exists among 10,000 is overlooked once in 10^8 times.
const PATIENCE: usize = 200_000;

/// `count` items of one kind, level and split, all checked, of which no two are the same but for the
/// order of their options. The same arguments give the same items, and a larger count only adds to the end. Right options take the places A, B, C, D in
/// turn; so do digits, and true and false.
///
/// # Errors
/// [`SynthError::Level`] for a level the kind does not have, [`SynthError::Exhausted`] when there
/// are too few items.
pub fn generate(
    kind: Kind,
    level: u32,
    count: usize,
    seed: u64,
    split: Split,
) -> Result<Vec<Item>, SynthError> {
    check_level(kind, level)?;
    let stream = blake3::hash(format!("cola synth {seed} {kind} {level} {split}").as_bytes());
    let mut random = ChaCha8Rng::from_seed(*stream.as_bytes());
    let mut items: Vec<Item> = Vec::new();
    let mut seen = HashSet::new();
    let mut misses = 0;
    while items.len() < count {
        let item = draw(kind, level, items.len(), &mut random);
        if item.split() == split && seen.insert(item.sameness()) {
            check(&item)?;
            items.push(item);
            misses = 0;
        } else {
            misses += 1;
            if misses == PATIENCE {
                return Err(SynthError::Exhausted {
                    kind,
                    level,
                    split,
                    count,
                    found: items.len(),
                });
            }
        }
    }
    Ok(items)
}

/// One item, the `turn`-th from 0: what is answered in turn, goes by it.
fn draw(kind: Kind, level: u32, turn: usize, random: &mut ChaCha8Rng) -> Item {
    let gold = turn % choice::OPTIONS;
    match kind {
        Kind::Arith => arith::draw(level, random),
        Kind::Commonsense => commonsense::draw(level, gold, random),
        Kind::Countdown => countdown::draw(level, gold, random),
        Kind::Boolean => boolean::draw(level, turn, random),
        Kind::ListOps => list_ops::draw(level, turn, random),
        Kind::Hops => hops::draw(level, gold, random),
        Kind::Counting => counting::draw(level, turn, random),
    }
}

/// Answers an item from its text alone and compares with what it claims; also its id, level and
/// options.
///
/// # Errors
/// [`SynthError::Wrong`] with what is wrong, [`SynthError::Level`] for a level the kind does not
/// have.
pub fn check(item: &Item) -> Result<(), SynthError> {
    check_level(item.kind, item.level)?;
    let (kind, level, question) = (item.kind, item.level, item.question.as_str());
    let verdict = match &item.solution {
        Solution::Text { answer } => match kind {
            Kind::Arith => arith::check(level, question, answer),
            Kind::Boolean => boolean::check(level, question, answer),
            Kind::ListOps => list_ops::check(level, question, answer),
            Kind::Counting => counting::check(level, question, answer),
            Kind::Commonsense | Kind::Countdown | Kind::Hops => Err(format!("{kind} has options")),
        },
        Solution::Choice {
            choices,
            answer_key: key,
        } => match kind {
            Kind::Commonsense => commonsense::check(level, question, choices, key),
            Kind::Countdown => countdown::check(level, question, choices, key),
            Kind::Hops => hops::check(level, question, choices, key),
            Kind::Arith | Kind::Boolean | Kind::ListOps | Kind::Counting => {
                Err(format!("{kind} has no options"))
            }
        },
    };
    let verdict = verdict.and_then(|()| match item.content_id() {
        expected if expected == item.id => Ok(()),
        expected => Err(format!("its content has the id {expected}")),
    });
    verdict.map_err(|reason| SynthError::Wrong {
        id: item.id.clone(),
        reason,
    })
}

fn check_level(kind: Kind, level: u32) -> Result<(), SynthError> {
    if kind.levels().contains(&level) {
        Ok(())
    } else {
        Err(SynthError::Level { kind, level })
    }
}

#[cfg(test)]
mod tests;
