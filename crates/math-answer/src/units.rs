//! Units of measure, by their names.

use super::syntax::{Function, is_symbol};
use super::token::Token;
use super::unit::{Power, Unit};
use super::words::{joins, may_be_product};

/// The number before a noun, which decides whether the noun may be in the singular.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// The noun follows an expression that is not a single number.
    None,
    One,
    Many,
}

/// Spellings of each unit, the canonical name first. A single letter is a unit only in a text command:
/// `\text{m}`.
const NAMES: [&[&str]; 47] = [
    &["dollar", "dollars", "usd", "bucks"],
    &["cent", "cents", "¢"],
    &["euro", "euros"],
    // Either money or weight.
    &["pound", "pounds"],
    &["pound-sterling", "£"],
    &["pound-weight", "lb", "lbs"],
    &["ounce", "ounces", "oz"],
    &["percent", "percents", "pct"],
    &["percentage-point"],
    &["degree", "degrees", "deg"],
    &["radian", "radians", "rad"],
    &["metre", "metres", "meter", "meters", "m"],
    &[
        "centimetre",
        "centimetres",
        "centimeter",
        "centimeters",
        "cm",
    ],
    &[
        "millimetre",
        "millimetres",
        "millimeter",
        "millimeters",
        "mm",
    ],
    &["kilometre", "kilometres", "kilometer", "kilometers", "km"],
    &["inch", "inches", "in"],
    &["foot", "feet", "ft"],
    &["yard", "yards", "yd", "yds"],
    &["mile", "miles", "mi"],
    &["acre", "acres"],
    &["gram", "grams", "g"],
    &["kilogram", "kilograms", "kg", "kgs"],
    &["milligram", "milligrams", "mg"],
    &["ton", "tons"],
    &["tonne", "tonnes"],
    &["litre", "litres", "liter", "liters", "L", "l"],
    &[
        "millilitre",
        "millilitres",
        "milliliter",
        "milliliters",
        "ml",
        "mL",
    ],
    &["gallon", "gallons", "gal"],
    &["quart", "quarts"],
    &["pint", "pints"],
    &["cup", "cups"],
    &["second", "seconds", "sec", "secs", "s"],
    &["minute", "minutes", "min", "mins"],
    &["hour", "hours", "hr", "hrs", "h"],
    &["day", "days"],
    &["week", "weeks"],
    &["month", "months"],
    &["year", "years", "yr", "yrs"],
    &["unit", "units"],
    &["mph"],
    &["kph", "kmph"],
    &["watt", "watts", "W"],
    &["joule", "joules", "J"],
    &["newton", "newtons", "N"],
    &["volt", "volts", "V"],
    &["hertz", "Hz"],
    &["kelvin", "K"],
];

/// Counted nouns that are accepted after any expression: `2^5 ways`.
const COUNTED: [&str; 18] = [
    "people",
    "person",
    "students",
    "student",
    "points",
    "point",
    "ways",
    "way",
    "times",
    "pages",
    "page",
    "children",
    "men",
    "women",
    "solutions",
    "pieces",
    "items",
    "questions",
];

/// Words that cannot be in a counted noun, because they change what the number before them means. Sorted,
/// for binary search.
const NO_NOUNS: [&str; 82] = [
    "about",
    "and",
    "approximately",
    "are",
    "at",
    "base",
    "billions",
    "but",
    "by",
    "couples",
    "cubed",
    "cubes",
    "divided",
    "dozens",
    "eights",
    "factorial",
    "factorials",
    "factors",
    "fewer",
    "fives",
    "for",
    "fours",
    "from",
    "googol",
    "half",
    "halves",
    "hundreds",
    "if",
    "infinities",
    "infinity",
    "is",
    "least",
    "less",
    "millions",
    "minus",
    "mod",
    "modulo",
    "modulus",
    "more",
    "most",
    "multiples",
    "multiplied",
    "negative",
    "negatives",
    "nines",
    "not",
    "of",
    "ones",
    "only",
    "or",
    "over",
    "pairs",
    "plus",
    "powers",
    "quadrillion",
    "quadrillions",
    "quarter",
    "quarters",
    "quintillion",
    "remainder",
    "roots",
    "scores",
    "sevens",
    "sixes",
    "squared",
    "squares",
    "tens",
    "than",
    "third",
    "thirds",
    "thousands",
    "threes",
    "to",
    "trillion",
    "trillions",
    "twos",
    "unless",
    "when",
    "with",
    "without",
    "zeroes",
    "zeros",
];
/// Letters of the shortest plural: `cos` is not a plural.
const MIN_PLURAL: usize = 4;

