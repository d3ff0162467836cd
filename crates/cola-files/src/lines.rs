//! Lines of bounded length.

use std::io::{BufRead, Result};

use crate::ROW;

/// What [`take_line`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A line, with its line feed if it has one.
    Whole,
    /// A line of more bytes than allowed. Not all of it was read.
    TooLong,
    /// The end of the text.
    End,
}

/// Reads the next line into `line`, which it empties first, and no more than `most` bytes of it.
///
/// # Errors
/// The error of the reader.
pub fn take_line(reader: &mut impl BufRead, line: &mut Vec<u8>, most: u64) -> Result<Line> {
    line.clear();
    let mut bounded = std::io::Read::take(reader, most + 1);
    let read = bounded.read_until(b'\n', line)?;
    Ok(match read as u64 {
        0 => Line::End,
        read if read > most => Line::TooLong,
        _ => Line::Whole,
    })
}

/// The lines of a text, each of at most [`ROW`] bytes, without their line feeds. After an error there are no more.
#[derive(Debug)]
pub struct LinesOf<R> {
    reader: R,
    over: bool,
}

impl<R: BufRead> LinesOf<R> {
    /// The lines that a reader gives.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            over: false,
        }
    }
}

impl<R: BufRead> Iterator for LinesOf<R> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let mut line = Vec::new();
        let taken = take_line(&mut self.reader, &mut line, ROW);
        self.over = !matches!(taken, Ok(Line::Whole));
        match taken {
            Ok(Line::End) => return None,
            Ok(Line::TooLong) => return Some(Err(too_long())),
            Err(error) => return Some(Err(error)),
            Ok(Line::Whole) => {}
        }
        let end = line.strip_suffix(b"\n").unwrap_or(&line);
        let end = end.strip_suffix(b"\r").unwrap_or(end).len();
        line.truncate(end);
        Some(String::from_utf8(line).map_err(|error| {
            self.over = true;
            let message = format!("not UTF-8: {}", error.utf8_error());
            std::io::Error::new(std::io::ErrorKind::InvalidData, message)
        }))
    }
}

fn too_long() -> std::io::Error {
    let message = format!("the line is longer than the {ROW} bytes that a line may have");
    std::io::Error::new(std::io::ErrorKind::FileTooLarge, message)
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read, repeat};

    use super::*;

    #[test]
    fn lines_are_those_of_the_text() {
        let lines = LinesOf::new(Cursor::new("a\r\n\nä\nlast"));
        let lines: Vec<String> = lines.map(Result::unwrap).collect();
        assert_eq!(lines, ["a", "", "ä", "last"]);
    }

    #[test]
    fn a_line_without_end_is_read_up_to_the_bound() {
        let mut reader = Cursor::new("abc\nabcd\n");
        let mut line = Vec::new();
        assert_eq!(take_line(&mut reader, &mut line, 4).unwrap(), Line::Whole);
        assert_eq!(line, b"abc\n");
        assert_eq!(take_line(&mut reader, &mut line, 4).unwrap(), Line::TooLong);
        let endless = BufReader::new(repeat(0).take(u64::MAX));
        let mut lines = LinesOf::new(endless);
        let error = lines.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("longer than the 16777216 bytes"), "{error}");
        assert!(lines.next().is_none());
    }
}
