//! Python's `re.findall` and `re.sub`, as the filters and metrics of lm-evaluation-harness use them.
//!
//! [`translate`] brings a pattern into the syntax of `fancy-regex`; [`settled`] tells which matches no further text changes.

mod reach;
mod settled;
#[cfg(test)]
mod settled_tests;
mod translate;

use std::io::{ErrorKind, Write};
use std::sync::{Arc, OnceLock};

use fancy_regex::{Captures, Expander, Match, Regex, RegexBuilder};
pub use reach::Reach;
use settled::{MatchDfa, NextMatch};
use translate::translate;

/// Steps one match may take before it counts as "no match": an adversarial answer must not stop a run.
const BACKTRACK_LIMIT: usize = 1_000_000;

/// A compiled Python pattern.
#[derive(Debug, Clone)]
pub struct PythonRegex {
    regex: Regex,
    /// Built when it is first needed.
    dfa: Arc<OnceLock<Option<MatchDfa>>>,
}

impl PythonRegex {
    /// Compiles `pattern`; the error is a message that says why it is invalid.
    pub fn new(pattern: &str) -> Result<Self, String> {
        RegexBuilder::new(&translate(pattern))
            .backtrack_limit(BACKTRACK_LIMIT)
            .build()
            .map(|regex| PythonRegex {
                regex,
                dfa: Arc::default(),
            })
            .map_err(|error| format!("`{pattern}` is not a regular expression: {error}"))
    }

    /// `re.findall(text)[index]`, where a negative index counts from the end: the whole match or, if the
    /// pattern has groups, the first group that is not empty. `None` if there is no such match, or if all
    /// of several groups are empty.
    pub fn find_and_select(&self, text: &str, index: i64) -> Option<String> {
        let found: Vec<Captures<'_, str>> = self.matches(text).collect();
        selected(&found, index)
    }

    /// What [`find_and_select`](Self::find_and_select) gives for every text that begins with `text`, this text included;
    /// `None` if that depends on what follows.
    ///
    /// It is also `None` where finding out would be hard: the pattern has look-around or back-references, the text has other
    /// than ASCII characters and the pattern `\b`, or the automaton of the pattern would be too large.
    pub fn settled_selection(&self, text: &str, index: i64) -> Option<Option<String>> {
        let dfa = self.dfa.get_or_init(|| MatchDfa::new(self.regex.as_str()));
        let dfa = dfa.as_ref()?;
        let mut scan = Scan::default();
        let mut found = Vec::new();
        while scan.start <= text.len() {
            let end = match dfa.next(text, scan.start) {
                NextMatch::EndsAt(end) => end,
                NextMatch::Never => return Some(selected(&found, index)),
                NextMatch::Open => return None,
            };
            let captures = self.regex.captures_from_pos(text, scan.start).ok()??;
            let whole = captures.get(0).filter(|whole| whole.end() == end)?;
            if !scan.takes(text, &whole) {
                continue;
            }
            found.push(captures);
            if usize::try_from(index).is_ok_and(|index| index < found.len()) {
                return Some(selected(&found, index));
            }
        }
        None
    }

    /// How few of `pieces` make a match, after any text. `None` where [`settled_selection`](Self::settled_selection) is `None` for
    /// every text, and for other large patterns.
    pub fn reach<'p>(&self, pieces: impl IntoIterator<Item = &'p str>) -> Option<Reach> {
        let dfa = MatchDfa::new(self.regex.as_str())?;
        Reach::new(dfa.into_inner(), pieces.into_iter())
    }

    /// `re.sub(pattern, replacement, text, count)`; a count of 0 replaces all. The replacement may contain
    /// `\1`, `\g<1>` and `\g<name>`.
    pub fn replace(&self, text: &str, replacement: &str, count: usize) -> String {
        let replaced = self.replace_within(text, replacement, count, usize::MAX);
        replaced.unwrap_or_default()
    }

    /// Like [`replace`](Self::replace); `None` if the result is longer than `most` bytes.
    pub fn replace_within(
        &self,
        text: &str,
        replacement: &str,
        count: usize,
        most: usize,
    ) -> Option<String> {
        let mut out = Within {
            text: Vec::with_capacity(text.len().min(most)),
            most,
        };
        let mut done = 0;
        for (nth, captures) in self.matches(text).enumerate() {
            if count > 0 && nth >= count {
                break;
            }
            let Some(whole) = captures.get(0) else {
                continue;
            };
            out.write_all(&text.as_bytes()[done..whole.start()]).ok()?;
            let expanded = Expander::python().write_expansion(&mut out, replacement, &captures);
            expanded.ok()?;
            done = whole.end();
        }
        out.write_all(&text.as_bytes()[done..]).ok()?;
        String::from_utf8(out.text).ok()
    }

    /// All matches that Python finds, in order: an empty match may directly follow one that is not empty.
    fn matches<'r, 't>(
        &'r self,
        text: &'t str,
    ) -> impl Iterator<Item = Captures<'t, str>> + use<'r, 't> {
        let mut scan = Scan::default();
        std::iter::from_fn(move || {
            while scan.start <= text.len() {
                // An error means that the backtrack limit was reached: the rest of the text then has no match.
                let captures = self.regex.captures_from_pos(text, scan.start).ok()??;
                if scan.takes(text, &captures.get(0)?) {
                    return Some(captures);
                }
            }
            None
        })
    }
}

