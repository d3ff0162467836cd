//! The merges of a GGUF file, or those that the scores of its tokens imply.

use std::cmp::Ordering;

use tokenizers::models::bpe::{Merges, Vocab};

use super::{
    super::{Config, ModelError, gguf::Metadata},
    vocabulary::shown,
};

pub const MERGES: &str = "tokenizer.ggml.merges";
pub const SCORES: &str = "tokenizer.ggml.scores";

/// Limit on the sum of the squared lengths of all tokens if merges are derived by cutting tokens in
/// two. The sum is the number of bytes that are hashed; the largest vocabularies reach about a
/// tenth of the limit.
const MOST_CUT: usize = 1 << 30;

/// The merges that a file lists, if it has a list. Both parts of each merge, and the token they
/// make, must be tokens.
pub fn stated(metadata: &Metadata, ids: &Vocab) -> Result<Option<Merges>, ModelError> {
    let Some(lines) = metadata.strings(MERGES)? else {
        return Ok(None);
    };
    let mut merges = Vec::with_capacity(lines.len());
    for (rank, line) in lines.iter().enumerate() {
        let refuse = |reason: String| {
            let reason = format!("merge {rank}, {}, {reason}", shown(line));
            Err(metadata.config().refuse(MERGES, reason))
        };
        let (left, right) = match line.split_once(' ') {
            Some((left, right))
                if !(left.is_empty() || right.is_empty() || right.contains(' ')) =>
            {
                (left, right)
            }
            _ => return refuse("is not two tokens with a space between them".into()),
        };
        for token in [left, right, &[left, right].concat()] {
            if !ids.contains_key(token) {
                return refuse(format!("needs {}, which is not a token", shown(token)));
            }
        }
        merges.push((left.to_owned(), right.to_owned()));
    }
    Ok(Some(merges))
}

/// Order of derived merges.
pub enum Order<'a> {
    /// By the score of the token that a merge makes, the highest first.
    Scores(&'a [f32]),
    /// By the id of the token that a merge makes, the lowest first: Gemma's scores do not follow
    /// its merges.
    Ids,
}

impl<'a> Order<'a> {
    /// The scores of a file.
    pub fn scores(metadata: &'a Metadata, tokens: usize) -> Result<Self, ModelError> {
        let config = metadata.config();
        let Some(scores) = metadata.floats(SCORES)? else {
            let reason = format!("is missing, and so is {MERGES}; give option `tokenizer`");
            return Err(config.refuse(SCORES, reason));
        };
        if scores.len() != tokens {
            let reason = format!("{} scores for {tokens} tokens", scores.len());
            return Err(config.refuse(SCORES, reason));
        }
        match scores.iter().position(|score| score.is_nan()) {
            Some(id) => Err(config.refuse(SCORES, format!("token {id} has the score NaN"))),
            None => Ok(Self::Scores(scores)),
        }
    }

    /// Order in which merges make two tokens.
    fn compare(&self, a: u32, b: u32) -> Ordering {
        match self {
            Self::Ids => a.cmp(&b),
            // No score is NaN.
            Self::Scores(scores) => scores[b as usize]
                .partial_cmp(&scores[a as usize])
                .unwrap_or(Ordering::Equal),
        }
    }
}

/// A token cut into two tokens.
struct Cut<'a> {
    id: u32,
    left: &'a str,
    right: &'a str,
    /// Number of characters of each part.
    lengths: [usize; 2],
}

/// All merges of two tokens into a third, in the order in which they apply: by `order` of the token
/// they make, then longer left parts first, then longer right parts, then lower ids. transformers
/// derives merges in the same way (`generate_merges`).
pub fn derived(config: &Config, ids: &Vocab, order: &Order<'_>) -> Result<Merges, ModelError> {
    let work = ids.keys().try_fold(0_usize, |sum, token| {
        sum.checked_add(token.len().checked_mul(token.len())?)
    });
    if work.is_none_or(|work| work > MOST_CUT) {
        let reason = format!(
            "is missing, and the tokens are too long to derive the merges from them; {DIRECTORY}"
        );
        return Err(config.refuse(MERGES, reason));
    }
    let mut cuts: Vec<Cut<'_>> = ids.iter().flat_map(|(t, &id)| cuts(t, id, ids)).collect();
    cuts.sort_unstable_by(|a, b| {
        order
            .compare(a.id, b.id)
            .then_with(|| b.lengths.cmp(&a.lengths))
            .then_with(|| a.id.cmp(&b.id))
    });
    let pair = |cut: Cut<'_>| (cut.left.to_owned(), cut.right.to_owned());
    Ok(cuts.into_iter().map(pair).collect())
}

const DIRECTORY: &str = "give option `tokenizer`";

fn cuts<'a>(token: &'a str, id: u32, ids: &'a Vocab) -> impl Iterator<Item = Cut<'a>> {
    let characters = token.chars().count();
    let inner = token.char_indices().enumerate().skip(1);
    inner.filter_map(move |(count, (at, _))| {
        let (left, right) = token.split_at(at);
        (ids.contains_key(left) && ids.contains_key(right)).then_some(Cut {
            id,
            left,
            right,
            lengths: [count, characters - count],
        })
    })
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Instant};

    use serde_json::Map;

    use super::*;

    fn of(tokens: &[&str], order: &Order<'_>) -> Vec<String> {
        let ids: Vocab = (tokens.iter().zip(0..))
            .map(|(t, id)| ((*t).to_owned(), id))
            .collect();
        let config = Config::of(PathBuf::from("f"), Map::new());
        let merges = derived(&config, &ids, order).unwrap();
        merges.iter().map(|(l, r)| format!("{l} {r}")).collect()
    }

    #[test]
    fn the_best_score_merges_first_and_of_equals_the_longest_left_part() {
        let tokens = ["a", "b", "é", "ab", "abé", "bé"];
        let scores = [0.0, 0.0, 0.0, -2.0, -1.0, -1.0];
        let merges = of(&tokens, &Order::Scores(&scores));
        assert_eq!(merges, ["ab é", "a bé", "b é", "a b"]);
        assert_eq!(of(&tokens, &Order::Ids), ["a b", "ab é", "a bé", "b é"]);
    }

    #[test]
    fn a_vocabulary_of_a_quarter_million_is_done_in_seconds() {
        // Most cuts of a number give two numbers: there are more merges than in any vocabulary of
        // words.
        let numbers: Vec<String> = (0..1 << 18).map(|i| format!("{i:x}")).collect();
        let tokens: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let start = Instant::now();
        assert!(of(&tokens, &Order::Ids).len() > 900_000);
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}
