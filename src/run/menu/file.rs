//! `menu.jsonl`: of each sample, what it says of the chains that it helps to choose from, and what its own menu gives.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{MenuPlan, menus::Menus};
use crate::run::{Evaluation, RunError, SampleRecord, json_lines::Lines};
use cola_search::chain::Chain;

/// Name of the file in a run directory.
pub const NAME: &str = "menu.jsonl";

/// One line of the file, with what it depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MenuLine {
    /// Name of the task.
    pub task: String,
    /// Identifier of the sample.
    pub id: String,
    /// Seed of the run.
    pub seed: u64,
    /// The bound on degradation.
    pub max_degradation: Option<f64>,
    /// Chains of a menu, the unmodified model included.
    pub tries: usize,
    /// What was found.
    #[serde(flatten)]
    pub found: Found,
    /// Why nothing was found: an evaluation failed.
    pub error: Option<String>,
}

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Found {
    /// Chains of the pool of the sample's own half.
    Pool {
        /// Hash of the pool.
        pool: String,
        /// Its chains that are right on the sample, within the bound.
        right: Vec<Chain>,
    },
    /// The menu that was chosen on the other half.
    Menu {
        /// Hash of the menu.
        menu: String,
        /// What its chains give, the unmodified model first. Empty where one failed.
        evaluations: Vec<Evaluation>,
    },
}

impl MenuLine {
    /// What the menus of the run depend on.
    fn plan(&self) -> MenuPlan {
        MenuPlan {
            seed: self.seed,
            tries: self.tries,
        }
    }

    /// Gives a record its menu, if the line is about that.
    pub fn give(&self, record: &mut SampleRecord) {
        if let Found::Menu { evaluations, .. } = &self.found {
            record.menu.clone_from(evaluations);
            record.menu_error.clone_from(&self.error);
        }
    }
}

/// Whether a run directory has menus.
pub fn is_in(directory: &Path) -> bool {
    directory.join(NAME).exists()
}

/// Gives the records the menus that stand in a run directory. `given` takes each record that has got one, and its index.
///
/// # Errors
/// The file cannot be read, or is not of these records.
pub fn attach(
    directory: &Path,
    records: &mut [SampleRecord],
    mut given: impl FnMut(usize, &mut SampleRecord),
) -> Result<(), RunError> {
    let mut known: Option<Menus> = None;
    for line in Lines::<MenuLine>::of_any(directory, NAME)? {
        let line = line?;
        let menus = known.get_or_insert_with(|| Menus::new(line.plan(), records));
        let at = menus.resume(directory, &line, records)?;
        if let (Some(at), Found::Menu { .. }) = (at, &line.found) {
            given(at, &mut records[at]);
        }
    }
    Ok(())
}

/// Hash of some chains in their order, 16 hex digits.
pub fn hash(chains: &[Chain]) -> String {
    let mut hasher = blake3::Hasher::new();
    for chain in chains {
        hasher.update(chain.to_string().as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex()[..16].to_owned()
}
