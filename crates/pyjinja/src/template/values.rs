//! Values in templates: conversion from and to rows, Python's printing, and types that minijinja lacks:
//! integers of any size, `range`, and lists that can be changed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, UndefinedBehavior, Value};
use serde_json::{Map, Value as Json};

use super::bounds::{self, Allowance, Limited};
use super::refused;
use crate::python::{self, Special};

/// Converts a value of a row for templates.
fn from_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => List::value(items.iter().map(from_json).collect()),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::from(value),
            (_, Some(value)) => Value::from(value),
            _ => Value::from(number.as_f64()),
        },
        Json::Object(entries) => match Special::of(entries) {
            Some(Special::Float(value)) => Value::from(value),
            Some(Special::Integer(digits)) => integer(digits),
            Some(Special::Bytes(bytes)) => Value::from_bytes(bytes),
            None => mapping(entries),
        },
    }
}

/// Converts a JSON object, or the columns of a row.
pub(super) fn mapping(entries: &Map<String, Json>) -> Value {
    Value::from_pairs(
        entries
            .iter()
            .map(|(key, value)| (key.as_str(), from_json(value))),
    )
}

/// An integer, from its digits.
pub(super) fn integer(digits: &str) -> Value {
    let wide = digits.parse::<i128>().map(Value::from);
    wide.or_else(|_| digits.parse::<u128>().map(Value::from))
        .unwrap_or_else(|_| Value::from_object(Digits(digits.to_owned())))
}

/// Converts a value back to JSON. A tuple becomes a list, and a key becomes a string.
pub(super) fn to_json(value: &Value) -> Result<Json, Error> {
    json_within(value, &mut Allowance::new())
}

fn json_within(value: &Value, left: &mut Allowance) -> Result<Json, Error> {
    left.take(value.as_bytes().map_or(0, <[u8]>::len))?;
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number if value.is_integer() => python::integer_value(&value.to_string()),
        ValueKind::Number => python::float_value(f64::try_from(value.clone())?),
        ValueKind::Bytes => python::bytes_value(value.as_bytes().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => left.within(|left| {
            let items = value.try_iter()?.checked();
            items.map(|item| json_within(&item?, left)).collect()
        })?,
        ValueKind::Map => left.within(|left| {
            let entry = |key: Result<Value, Error>| {
                let key = key?;
                let name = match json_within(&key, left)? {
                    Json::String(name) => name,
                    other => python::dumps(&other, python::Style::default()),
                };
                Ok((name, json_within(&value.get_item(&key)?, left)?))
            };
            let keys = value.try_iter()?.checked();
            keys.map(entry).collect::<Result<_, Error>>()
        })?,
        ValueKind::Invalid => return Err(refused(value.to_string())),
        _ => match value.downcast_object_ref() {
            Some(Digits(digits)) => python::integer_value(digits),
            None => Json::String(value.to_string()),
        },
    })
}

/// The text of a string; `None` for any other value, even for bytes that are UTF-8.
pub(super) fn text_of(value: &Value) -> Option<&str> {
    value.as_str().filter(|_| value.kind() == ValueKind::String)
}

/// `str(value)`.
pub(super) fn to_str(value: &Value) -> Result<String, Error> {
    match text_of(value) {
        Some(text) => Ok(text.to_owned()),
        None => repr(value),
    }
}

/// `repr(value)`. Iterators, which Python prints with their address, are printed as lists.
pub(super) fn repr(value: &Value) -> Result<String, Error> {
    let mut out = Limited::default();
    write_repr(value, &mut out, &mut Allowance::new())?;
    Ok(out.finish())
}

fn write_repr(value: &Value, out: &mut Limited, left: &mut Allowance) -> Result<(), Error> {
    left.take(value.as_bytes().map_or(0, <[u8]>::len))?;
    match value.kind() {
        ValueKind::Undefined => out.push("Undefined"),
        ValueKind::String => out.push(&python::quote(value.as_str().unwrap_or_default())),
        ValueKind::Bytes => out.push(&python::bytes(value.as_bytes().unwrap_or_default())),
        ValueKind::Number if !value.is_integer() => {
            out.push(&python::float(f64::try_from(value.clone())?))
        }
        ValueKind::Iterable if value.downcast_object_ref::<Range>().is_some() => {
            out.push(&value.to_string())
        }
        ValueKind::Seq | ValueKind::Iterable => left.within(|left| {
            let ends = match (value.is_tuple(), value.len()) {
                (true, Some(1)) => ["(", ",)"],
                (true, _) => ["(", ")"],
                (false, _) => ["[", "]"],
            };
            out.push(ends[0])?;
            for (at, item) in value.try_iter()?.checked().enumerate() {
                out.push(if at == 0 { "" } else { ", " })?;
                write_repr(&item?, out, left)?;
            }
            out.push(ends[1])
        }),
        ValueKind::Map => left.within(|left| {
            out.push("{")?;
            for (at, key) in value.try_iter()?.checked().enumerate() {
                let key = key?;
                out.push(if at == 0 { "" } else { ", " })?;
                write_repr(&key, out, left)?;
                out.push(": ")?;
                write_repr(&value.get_item(&key)?, out, left)?;
            }
            out.push("}")
        }),
        ValueKind::Invalid => Err(refused(value.to_string())),
        _ => out.push(&value.to_string()),
    }
}

