//! Every chain of a small space, shortest first.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{Ask, Feedback, Health, Prefixes, SearchError, SearchParams, Strategy};
use crate::chain::{Alpha, Chain, EditSpace, Layer, Step};

/// The chains an exhaustive search runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listing {
    /// The identity, then the others, shortest first; chains of one length are in lexicographic order.
    pub chains: Arc<[Chain]>,
    /// Description of the set that the chains make up, for the record of a run.
    pub what: String,
}

/// Lists the largest complete set of chains that the budget allows: all chains up to the model's length or,
/// if they are too many, all chains of up to as many edits as fit. An error if not even all single edits
/// fit.
pub(super) fn list(params: &SearchParams) -> Result<Listing, SearchError> {
    let affordable = |steps| params.budget_steps.is_none_or(|budget| steps <= budget);
    let all = all_chains(params).filter(|chains| affordable(steps(chains.iter())));
    if let Some(chains) = all {
        let mut what = format!("all chains of at most {} layers", params.layers);
        if let Some(alpha) = params.root_edits.damping {
            what += &format!(", each at every place plain or damped by {alpha}");
        }
        return Ok(Listing { chains, what });
    }
    let mut listing = None;
    let mut reached = BTreeSet::from([Chain::identity(params.layers)]);
    let mut edge: Vec<Chain> = reached.iter().cloned().collect();
    for edits in 1.. {
        let fresh = edited_once(params, &edge, &reached, edits);
        if fresh.is_empty() {
            break;
        }
        reached.extend(fresh.iter().cloned());
        if reached.len() > params.simulations || !affordable(steps(&reached)) {
            break;
        }
        listing = Some((edits, reached.clone()));
        edge = fresh;
    }
    let (edits, chains) = listing.ok_or_else(|| too_large(params, &reached))?;
    Ok(Listing {
        chains: shortest_first(params.layers, chains),
        what: format!("all chains of at most {edits} edits"),
    })
}

/// Layer steps of a set of chains, every shared prefix run once.
fn steps<'a>(chains: impl IntoIterator<Item = &'a Chain>) -> usize {
    let mut prefixes = Prefixes::default();
    chains.into_iter().map(|chain| prefixes.insert(chain)).sum()
}

/// Why the chains of at most one edit do not fit.
fn too_large(params: &SearchParams, chains: &BTreeSet<Chain>) -> SearchError {
    let steps = steps(chains);
    match params.budget_steps.filter(|&budget| steps > budget) {
        Some(budget) => SearchError::SpaceTooDeep { steps, budget },
        None => SearchError::SpaceTooLarge {
            chains: chains.len(),
            simulations: params.simulations,
        },
    }
}

/// Chains that are one edit away from a chain of `edge` and not in `reached`. From the second edit on,
/// stops as soon as the budget is exceeded, since the caller then discards the result.
fn edited_once(
    params: &SearchParams,
    edge: &[Chain],
    reached: &BTreeSet<Chain>,
    edits: u32,
) -> Vec<Chain> {
    let space = params.edits_at(edits - 1);
    let mut fresh = Vec::new();
    let mut seen = HashSet::new();
    for chain in edge {
        for edit in space.edits(chain) {
            let Some(edited) = edit.apply(chain) else {
                continue;
            };
            if !reached.contains(&edited) && seen.insert(edited.clone()) {
                fresh.push(edited);
            }
        }
        if edits > 1 && reached.len() + fresh.len() > params.simulations {
            break;
        }
    }
    fresh
}

/// All chains of `min..=L` layers (and the identity), or `None` if they exceed the budget. With damping,
/// every place occurs both plain and damped, since repeats and skips together can leave a damped layer
/// anywhere.
fn all_chains(params: &SearchParams) -> Option<Arc<[Chain]>> {
    let EditSpace {
        damping, lengths, ..
    } = params.root_edits;
    let alphas = || [Alpha::PLAIN].into_iter().chain(damping);
    let steps: Vec<Step> = (0..params.layers as Layer)
        .flat_map(|layer| alphas().map(move |alpha| Step { layer, alpha }))
        .collect();
    let mut chains = BTreeSet::new();
    let mut grown: Vec<Vec<Step>> = vec![Vec::new()];
    for len in 1..=params.layers {
        if grown.len().saturating_mul(steps.len()) + chains.len() > params.simulations {
            return None;
        }
        grown = grown
            .iter()
            .flat_map(|chain| {
                steps
                    .iter()
                    .map(|&step| [chain.as_slice(), &[step]].concat())
            })
            .collect();
        if len >= lengths.min {
            chains.extend(grown.iter().cloned().map(Chain::from_steps));
        }
    }
    Some(shortest_first(params.layers, chains))
}

fn shortest_first(layers: usize, mut chains: BTreeSet<Chain>) -> Arc<[Chain]> {
    let identity = Chain::identity(layers);
    chains.remove(&identity);
    let mut sorted: Vec<Chain> = chains.into_iter().collect();
    sorted.sort_by_key(Chain::len); // stable: lexicographic within a length
    std::iter::once(identity).chain(sorted).collect()
}

/// The search that evaluates the chains of a [`Listing`], the identity first.
pub(super) struct Exhaustive {
    chains: Arc<[Chain]>,
    asked: usize,
    outstanding: Vec<Chain>,
}

impl Exhaustive {
    pub(super) fn new(listing: &Listing) -> Self {
        Self {
            chains: listing.chains.clone(),
            asked: 0,
            outstanding: Vec::new(),
        }
    }
}

impl Strategy for Exhaustive {
    fn ask(&mut self) -> Ask {
        match self.chains.get(self.asked) {
            Some(chain) => {
                self.asked += 1;
                self.outstanding.push(chain.clone());
                Ask::Evaluate(chain.clone())
            }
            None if self.outstanding.is_empty() => Ask::Done,
            None => Ask::Wait,
        }
    }

    fn tell(&mut self, chain: &Chain, _: Feedback) {
        self.outstanding.retain(|outstanding| outstanding != chain);
    }

    fn health(&self) -> Health {
        let told = self.asked - self.outstanding.len();
        Health {
            exhausted: told == self.chains.len(),
            ..Health::without_tree(told)
        }
    }
}
