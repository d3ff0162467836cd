//! Any text as two answers: compared without panic, in bounded time.

#![no_main]

use std::time::{Duration, Instant};

use math_answer::{extract_answer, math_equal, math_verdict, parse_number};
use libfuzzer_sys::fuzz_target;

const TOO_LONG: Duration = Duration::from_millis(100);

fuzz_target!(|text: &str| {
    let (answer, gold) = text.split_once('\n').unwrap_or((text, "1"));
    let _ = extract_answer(text);
    let start = Instant::now();
    let verdict = math_verdict(answer, gold);
    assert!(start.elapsed() < TOO_LONG, "{:?}", start.elapsed());
    assert_eq!(verdict, math_verdict(answer, gold));
    assert!(answer.trim().is_empty() || math_equal(answer, answer));
    let _ = parse_number(answer);
});
