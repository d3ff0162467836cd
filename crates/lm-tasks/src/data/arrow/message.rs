//! Reads the messages of a stream, each with lengths, a header and a body, and never reads past the
//! end of the file.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use super::Fault;

/// Begin of a message; streams older than Arrow 0.15 lack it.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// A message of the file, without its body.
pub(super) struct Message {
    /// Its offset in the file.
    pub offset: u64,
    /// A flatbuffer that is not verified yet.
    pub header: Vec<u8>,
}

/// Reads a range of a file, message by message.
pub(super) struct Messages {
    file: BufReader<File>,
    /// Offset of the next message.
    offset: u64,
    /// Offset at which the range ends.
    end: u64,
}

impl Messages {
    /// The messages between two offsets of a file.
    pub fn new(file: File, start: u64, end: u64) -> Result<Self, Fault> {
        let mut file = BufReader::new(file);
        file.seek(SeekFrom::Start(start))?;
        Ok(Self {
            file,
            offset: start,
            end,
        })
    }

    /// Number of bytes that are not read yet.
    pub fn left(&self) -> u64 {
        self.end.saturating_sub(self.offset)
    }

    /// The next message, or `None` at the end mark. The caller then reads the message's body with
    /// [`take`](Self::take).
    pub fn next(&mut self) -> Result<Option<Message>, Fault> {
        let offset = self.offset;
        let mut word = self.word()?;
        if word == CONTINUATION {
            word = self.word()?;
        }
        match i32::from_le_bytes(word) {
            0 => Ok(None),
            length => Ok(Some(Message {
                offset,
                header: self.take(i64::from(length), "a message's header")?,
            })),
        }
    }

    /// The next `length` bytes. `what` names them in the error if there are fewer.
    pub fn take(&mut self, length: i64, what: &str) -> Result<Vec<u8>, Fault> {
        let left = self.left();
        let there = u64::try_from(length).ok().filter(|&length| length <= left);
        let length = there.ok_or_else(|| {
            Fault::damaged(format!(
                "{what} of {length} bytes, but only {left} bytes are left"
            ))
        })?;
        let mut bytes = Vec::new();
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        bytes.try_reserve_exact(size).map_err(|_| {
            Fault::damaged(format!(
                "{what} of {length} bytes, which does not fit into memory"
            ))
        })?;
        if (&mut self.file).take(length).read_to_end(&mut bytes)? < size {
            return Err(Fault::damaged("it became shorter while it was read"));
        }
        self.offset += length;
        Ok(bytes)
    }

    fn word(&mut self) -> Result<[u8; 4], Fault> {
        if self.left() < 4 {
            return Err(Fault::damaged("it ends before the mark of its end"));
        }
        let mut word = [0; 4];
        self.file.read_exact(&mut word)?;
        self.offset += 4;
        Ok(word)
    }
}
