//! Chain notation: `0-27`, `0-14,12-14,15-27`, `0-6,(7-9)x3,10-27`, `0-6,(7-9)x3@0.5,10-27`.
//!
//! `(block)xN@alpha` is a damped repeat: the block runs N times, the first time plain, then each layer `F`
//! as `x + alpha (F(x) - x)`. After an item that is not repeated, `7@alpha` or `7-9@alpha`, the alpha
//! applies to its only run. `@1` is the same as no alpha.
//!
//! Printing is canonical. A plain block that is repeated is written `(block)xN`, or `(block)xN@alpha` if
//! all runs from the second on have that alpha. A run of at least two ascending (three descending) layers
//! with the same alpha is written `a-b`, anything else layer by layer, the empty chain as `empty`. Groups
//! contain plain layers only, so an alpha is always at the end of an item.
//!
//! The parser also accepts the notations of other tools: `0..14,12,13,14,15..39` (circuit-finder, both ends
//! included), `layers:0,1,2` and `blocks:31,34;43,45` (RYS: block `i,j` runs the layers up to `j-1`, then
//! goes back to `i`).

use std::{fmt, ops::RangeInclusive, str::FromStr};

use super::{Alpha, AlphaError, Chain, ChainError, Layer, Step};

/// Longest chain the parser accepts: a guard against `(0-27)x999999`, far above any real chain.
pub const MAX_CHAIN_LENGTH: usize = 4096;

impl Chain {
    /// Parses any notation, for a model of `layers` layers; refuses layers that the model does not have.
    pub fn parse(text: &str, layers: usize) -> Result<Self, ChainError> {
        let trimmed = text.trim();
        let chain = match trimmed.strip_prefix("blocks:") {
            Some(blocks) => parse_blocks(text, blocks, layers)?,
            None => trimmed.parse()?,
        };
        chain.check(layers)?;
        Ok(chain)
    }
}

impl FromStr for Chain {
    type Err = ChainError;

    fn from_str(text: &str) -> Result<Self, ChainError> {
        let body = text.trim();
        if body == "empty" {
            return Ok(Chain::new([]));
        }
        let body = body.strip_prefix("layers:").unwrap_or(body);
        let mut out = Vec::new();
        for item in split_outside_groups(text, body)? {
            match plain_run(item) {
                Some(run) => out.extend(run.map(plain)),
                None => parse_item(text, item.trim(), &mut out)?,
            }
            if out.len() > MAX_CHAIN_LENGTH {
                return Err(syntax(text, too_long()));
            }
        }
        Ok(Chain::from_steps(out))
    }
}

fn too_long() -> String {
    format!("longer than {MAX_CHAIN_LENGTH} layers")
}

fn syntax(text: &str, reason: impl Into<String>) -> ChainError {
    ChainError::Syntax {
        text: text.to_owned(),
        reason: reason.into(),
    }
}

fn plain(layer: Layer) -> Step {
    let alpha = Alpha::PLAIN;
    Step { layer, alpha }
}

/// An item `7` or `7-9`, as nearly all of recorded chains are: a journal has millions. `None` of anything else, good or bad.
fn plain_run(item: &str) -> Option<RangeInclusive<Layer>> {
    let (mut ends, mut nth, mut digits) = ([0u32; 2], 0, 0);
    for byte in item.bytes() {
        match byte {
            b'0'..=b'9' if digits < 5 => {
                ends[nth] = 10 * ends[nth] + u32::from(byte - b'0');
                digits += 1;
            }
            b'-' if nth == 0 && digits > 0 => (nth, digits) = (1, 0),
            _ => return None,
        }
    }
    let first = Layer::try_from(ends[0]).ok().filter(|_| digits > 0)?;
    let last = match nth {
        0 => first,
        _ => Layer::try_from(ends[1]).ok()?,
    };
    let length = usize::from(last.checked_sub(first)?);
    (length < MAX_CHAIN_LENGTH).then_some(first..=last)
}

