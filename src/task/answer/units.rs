//! Units of measure, by their names.

use super::token::Token;

/// Names with their powers, sorted: `m/s` is m^1 s^-1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit(Vec<(&'static str, i32)>);

impl Unit {
    pub(super) fn of(name: &'static str) -> Unit {
        Unit(vec![(name, 1)])
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.0 == [(name, 1)]
    }
}

/// First the name that stands for all spellings. Letters alone count inside of text commands only.
const NAMES: [&[&str]; 44] = [
    &["dollar", "dollars", "usd", "bucks"],
    &["cent", "cents", "¢"],
    &["euro", "euros"],
    &["pound", "pounds", "lb", "lbs"],
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
    &["inch", "inches"],
    &["foot", "feet", "ft"],
    &["yard", "yards", "yd", "yds"],
    &["mile", "miles", "mi"],
    &["acre", "acres"],
    &["gram", "grams", "g"],
    &["kilogram", "kilograms", "kg", "kgs"],
    &["milligram", "milligrams", "mg"],
    &["ton", "tons", "tonne", "tonnes"],
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

/// What is counted, where the number says all: `5 apples` is not here, for want of all nouns.
const COUNTED: [&str; 16] = [
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
    "solutions",
    "pieces",
    "items",
    "questions",
];

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

/// Reads a unit that fills `tokens` to a comma or their end: how many tokens, and the unit. None where they are no unit.
pub(super) fn read(tokens: &[Token]) -> Option<(usize, Unit)> {
    let stop = |token: &Token| {
        matches!(
            token,
            Token::Sign(',' | ';' | ')' | ']' | '}' | '=' | '<' | '>')
        ) || matches!(token, Token::Command(name) if matches!(name.as_str(), "}" | "le" | "ge"))
    };
    let length = tokens.iter().position(stop).unwrap_or(tokens.len());
    if length > MAX_TOKENS {
        return None;
    }
    let parts = parts(&tokens[..length])?;
    Some((length, assembled(&parts)?))
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
        "per" | "a" | "an" | "each" => Part::Per,
        "square" | "sq" => Part::Next(2),
        "cubic" | "cu" => Part::Next(3),
        "squared" => Part::Last(2),
        "cubed" => Part::Last(3),
        _ => Part::Name(named(word)?),
    })
}

fn assembled(parts: &[Part]) -> Option<Unit> {
    let mut unit: Vec<(&'static str, i32)> = Vec::new();
    let (mut sign, mut power, mut expects) = (1, 1, true);
    for part in parts {
        match part {
            Part::Name(name) => {
                unit.push((name, sign * power));
                (sign, power, expects) = (1, 1, false);
            }
            Part::Per if !unit.is_empty() => (sign, expects) = (-1, true),
            Part::Times if !unit.is_empty() => expects = true,
            Part::Next(by) => (power, expects) = (*by, true),
            Part::Last(by) if !expects => {
                let (_, last) = unit.last_mut()?;
                *last *= *by;
            }
            _ => return None,
        }
    }
    if expects {
        return None;
    }
    unit.sort_unstable();
    let speed = |name: &'static str| vec![("hour", -1), (name, 1)];
    match unit.as_slice() {
        [("mph", 1)] => unit = speed("mile"),
        [("kph", 1)] => unit = speed("kilometre"),
        _ => {}
    }
    Some(Unit(unit))
}
