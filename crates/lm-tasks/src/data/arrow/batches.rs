//! Decodes the messages of a file or stream into batches.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::reader::{read_dictionary, read_record_batch};
use arrow_ipc::{root_as_footer, root_as_message};
use arrow_schema::SchemaRef;

use super::guard::guarded;
use super::message::Messages;
use super::{Fault, column, limits};

const MAGIC: &[u8; 8] = b"ARROW1\0\0";

/// A file begins with [`MAGIC`] and zeros up to a multiple of its alignment, which is at most this.
const WIDEST: u64 = 64;

/// Bytes at the end of a file: the footer's length and `ARROW1`.
const TRAILER: usize = 10;

/// The batches of a file or stream.
pub(super) struct Batches {
    messages: Messages,
    schema: SchemaRef,
    dictionaries: HashMap<i64, ArrayRef>,
    /// Offsets of the batches according to the footer, the next one last; `None` for a stream.
    expected: Option<Vec<u64>>,
    over: bool,
}

impl Batches {
    /// Opens a file and reads its schema.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let mut file = cola_files::open(path)?;
        let size = file.metadata()?.len();
        let mut start = Vec::new();
        (&mut file).take(WIDEST).read_to_end(&mut start)?;
        let (mut messages, expected) = match start.strip_prefix(MAGIC) {
            Some(rest) => {
                let padding = rest.chunks(8).take_while(|word| *word == [0; 8]).count();
                let (blocks, end) = footer(&mut file, size)?;
                let start = (MAGIC.len() + 8 * padding) as u64;
                (Messages::new(file, start, end)?, Some(blocks))
            }
            None if start.starts_with(b"FEA1") => {
                return Err(Fault::damaged("it is Feather of the first version"));
            }
            None => (Messages::new(file, 0, size)?, None),
        };
        let schema = schema(&mut messages)?;
        Ok(Self {
            messages,
            schema,
            dictionaries: HashMap::new(),
            expected,
            over: false,
        })
    }

    /// The next batch; `None` at the end.
    pub fn next(&mut self) -> Result<Option<RecordBatch>, Fault> {
        while !self.over {
            // Some writers put the footer right after the last batch, without an end mark.
            let at_footer = self.expected.is_some() && self.messages.left() == 0;
            let message = match at_footer {
                true => None,
                false => self.messages.next()?,
            };
            let Some(message) = message else {
                self.over = true;
                self.check_end()?;
                break;
            };
            if let Some(batch) = self.decode(message.offset, &message.header)? {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn check_end(&self) -> Result<(), Fault> {
        match (&self.expected, self.messages.left()) {
            (Some(expected), _) if !expected.is_empty() => Err(Fault::damaged(format!(
                "{} of the batches that its footer lists are missing",
                expected.len()
            ))),
            (None, left) if left > 0 => Err(Fault::damaged(format!(
                "{left} bytes follow the mark of its end: was a second stream appended?"
            ))),
            _ => Ok(()),
        }
    }

    /// Decodes a batch. `None` for a dictionary, which is stored.
    fn decode(&mut self, offset: u64, header: &[u8]) -> Result<Option<RecordBatch>, Fault> {
        let message = root_as_message(header).map_err(|_| broken_header(offset))?;
        let body = self.messages.take(message.bodyLength(), "a batch")?;
        let version = message.version();
        if let Some(dictionary) = message.header_as_dictionary_batch() {
            let batch = dictionary.data().ok_or_else(|| broken_header(offset))?;
            limits::check(batch, &body).map_err(Fault::Damaged)?;
            let (schema, known) = (&self.schema, &mut self.dictionaries);
            guarded(|| read_dictionary(&body.into(), dictionary, schema, known, &version))?;
            return Ok(None);
        }
        let Some(batch) = message.header_as_record_batch() else {
            let kind = message.header_type();
            let kind = kind.variant_name().unwrap_or("message of an unknown kind");
            return Err(Fault::damaged(format!("a {kind} among its batches")));
        };
        limits::check(batch, &body).map_err(Fault::Damaged)?;
        if let Some(expected) = &mut self.expected
            && expected.pop() != Some(offset)
        {
            let message = format!("its footer does not list the batch at byte {offset}");
            return Err(Fault::Damaged(message));
        }
        let schema = self.schema.clone();
        let known = &self.dictionaries;
        guarded(|| read_record_batch(&body.into(), batch, schema, known, None, &version)).map(Some)
    }
}

/// Reads the footer: the offsets of the batches, the last one first, and the footer's own offset.
fn footer(file: &mut File, size: u64) -> Result<(Vec<u64>, u64), Fault> {
    let cut = || Fault::damaged("its end is missing");
    let trailer_at = size.checked_sub(TRAILER as u64).ok_or_else(cut)?;
    let mut trailer = [0; TRAILER];
    file.seek(SeekFrom::Start(trailer_at))?;
    file.read_exact(&mut trailer)?;
    let (length, magic) = trailer.split_first_chunk::<4>().ok_or_else(cut)?;
    if magic != &MAGIC[..6] {
        return Err(cut());
    }
    let length = u64::try_from(i32::from_le_bytes(*length)).ok();
    let start = length.and_then(|length| trailer_at.checked_sub(length));
    let start = start
        .filter(|&start| start >= MAGIC.len() as u64)
        .ok_or_else(|| Fault::damaged("its footer is longer than the file"))?;
    let bytes = Messages::new(file.try_clone()?, start, trailer_at)?.take(
        i64::try_from(trailer_at - start).unwrap_or(i64::MAX),
        "a footer",
    )?;
    let broken = || Fault::damaged("its footer is damaged");
    let footer = root_as_footer(&bytes).map_err(|_| broken())?;
    let blocks = footer.recordBatches().ok_or_else(broken)?.iter();
    let offsets: Option<Vec<u64>> = blocks
        .rev()
        .map(|block| u64::try_from(block.offset()).ok())
        .collect();
    Ok((offsets.ok_or_else(broken)?, start))
}

/// The schema, which is the first message.
fn schema(messages: &mut Messages) -> Result<SchemaRef, Fault> {
    let none = || Fault::damaged("it does not begin with a schema");
    let message = match messages.left() {
        0 => return Err(Fault::damaged("it is empty")),
        // Bytes that are not Arrow begin with some absurd length.
        _ => messages.next().map_err(|fault| match fault {
            Fault::Damaged(_) => none(),
            read => read,
        })?,
    };
    let message = message.ok_or_else(none)?;
    let header = root_as_message(&message.header).map_err(|_| none())?;
    let schema = header.header_as_schema().ok_or_else(none)?;
    messages.take(header.bodyLength(), "a schema's body")?;
    if !schema.endianness().equals_to_target_endianness() {
        return Err(Fault::damaged(
            "it was written on a machine of another byte order",
        ));
    }
    let schema = guarded(|| arrow_ipc::convert::try_fb_to_schema(schema))?;
    column::check(schema.fields(), "").map_err(Fault::Damaged)?;
    Ok(schema.into())
}

fn broken_header(offset: u64) -> Fault {
    Fault::damaged(format!("the message at byte {offset} is damaged"))
}