/// Where the next match is searched for.
#[derive(Default)]
struct Scan {
    /// An offset in bytes.
    start: usize,
    /// Where the last match is, if that is empty.
    empty_at: Option<usize>,
}

impl Scan {
    /// Goes on after a match. False for an empty match that was taken before.
    fn takes(&mut self, text: &str, found: &Match<'_>) -> bool {
        let (from, to) = (found.start(), found.end());
        if from == to && self.empty_at == Some(from) {
            self.start = next_char(text, from);
            return false;
        }
        self.empty_at = (from == to).then_some(from);
        self.start = to;
        true
    }
}

/// `re.findall(...)[index]`, of these matches.
fn selected(found: &[Captures<'_, str>], index: i64) -> Option<String> {
    let at = if index < 0 {
        found.len().checked_sub(index.unsigned_abs() as usize)?
    } else {
        index as usize
    };
    let captures = found.get(at)?;
    let group = |i: usize| captures.get(i).map_or("", |group| group.as_str());
    match captures.len() {
        0 | 1 => Some(group(0).to_owned()),
        // For a pattern with one group `findall` returns that group, even if it is empty.
        2 => Some(group(1).to_owned()),
        groups => (1..groups)
            .map(group)
            .find(|text| !text.is_empty())
            .map(str::to_owned),
    }
}

/// A text of at most so many bytes.
struct Within {
    text: Vec<u8>,
    most: usize,
}

impl Write for Within {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.most - self.text.len() < bytes.len() {
            true => Err(ErrorKind::FileTooLarge.into()),
            false => self.text.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn next_char(text: &str, at: usize) -> usize {
    text[at..]
        .chars()
        .next()
        .map_or(at + 1, |c| at + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(pattern: &str, text: &str, index: i64) -> Option<String> {
        PythonRegex::new(pattern)
            .unwrap()
            .find_and_select(text, index)
    }

    #[test]
    fn gsm8ks_two_filters_find_what_python_finds() {
        let strict = r"#### (\-?[0-9\.\,]+)";
        assert_eq!(
            select(strict, "so #### -1,234.5. Next", 0).unwrap(),
            "-1,234.5."
        );
        assert_eq!(select(strict, "no answer", 0), None);
        let flexible = r"(-?[$0-9.,]{2,})|(-?[0-9]+)";
        assert_eq!(
            select(flexible, "a 5 then $12.50 and 7 end", -1).unwrap(),
            "7"
        );
        assert_eq!(select(flexible, "a 5 then $12.50", -1).unwrap(), "$12.50");
    }

    #[test]
    fn python_only_spellings_are_understood() {
        assert_eq!(select(r"(\d+)$", "41\n42\n", 0).unwrap(), "42");
        assert_eq!(select(r"(\d+)\Z", "41\n42\n", 0), None);
        assert_eq!(select(r"x{(\d)}", "x{7}", 0).unwrap(), "7");
        assert_eq!(select(r"[[(](\w)[])]", "an [A] b", 0).unwrap(), "A");
        assert_eq!(select(r"(?P<letter>[A-D])\.", "so B.", 0).unwrap(), "B");
        // The m of a group's contents or of its name is not the flag m.
        assert_eq!(
            select(r"(?:number is )(\d+)$", "number is 5\n", 0).unwrap(),
            "5"
        );
        assert_eq!(select(r"(?P<m>\d+)$", "5\n", 0).unwrap(), "5");
        assert_eq!(select(r"(?m)(\d+)$", "5\n6", 0).unwrap(), "5");
        assert_eq!(select(r"\<(a)\>", "<a>", 0).unwrap(), "a");
    }

    #[test]
    fn an_index_past_the_matches_is_no_match() {
        assert_eq!(select(r"\d", "1 2", 2), None);
        assert_eq!(select(r"\d", "1 2", -3), None);
        assert_eq!(select(r"\d", "1 2", -2).unwrap(), "1");
    }

    #[test]
    fn replacing_is_pythons_sub() {
        let sub = |p: &str, r: &str, t: &str, n| PythonRegex::new(p).unwrap().replace(t, r, n);
        assert_eq!(sub("(?s).*#### ", "", "a\nb #### 7", 0), "7");
        assert_eq!(
            sub(r"(\w+) (\w+)", r"\2 \g<1>", "hello world", 0),
            "world hello"
        );
        assert_eq!(sub("o", "0", "foo boo", 1), "f0o boo");
        assert_eq!(sub("x*", "-", "abxd", 0), "-a-b--d-");
    }

    #[test]
    fn a_pattern_that_explodes_is_no_match() {
        assert_eq!(select(r"(?=(a+)+b)\1", &"a".repeat(5_000), 0), None);
    }
}
