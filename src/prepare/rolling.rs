//! The windows of the model's context that a whole text is scored in, as lm-evaluation-harness cuts them
//! (`get_rolling_token_windows`, then `make_disjoint_window`).

/// Tokens to read, and those whose log-probabilities count after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    pub context: Vec<u32>,
    pub counted: Vec<u32>,
}

/// Cuts a text into windows of at most `most` tokens read. Every token counts once, the first after `beginning`, the first
/// of a later window after the one before it; the last window reaches back as far as there is room.
pub(super) fn windows(tokens: &[u32], beginning: u32, most: usize) -> Vec<Window> {
    let most = most.max(1);
    let mut found = Vec::new();
    let mut counted = 0;
    while counted < tokens.len() {
        let end = tokens.len().min(counted + most);
        // The model reads `context` and all counted tokens but the last, which is predicted and never read.
        let context = match end.checked_sub(most + 1) {
            _ if counted == 0 => vec![beginning],
            Some(start) => tokens[start..counted].to_vec(),
            None => std::iter::once(beginning)
                .chain(tokens[..counted].iter().copied())
                .collect(),
        };
        found.push(Window {
            context,
            counted: tokens[counted..end].to_vec(),
        });
        counted = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As lm-evaluation-harness's get_rolling_token_windows and make_disjoint_window.
    #[test]
    fn windows_are_the_harnesses() {
        let of = |count: u32, most: usize| -> Vec<(Vec<u32>, Vec<u32>)> {
            let tokens: Vec<u32> = (1..=count).collect();
            let windows = windows(&tokens, 0, most).into_iter();
            windows.map(|w| (w.context, w.counted)).collect()
        };
        assert_eq!(of(0, 4), []);
        assert_eq!(of(3, 4), [(vec![0], vec![1, 2, 3])]);
        assert_eq!(of(4, 4), [(vec![0], vec![1, 2, 3, 4])]);
        assert_eq!(
            of(10, 4),
            [
                (vec![0], vec![1, 2, 3, 4]),
                (vec![4], vec![5, 6, 7, 8]),
                (vec![6, 7, 8], vec![9, 10]),
            ]
        );
        assert_eq!(
            of(5, 4),
            [(vec![0], vec![1, 2, 3, 4]), (vec![1, 2, 3, 4], vec![5])]
        );
        assert_eq!(of(2, 1), [(vec![0], vec![1]), (vec![1], vec![2])]);
    }
}
