//! What a batch claims of itself, held against the bytes that are there. The arrow crates take memory for lengths they have
//! only read about, and slice buffers without asking whether they are there.

use arrow_ipc::RecordBatch;

/// A batch may unpack to this many bytes; beyond it, to [`UNPACKED`] times its own size.
const UNPACKED_BYTES: u64 = 1 << 30;
const UNPACKED: u64 = 20;

/// Values that take no bytes: columns of nothing but null.
const WEIGHTLESS: u64 = 1 << 20;

/// Bytes of a packed buffer that say how long it is unpacked.
const PREFIX: usize = 8;

/// Says what cannot be true of a batch with this body.
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

/// The length of a packed buffer once it is unpacked; -1 says that it is not packed.
fn claimed(bytes: &[u8]) -> Option<u64> {
    let (prefix, rest) = bytes.split_first_chunk::<PREFIX>()?;
    match i64::from_le_bytes(*prefix) {
        -1 => Some(rest.len() as u64),
        length => count(length),
    }
}
