//! Any text as a chain: refused with its text, or a chain whose own notation reads back as the same.

#![no_main]

use cola::chain::Chain;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Chain::parse(text, 28) {
        Err(error) => assert!(error.to_string().len() < 20_000 + 2 * text.len()),
        Ok(chain) => {
            let printed = chain.to_string();
            assert_eq!(Chain::parse(&printed, 28).unwrap(), chain, "{printed}");
            assert!(chain.layers().iter().all(|&layer| usize::from(layer) < 28));
        }
    }
});