/// An integer beyond 128 bits. It can be printed, but not used in arithmetic.
#[derive(Debug)]
struct Digits(String);

impl Object for Digits {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `range(start, stop, step)`.
#[derive(Debug)]
pub(super) struct Range {
    start: i64,
    stop: i64,
    step: i64,
}

/// Most entries of a range; a template does not need more.
const LONGEST_RANGE: u64 = 1_000_000;

impl Range {
    /// The function `range` of templates.
    pub fn function(first: i64, stop: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
        let (start, stop) = stop.map_or((0, first), |stop| (first, stop));
        let range = Range {
            start,
            stop,
            step: step.unwrap_or(1),
        };
        match range.step {
            0 => Err(refused("range() has a step of 0")),
            _ if range.count() > LONGEST_RANGE => Err(refused(format!(
                "range() of more than {LONGEST_RANGE} numbers"
            ))),
            _ => Ok(Value::from_object(range)),
        }
    }

    fn count(&self) -> u64 {
        let (from, to) = match self.step > 0 {
            true => (self.start, self.stop),
            false => (self.stop, self.start),
        };
        match to > from {
            true => to.abs_diff(from).div_ceil(self.step.unsigned_abs()),
            false => 0,
        }
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let place = key.as_usize().filter(|at| (*at as u64) < self.count())?;
        Some(Value::from(self.start + place as i64 * self.step))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let range = Arc::clone(self);
        let numbers = (0..self.count() as i64).map(move |at| range.start + at * range.step);
        Enumerator::Iter(Box::new(numbers.map(Value::from)))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.count() as usize)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            1 => write!(f, "range({}, {})", self.start, self.stop),
            step => write!(f, "range({}, {}, {step})", self.start, self.stop),
        }
    }
}

/// A list that can be changed in place, as Python's can.
#[derive(Debug)]
pub(super) struct List(Mutex<Vec<Value>>);

impl List {
    pub fn value(items: Vec<Value>) -> Value {
        Value::from_object(List(Mutex::new(items)))
    }

    fn items(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses an item that contains this list, since printing the list would not end, and one that is too large to
    /// be looked through.
    fn accept(&self, item: &Value) -> Result<(), Error> {
        match holds(item, self, &mut Allowance::new())? {
            true => Err(refused("a list within itself")),
            false => Ok(()),
        }
    }

    /// A new list with the same items.
    pub fn copy(&self) -> Value {
        List::value(self.items().clone())
    }
}

fn holds(value: &Value, list: &List, left: &mut Allowance) -> Result<bool, Error> {
    if value
        .downcast_object_ref()
        .is_some_and(|other| std::ptr::eq::<List>(other, list))
    {
        return Ok(true);
    }
    left.take(0)?;
    let is_map = value.kind() == ValueKind::Map;
    if !is_map && value.kind() != ValueKind::Seq {
        return Ok(false);
    }
    left.within(|left| {
        for item in value.try_iter()? {
            let item = if is_map { value.get_item(&item)? } else { item };
            if holds(&item, list, left)? {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items().get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.items().len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An error here would be a panic of the caller. What is too long to print is too long for what prints it, too.
        let list = Value::from_dyn_object(Arc::clone(self));
        f.write_str(&repr(&list).unwrap_or_else(|_| "[...]".to_owned()))
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        // Of a conversation, nothing may be changed.
        if state.undefined_behavior() != UndefinedBehavior::Strict && method != "copy" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        // Items that are moved.
        state.consume_fuel(self.items().len() as u64 / 8)?;
        match method {
            "append" => {
                let (item,): (Value,) = from_args(args)?;
                self.accept(&item)?;
                self.items().push(item);
            }
            "extend" => {
                let (more,): (Value,) = from_args(args)?;
                let more = bounds::items(state, &more)?;
                more.iter().try_for_each(|item| self.accept(item))?;
                self.items().extend(more);
            }
            "insert" => {
                let (place, item): (i64, Value) = from_args(args)?;
                self.accept(&item)?;
                let mut items = self.items();
                let place = position(place, items.len()).min(items.len());
                items.insert(place, item);
            }
            "pop" => {
                let (place,): (Option<i64>,) = from_args(args)?;
                let mut items = self.items();
                let place = position(place.unwrap_or(-1), items.len());
                return match place < items.len() {
                    true => Ok(items.remove(place)),
                    false => Err(refused("pop() of no item of the list")),
                };
            }
            "reverse" => {
                let () = from_args(args)?;
                self.items().reverse();
            }
            "copy" => {
                let () = from_args(args)?;
                return Ok(self.copy());
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(Value::from(()))
    }
}

/// Index of a place in a list, where a negative place counts from the end.
fn position(place: i64, length: usize) -> usize {
    match usize::try_from(place) {
        Ok(place) => place,
        Err(_) => length.saturating_sub(place.unsigned_abs() as usize),
    }
}
