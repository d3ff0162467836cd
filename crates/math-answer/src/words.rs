//! Words in answers: `yes`, `no solution`, `Evelyn`, the `Area` of `Area = 20`.

use super::syntax::Function;
use super::token::Token;

/// Most letters of a run that may be a product of variables; a longer run is a word.
pub(super) const MAX_RUN: usize = 3;
/// Words that separate the entries of a list.
const JOINING: [&str; 2] = ["or", "and"];
/// English words of one or two letters.
const SHORT: [&str; 24] = [
    "a", "am", "an", "as", "at", "by", "do", "he", "if", "in", "is", "it", "me", "my", "no", "of",
    "on", "pm", "so", "to", "up", "us", "we", "yd",
];
/// Words that are constants or functions.
const MATHEMATICS: [&str; 6] = ["pi", "infty", "inf", "infinity", "oo", "sqrt"];

/// The text of tokens that are all words.
pub(super) struct Words {
    /// In lower case, except pairs of letters that are not an English word.
    pub(super) text: String,
    /// Whether the text cannot be a product of variables: `no` cannot, `abc` can.
    pub(super) sure: bool,
}

/// Whether a token is `and` or `or`.
pub(super) fn joins(token: &Token) -> bool {
    matches!(token, Token::Word(word) | Token::Text(word) if JOINING.contains(&word.as_str()))
}

/// Reads tokens that are all words. `None` if there are other tokens, or if all are single letters.
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

/// A word in lower case. Two letters that are not an English word may be symbols and keep their case: `Ae`.
fn folded(word: &str) -> String {
    let lower = word.to_lowercase();
    let name = word.chars().count() > 2 || SHORT.contains(&lower.as_str());
    if name { lower } else { word.to_owned() }
}

/// Whether a run of letters may be a product of variables: a short run in capitals, or one without e, i, o
/// and u, which are rarely variables. `AB` and `xyz` may be, `no` may not.
pub(super) fn may_be_product(word: &str) -> bool {
    let capitals = word.chars().all(|c| c.is_ascii_uppercase());
    word.len() <= MAX_RUN && (capitals || !word.contains(['e', 'i', 'o', 'u']))
}

/// Whether two texts have the same words. An article at the start, hyphens and apostrophes are ignored.
/// [`words`] has already made the case equal.
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
