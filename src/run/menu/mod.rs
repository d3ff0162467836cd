//! Menus: what a few fixed chains give that were chosen on other samples.
//!
//! A search that tries many chains on a sample may be right because one of a few chains is right on most samples, whatever the
//! search does. A menu says what that gives: the unmodified model and `tries - 1` chains, the same for every sample. So that
//! no sample helps to choose its own menu, the samples of a task are split into halves, and each half has the menu that is chosen
//! on the other one:
//!
//! ```text
//! records ── halves.rs ──▶ a pool of chains a half ── run on that half ──▶ right chains of each sample
//!                                                                              │ choose.rs
//! records with menus ◀── menu.jsonl ◀── run on the other half ◀── a menu ◀─────┘
//! ```
//!
//! - *halves*: the samples that did not fail in the search, in the order of a hash of (run seed, task, id), cut in the middle.
//! - *pool*: the best chains of a half, the most frequent first, at most twice as many as there are tries.
//! - *menu*: chosen from the pool greedily, each chain for the samples that it adds to those the menu is right on.
//!
//! Both steps append one line a sample to `menu.jsonl` (`file.rs`), and run chains as certificates do: what a record says of a chain is
//! not run again, and a degradation near the bound is measured isolated. Menus follow from the records and the lines of the
//! first step (`menus.rs`), so a line is checked when it is read: its pool or menu must be that of the run.

mod choose;
mod file;
mod halves;
mod menus;
mod stage;
#[cfg(test)]
mod tests;

pub use file::{attach, is_in};
pub use halves::LEAST_SAMPLES;
pub use menus::MenuPlan;
pub use stage::MenuStage;
