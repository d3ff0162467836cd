//! The journal, `samples.jsonl`: append-only, one complete record a line.
//!
//! What stages after the search find is in files of their own, [menus](super::menu) and [certificates](super::certify): it is known
//! later, and no line of the journal is written twice. Whoever reads records gets them with both.
//!
//! A journal may be larger than memory: nearly all of a record are its lists of evaluations. To continue a run takes names and times
//! only; [`Journal::records`] gives one record at a time; [`Journal::read_without_evaluations`] keeps all but those lists.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::{Deserialize, de::IgnoredAny};

use super::{
    RunError, SampleRecord, certify,
    evaluation_log::SampleName,
    json_lines::{JsonLines, Lines},
    menu,
    progress::Luck,
};

/// Name of the journal in a run directory.
pub const NAME: &str = "samples.jsonl";

/// An open journal; other processes are kept out until it is dropped.
#[derive(Debug)]
pub struct Journal(JsonLines<SampleRecord>);

/// The finished samples of a run: what it takes to continue it.
#[derive(Debug, Default, PartialEq)]
pub struct Finished {
    /// Their names.
    pub samples: BTreeSet<SampleName>,
    /// How many failed.
    pub failed: usize,
    /// Seconds of each session until its last record.
    pub session_seconds: BTreeMap<u32, f64>,
    /// What was found beyond luck.
    pub luck: Luck,
}

/// What is read of a record to continue a run.
#[derive(Deserialize)]
struct Line {
    task: String,
    id: String,
    error: Option<IgnoredAny>,
    session: u32,
    elapsed: f64,
    best: Option<IgnoredAny>,
    controls: Option<Controls>,
}

#[derive(Deserialize)]
struct Controls {
    #[serde(default)]
    matched_target: Option<MatchedTarget>,
}

#[derive(Deserialize)]
struct MatchedTarget {
    found: Option<IgnoredAny>,
}

impl Journal {
    /// Opens or creates the journal of `directory` and reads which samples it has.
    ///
    /// # Errors
    /// A file that cannot be read or written, a damaged line, and menus or certificates of something else.
    pub fn open(directory: &Path) -> Result<(Self, Finished), RunError> {
        let mut finished = Finished::default();
        let lines = JsonLines::open_with(directory, NAME, |line| finished.add(line))?;
        if menu::is_in(directory) || certify::is_in(directory) {
            // They are checked before anything runs.
            Self::read_without_evaluations(directory)?;
        }
        Ok((Self(lines), finished))
    }

    /// Which samples the journal of a run has that may be going on.
    ///
    /// # Errors
    /// A file that cannot be read, and a damaged line.
    pub fn finished(directory: &Path) -> Result<Finished, RunError> {
        let mut finished = Finished::default();
        for line in Lines::of(directory, NAME)? {
            finished.add(line?);
        }
        Ok(finished)
    }

    /// The records of a run that is not being continued, one at a time, in the order in which they were written, and without menus and
    /// certificates.
    ///
    /// # Errors
    /// A file that cannot be read; of a record, a damaged line.
    pub fn records(
        directory: &Path,
    ) -> Result<impl Iterator<Item = Result<SampleRecord, RunError>> + use<>, RunError> {
        Lines::of(directory, NAME)
    }

    /// What `each` makes of the [records](Self::records), in their order. Several records are looked at at once.
    pub(crate) fn map<T: Send>(
        directory: &Path,
        each: impl Fn(SampleRecord) -> T + Sync,
    ) -> Result<impl Iterator<Item = Result<T, RunError>>, RunError> {
        let lines = Lines::<SampleRecord>::of(directory, NAME)?;
        Ok(lines.map_on_all_cores(each))
    }

    /// Reads the records of a run that is not being continued. They take up to twice the memory of the file: of a large run, take
    /// them [one at a time](Self::records).
    ///
    /// # Errors
    /// A file that cannot be read, a damaged line, and menus or certificates of something else.
    pub fn read(directory: &Path) -> Result<Vec<SampleRecord>, RunError> {
        let mut records: Vec<_> = Self::records(directory)?.collect::<Result<_, _>>()?;
        attach(directory, &mut records, |_, _| {})?;
        Ok(records)
    }

