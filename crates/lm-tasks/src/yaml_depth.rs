//! Bounds the brackets of a YAML text before it is parsed.
//!
//! For each token, the parser looks at every bracket that is open, so its time is the product of both. Where a bracket is
//! text and where it opens a list only the parser knows. So all are counted: those that are open at once, each closing one
//! taken for what it seems to be, and those of the whole text.

/// Most brackets that are open at once. The parser of values refuses more than 128.
const OPEN: usize = 1_000;

/// Most brackets of a text; a file of rows is not a task file.
const ALL: usize = 10_000;

/// Refuses a text whose brackets would take the parser too long.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    let (mut open, mut all) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => {
                open += 1;
                all += 1;
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > OPEN {
            return Err("more than 1000 brackets are open at once");
        }
        if all > ALL {
            return Err("more than 10000 brackets; keep rows in a file of their own");
        }
    }
    Ok(())
}