/// Splits at commas that are not inside `( )`.
fn split_outside_groups<'a>(text: &str, body: &'a str) -> Result<Vec<&'a str>, ChainError> {
    let mut items = Vec::new();
    let (mut start, mut open) = (0, false);
    for (at, c) in body.bytes().enumerate() {
        match c {
            b'(' if open => return Err(syntax(text, "a group inside a group is not supported")),
            b'(' => open = true,
            b'@' if open => {
                let reason = "`@` inside a group is not supported; write the runs one by one";
                return Err(syntax(text, reason));
            }
            b')' if !open => return Err(syntax(text, "`)` without `(`")),
            b')' => open = false,
            b',' if !open => {
                items.push(&body[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if open {
        return Err(syntax(text, "`(` without `)`"));
    }
    items.push(&body[start..]);
    Ok(items)
}

/// Parses an item: `7`, `7-9`, `7..9`, `(7-9,3)x2` or `7x2`, optionally followed by `@alpha`.
fn parse_item(text: &str, item: &str, out: &mut Vec<Step>) -> Result<(), ChainError> {
    if item.is_empty() {
        return Err(syntax(
            text,
            "an empty item; write `empty` for the chain without layers",
        ));
    }
    let (repeat, alpha) = match item.rsplit_once('@') {
        Some((repeat, alpha)) => (repeat.trim(), parse_alpha(text, alpha)?),
        None => (item, Alpha::PLAIN),
    };
    let (block, times) = match repeat.rsplit_once('x') {
        Some((block, times)) => (block.trim(), Some(parse_times(text, times)?)),
        None => (repeat, None),
    };
    if times == Some(1) && !alpha.is_plain() {
        let reason = format!("{item:?}: a block that runs once has no later run to damp");
        return Err(syntax(text, reason));
    }
    let inside = match block.strip_prefix('(') {
        Some(rest) => rest
            .strip_suffix(')')
            .ok_or_else(|| syntax(text, format!("{item:?}: expected `(block)xN`")))?,
        None => block,
    };
    let mut layers = Vec::new();
    for run in inside.split(',') {
        parse_run(text, run.trim(), &mut layers)?;
    }
    if layers.len().saturating_mul(times.unwrap_or(1)) > MAX_CHAIN_LENGTH {
        return Err(syntax(text, too_long()));
    }
    // In a repeat the first run is plain and the alpha applies to the later ones; otherwise it applies to
    // the only run.
    let first = times.map_or(alpha, |_| Alpha::PLAIN);
    for run in 0..times.unwrap_or(1) {
        let alpha = if run == 0 { first } else { alpha };
        out.extend(layers.iter().map(|&layer| Step { layer, alpha }));
    }
    Ok(())
}

fn parse_alpha(text: &str, alpha: &str) -> Result<Alpha, ChainError> {
    alpha
        .parse()
        .map_err(|error: AlphaError| syntax(text, error.to_string()))
}

fn parse_times(text: &str, times: &str) -> Result<usize, ChainError> {
    match times.trim().parse() {
        Ok(n) if n >= 1 => Ok(n),
        _ => Err(syntax(
            text,
            format!("x{times}: a repeat count is a whole number, 1 or more"),
        )),
    }
}

fn parse_run(text: &str, run: &str, out: &mut Vec<Layer>) -> Result<(), ChainError> {
    let ends = run.split_once("..").or_else(|| run.split_once('-'));
    let (first, last) = match ends {
        Some((first, last)) => (parse_layer(text, first)?, parse_layer(text, last)?),
        None => {
            let layer = parse_layer(text, run)?;
            (layer, layer)
        }
    };
    if first.abs_diff(last) as usize >= MAX_CHAIN_LENGTH {
        return Err(syntax(text, too_long()));
    }
    if first <= last {
        out.extend(first..=last);
    } else {
        out.extend((last..=first).rev());
    }
    Ok(())
}

fn parse_layer(text: &str, layer: &str) -> Result<Layer, ChainError> {
    let layer = layer.trim();
    layer
        .parse()
        .map_err(|_| syntax(text, format!("{layer:?} is not a layer index")))
}

/// Parses RYS blocks: run up to `j - 1`, jump back to `i`, and so on; the last run goes to the end.
fn parse_blocks(text: &str, blocks: &str, layers: usize) -> Result<Chain, ChainError> {
    let mut out: Vec<Layer> = Vec::new();
    let mut from = 0;
    for block in blocks.split(';') {
        let (i, j) = block
            .split_once(',')
            .ok_or_else(|| syntax(text, format!("{block:?}: expected `blocks:i,j;i,j`")))?;
        let (i, j) = (parse_layer(text, i)?, parse_layer(text, j)?);
        if i >= j || j < from || j as usize > layers {
            return Err(syntax(
                text,
                format!(
                    "block {i},{j}: expected i < j <= {layers}, and the ends j in ascending order"
                ),
            ));
        }
        out.extend(from..j);
        from = i;
    }
    out.extend(from..layers as Layer);
    Ok(Chain::new(out))
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("empty");
        }
        let steps: Vec<Step> = self.steps().collect();
        let mut separator = "";
        let mut written = 0; // start of the steps not yet written
        let mut at = 0;
        while at < steps.len() {
            match repeat_at(&steps[at..]) {
                None => at += 1,
                Some(Repeat { block, times }) => {
                    write_runs(f, &steps[written..at], &mut separator)?;
                    write!(f, "{separator}(")?;
                    write_runs(f, &steps[at..at + block], &mut "")?;
                    write!(f, ")x{times}")?;
                    write_alpha(f, steps[at + block].alpha)?;
                    separator = ",";
                    at += block * times;
                    written = at;
                }
            }
        }
        write_runs(f, &steps[written..], &mut separator)
    }
}

/// A block of plain steps that is repeated.
struct Repeat {
    /// Steps in the block.
    block: usize,
    /// Number of runs. All runs from the second on have the same alpha.
    times: usize,
}

/// The repeated block at the start of `steps`. If there are several, the one that covers most steps; among
/// those the shortest.
fn repeat_at(steps: &[Step]) -> Option<Repeat> {
    let mut best: Option<Repeat> = None;
    let plain = steps.iter().take_while(|s| s.alpha.is_plain()).count();
    for block in 1..=plain.min(steps.len() / 2) {
        let (first, later) = steps.split_at(block);
        let alpha = later[0].alpha;
        let again = |run: &&[Step]| {
            let mut pairs = run.iter().zip(first);
            pairs.all(|(step, first)| step.layer == first.layer && step.alpha == alpha)
        };
        let times = 1 + later.chunks_exact(block).take_while(again).count();
        if times >= 2
            && best
                .as_ref()
                .is_none_or(|b| block * times > b.block * b.times)
        {
            best = Some(Repeat { block, times });
        }
    }
    best
}

fn write_runs(f: &mut fmt::Formatter<'_>, steps: &[Step], separator: &mut &str) -> fmt::Result {
    let mut rest = steps;
    while let Some(&Step { layer, alpha }) = rest.first() {
        let up = run_length(rest, |a, b| Some(b) == a.checked_add(1));
        let down = run_length(rest, |a, b| a.checked_sub(1) == Some(b));
        let run = if up >= 2 {
            up
        } else if down >= 3 {
            down
        } else {
            1
        };
        match run {
            1 => write!(f, "{separator}{layer}")?,
            _ => write!(f, "{separator}{layer}-{}", rest[run - 1].layer)?,
        }
        write_alpha(f, alpha)?;
        *separator = ",";
        rest = &rest[run..];
    }
    Ok(())
}

fn write_alpha(f: &mut fmt::Formatter<'_>, alpha: Alpha) -> fmt::Result {
    match alpha.is_plain() {
        true => Ok(()),
        false => write!(f, "@{alpha}"),
    }
}

fn run_length(steps: &[Step], follows: impl Fn(Layer, Layer) -> bool) -> usize {
    1 + steps
        .windows(2)
        .take_while(|w| w[0].alpha == w[1].alpha && follows(w[0].layer, w[1].layer))
        .count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chain::program;

    fn canonical(text: &str) -> String {
        Chain::parse(text, 40).unwrap().to_string()
    }

    #[test]
    fn every_notation_is_read_and_printed_canonically() {
        for (read, printed) in [
            ("0-27", "0-27"),
            ("0-14,12-14,15-27", "0-11,(12-14)x2,15-27"),
            ("0-6,(7-9)x3,10-27", "0-6,(7-9)x3,10-27"),
            ("0..14,12,13,14,15..39", "0-11,(12-14)x2,15-39"),
            ("layers:0,1,2", "0-2"),
            ("blocks:31,34;35,37", "0-30,(31-33)x2,34,(35-36)x2,37-39"),
            (" 3 , 1x2 ,(4,2)x2", "3,(1)x2,(4,2)x2"),
            ("5-2", "5-2"),
            ("2,1", "2,1"),
            ("empty", "empty"),
            ("0-6,(7-9)x3@0.5,10-27", "0-6,(7-9)x3@0.5,10-27"),
            ("3, 7 x2 @ 0.250", "3,(7)x2@0.25"),
            ("(7-9)x2@1,10@1.0", "(7-9)x2,10"),
            ("7@0.5,8@0.5,9@0.4", "7-8@0.5,9@0.4"),
            ("7,7@0.5,7@0.5,7@0.4", "(7)x3@0.5,7@0.4"),
            ("7@0.5,7@0.5,7", "7@0.5,7@0.5,7"),
            ("(4,2)@0.5,9-6@0.1", "4@0.5,2@0.5,9-6@0.1"),
            ("0-3,2,3@0.5", "0-3,2,3@0.5"),
            ("layers:0,1@0.5", "0,1@0.5"),
        ] {
            assert_eq!(canonical(read), printed, "{read}");
        }
    }

    #[test]
    fn rys_blocks_run_to_j_minus_one_then_from_i() {
        let chain = Chain::parse("blocks:1,3", 5).unwrap();
        assert_eq!(chain.layers(), [0, 1, 2, 1, 2, 3, 4]);
    }

    #[test]
    fn a_repeat_damps_every_run_but_the_first_and_a_single_run_is_damped_itself() {
        let alphas = |text: &str| -> Vec<f64> {
            let chain = Chain::parse(text, 40).unwrap();
            chain.steps().map(|step| step.alpha.value()).collect()
        };
        assert_eq!(alphas("0,(1,2)x3@0.5"), [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5]);
        assert_eq!(alphas("0,1-2@0.5,3"), [1.0, 0.5, 0.5, 1.0]);
    }

    #[test]
    fn malformed_chains_say_what_is_wrong() {
        for (text, needle) in [
            ("", "empty item"),
            ("0-", "is not a layer index"),
            ("0,,2", "empty item"),
            ("(0-2x3", "without `)`"),
            ("0-2)x3", "without `(`"),
            ("((1)x2)x2", "group inside a group"),
            ("(1)x0", "a whole number, 1 or more"),
            ("(0-27)x99999999", "longer than"),
            ("-1", "is not a layer index"),
            ("70000", "is not a layer index"),
            ("blocks:3,1", "expected i < j"),
            ("0-40", "layer 40 does not exist"),
            ("seven", "is not a layer index"),
            (
                "(1)x2@0",
                "alpha \"0\": expected a number above 0 and at most 1",
            ),
            (
                "(1)x2@1.5",
                "alpha \"1.5\": expected a number above 0 and at most 1",
            ),
            ("(1)x2@0.1234", "alpha \"0.1234\": expected at most three"),
            ("(1)x2@x", "alpha \"x\": expected a decimal number"),
            ("(1)x2@", "alpha \"\": expected a decimal number"),
            ("1@0.5@0.5", "is not a layer index"),
            ("@0.5", "is not a layer index"),
            ("empty@0.5", "is not a layer index"),
            ("blocks:1,3@0.5", "is not a layer index"),
            ("(1)@0.5x2", "alpha \"0.5x2\""),
            ("(1)x1@0.5", "no later run to damp"),
            ("(1@0.5,2)x2", "`@` inside a group"),
        ] {
            let error = Chain::parse(text, 40).unwrap_err().to_string();
            assert!(error.contains(needle), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn printing_round_trips(layers in prop::collection::vec(0u16..6, 0..40)) {
            let chain = Chain::new(layers);
            let printed = chain.to_string();
            let read: Chain = printed.parse().unwrap();
            prop_assert_eq!(&read, &chain);
            prop_assert_eq!(read.to_string(), printed);
        }

        #[test]
        fn printing_damped_chains_round_trips(steps in program::tests::steps(4, 0..40)) {
            let chain = Chain::from_steps(steps.clone());
            prop_assert!(chain.steps().eq(steps));
            let printed = chain.to_string();
            let read: Chain = printed.parse().unwrap();
            prop_assert_eq!(&read, &chain);
            prop_assert_eq!(read.to_string(), printed);
        }

        #[test]
        fn items_are_read_the_same_in_short(first in 0u32..70_000, last in 0u32..70_000, gap in "[ 0]?") {
            for item in [format!("{gap}{first}"), format!("{first}-{gap}{last}")] {
                let mut steps = Vec::new();
                let in_full = parse_item(&item, item.trim(), &mut steps);
                if let Some(run) = plain_run(&item) {
                    prop_assert_eq!(in_full, Ok(()));
                    prop_assert!(steps.into_iter().eq(run.map(plain)));
                }
            }
        }

        #[test]
        fn no_text_panics(text in "[0-9x,()\\-. a-z:;@]{0,40}") {
            let _ = Chain::parse(&text, 12);
        }
    }
}
