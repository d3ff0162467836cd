//! Bounds on what a template may cost. Templates come with models and tasks of unknown authors, so that none may hang
//! the program, eat its memory or overflow its stack.
//!
//! minijinja's fuel bounds the steps and the memory of a rendering, a [`Limited`] writer its output, and [`check`] the
//! nesting of its source, which minijinja compiles recursively.

use std::borrow::Cow;
use std::io::{Error as IoError, Write};

use minijinja::{Error, State, Value};

use super::refused;
use super::tokens::{tokens, tokens_of_expression};

/// Fuel of one rendering: a unit is a step, or 64 bytes that are made.
pub(super) const FUEL: u64 = 2_000_000;

/// Bytes of the longest template.
const LONGEST_SOURCE: usize = 1 << 20;

/// Bytes of the longest text that a template may give. The context of no model holds as much.
pub(super) const LONGEST_TEXT: usize = 16 << 20;

/// Levels that expressions and `elif`s may be nested in the compiled template.
const DEEPEST_SOURCE: usize = 256;

/// Levels that a value may be nested to be printed; rows have at most 128.
const DEEPEST_VALUE: usize = 200;

/// Stack of a rendering that can nest values deeply: dropping them is recursive. Only what is touched is used.
const STACK: usize = 256 << 20;

/// Why a rendering out of fuel ended.
pub(super) const OUT_OF_FUEL: &str =
    "the template takes too many steps or too much memory: check its loops and repetitions";

/// Why a rendering of too much text ended.
pub(super) fn too_much_text() -> String {
    let most = LONGEST_TEXT >> 20;
    format!("the template gives more than {most} MiB of text")
}

fn too_long() -> Error {
    refused(too_much_text())
}

/// The source with the line ends that Jinja2 gives templates, whatever they are in the file.
///
/// # Errors
/// A message, if the source is too long or nested too deeply.
pub(super) fn check(source: &str) -> Result<Cow<'_, str>, String> {
    if source.len() > LONGEST_SOURCE {
        let most = LONGEST_SOURCE >> 20;
        return Err(format!("the template is longer than {most} MiB"));
    }
    let source = match source.contains('\r') {
        true => Cow::Owned(source.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(source),
    };
    match depth(&tokens(&source)) {
        ..=DEEPEST_SOURCE => Ok(source),
        _ => Err(format!(
            "the template nests operators, brackets or elif more than {DEEPEST_SOURCE} levels deep"
        )),
    }
}

/// An upper bound on the levels of the syntax tree.
pub(super) fn depth(tokens: &[&str]) -> usize {
    /// What is between two brackets.
    #[derive(Default)]
    struct Level {
        /// Levels of the item so far: each operator puts what is before it one deeper.
        item: usize,
        /// Those of the deepest item.
        peak: usize,
    }
    let mut open = vec![Level::default()];
    // Levels of what is open, without their items.
    let mut below = 0_usize;
    let (mut deepest, mut branches) = (0, 0);
    for token in tokens {
        let outermost = open.len() == 1;
        let Some(level) = open.last_mut() else { break };
        match *token {
            "{{" | "{%" => {
                open = vec![Level::default()];
                below = 0;
                continue;
            }
            "," | ":" => level.item = 0,
            "(" | "[" | "{" => {
                below += level.item + 1;
                open.push(Level::default());
            }
            ")" | "]" | "}" if !outermost => {
                let inner = open.pop().map_or(0, |level| level.peak);
                if let Some(outer) = open.last_mut() {
                    below -= outer.item + 1;
                    outer.item += inner + 1;
                }
            }
            "elif" => branches += 1,
            token if deepens(token) => level.item += 1,
            _ => {}
        }
        if let Some(level) = open.last_mut() {
            level.peak = level.peak.max(level.item);
            deepest = deepest.max(below + level.item);
        }
    }
    deepest.max(branches)
}

/// Whether a text is no more than a literal of Python, and can be parsed.
pub(super) fn is_literal(text: &str) -> bool {
    let tokens = tokens_of_expression(text);
    let allowed = |token: &&str| {
        matches!(
            *token,
            "[" | "]" | "(" | ")" | "{" | "}" | "," | ":" | "-" | "+" | "True" | "False" | "None"
        ) || token.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '\'' | '"'))
    };
    text.len() <= LONGEST_TEXT && tokens.iter().all(allowed) && depth(&tokens) <= DEEPEST_SOURCE
}

/// Whether a token is an operator, or a word that is one.
fn deepens(token: &str) -> bool {
    matches!(token, "not" | "and" | "or" | "if" | "else" | "is" | "in")
        || token.starts_with(|c: char| c.is_ascii_punctuation() && !matches!(c, '\'' | '"' | '_'))
}

/// Runs a rendering where what it leaves can be dropped: a template with a `namespace` can nest values as deeply as its
/// fuel lasts.
pub(super) fn on_large_stack<T: Send>(
    source: &str,
    render: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    if !source.contains("namespace") {
        return render();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let running = thread.spawn_scoped(scope, render);
        let running =
            running.map_err(|error| refused(format!("no thread to render in: {error}")))?;
        running
            .join()
            .unwrap_or_else(|_| Err(refused("the template engine failed")))
    })
}

