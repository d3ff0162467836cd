//! Draws the next token from a node's logits, with temperature and nucleus sampling.
//!
//! A draw is the Gumbel-max trick: the token with the largest `logit / temperature + noise`, where the noise of each token is
//! a Gumbel variate that depends on a seed and the token alone. So a draw is a function of the seed and the logits. It changes
//! only if the logits change by more than the drawn token's lead, as the most likely token does, and a draw that another batch
//! could change is recognised in the same way.

/// How to draw a continuation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// See [`Draw::temperature`].
    pub temperature: f64,
    /// See [`Draw::top_p`].
    pub top_p: f64,
    /// Seed of the continuation: the same seed draws the same continuation in any batch.
    pub seed: u64,
}

impl Sampling {
    /// How to draw the continuation's token at `position`, from 0.
    pub fn draw(&self, position: usize) -> Draw {
        Draw {
            temperature: self.temperature,
            top_p: self.top_p,
            noise: mix(self.seed ^ mix(position as u64)),
        }
    }
}

/// How to draw the token after one node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Divides the logits; above 0.
    pub temperature: f64,
    /// Only the most likely tokens are drawn: as few as have this probability together (Holtzman et al., arXiv 1904.09751).
    /// 1 draws from all.
    pub top_p: f64,
    /// Seed of the noise.
    pub noise: u64,
}

/// A drawn token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// The token.
    pub token: u32,
    /// Nats by which logits would have to change for another token to be drawn, if two of them change; 0 where a smaller change
    /// could move a token in or out of the nucleus.
    pub lead: f64,
}

/// Probability by which the sum at the edge of the nucleus may be wrong.
const EDGE: f64 = 1e-3;

/// Nats (after division by the temperature) between two tokens that may change places at the edge.
const EDGE_NATS: f64 = 1e-3;

impl Draw {
    /// Draws from the logits `[V]` of one node, whose `ln(sum(e^(logit / temperature)))` need not be known. The logits are finite.
    pub(crate) fn from(&self, logits: &[f32]) -> Drawn {
        let scaled = |logit: f32| f64::from(logit) / self.temperature;
        let score = |token: usize| scaled(logits[token]) + gumbel(self.noise, token);
        if self.top_p >= 1.0 {
            let (token, lead) =
                first_and_lead((0..logits.len()).map(|token| (token, score(token))));
            return self.drawn(token, lead);
        }
        let nucleus = self.nucleus(logits);
        let scores =
            |tokens: &[usize]| first_and_lead(tokens.iter().map(|&token| (token, score(token))));
        let (token, lead) = scores(&nucleus.widest);
        let (surely, _) = scores(&nucleus.certain);
        match surely == token {
            true => self.drawn(token, lead),
            false => self.drawn(scores(&nucleus.exact).0, 0.0),
        }
    }

    fn drawn(&self, token: usize, lead: f64) -> Drawn {
        Drawn {
            token: token as u32,
            lead: lead * self.temperature,
        }
    }

    fn nucleus(&self, logits: &[f32]) -> Nucleus {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: f32| (f64::from(logit - most) / self.temperature).exp();
        let total: f64 = logits.iter().map(|&logit| weight(logit)).sum();
        // Tokens below this have together less than what the nucleus leaves out.
        let least = total * (1.0 - self.top_p).max(0.0) / logits.len() as f64;
        let mut likely: Vec<usize> = (0..logits.len())
            .filter(|&token| weight(logits[token]) >= least)
            .collect();
        likely.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        let mut before = 0.0;
        let sums: Vec<f64> = (likely.iter())
            .map(|&token| {
                let sum = before;
                before += weight(logits[token]) / total;
                sum
            })
            .collect();
        let count = sums.partition_point(|&sum| sum < self.top_p).max(1);
        let nats = |at: usize| f64::from(logits[likely[at]]) / self.temperature;
        let next = likely.get(count).map(|_| nats(count));
        let clear = |at: usize| next.is_none_or(|next| nats(at) - next > EDGE_NATS);
        let near = |at: usize| nats(count - 1) - nats(at) < EDGE_NATS;
        let part = |holds: &dyn Fn(usize) -> bool| {
            let held = (0..likely.len()).filter(|&at| at == 0 || holds(at));
            held.map(|at| likely[at]).collect()
        };
        Nucleus {
            certain: part(&|at| sums[at] < self.top_p - EDGE && clear(at)),
            exact: likely[..count].to_vec(),
            widest: part(&|at| sums[at] < self.top_p + EDGE || near(at)),
        }
    }
}

