//! Units of measure, by their names.

use std::borrow::Cow;

use super::parse_symbol::is_symbol;
use super::syntax::Function;
use super::token::Token;
use super::words::{joins, may_be_product};

/// Names with their powers, sorted: `m/s` is m^1 s^-1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit(Vec<(Cow<'static, str>, i32)>);

impl Unit {
    pub(super) fn of(name: &'static str) -> Unit {
        Unit(vec![(name.into(), 1)])
    }

    fn sorted(mut self) -> Unit {
        self.0.sort_unstable();
        self
    }

    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self.0.as_slice(), [(known, 1)] if known == name)
    }
}

/// How many there are of what may be counted after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// No number, but an expression.
    None,
    One,
    Many,
}

/// First the name that stands for all spellings. Letters alone count inside of text commands only.
const NAMES: [&[&str]; 47] = [
    &["dollar", "dollars", "usd", "bucks"],
    &["cent", "cents", "¢"],
    &["euro", "euros"],
    // Of money or of weight.
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

/// What is counted, also after an expression: `2^5 ways`.
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

/// Words after a number that say more than what is counted: sorted.
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
/// Letters of the shortest plural: `cos` is none.
const MIN_PLURAL: usize = 4;

/// Words between what is measured and what it is measured by.
const PER: [&str; 5] = ["per", "a", "an", "each", "every"];

/// Tokens a unit may have.
const MAX_TOKENS: usize = 16;

/// Powers of ten, and dozens, that words say.
const MULTIPLIERS: [(&str, i64); 5] = [
    ("hundred", 100),
    ("thousand", 1_000),
    ("million", 1_000_000),
    ("billion", 1_000_000_000),
    ("dozen", 12),
];

/// The factor that a word stands for.
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
    /// The power of the next name, or of the last one.
    Next(i32),
    Last(i32),
}

/// Whether words after a number are what it counts: `apples`, `red apples`; after a one also `apple`.
///
/// The last is in the plural, and none says more, as in `5 or more` and `3 fifths`.
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

/// Reads a unit that fills `tokens` to a comma or their end: how many tokens, and the unit. None where they are no unit.
///
/// After a number, words that are no known unit are what is [counted](counts).
pub(super) fn read(tokens: &[Token], count: Count) -> Option<(usize, Unit)> {
    let tokens = phrase(tokens)?;
    let unit = match counted(tokens, count) {
        Some(unit) => unit,
        None => assembled(Vec::new(), parts(tokens)?)?,
    };
    Some((tokens.len(), unit))
}

/// Reads what a unit that is known is per: the `per hour` of `\$20 per hour`.
pub(super) fn read_after(known: &Unit, tokens: &[Token]) -> Option<(usize, Unit)> {
    let tokens = phrase(tokens)?;
    let words = words_of(tokens)?;
    let (per, below) = words.split_first()?;
    PER.contains(per).then_some(())?;
    let unit = known.0.iter().cloned().chain(per_words(below)?);
    Some((tokens.len(), Unit(unit.collect()).sorted()))
}

/// Tokens up to a comma, a bracket that closes, a relation, `and` or `or`.
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

/// Words and nothing else, of which not all are units: `red apples`, `eggs per day`, `dollars per ticket`.
fn counted(tokens: &[Token], count: Count) -> Option<Unit> {
    let words = words_of(tokens)?;
    if words.iter().all(|word| word_part(word).is_some()) {
        return None;
    }
    let (above, below) = match words.iter().position(|word| PER.contains(word)) {
        Some(at) => (&words[..at], Some(&words[at + 1..])),
        None => (words.as_slice(), None),
    };
    // `20 years old`, `3 apples left`.
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
    Some(Unit(unit).sorted())
}

/// What is below, of which there is one.
fn per_words(words: &[&str]) -> Option<Vec<(Cow<'static, str>, i32)>> {
    let below = unit_of(words, Count::One)?;
    Some(
        below
            .into_iter()
            .map(|(name, power)| (name, -power))
            .collect(),
    )
}

/// Units, or what is counted.
fn unit_of(words: &[&str], count: Count) -> Option<Vec<(Cow<'static, str>, i32)>> {
    let known: Option<Vec<Part>> = words.iter().map(|word| word_part(word)).collect();
    match known {
        Some(parts) => Some(assembled(Vec::new(), parts)?.0),
        None => counts(words, count).then(|| vec![(words.join(" ").to_lowercase().into(), 1)]),
    }
}

/// The words of tokens that are nothing else.
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

/// `known`: what the parts come after.
fn assembled(known: Vec<(Cow<'static, str>, i32)>, parts: Vec<Part>) -> Option<Unit> {
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
    let speed = |name: &'static str| Unit(vec![("hour".into(), -1), (name.into(), 1)]);
    let unit = Unit(unit).sorted();
    Some(match () {
        () if unit.is("mph") => speed("mile"),
        () if unit.is("kph") => speed("kilometre"),
        () => unit,
    })
}