/// Words that divide one unit by another: `dollars per hour`, `dollars an hour`.
const PER: [&str; 5] = ["per", "a", "an", "each", "every"];

/// Most tokens of a unit.
const MAX_TOKENS: usize = 16;

/// Words that multiply the number before them, with their factors.
const MULTIPLIERS: [(&str, i64); 5] = [
    ("hundred", 100),
    ("thousand", 1_000),
    ("million", 1_000_000),
    ("billion", 1_000_000_000),
    ("dozen", 12),
];

/// The factor of a word such as `thousand`.
pub(super) fn multiplier(word: &str) -> Option<i64> {
    MULTIPLIERS
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, factor)| *factor)
}

fn named(word: &str) -> Option<&'static str> {
    let exact = NAMES.iter().find(|names| names.contains(&word));
    let lower = word.to_lowercase();
    let any_case = || {
        NAMES
            .iter()
            .find(|names| word.len() > 2 && names.contains(&lower.as_str()))
    };
    let counted = || COUNTED.iter().find(|name| **name == lower).copied();
    exact
        .or_else(any_case)
        .map(|names| names[0])
        .or_else(counted)
}

/// A word of a unit phrase.
enum Part {
    Name(&'static str),
    Per,
    Times,
    /// Exponent of the next name (`square`) or of the last one (`squared`).
    Next(i32),
    Last(i32),
}

/// Whether words after a number are a counted noun: `apples`, `red apples`; after the number one also
/// `apple`.
///
/// The last word has to be a plural, and no word may change what the number means, as in `5 or more` and
/// `3 fifths`.
fn counts(words: &[&str], count: Count) -> bool {
    let Some(last) = words.last() else {
        return false;
    };
    let plain = |word: &&str| {
        let lower = word.to_lowercase();
        word.chars().all(|c| c.is_ascii_alphabetic())
            && word.len() > 2
            && NO_NOUNS.binary_search(&lower.as_str()).is_err()
            && multiplier(&lower).is_none()
            && Function::named(&lower).is_none()
            && !lower.ends_with("ths")
            && !lower.ends_with("th")
            && !is_symbol(&lower)
            && !may_be_product(word)
    };
    let number = match count {
        Count::None => false,
        Count::One => true,
        Count::Many => last.len() >= MIN_PLURAL && last.ends_with('s'),
    };
    number && words.iter().all(plain)
}

/// Reads a unit that extends to the next comma or to the end of `tokens`. Returns its number of tokens and
/// the unit; `None` if the tokens are not a unit.
///
/// After a number, words that are not a known unit are read as a [counted noun](counts).
pub(super) fn read(tokens: &[Token], count: Count) -> Option<(usize, Unit)> {
    let tokens = phrase(tokens)?;
    let unit = match counted(tokens, count) {
        Some(unit) => unit,
        None => assembled(Vec::new(), parts(tokens)?)?,
    };
    Some((tokens.len(), unit))
}

/// Reads the divisor of a known unit, such as the `per hour` of `\$20 per hour`. Returns its number of
/// tokens and the whole unit.
pub(super) fn read_after(known: &Unit, tokens: &[Token]) -> Option<(usize, Unit)> {
    let tokens = phrase(tokens)?;
    let words = words_of(tokens)?;
    let (per, below) = words.split_first()?;
    PER.contains(per).then_some(())?;
    let unit = known.powers().iter().cloned().chain(per_words(below)?);
    Some((tokens.len(), Unit::product(unit.collect())))
}

/// Tokens up to a comma, a closing bracket, a relation, `and` or `or`. `None` if there are more than
/// [`MAX_TOKENS`].
fn phrase(tokens: &[Token]) -> Option<&[Token]> {
    let mut open = 0;
    let mut length = 0;
    for token in tokens {
        match token {
            Token::Sign('{') => open += 1,
            Token::Sign('}') if open > 0 => open -= 1,
            Token::Sign(',' | ';' | ')' | ']' | '}' | '=' | '<' | '>') => break,
            Token::Command(name) if matches!(name.as_str(), "}" | "le" | "ge" | "ne") => break,
            token if joins(token) => break,
            _ => {}
        }
        length += 1;
    }
    (length <= MAX_TOKENS).then(|| &tokens[..length])
}

/// Reads a unit with a counted noun: `red apples`, `eggs per day`, `dollars per ticket`. `None` if there
/// are other tokens than words, or if every word is a known unit.
fn counted(tokens: &[Token], count: Count) -> Option<Unit> {
    let words = words_of(tokens)?;
    if words.iter().all(|word| word_part(word).is_some()) {
        return None;
    }
    let (above, below) = match words.iter().position(|word| PER.contains(word)) {
        Some(at) => (&words[..at], Some(&words[at + 1..])),
        None => (words.as_slice(), None),
    };
    // `20 years old` and `3 apples left` are read without the last word.
    let above = match above {
        [
            words @ ..,
            "old" | "left" | "remaining" | "total" | "altogether",
        ] if !words.is_empty() => words,
        words => words,
    };
    let mut unit = unit_of(above, count)?;
    if let Some(below) = below {
        unit.extend(per_words(below)?);
    }
    Some(Unit::product(unit))
}

/// Reads the divisor of a unit, with negative powers. Its noun is in the singular: `per ticket`.
fn per_words(words: &[&str]) -> Option<Vec<Power>> {
    let below = unit_of(words, Count::One)?;
    Some(
        below
            .into_iter()
            .map(|(name, power)| (name, -power))
            .collect(),
    )
}

/// Reads words that are known units, or else one counted noun.
fn unit_of(words: &[&str], count: Count) -> Option<Vec<Power>> {
    let known: Option<Vec<Part>> = words.iter().map(|word| word_part(word)).collect();
    match known {
        Some(parts) => Some(assembled(Vec::new(), parts)?.powers().to_vec()),
        None => counts(words, count).then(|| vec![(words.join(" ").to_lowercase().into(), 1)]),
    }
}

/// The words of tokens; `None` if there are other tokens than words.
fn words_of(tokens: &[Token]) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    for token in tokens {
        match token {
            Token::Text(text) => words.extend(text.split(' ')),
            Token::Word(word) => words.push(word.as_str()),
            _ => return None,
        }
    }
    Some(words)
}

