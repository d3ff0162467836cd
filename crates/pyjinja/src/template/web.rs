//! Filters for HTML and URLs.

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::bounds::Limited;
use super::filters::text;

pub(super) fn escape(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    if value.is_safe() {
        return Ok(value.clone());
    }
    let mut out = Limited::default();
    for char in text(state, value)?.chars() {
        match char {
            '&' => out.push("&amp;")?,
            '<' => out.push("&lt;")?,
            '>' => out.push("&gt;")?,
            '\'' => out.push("&#39;")?,
            '"' => out.push("&#34;")?,
            char => out.repeat(char, 1)?,
        }
    }
    Ok(Value::from_safe_string(out.finish()))
}

/// Percent-encodes a text for a URL; a mapping becomes a query string.
pub(super) fn urlencode(state: &mut State<'_, '_>, value: &Value) -> Result<String, Error> {
    let mut out = Limited::default();
    if value.kind() != ValueKind::Map {
        quote(&text(state, value)?, b"/", "", &mut out)?;
        return Ok(out.finish());
    }
    for (at, key) in value.try_iter()?.enumerate() {
        if at > 0 {
            out.push("&")?;
        }
        let item = value.get_item(&key)?;
        quote(&text(state, &key)?, b"", "+", &mut out)?;
        out.push("=")?;
        quote(&text(state, &item)?, b"", "+", &mut out)?;
    }
    Ok(out.finish())
}

fn quote(text: &str, kept: &[u8], space: &str, out: &mut Limited) -> Result<(), Error> {
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        match byte {
            b' ' if !space.is_empty() => out.push(space)?,
            _ if plain || kept.contains(&byte) => out.repeat(char::from(byte), 1)?,
            _ => out.push(&format!("%{byte:02X}"))?,
        }
    }
    Ok(())
}
