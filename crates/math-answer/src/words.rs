//! Words in answers: `yes`, `no solution`, `Evelyn`, the `Area` of `Area = 20`.

use super::syntax::Function;
use super::token::Token;

/// Letters of a run that may be a product of variables; longer runs are words.
pub(super) const MAX_RUN: usize = 3;
/// Words that separate the entries of a list.
const JOINING: [&str; 2] = ["or", "and"];
/// Words of two letters, or of one.
const SHORT: [&str; 24] = [
    "a", "am", "an", "as", "at", "by", "do", "he", "if", "in", "is", "it", "me", "my", "no", "of",
    "on", "pm", "so", "to", "up", "us", "we", "yd",
];
/// Words that are mathematics.
const MATHEMATICS: [&str; 6] = ["pi", "infty", "inf", "infinity", "oo", "sqrt"];

/// Tokens that are words and nothing else.
pub(super) struct Words {
    /// Lower case, but for two letters that are no word.
    pub(super) text: String,
    /// They are no product of variables: `no` is a word, `abc` may be one.
    pub(super) sure: bool,
}

/// Whether a token is `and` or `or`.
pub(super) fn joins(token: &Token) -> bool {
    matches!(token, Token::Word(word) | Token::Text(word) if JOINING.contains(&word.as_str()))
}

/// Reads tokens of which all are words; None where one is not, or where there are single letters only.
pub(super) fn words(tokens: &[Token]) -> Option<Words> {
    let mut text = Vec::new();
    let (mut real, mut sure) = (false, false);
    for token in tokens {
        match token {
            Token::Word(word)
                if Function::named(word).is_some() || MATHEMATICS.contains(&word.as_str()) =>
            {
                return None;
            }
            token if joins(token) => text.push(token.spelled()),
            Token::Word(word) => {
                (real, sure) = (true, sure || !may_be_product(word));
                text.push(folded(word));
            }
            Token::Text(word) => {
                let several = word.chars().nth(1).is_some();
                (real, sure) = (real || several, sure || several);
                text.push(folded(word));
            }
            Token::Letter(letter) => text.push(letter.to_string()),
            Token::Sign('{' | '}') => {}
            _ => return None,
        }
    }
    real.then(|| Words {
        text: text.join(" "),
        sure,
    })
}

/// Two letters may be symbols, whose case says which: `Ae`.
fn folded(word: &str) -> String {
    let lower = word.to_lowercase();
    let name = word.chars().count() > 2 || SHORT.contains(&lower.as_str());
    if name { lower } else { word.to_owned() }
}

/// A short run in capitals, or without the vowels that few variables are named by: `AB`, `xyz`.
pub(super) fn may_be_product(word: &str) -> bool {
    let capitals = word.chars().all(|c| c.is_ascii_uppercase());
    word.len() <= MAX_RUN && (capitals || !word.contains(['e', 'i', 'o', 'u']))
}

/// Whether two texts are the same words, whatever their case: an article before them and hyphens aside.
pub(super) fn same_words(left: &str, right: &str) -> bool {
    plain(left) == plain(right)
}

fn plain(text: &str) -> String {
    let text = text.replace(['-', '\''], " ");
    let text = ["the ", "a ", "an "]
        .iter()
        .find_map(|article| text.strip_prefix(article))
        .unwrap_or(&text);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.as_str() {
        "no solutions" => "no solution".to_owned(),
        _ => text,
    }
}
