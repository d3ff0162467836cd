//! Checks the lengths that a batch claims against the bytes that it has. The arrow crates allocate
//! memory for claimed lengths, and slice buffers without checking that they exist.

use arrow_ipc::RecordBatch;

/// A batch may unpack to this many bytes, or to [`UNPACKED`] times its own size if that is more.
const UNPACKED_BYTES: u64 = 1 << 30;
const UNPACKED: u64 = 20;

/// Number of values that may take no bytes, as in columns of nulls.
const WEIGHTLESS: u64 = 1 << 20;

/// Bytes at the beginning of a packed buffer that hold its unpacked length.
const PREFIX: usize = 8;

/// Refuses a batch whose claims cannot be true for this body.
pub(super) fn check(batch: RecordBatch<'_>, body: &[u8]) -> Result<(), String> {
    let size = body.len() as u64;
    let packed = batch.compression().is_some();
    let (mut taken, mut unpacked) = (0_u64, 0_u64);
    for buffer in batch.buffers().iter().flatten() {
        let bytes = part(body, buffer.offset(), buffer.length())
            .ok_or("a buffer lies outside its message")?;
        let length = bytes.len() as u64;
        taken = taken.saturating_add(length);
        unpacked = unpacked.saturating_add(match packed && length > 0 {
            true => claimed(bytes).ok_or("a packed buffer does not say its length")?,
            false => length,
        });
    }
    if taken > size {
        return Err("buffers lie over each other".to_owned());
    }
    if unpacked > UNPACKED_BYTES.max(size.saturating_mul(UNPACKED)) {
        return Err(format!("{size} bytes that claim to unpack to {unpacked}"));
    }
    let rows = count(batch.length()).ok_or("a length below 0")?;
    let mut values = 0_u64;
    for node in batch.nodes().iter().flatten() {
        let length = count(node.length()).ok_or("a length below 0")?;
        count(node.null_count())
            .filter(|&nulls| nulls <= length)
            .ok_or("more nulls than values")?;
        values = values.saturating_add(length);
    }
    // A value takes at least a bit; a struct takes none, but its fields do.
    let most = unpacked.saturating_mul(16).saturating_add(WEIGHTLESS);
    match rows.max(values) > most {
        true => Err(format!("{} values in {unpacked} bytes", rows.max(values))),
        false => Ok(()),
    }
}

fn count(length: i64) -> Option<u64> {
    u64::try_from(length).ok()
}

fn part(body: &[u8], offset: i64, length: i64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    body.get(start..end)
}

/// The length of a packed buffer once it is unpacked. A stored length of -1 means that the buffer
/// is not packed.
fn claimed(bytes: &[u8]) -> Option<u64> {
    let (prefix, rest) = bytes.split_first_chunk::<PREFIX>()?;
    match i64::from_le_bytes(*prefix) {
        -1 => Some(rest.len() as u64),
        length => count(length),
    }
}
