//! Generates seeded, solver-checked datasets of adjustable difficulty, for `cola synth` and for training
//! the bundled model.
//!
//! An item's id and its side of the train/test split are functions of its content. Every generated item has
//! been solved again by a solver that works from its text alone.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | kind | a family of questions ([`Kind`]): arithmetic on a dial, facts of a small world, formulas, ... |
//! | level | the difficulty: the number of turns, facts or operators in a question |
//! | item | a question with its answer ([`Item`]) |
//! | split | whether an item is for training or for testing ([`Split`]) |
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

/// Number of consecutive draws without a new item after which the items count as exhausted. An item that
/// one draw in 10,000 yields is then overlooked less than once in 10^8 times.
const PATIENCE: usize = 200_000;

/// Generates `count` checked items of one kind, level and split. No two of them have the same question and
/// the same options, in any order. The same arguments give the same items, and a larger count only appends
/// items. The right answers cycle through the options A to D, through the digits, or through true and
/// false, except in [`Kind::Arith`].
///
/// # Errors
/// [`SynthError::Level`] for a level the kind does not have, [`SynthError::Exhausted`] if there are too few
/// items.
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

/// Draws one item, where `turn` counts the items from 0. Kinds whose answers cycle derive the answer from
/// `turn`.
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

/// Solves an item from its text alone and compares the result with the answer that the item claims. Also
/// checks its id, level and options.
///
/// # Errors
/// [`SynthError::Wrong`] with what is wrong, [`SynthError::Level`] for a level the kind does not have.
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
