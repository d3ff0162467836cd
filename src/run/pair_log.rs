//! The log of an evaluation of pairs: what came of each pair, as soon as it is known.

use std::{collections::BTreeMap, marker::PhantomData, path::Path};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Pair, RunError,
    log_file::{LogFile, Origin},
};

/// Name of the log in the directory that the results are written to.
const NAME: &str = "pairs.log";

/// An open log of results of the kind `T`.
#[derive(Debug)]
pub struct PairLog<T> {
    file: LogFile,
    results: PhantomData<T>,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    pair: usize,
    result: T,
}

impl<T: Serialize + DeserializeOwned + PartialEq> PairLog<T> {
    /// Opens or creates the log of `pairs` in `directory`, and reads what is known already, by the index of the pair. `of` says what
    /// the results depend on beside the pairs: names and values.
    ///
    /// # Errors
    /// A log of something else, or one that cannot be read or written.
    pub fn open<const N: usize>(
        directory: &Path,
        pairs: &[Pair],
        of: [(&str, String); N],
    ) -> Result<(Self, BTreeMap<usize, T>), RunError> {
        let mut hasher = blake3::Hasher::new();
        for pair in pairs {
            hasher.update(&(pair.problem as u64).to_le_bytes());
            hasher.update(pair.chain.to_string().as_bytes());
            hasher.update(b"\n");
        }
        let origin = Origin::new(of).with("pairs", &hasher.finalize().to_hex()[..32]);
        let mut known = BTreeMap::new();
        let file = LogFile::open(directory, NAME, &origin, |json, _| {
            let Line { pair, result } =
                serde_json::from_slice(json).map_err(|error| error.to_string())?;
            if pair >= pairs.len() {
                return Err(format!("there is no pair {pair}"));
            }
            known.insert(pair, result);
            Ok(())
        })?;
        let results = PhantomData;
        Ok((Self { file, results }, known))
    }

    /// Appends what came of a pair. A result with a number that JSON does not have is left out: its pair runs again.
    pub fn append(&mut self, pair: usize, result: &T) -> Result<(), RunError> {
        let back = serde_json::to_vec(result).and_then(|json| serde_json::from_slice::<T>(&json));
        if back.is_ok_and(|back| back == *result) {
            self.file.append(&Line { pair, result })?;
        }
        if self.file.is_sync_due() {
            self.file.sync()?;
        }
        Ok(())
    }

    /// Forces everything to the disk.
    pub fn sync(&mut self) -> Result<(), RunError> {
        self.file.sync()
    }

    /// Removes the log of an evaluation whose results are written.
    pub fn remove(self) -> Result<(), RunError> {
        self.file.remove()
    }
}
