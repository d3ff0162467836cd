//! Random wrong answers, for the control that measures luck: how often does a search find an answer
//! that is wrong?

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::sample::{Question, Sample};
use math_answer::parse_number;

/// Most draws of a wrong number; if all fail, there is no wrong target.
const ATTEMPTS: usize = 64;

/// Number of draws of wrong answers; some repeat others.
const DRAWS: u64 = 32;

/// The wrong answer that the control searches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongTarget {
    /// The index of an option that is not the gold one, for
    /// [`Variant::grade_choice_against`](super::Variant::grade_choice_against) or by its letter.
    Option(usize),
    /// An answer that is not the gold one, for [`Variant::grade_text`](super::Variant::grade_text).
    Text(String),
}

impl Sample {
    /// Wrong answers, each once, in the order in which [`wrong_target`](Self::wrong_target) draws
    /// them with `seed` and the seeds after it: all wrong options, or at most `texts` texts.
    pub fn wrong_targets(&self, seed: u64, texts: usize) -> Vec<WrongTarget> {
        let mut found: Vec<WrongTarget> = Vec::new();
        let most = match self.own.question.choice() {
            Some(_) => usize::MAX,
            None => texts,
        };
        for draw in 0..DRAWS {
            if found.len() == most {
                break;
            }
            match self.wrong_target(seed.wrapping_add(draw)) {
                Some(target) if !found.contains(&target) => found.push(target),
                _ => {}
            }
        }
        // The options that were not drawn; a question may have many options.
        for at in self.wrong_options() {
            if !found.contains(&WrongTarget::Option(at)) {
                found.push(WrongTarget::Option(at));
            }
        }
        found
    }

    /// The options that are not right and have another text than the gold one; empty if the
    /// question has no options.
    fn wrong_options(&self) -> Vec<usize> {
        let own = &self.own;
        let Some((options, gold)) = own.question.choice() else {
            return Vec::new();
        };
        let is_wrong =
            |at: &usize| options.get(gold) != options.get(*at) && !own.is_right_option(*at);
        (0..options.len()).filter(is_wrong).collect()
    }

    /// A wrong answer of the same kind as the gold one. It depends only on the sample's id, its
    /// question and the seed.
    ///
    /// For options: any other option, with equal chance. For a number: one with as many digits and
    /// the same signs (`42` gives a number of two digits, `3/4` a fraction of two digits), never
    /// equal to the gold one under any metric of the task. `None` if there is no other option, or
    /// if the gold answer is not a number.
    pub fn wrong_target(&self, seed: u64) -> Option<WrongTarget> {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ fingerprint(&self.id));
        let own = &self.own;
        if own.question.choice().is_some() {
            let wrong = self.wrong_options();
            let count = wrong.len();
            return (count > 0).then(|| WrongTarget::Option(wrong[random.random_range(0..count)]));
        }
        match &own.question {
            Question::Generate { gold, .. } => {
                let metrics = &self.task.metrics;
                let read = metrics.first()?.normalise(gold);
                parse_number(&read)?;
                (0..ATTEMPTS)
                    .map(|_| other_digits(&read, &mut random))
                    .find(|wrong| {
                        let golds = self.gold_texts();
                        let mut golds = golds.iter();
                        let right =
                            golds.any(|gold| metrics.iter().any(|it| it.matches(wrong, gold)));
                        parse_number(wrong).is_some() && !right && !same_value(wrong, &read)
                    })
                    .map(WrongTarget::Text)
            }
            _ => None,
        }
    }
}

/// FNV-1a hash. It gives every sample its own draw, with one seed for a run, and the same draw on
/// every platform.
fn fingerprint(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn same_value(a: &str, b: &str) -> bool {
    match (parse_number(a), parse_number(b)) {
        (Some(a), Some(b)) => a.same_value(&b),
        _ => false,
    }
}

/// Draws every digit anew. A leading digit that is not zero stays different from zero.
fn other_digits(text: &str, random: &mut ChaCha8Rng) -> String {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let leads = |at: usize| (at == 0 || !is_digit(at - 1)) && is_digit(at + 1) && bytes[at] != b'0';
    let draw = |(at, c): (usize, char)| match c {
        '0'..='9' => char::from(b'0' + random.random_range(u8::from(leads(at))..=9)),
        other => other,
    };
    text.char_indices().map(draw).collect()
}
