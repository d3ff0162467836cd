//! Python's values that JSON has no form for: `nan`, `inf`, integers beyond 64 bits, bytes. A row keeps each as an
//! object of one entry, whose key is no text that a dataset has.

use serde_json::{Map, Value};

const FLOAT: &str = "\0float";
const INTEGER: &str = "\0integer";
const BYTES: &str = "\0bytes";

/// What such an object stands for.
#[derive(Debug, PartialEq)]
pub enum Special<'a> {
    /// Not finite.
    Float(f64),
    /// Its digits, after a minus if it is negative.
    Integer(&'a str),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl<'a> Special<'a> {
    /// None of an object that is one.
    pub fn of(object: &'a Map<String, Value>) -> Option<Self> {
        let (key, Value::String(text)) = object.iter().next().filter(|_| object.len() == 1)? else {
            return None;
        };
        match key.as_str() {
            FLOAT => text.parse().ok().map(Special::Float),
            INTEGER => Some(Special::Integer(text)),
            // A character a byte.
            BYTES => Some(Special::Bytes(text.chars().map(|c| c as u8).collect())),
            _ => None,
        }
    }
}

/// A float, finite or not.
pub fn float(value: f64) -> Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None => tagged(FLOAT, value.to_string()),
    }
}

/// An integer of any size, from its canonical digits.
pub fn integer(digits: &str) -> Value {
    let small = digits.parse::<i64>().map(Value::from);
    small
        .or_else(|_| digits.parse::<u64>().map(Value::from))
        .unwrap_or_else(|_| tagged(INTEGER, digits.to_owned()))
}

/// Bytes, a character each.
pub fn bytes(bytes: &[u8]) -> Value {
    tagged(BYTES, bytes.iter().map(|&byte| char::from(byte)).collect())
}

fn tagged(key: &str, text: String) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), Value::String(text))]))
}
