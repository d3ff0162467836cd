//! Python values that JSON cannot represent: `nan`, `inf`, integers beyond 64 bits, bytes. A row stores
//! each as an object with one entry. Its key begins with a NUL character, which no key of a dataset does.

use serde_json::{Map, Value};

const FLOAT: &str = "\0float";
const INTEGER: &str = "\0integer";
const BYTES: &str = "\0bytes";

/// The Python value that such an object represents.
#[derive(Debug, PartialEq)]
pub enum Special<'a> {
    /// A float that is not finite.
    Float(f64),
    /// The digits of an integer beyond 64 bits, after a minus sign if it is negative.
    Integer(&'a str),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl<'a> Special<'a> {
    /// The special value that an object represents; `None` if it is an ordinary object.
    pub fn of(object: &'a Map<String, Value>) -> Option<Self> {
        let (key, Value::String(text)) = object.iter().next().filter(|_| object.len() == 1)? else {
            return None;
        };
        match key.as_str() {
            FLOAT => text.parse().ok().map(Special::Float),
            INTEGER => Some(Special::Integer(text)),
            // Every character is one byte.
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

/// Bytes, stored as one character for each byte.
pub fn bytes(bytes: &[u8]) -> Value {
    tagged(BYTES, bytes.iter().map(|&byte| char::from(byte)).collect())
}

fn tagged(key: &str, text: String) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), Value::String(text))]))
}
