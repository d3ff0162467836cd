//! One mapped file of weights, and the unsafe code that borrows tensors from it.
//!
//! A page of the map counts as memory of this process from the moment it is read. So that loading
//! takes little more memory than the weights themselves, a range that has been read is given back
//! with [`MappedFile::release`]. The system keeps the file in its cache all the same.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use tch::{Device, Kind, Tensor};

use super::ModelError;

// The bytes of the file are used as they are.
const _: () = assert!(
    cfg!(target_endian = "little"),
    "safetensors and GGUF are little-endian"
);

/// A multiple of every page size in use, and the size of what Linux maps around a page that is
/// read.
const PAGES: usize = 64 << 10;

/// Bytes hashed between two releases.
const HASHED: usize = 16 << 20;

/// A read-only map of a weights file.
pub struct MappedFile {
    path: PathBuf,
    bytes: Mmap,
}

impl MappedFile {
    /// Maps a regular file, or a link to one.
    pub fn open(path: PathBuf) -> Result<Self, ModelError> {
        let io = |source| ModelError::Io {
            path: path.clone(),
            source,
        };
        let file = cola_files::open(&path).map_err(io)?;
        // SAFETY: the map is read-only. A file that another process truncates while it is mapped
        // would fault; weights are not rewritten in place by any tool of the ecosystem.
        let bytes = unsafe { Mmap::map(&file) }.map_err(io)?;
        Ok(Self { path, bytes })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// An error about a tensor of this file.
    pub fn refuse(&self, tensor: &str, reason: impl Into<String>) -> ModelError {
        ModelError::Tensor {
            path: self.path.clone(),
            tensor: tensor.to_owned(),
            reason: reason.into(),
        }
    }

    /// The bytes at `range` as a tensor, which must not be written to and must not be used after
    /// the file is dropped. Copied only if they are not aligned for their type, which headers of
    /// old writers cause.
    ///
    /// # Panics
    /// If `range` is not inside the file, or does not have the length of `shape`.
    pub fn tensor(
        &self,
        range: Range<usize>,
        shape: &[i64],
        kind: Kind,
    ) -> Result<Tensor, ModelError> {
        let bytes = &self.bytes[range];
        let size = kind.elt_size_in_bytes();
        assert_eq!(
            bytes.len() as i64,
            shape.iter().product::<i64>() * size as i64
        );
        if !bytes.as_ptr().addr().is_multiple_of(size) {
            return Ok(Tensor::f_from_data_size(bytes, shape, kind)?);
        }
        // SAFETY: the pointer is aligned for `kind` and is valid for reads of all of `shape`,
        // contiguous (no strides are given), by the checks above. Every bit pattern is a value of
        // a float type. libtorch does not own the memory and never frees it. That nothing writes to
        // it (the pages are read-only and would fault) and that it does not outlive `self` is the
        // contract of this method; its one caller, `Weights::copy_into`, only reads the tensor and
        // drops it before it returns.
        Ok(unsafe { Tensor::f_from_blob(bytes.as_ptr(), shape, &[], kind, Device::Cpu) }?)
    }

    /// Addresses in memory of a range of the file.
    pub fn addresses(&self, range: Range<usize>) -> Range<usize> {
        let base = self.bytes.as_ptr().addr();
        base + range.start..base + range.end
    }

    /// Gives back the pages that hold these addresses, if they are in the map. They can still be
    /// read; the system then takes them from the file again.
    pub fn release(&self, addresses: Range<usize>) {
        let base = self.bytes.as_ptr().addr();
        let end = base + self.bytes.len();
        if addresses.is_empty() || addresses.start < base || addresses.end > end {
            return;
        }
        // The map begins at a page, so multiples of `PAGES` within it are pages too.
        let first = (addresses.start - base) / PAGES * PAGES;
        let last = (addresses.end - base).next_multiple_of(PAGES);
        self.release_pages(first..last.min(self.bytes.len()));
    }

    #[cfg(unix)]
    fn release_pages(&self, range: Range<usize>) {
        // SAFETY: the map is shared with the file and never written, so a dropped page is read
        // from the file again with the same bytes, also by whoever holds a reference into it.
        let released = unsafe {
            self.bytes.unchecked_advise_range(
                memmap2::UncheckedAdvice::DontNeed,
                range.start,
                range.len(),
            )
        };
        // A failure is ignored: it only means that more memory is in use.
        drop(released);
    }

    #[cfg(not(unix))]
    fn release_pages(&self, _: Range<usize>) {}

    /// Feeds the whole file to a hash.
    pub fn hash_into(&self, hasher: &mut blake3::Hasher) {
        for start in (0..self.bytes.len()).step_by(HASHED) {
            let range = start..self.bytes.len().min(start + HASHED);
            hasher.update_rayon(&self.bytes[range.clone()]);
            self.release(self.addresses(range));
        }
    }
}
