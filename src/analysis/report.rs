//! Writes the report's files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    AnalysisError, RunRecords,
    csv_files::CSV_FILES,
    figures::{DARK_MODE_STYLE, Figure, draw_all},
    html,
};

/// Writes CSV files, figures and `report.html` into `out`, which is made where it does not exist.
/// Files of the same names are replaced, others left alone. Of several runs all rows are in the
/// same CSV files; the figures of the k-th are named `run{k}_*.svg`.
///
/// Returns the paths written, `report.html` last.
///
/// # Errors
/// No runs, or a path that cannot be written.
pub fn write_report(runs: &[RunRecords], out: &Path) -> Result<Vec<PathBuf>, AnalysisError> {
    if runs.is_empty() {
        return Err(AnalysisError::NoRuns);
    }
    fs::create_dir_all(out).map_err(write_error(out))?;
    let mut written = Vec::new();
    for (name, build) in CSV_FILES {
        let path = out.join(name);
        let bytes = build(runs).map_err(write_error(&path))?;
        write(path, &bytes, &mut written)?;
    }
    let mut sections = Vec::new();
    for (k, run) in runs.iter().enumerate() {
        let figures = draw_all(run)?;
        let prefix = match runs.len() {
            1 => String::new(),
            _ => format!("run{}_", k + 1),
        };
        for figure in &figures {
            let path = out.join(format!("{prefix}{}.svg", figure.name));
            write(path, stand_alone(figure).as_bytes(), &mut written)?;
        }
        sections.push((run, figures));
    }
    let page = html::page(&sections)?;
    write(out.join("report.html"), page.as_bytes(), &mut written)?;
    Ok(written)
}

/// The figure as a file of its own, which brings the rules the page has.
fn stand_alone(figure: &Figure) -> String {
    let style = format!("<style>{DARK_MODE_STYLE}</style>");
    match figure.svg.split_once('>') {
        Some((head, body)) => format!("{head}>\n{style}{body}"),
        None => figure.svg.clone(),
    }
}

fn write(path: PathBuf, bytes: &[u8], written: &mut Vec<PathBuf>) -> Result<(), AnalysisError> {
    fs::write(&path, bytes).map_err(write_error(&path))?;
    written.push(path);
    Ok(())
}

fn write_error(path: &Path) -> impl FnOnce(std::io::Error) -> AnalysisError + use<> {
    let path = path.to_owned();
    move |source| AnalysisError::Write { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{small_run, synthetic_run};

    fn names(paths: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        paths.iter().map(name).collect()
    }

    fn contents(out: &Path, name: &str) -> String {
        fs::read_to_string(out.join(name)).unwrap()
    }

    #[test]
    fn a_report_has_stable_names_and_the_same_bytes_every_time() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = write_report(&[small_run()], &one.path().join("new/report")).unwrap();
        let second = write_report(&[small_run()], two.path()).unwrap();
        assert_eq!(names(&first), names(&second));
        assert_eq!(
            names(&first),
            [
                "summary.csv",
                "controls.csv",
                "excess.csv",
                "selectivity.csv",
                "depth_by_bound.csv",
                "arms.csv",
                "certificates.csv",
                "transitions.csv",
                "depth.csv",
                "thirds.csv",
                "layers.csv",
                "layer_transitions.csv",
                "accuracy_by_depth.csv",
                "transitions.svg",
                "depth.svg",
                "layer_use.svg",
                "layer_heat_map.svg",
                "thirds.svg",
                "accuracy_by_depth.svg",
                "controls.svg",
                "report.html",
            ]
        );
        for (a, b) in first.iter().zip(&second) {
            let text = fs::read_to_string(a).unwrap();
            assert_eq!(text, fs::read_to_string(b).unwrap());
            assert!(
                !text.contains("NaN") && !text.contains("inf,"),
                "{}",
                a.display()
            );
        }
    }

    #[test]
    fn csv_files_hold_the_counts_made_by_hand() {
        let out = tempfile::tempdir().unwrap();
        write_report(&[small_run()], out.path()).unwrap();
        let expect = |file: &str, line: &str| {
            let text = contents(out.path(), file);
            assert!(text.lines().any(|l| l == line), "{file}: {line}\n{text}");
        };
        expect("summary.csv", "demo,arith,found_correct,3");
        expect("summary.csv", "demo,facts,mean_simulations,");
        expect(
            "controls.csv",
            "demo,arith,wrong,wrong target,1,1,1.000000,0.206549,1.000000",
        );
        expect("controls.csv", "demo,facts,right,search,0,0,,,");
        expect(
            "transitions.csv",
            "demo,arith,W->C longer,1,5,0.200000,0.036224,0.624465",
        );
        expect(
            "transitions.csv",
            "demo,arith,failed,1,5,0.200000,0.036224,0.624465",
        );
        expect("depth.csv", "demo,arith,W->C,depth,1,5.000000,,");
        expect(
            "depth.csv",
            "demo,arith,found,right_chain_depth_p50,5,4.000000,,",
        );
        expect(
            "layers.csv",
            "demo,arith,W->C,3,1,0.000000,2.000000,1.000000,0.400000",
        );
        expect("layer_transitions.csv", "demo,arith,C->C,0,3,1,0.500000");
        expect(
            "accuracy_by_depth.csv",
            "demo,arith,3,1,2,0.500000,0.094531,0.905469",
        );
    }

    #[test]
    fn several_runs_share_the_csv_files_and_keep_their_own_figures() {
        let out = tempfile::tempdir().unwrap();
        let runs = [small_run(), synthetic_run(&["a"], 12, 20)];
        let written = names(&write_report(&runs, out.path()).unwrap());
        assert!(written.contains(&"run1_depth.svg".to_owned()));
        assert!(written.contains(&"run2_depth.svg".to_owned()));
        assert!(contents(out.path(), "summary.csv").contains("synthetic model,a,samples,20"));
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let out = tempfile::tempdir().unwrap();
        let file = out.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write_report(&[small_run()], &file.join("report"))
            .unwrap_err()
            .to_string();
        let expected = format!("cannot write {}", file.join("report").display());
        assert!(error.starts_with(&expected), "{error}");
        fs::create_dir(out.path().join("depth.csv")).unwrap();
        let error = write_report(&[small_run()], out.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("depth.csv"), "{error}");
        assert!(matches!(
            write_report(&[], out.path()),
            Err(AnalysisError::NoRuns)
        ));
    }
}