/// A text or output up to [`LONGEST_TEXT`].
#[derive(Debug, Default)]
pub(super) struct Limited(String);

impl Limited {
    /// Appends a text, if there is room for it.
    pub fn push(&mut self, text: &str) -> Result<(), Error> {
        self.reserve(text.len())?;
        self.0.push_str(text);
        Ok(())
    }

    /// Appends a character several times, if there is room for it.
    pub fn repeat(&mut self, char: char, count: usize) -> Result<(), Error> {
        self.reserve(count.saturating_mul(char.len_utf8()))?;
        self.0.extend(std::iter::repeat_n(char, count));
        Ok(())
    }

    fn reserve(&self, more: usize) -> Result<(), Error> {
        match LONGEST_TEXT - self.0.len() < more {
            true => Err(too_long()),
            false => Ok(()),
        }
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }
}

/// The output of a rendering. minijinja writes whole texts.
impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(IoError::other)?;
        self.push(text)
            .map_err(|error| IoError::other(error.detail().unwrap_or_default().to_owned()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is left of the size and depth of a value that is converted as a whole. A value that holds another twice may be
/// far larger than its memory.
#[derive(Debug)]
pub(super) struct Allowance {
    bytes: usize,
    levels: usize,
}

impl Allowance {
    pub fn new() -> Self {
        Allowance {
            bytes: LONGEST_TEXT,
            levels: DEEPEST_VALUE,
        }
    }

    /// Takes a value of this many bytes.
    pub fn take(&mut self, bytes: usize) -> Result<(), Error> {
        // What a value without text takes.
        const SLOT: usize = 16;
        self.bytes = self
            .bytes
            .checked_sub(bytes.saturating_add(SLOT))
            .ok_or_else(too_long)?;
        Ok(())
    }

    /// Converts what is inside a value.
    pub fn within<T>(
        &mut self,
        convert: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let levels = self.levels.checked_sub(1);
        self.levels = levels
            .ok_or_else(|| refused(format!("a value of more than {DEEPEST_VALUE} levels")))?;
        let converted = convert(self);
        self.levels += 1;
        converted
    }
}

/// The items of a value, each of which costs fuel. `None` has no items, not none.
pub(super) fn items(state: &State<'_, '_>, value: &Value) -> Result<Vec<Value>, Error> {
    if value.is_none() {
        return Err(refused("None is not iterable"));
    }
    let mut items = Vec::new();
    for item in value.try_iter()?.checked() {
        state.consume_fuel(1)?;
        items.push(item?);
    }
    Ok(items)
}

/// Charges for reading a whole value once.
pub(super) fn charge(state: &State<'_, '_>, value: &Value) -> Result<(), Error> {
    let size = match value.as_str() {
        Some(text) => text.len() / 64,
        None => value.len().unwrap_or(0) / 8,
    };
    state.consume_fuel(size as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth_of(source: &str) -> usize {
        depth(&tokens(source))
    }

    #[test]
    fn what_stands_side_by_side_is_not_nested() {
        let list = format!("{{{{ [{}] }}}}", "'a'|upper, ".repeat(5_000));
        assert!(depth_of(&list) < 5, "{}", depth_of(&list));
        let blocks = "{{ a + b }}{% if x and y %}{{ f(a, b) }}{% endif %}".repeat(5_000);
        assert!(depth_of(&blocks) < 5);
        assert!(depth_of(&format!("{{{{ '{}' }}}}", "not (".repeat(5_000))) < 5);
        assert!(depth_of(&format!("{{# {} #}}", "{{ not ".repeat(5_000))) < 5);
        let raw = "{% raw %}{{ - - - }}{% endraw %}";
        assert!(depth_of(&raw.repeat(1_000)) < 10);
    }

    #[test]
    fn every_kind_of_nesting_counts() {
        let many = |unit: &str| unit.repeat(1_000);
        for source in [
            format!("{{{{ {} a }}}}", many("not ")),
            format!("{{{{ {}1 }}}}", many("-")),
            format!("{{{{ a{} }}}}", many(" ~ a")),
            format!("{{{{ a{} }}}}", many(" and a")),
            format!("{{{{ a{} }}}}", many("|string")),
            format!("{{{{ a{} }}}}", many(".b")),
            format!("{{{{ a{} }}}}", many("[0]")),
            format!("{{{{ a{} }}}}", many("()")),
            format!("{{{{ {}{} }}}}", many("["), many("]")),
            format!("{{{{ {}1{} }}}}", many("f(1, "), many(")")),
            format!("{{{{ a{} }}}}", many(" if a else a")),
            format!("{{{{ a{} }}}}", many(" is defined")),
            format!("{{% if a %}}{}{{% endif %}}", many("{% elif a %}")),
        ] {
            assert!(depth_of(&source) >= 1_000, "{}", &source[..40]);
            assert!(check(&source).unwrap_err().contains("256 levels deep"));
        }
    }
}