    /// Reads the records of a run without their lists of evaluations, which are left empty: those of the search, of its random
    /// control, of the menu, and the Pareto front.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_without_evaluations(directory: &Path) -> Result<Vec<SampleRecord>, RunError> {
        let slim = |mut record: SampleRecord| {
            record.drop_evaluations();
            record
        };
        let mut records: Vec<_> = Self::map(directory, slim)?.collect::<Result<_, _>>()?;
        attach(directory, &mut records, |_, record| {
            record.menu = Vec::new()
        })?;
        Ok(records)
    }

    /// Appends a record.
    pub fn append(&mut self, record: &SampleRecord) -> Result<(), RunError> {
        self.0.append(record)
    }

    /// Makes sure everything is on the disk.
    pub fn sync(&self) -> Result<(), RunError> {
        self.0.sync()
    }
}

impl Finished {
    fn add(&mut self, line: Line) {
        let failed = line.error.is_some();
        self.failed += usize::from(failed);
        let matched = line.controls.and_then(|controls| controls.matched_target);
        if let Some(matched) = matched {
            self.luck
                .add(line.best.is_some() && !failed, matched.found.is_some());
        }
        let last = self.session_seconds.entry(line.session).or_default();
        *last = last.max(line.elapsed);
        self.samples.insert((line.task, line.id));
    }
}

/// Gives records what stages after the search found; their evaluations are not needed. `with_menu` takes each record that has got a
/// menu, and its index.
pub fn attach(
    directory: &Path,
    records: &mut [SampleRecord],
    with_menu: impl FnMut(usize, &mut SampleRecord),
) -> Result<(), RunError> {
    menu::attach(directory, records, with_menu)?;
    certify::attach(directory, records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::sample;

    fn written(records: &[SampleRecord]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(directory.path()).unwrap();
        for record in records {
            journal.append(record).unwrap();
        }
        directory
    }

    #[test]
    fn a_run_is_continued_from_names_and_times_alone() {
        let record = |index, session, elapsed| {
            let changed = sample("t", index).with(|record| {
                (record.session, record.elapsed) = (session, elapsed);
            });
            changed.tried("0-2", true)
        };
        let directory = written(&[
            record(0, 0, 2.0).build(),
            record(1, 0, 1.5).failed("broken").build(),
            record(2, 3, 0.25).build(),
        ]);
        // What is not needed is not looked into, as long as it is JSON.
        let path = directory.path().join(NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("\"evaluations\":[", "\"evaluations\":[{\"of\":[null]},");
        std::fs::write(&path, &text).unwrap();
        assert!(Journal::read(directory.path()).is_err());
        let (journal, finished) = Journal::open(directory.path()).unwrap();
        assert_eq!(Journal::finished(directory.path()).unwrap(), finished);
        drop(journal);
        let names = finished.samples.iter().map(|(_, id)| id.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["0", "1", "2"]);
        assert_eq!(finished.failed, 1);
        let seconds = BTreeMap::from([(0, 2.0), (3, 0.25)]);
        assert_eq!(finished.session_seconds, seconds);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_damaged_line_is_named_however_the_journal_is_read() {
        let all = [0, 1, 2].map(|index| sample("t", index).build());
        let directory = written(&all);
        let path = directory.path().join(NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        // A block of zeros where the second record was, as a disk may leave after a power cut.
        let lines: Vec<&str> = text.lines().collect();
        let zeros = "\0".repeat(lines[1].len());
        let damaged = format!("{}\n{zeros}\n{}\n", lines[0], lines[2]);
        std::fs::write(&path, &damaged).unwrap();
        for error in [
            Journal::open(directory.path()).unwrap_err(),
            Journal::read(directory.path()).unwrap_err(),
            Journal::read_without_evaluations(directory.path()).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains("samples.jsonl: line 2: "), "{error}");
            assert!(error.contains("take the line out"), "{error}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
        // What the message offers.
        std::fs::write(&path, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
        let (_, finished) = Journal::open(directory.path()).unwrap();
        assert_eq!(finished.samples.len(), 2);
    }

    #[test]
    fn without_evaluations_everything_else_is_the_same() {
        let record = sample("t", 0)
            .tried("0-1", false)
            .best("0-2")
            .controls(Some("0"), Some(None));
        let mut record = record.with(|record| {
            record.pareto.clone_from(&record.evaluations);
            let controls = record.controls.as_mut().unwrap();
            controls.random.evaluations.clone_from(&record.evaluations);
        });
        record = record.refuted("1-3");
        let mut record = record.build();
        let directory = written(std::slice::from_ref(&record));
        let read = Journal::read_without_evaluations(directory.path()).unwrap();
        assert_ne!(read, std::slice::from_ref(&record));
        record.drop_evaluations();
        assert_eq!(read, [record]);
    }
}
