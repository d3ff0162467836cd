//! When a generation is complete: no further text changes its verdict, its values or the answers that its filters find.
//!
//! A generation is *stopped* by a stop text: what follows it does not count. It is *settled* when each filter pipeline gives the
//! same for every longer text. A pipeline is a fold over what is [known](Known) of the text. At first that is its beginning, up
//! to where a stop text may have begun. A step turns a beginning into the beginning of its result (`lowercase`), into its whole
//! result where no further text changes that (a complete box, a regex whose selected match is settled), or into nothing. From a
//! whole result on, the steps are applied as usual.
//!
//! | first step | settled |
//! | --- | --- |
//! | none, as the text itself is compared | never |
//! | `regex`, the n-th match | when no further text changes or precedes that match, or when there can be none |
//! | `regex`, the n-th match from the end | when there can be no further match |
//! | `multi_choice_regex` | when the match of its own pattern is |
//! | `boxed` | at the end of the first complete box, or when the tokens that are left are too few to write one |
//! | `answer` | the same, if the box is not empty |
//! | `letter` | when the text can no longer become a letter |

use pyjinja::{PythonRegex, Reach};

use super::filter::Known;
use super::sample::{Question, Variant};

impl Variant<'_> {
    /// Whether decoding may stop after `text`: every text that begins with it has the same verdict against any target, the same
    /// values, and the same answers.
    pub fn is_complete(&self, text: &str) -> bool {
        self.is_settled(text, false)
    }

    /// The same, if at most `tokens` follow. Those may be too few for a box.
    pub fn is_complete_within(&self, text: &str, tokens: usize, boxes: &BoxReach) -> bool {
        let fewest = boxes.0.fewest(text);
        self.is_settled(text, fewest.is_none_or(|fewest| fewest > tokens))
    }

    /// `no_box`: whether no text that may come has a box.
    fn is_settled(&self, text: &str, no_box: bool) -> bool {
        let Question::Generate { until, .. } = &self.question else {
            return false;
        };
        let known = before_stop(text, until);
        let mut filters = self.sample.task.filters.iter();
        matches!(known, Known::Whole(_))
            || filters.all(|filter| {
                let settled = filter.settled(known.clone(), no_box, &self.sample.doc);
                settled.is_some()
            })
    }

    /// Whether a stop text ends `text`.
    pub fn is_stopped(&self, text: &str) -> bool {
        match &self.question {
            Question::Generate { until, .. } => matches!(before_stop(text, until), Known::Whole(_)),
            _ => false,
        }
    }
}

/// How many tokens a box takes at least.
#[derive(Debug)]
pub struct BoxReach(Reach);

impl BoxReach {
    /// For tokens of these texts. Other than printable ASCII characters may be spelled in another way. `None` if the patterns of
    /// the library do not allow it.
    pub fn new<'p>(tokens: impl IntoIterator<Item = &'p str>) -> Option<Self> {
        // More than the boxes that are complete: whether braces match does not count.
        let complete = PythonRegex::new(r"\\(?:boxed|fbox)[^!-~]*\{[\s\S]*?\}").ok()?;
        complete.reach(tokens).map(Self)
    }
}

/// The text before the first of the stop texts, cut by one after the other as lm-evaluation-harness does.
pub fn truncate_at_stop<'t>(text: &'t str, until: &[String]) -> &'t str {
    let stops = until.iter().filter(|stop| !stop.is_empty());
    stops.fold(text, |text, stop| {
        text.split(stop.as_str()).next().unwrap_or(text)
    })
}

/// What is known of [`truncate_at_stop`] for all texts that begin with `text`.
fn before_stop<'t>(text: &'t str, until: &[String]) -> Known<'t> {
    let cut = truncate_at_stop(text, until).len();
    let rest = &text[cut..];
    let begun = begun(text, until);
    // The end of the stop text at the cut.
    let there = until.iter().filter(|stop| rest.starts_with(stop.as_str()));
    let end = there.map(|stop| cut + stop.len()).max().unwrap_or(cut);
    // A stop text that begins inside of another and comes before it in the list may break it. One that begins before the cut
    // may cut more.
    if end > cut && begun.iter().all(|&at| at == cut || at >= end) {
        return Known::Whole(text[..cut].into());
    }
    let begin = begun.into_iter().min().unwrap_or(cut).min(cut);
    Known::Beginning(text[..begin].into())
}

/// Where a stop text may have begun that further text completes: offsets in bytes.
fn begun(text: &str, until: &[String]) -> Vec<usize> {
    let longest = until.iter().map(String::len).max().unwrap_or(0);
    let places = text.char_indices().rev().map(|(at, _)| at);
    let near = places.take_while(|at| text.len() - at < longest);
    let begins = |at: &usize| {
        let end = &text[*at..];
        until
            .iter()
            .any(|stop| stop.len() > end.len() && stop.starts_with(end))
    };
    near.filter(begins).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    /// What is known, and whether that is all.
    fn known(text: &str, until: &[&str]) -> (String, bool) {
        match before_stop(text, &texts(until)) {
            Known::Whole(text) => (text.into_owned(), true),
            Known::Beginning(text) => (text.into_owned(), false),
        }
    }

    #[test]
    fn a_stop_text_that_may_have_begun_is_not_known_text() {
        for (text, until, begins) in [
            ("12\n", &["\n\n"][..], "12"),
            ("12\n3", &["\n\n"], "12\n3"),
            ("so Quest", &["Question:", "</s>"], "so "),
            ("a </s", &["Question:", "</s>"], "a "),
            ("é", &["\n"], "é"),
            ("", &["\n"], ""),
            ("a", &[], "a"),
        ] {
            assert_eq!(known(text, until), (begins.to_owned(), false), "{text:?}");
        }
    }

    #[test]
    fn a_cut_is_certain_unless_another_stop_text_may_change_it() {
        for (text, until, before) in [
            ("12\n", &["\n"][..], "12"),
            ("12\n\nQ", &["Q:", "\n\n"], "12"),
            // Either cuts at the same place.
            ("12\n", &["\n", "\n\n"], "12"),
        ] {
            assert_eq!(known(text, until), (before.to_owned(), true), "{text:?}");
        }
        for (text, until, begins) in [
            // `xyz` would cut before the `x`.
            ("axy", &["y", "xyz"][..], "a"),
            // `bcd` comes first and would leave an `a`, in which there is no `abc`.
            ("_abc", &["bcd", "abc"], "_"),
        ] {
            assert_eq!(known(text, until), (begins.to_owned(), false), "{text:?}");
        }
        assert_eq!(truncate_at_stop("_abcd", &texts(&["bcd", "abc"])), "_a");
    }
}
