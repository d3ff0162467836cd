//! Runs what the certificates of a run ask for.

use std::{collections::BTreeSet, path::Path, sync::atomic::AtomicBool};

use super::{
    file::{CertificateLine, NAME, attach_lines},
    group::{Group, Question},
    pending::{Answer, Pending},
};
use crate::{
    problem::Problem,
    run::{
        AtOnce, Journal, Pair, Progress, RunError, SampleRecord, fixed_chains::FixedChains,
        json_lines::JsonLines, searched::Searched,
    },
};
use cola_engine::Backend;

/// Certifies the best chains of a run.
pub struct Certifier<'a, P: Problem> {
    chains: FixedChains<'a, P>,
    lines: Lines,
}

/// The file that this stage writes.
struct Lines {
    file: JsonLines<CertificateLine>,
}

impl<'a, P: Problem> Certifier<'a, P> {
    /// Certifies what `directory` does not certify yet, until done or interrupted. The directory is that of a search of
    /// `problems` that is finished. Returns whether it was interrupted.
    ///
    /// Its journal is read into memory, up to twice the file: what the search evaluated is not run again.
    ///
    /// # Errors
    /// The directory cannot be written or certifies something else, or the device is lost.
    pub fn run(
        backend: &dyn Backend,
        problems: &[P],
        directory: &Path,
        at_once: AtOnce,
        (interrupt, progress): (&AtomicBool, &mut Progress),
    ) -> Result<bool, RunError> {
        let mut records: Vec<SampleRecord> =
            Journal::records(directory)?.collect::<Result<_, _>>()?;
        let mut done: BTreeSet<(String, String)> = BTreeSet::new();
        let (file, lines) = JsonLines::<CertificateLine>::open(directory, NAME)?;
        for line in &lines {
            done.insert((line.task.clone(), line.id.clone()));
        }
        attach_lines(directory, lines.into_iter().map(Ok), &mut records)?;
        let searched = Searched::new(problems, &records);
        let labels: Vec<usize> = searched.labels().collect();
        let name = |at: usize| (problems[at].task().to_owned(), problems[at].id().to_owned());
        let is_left = |at: &usize| !done.contains(&name(*at));
        let left: Vec<usize> = labels.iter().copied().filter(is_left).collect();
        progress.start(labels.len(), labels.len() - left.len());
        let mut run = Certifier {
            chains: FixedChains {
                backend,
                searched: &searched,
                evaluations: at_once.evaluations,
                interrupt,
            },
            lines: Lines { file },
        };
        let mut interrupted = false;
        for group in left.chunks(at_once.samples.max(1)) {
            interrupted = run.certify(searched.group(group), progress)?;
            if interrupted {
                break;
            }
        }
        run.lines.file.sync()?;
        progress.finish(interrupted);
        Ok(interrupted)
    }

    /// Certifies a group of samples. Returns whether it was interrupted.
    fn certify(&mut self, group: Group<P>, progress: &mut Progress) -> Result<bool, RunError> {
        let Group {
            mut pending,
            rotated,
            questions,
        } = group;
        let lines = &mut self.lines;
        for sample in &pending {
            lines.write_if_known(sample, progress)?;
        }
        let pairs: Vec<Pair> = questions.iter().map(|q| q.pair.clone()).collect();
        self.chains
            .run(&rotated, &pairs, progress, |at, measured, progress| {
                let Question { sample, part, .. } = questions[at];
                match measured {
                    Ok(measured) => pending[sample].learn(part, Answer::measured(&measured)),
                    Err(error) => pending[sample].fail(error),
                }
                lines.write_if_known(&pending[sample], progress)
            })
    }
}

impl Lines {
    /// Writes the line of a sample of which everything is known.
    fn write_if_known(
        &mut self,
        pending: &Pending,
        progress: &mut Progress,
    ) -> Result<(), RunError> {
        let Some(line) = pending.line() else {
            return Ok(());
        };
        if let Some(error) = &line.error {
            tracing::warn!(task = %line.task, id = %line.id, %error, "not certified");
        }
        self.file.append(&line)?;
        progress.recorded(line.error.is_some());
        Ok(())
    }
}