/// The most likely tokens of a node.
struct Nucleus {
    /// Those that are in it whatever batch the node ran in.
    certain: Vec<usize>,
    /// Those that are in it by these logits.
    exact: Vec<usize>,
    /// Those that could be.
    widest: Vec<usize>,
}

/// The token with the largest score, of equal ones the first, and its lead over the next.
fn first_and_lead(scores: impl Iterator<Item = (usize, f64)>) -> (usize, f64) {
    let (mut best, mut largest, mut next) = (0, f64::NEG_INFINITY, f64::NEG_INFINITY);
    for (token, score) in scores {
        if score > largest {
            (best, next, largest) = (token, largest, score);
        } else if score > next {
            next = score;
        }
    }
    (best, largest - next)
}

/// A Gumbel variate of a seed and a token: `-ln(-ln(u))` of a `u` that is uniform between 0 and 1.
fn gumbel(seed: u64, token: usize) -> f64 {
    let bits = mix(seed ^ mix(token as u64)) >> 11;
    let uniform = (bits as f64 + 0.5) / (1u64 << 53) as f64;
    -(-uniform.ln()).ln()
}

/// The finaliser of SplitMix64 over its next state (Steele et al. 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 6] = [1.0, 3.0, 2.5, -1.0, 0.5, -4.0];

    fn shares(temperature: f64, top_p: f64) -> [f64; 6] {
        let draws = 40_000;
        let mut counts = [0.0; 6];
        for noise in 0..draws {
            let draw = Draw {
                temperature,
                top_p,
                noise,
            };
            counts[draw.from(&LOGITS).token as usize] += 1.0;
        }
        counts.map(|count| count / draws as f64)
    }

    fn probabilities(temperature: f64) -> [f64; 6] {
        let weights = LOGITS.map(|logit| (f64::from(logit) / temperature).exp());
        let total: f64 = weights.iter().sum();
        weights.map(|weight| weight / total)
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_likely() {
        for temperature in [0.3, 1.0, 2.0] {
            for (drawn, likely) in shares(temperature, 1.0)
                .iter()
                .zip(probabilities(temperature))
            {
                let error = (likely * (1.0 - likely) / 40_000.0).sqrt();
                assert!(
                    (drawn - likely).abs() < 4.5 * error + 1e-4,
                    "{drawn} {likely}"
                );
            }
        }
    }

    #[test]
    fn the_nucleus_holds_as_few_tokens_as_reach_its_probability() {
        let all = probabilities(1.0);
        // The two most likely have 0.83 together, the three most likely 0.94.
        for (top_p, held) in [(0.05, vec![1]), (0.8, vec![1, 2]), (0.9, vec![0, 1, 2])] {
            let total: f64 = held.iter().map(|&token: &usize| all[token]).sum();
            let drawn = shares(1.0, top_p);
            for token in 0..6 {
                let likely = if held.contains(&token) {
                    all[token] / total
                } else {
                    0.0
                };
                assert!(
                    (drawn[token] - likely).abs() < 0.012,
                    "{top_p} {token} {drawn:?}"
                );
            }
        }
    }

    #[test]
    fn a_change_below_the_lead_draws_the_same_token() {
        for top_p in [0.7, 0.95, 1.0] {
            let (mut firm, mut changed) = (0, 0);
            for noise in 0..4000 {
                let draw = Draw {
                    temperature: 0.7,
                    top_p,
                    noise,
                };
                let drawn = draw.from(&LOGITS);
                let nats = 1e-4 * ((noise % 9) as f32 - 4.0);
                let moved: Vec<f32> = (LOGITS.iter().enumerate())
                    .map(|(token, logit)| {
                        logit
                            + if (noise >> token) % 2 == 0 {
                                nats
                            } else {
                                -nats
                            }
                    })
                    .collect();
                let again = draw.from(&moved);
                if drawn.lead > 1e-3 {
                    firm += 1;
                    assert_eq!(again.token, drawn.token);
                }
                changed += usize::from(again.token != drawn.token);
            }
            assert!(firm > 3500, "{firm}");
            assert!(changed < 20, "{changed}");
        }
    }

    #[test]
    fn the_lead_is_the_change_of_two_logits_that_draws_another_token() {
        let mut other = 0;
        for noise in 0..200 {
            let draw = Draw {
                temperature: 0.5,
                top_p: 1.0,
                noise,
            };
            let drawn = draw.from(&LOGITS);
            let lowered = |nats: f64| {
                let mut logits = LOGITS;
                logits[drawn.token as usize] -= nats as f32;
                draw.from(&logits).token
            };
            assert_eq!(lowered(0.99 * drawn.lead), drawn.token);
            other += usize::from(lowered(1.01 * drawn.lead + 1e-6) != drawn.token);
        }
        assert_eq!(other, 200);
    }
}
