//! `rys`, `early-exit`, `last-n` and `shortgpt`: lists of chains that are known from the literature.

use std::{cmp::Reverse, vec};

use rand::seq::SliceRandom;

use super::{Draft, Ledger, Next, Proposer};
use crate::chain::Layer;

/// Asks for the chains of a list, except those of a length that is not allowed.
pub struct Fixed {
    drafts: vec::IntoIter<Draft>,
}

impl From<Vec<Draft>> for Fixed {
    fn from(drafts: Vec<Draft>) -> Self {
        Self {
            drafts: drafts.into_iter(),
        }
    }
}

impl Proposer for Fixed {
    fn next(&mut self, ledger: &mut Ledger) -> Next {
        let lengths = ledger.params.root_edits.lengths;
        let legal = |draft: &Draft| lengths.contains(draft.chain.len());
        self.drafts
            .find(|draft| legal(draft) && !ledger.knows(&draft.chain))
            .into()
    }
}

/// `rys` ("repeat yourself"): every block of layers a second time, as `0..=j, i..L`, in random order.
pub fn rys(ledger: &mut Ledger) -> Fixed {
    let layers = ledger.params.layers as Layer;
    let blocks = (0..layers).flat_map(|i| (i..layers).map(move |j| (i, j)));
    let twice = blocks.map(|(i, j)| Draft {
        chain: (0..=j).chain(i..layers).collect(),
        edits: 1,
    });
    let mut drafts: Vec<Draft> = twice.collect();
    drafts.shuffle(&mut ledger.rng);
    drafts.into()
}

/// `early-exit`: the first layers only, longest first.
pub fn early_exit(layers: usize) -> Fixed {
    let dropped = (1..layers).map(|n| without(layers, layers - n..layers));
    dropped.collect::<Vec<_>>().into()
}

/// `last-n`: without the `n` layers before the last one, which stays (Gromov et al., arXiv 2403.17887).
pub fn last_n(layers: usize) -> Fixed {
    let dropped = (1..layers).map(|n| without(layers, layers - 1 - n..layers - 1));
    dropped.collect::<Vec<_>>().into()
}

/// `shortgpt`: without the `n` layers of least influence (ShortGPT, arXiv 2403.03853).
pub struct ShortGpt {
    layers: usize,
    fixed: Fixed,
}

impl ShortGpt {
    /// The list for equal influences: the later layer is dropped first.
    pub fn new(layers: usize) -> Self {
        Self {
            layers,
            fixed: by_influence(&vec![0.0; layers]),
        }
    }
}

impl Proposer for ShortGpt {
    fn next(&mut self, ledger: &mut Ledger) -> Next {
        self.fixed.next(ledger)
    }

    /// Ignores influences of another number of layers, and such that are not all finite.
    fn learn_influence(&mut self, influence: &[f64]) {
        if influence.len() == self.layers && influence.iter().all(|value| value.is_finite()) {
            self.fixed = by_influence(influence);
        }
    }
}

/// The chains without the `n` layers of least influence, longest first. Of equal influences the later layer is
/// dropped first.
fn by_influence(influence: &[f64]) -> Fixed {
    let layers = influence.len();
    let mut order: Vec<usize> = (0..layers).collect();
    order.sort_by(|&a, &b| {
        let by_value = influence[a].total_cmp(&influence[b]);
        by_value.then(Reverse(a).cmp(&Reverse(b)))
    });
    let dropped = (1..layers).map(|n| without(layers, order[..n].iter().copied()));
    dropped.collect::<Vec<_>>().into()
}

/// The identity without some layers; each block of them is one edit.
fn without(layers: usize, dropped: impl IntoIterator<Item = usize>) -> Draft {
    let mut kept = vec![true; layers];
    for layer in dropped {
        kept[layer] = false;
    }
    let begins = |layer: usize| !kept[layer] && (layer == 0 || kept[layer - 1]);
    let edits = (0..layers).filter(|&layer| begins(layer)).count();
    let chain = (0..layers).filter(|&layer| kept[layer]);
    Draft {
        chain: chain.map(|layer| layer as Layer).collect(),
        edits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Preset, SearchParams};

    fn chains(mut proposer: impl Proposer, params: SearchParams) -> Vec<String> {
        let mut ledger = Ledger::new(params, 0);
        let mut chains = Vec::new();
        while let Next::Chain(draft) = proposer.next(&mut ledger) {
            chains.push(draft.chain.to_string());
            ledger.ask(draft);
        }
        chains
    }

    fn four() -> SearchParams {
        SearchParams::preset(Preset::Default, 4)
    }

    #[test]
    fn each_list_is_what_it_says() {
        assert_eq!(chains(early_exit(4), four()), ["0-2", "0-1", "0"]);
        assert_eq!(chains(last_n(4), four()), ["0-1,3", "0,3", "3"]);
        let mut rys = chains(rys(&mut Ledger::new(four(), 0)), four());
        rys.sort_unstable();
        let mut expected = [
            "(0)x2,1-3",
            "(0-1)x2,2-3",
            "(0-2)x2,3",
            "(0-3)x2",
            "0,(1)x2,2-3",
        ]
        .to_vec();
        expected.extend([
            "0,(1-2)x2,3",
            "0,(1-3)x2",
            "0-1,(2)x2,3",
            "0-1,(2-3)x2",
            "0-2,(3)x2",
        ]);
        expected.sort_unstable();
        assert_eq!(rys, expected);
    }

    #[test]
    fn shortgpt_drops_by_influence_and_without_any_from_the_end() {
        let told = |influence: &[f64]| {
            let mut proposer = ShortGpt::new(4);
            proposer.learn_influence(influence);
            chains(proposer, four())
        };
        assert_eq!(told(&[0.9, 0.1, 0.4, 0.2]), ["0,2-3", "0,2", "0"]);
        assert_eq!(told(&[0.1, 0.5, 0.5, 0.1]), ["0-2", "1-2", "1"]);
        let equal = ["0-2", "0-1", "0"];
        assert_eq!(chains(ShortGpt::new(4), four()), equal);
        for useless in [[0.1, 0.2, f64::NAN, 0.3], [0.1, f64::INFINITY, 0.2, 0.3]] {
            assert_eq!(told(&useless), equal);
        }
        assert_eq!(told(&[0.1, 0.2, 0.3]), equal, "another number of layers");
    }

    #[test]
    fn lengths_that_are_not_allowed_are_left_out() {
        let params = SearchParams::preset(Preset::ColaPaper, 8);
        assert_eq!(
            chains(early_exit(8), params.clone()),
            ["0-6", "0-5", "0-4", "0-3"]
        );
        let rys = chains(rys(&mut Ledger::new(params.clone(), 0)), params);
        assert_eq!(rys.len(), 8 + 7, "at most 10 layers");
    }

    #[test]
    fn an_edit_is_a_block() {
        assert_eq!(without(8, [1, 2, 5]).edits, 2);
        assert_eq!(without(8, [0, 7, 6]).edits, 2);
    }
}
