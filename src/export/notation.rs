//! A chain in the notations of other tools.

use std::fmt::Write;

use cola_search::chain::Chain;

/// The runs of ascending neighbours of which a chain is made, as `[begin, end)`.
pub fn slices(chain: &Chain) -> Vec<(usize, usize)> {
    let mut slices: Vec<(usize, usize)> = Vec::new();
    for &layer in chain.layers() {
        let layer = layer as usize;
        match slices.last_mut() {
            Some((_, end)) if *end == layer => *end += 1,
            _ => slices.push((layer, layer + 1)),
        }
    }
    slices
}

/// A passthrough merge of mergekit's, which copies the layers of `model` as `chain` runs them. `dtype`: that of the weights, as
/// mergekit names it.
pub fn mergekit(model: &str, chain: &Chain, dtype: &str) -> String {
    // A JSON string is a YAML string.
    let model = serde_json::Value::from(model).to_string();
    let mut text = "slices:\n".to_owned();
    for (begin, end) in slices(chain) {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  - sources:\n      - model: {model}\n        layer_range: [{begin}, {end}]\n"
        );
    }
    text + &format!("merge_method: passthrough\ndtype: {dtype}\n")
}

/// RYS's list of layers.
pub fn rys(chain: &Chain) -> String {
    let layers = chain.layers().iter().map(ToString::to_string);
    format!("layers:{}\n", layers.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_written_as_other_tools_read_it() {
        let chain: Chain = "0-3,(2-3)x2,5".parse().unwrap();
        assert_eq!(slices(&chain), [(0, 4), (2, 4), (2, 4), (5, 6)]);
        assert_eq!(rys(&chain), "layers:0,1,2,3,2,3,2,3,5\n");
        assert_eq!(
            mergekit("a \"b\"", &"0-1,1".parse().unwrap(), "float16"),
            "slices:\n  - sources:\n      - model: \"a \\\"b\\\"\"\n        layer_range: [0, 2]\n  - sources:\n      \
             - model: \"a \\\"b\\\"\"\n        layer_range: [1, 2]\nmerge_method: passthrough\ndtype: float16\n"
        );
    }
}
