//! Which samples get control searches.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use cola_search::seed_for;

/// Of how many samples of a task the controls run: written `all`, or as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ControlSamples {
    /// At most so many; 0 is none.
    AtMost(usize),
    /// All of them.
    All(All),
}

/// The word `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum All {
    /// It.
    #[serde(rename = "all")]
    All,
}

impl ControlSamples {
    /// Every sample.
    pub const ALL: Self = Self::All(All::All);

    /// None.
    pub const NONE: Self = Self::AtMost(0);

    /// The most samples a task.
    pub fn most(self) -> usize {
        match self {
            Self::AtMost(samples) => samples,
            Self::All(_) => usize::MAX,
        }
    }
}

impl From<usize> for ControlSamples {
    fn from(samples: usize) -> Self {
        Self::AtMost(samples)
    }
}

impl FromStr for ControlSamples {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("all", _) => Ok(Self::ALL),
            (_, Ok(samples)) => Ok(Self::AtMost(samples)),
            (_, Err(_)) => Err("give a whole number, or all".to_owned()),
        }
    }
}

/// Controls on all samples of every task or on some, at the search's own budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPlan {
    /// On how many of each task.
    pub samples: ControlSamples,
}

impl ControlPlan {
    /// The chosen of some samples, by (task, id): of every task those whose hash with the run's seed is
    /// least. The choice knows nothing of how the samples turn out.
    pub fn choose<'a>(
        &self,
        samples: impl Iterator<Item = (&'a str, &'a str)>,
        seed: u64,
    ) -> BTreeSet<(String, String)> {
        let mut by_task: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        for (task, id) in samples {
            let rank = seed_for(seed ^ RANK, task, id);
            let ranked = by_task.entry(task.to_owned()).or_default();
            ranked.push((rank, id.to_owned()));
        }
        let mut chosen = BTreeSet::new();
        for (task, mut ranked) in by_task {
            ranked.sort();
            let ids = ranked.into_iter().take(self.samples.most());
            chosen.extend(ids.map(|(_, id)| (task.clone(), id)));
        }
        chosen
    }
}

/// Keeps the choice of samples independent of their searches' seeds.
const RANK: u64 = 0x636f_6e74_726f_6c73;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_a_word_in_a_manifest_and_on_the_command_line() {
        for (samples, json, typed) in [
            (ControlSamples::ALL, r#"{"samples":"all"}"#, "all"),
            (ControlSamples::AtMost(7), r#"{"samples":7}"#, "7"),
        ] {
            let plan = ControlPlan { samples };
            assert_eq!(serde_json::to_string(&plan).unwrap(), json);
            assert_eq!(serde_json::from_str::<ControlPlan>(json).unwrap(), plan);
            assert_eq!(typed.parse(), Ok(samples));
        }
        assert!("some".parse::<ControlSamples>().is_err());
        assert!("-1".parse::<ControlSamples>().is_err());
    }
}