fn parts(tokens: &[Token]) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut tokens = tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => {
                for word in text.split(' ') {
                    parts.push(word_part(word.trim_end_matches('.'))?);
                }
            }
            Token::Word(word) => parts.push(word_part(word)?),
            Token::Sign('/') => parts.push(Part::Per),
            Token::Sign('.') => {}
            Token::Command(name) if name == "cdot" => parts.push(Part::Times),
            Token::Command(name) if name == "squared" => parts.push(Part::Last(2)),
            Token::Command(name) if name == "cubed" => parts.push(Part::Last(3)),
            Token::Sign('^') => {
                let braced = tokens
                    .next_if(|token| **token == Token::Sign('{'))
                    .is_some();
                let negative = tokens
                    .next_if(|token| **token == Token::Sign('-'))
                    .is_some();
                let Some(Token::Number { value, whole: true }) = tokens.next() else {
                    return None;
                };
                let power: i32 = value
                    .to_string()
                    .parse()
                    .ok()
                    .filter(|power| (1..=9).contains(power))?;
                parts.push(Part::Last(if negative { -power } else { power }));
                if braced {
                    tokens.next_if(|token| **token == Token::Sign('}'))?;
                }
            }
            _ => return None,
        }
    }
    Some(parts)
}

fn word_part(word: &str) -> Option<Part> {
    Some(match word {
        word if PER.contains(&word) => Part::Per,
        "square" | "sq" => Part::Next(2),
        "cubic" | "cu" => Part::Next(3),
        "squared" => Part::Last(2),
        "cubed" => Part::Last(3),
        _ => Part::Name(named(word)?),
    })
}

/// Combines parts to a unit. `known`: powers that come before the parts.
fn assembled(known: Vec<Power>, parts: Vec<Part>) -> Option<Unit> {
    let (mut sign, mut power, mut expects) = (1, 1, known.is_empty());
    let mut unit = known;
    for part in parts {
        match part {
            Part::Name(name) => {
                unit.push((name.into(), sign * power));
                (sign, power, expects) = (1, 1, false);
            }
            Part::Per if !unit.is_empty() => (sign, expects) = (-1, true),
            Part::Times if !unit.is_empty() => expects = true,
            Part::Next(by) => (power, expects) = (by, true),
            Part::Last(by) if !expects => {
                let (_, last) = unit.last_mut()?;
                *last *= by;
            }
            _ => return None,
        }
    }
    if expects {
        return None;
    }
    let speed = |name: &'static str| Unit::product(vec![("hour".into(), -1), (name.into(), 1)]);
    let unit = Unit::product(unit);
    Some(match () {
        () if unit.is("mph") => speed("mile"),
        () if unit.is("kph") => speed("kilometre"),
        () => unit,
    })
}
