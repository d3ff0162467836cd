//! The figures of the paper, drawn as SVG.
//!
//! Plotters supplies axes, scales and escaping. Rows of a chart are datasets and columns layers,
//! so that long names and deep models both fit; a chart grows with its rows.

mod accuracy;
mod arms;
mod axis;
mod canvas;
mod controls;
mod depth;
mod heat_map;
mod layer_use;
mod rows;
mod square;
mod thirds;
mod transitions;

pub use canvas::DARK_MODE_STYLE;
pub use square::{Cell, draw_square};

use super::{AnalysisError, RunRecords};

/// A drawn figure.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Name of its file, without `.svg`.
    pub name: &'static str,
    /// What it shows and how to read it.
    pub caption: String,
    /// An `<svg>` element. Text colours are for a light background; [`DARK_MODE_STYLE`] turns them.
    pub svg: String,
}

/// The figures of one run; those that would show nothing are left out.
pub fn draw_all(run: &RunRecords) -> Result<Vec<Figure>, AnalysisError> {
    let figures = [
        ("transitions", transitions::draw(run)),
        ("depth", depth::draw(run)),
        ("layer_use", layer_use::draw(run)),
        ("layer_heat_map", heat_map::draw(run)),
        ("thirds", thirds::draw(run)),
        ("accuracy_by_depth", accuracy::draw(run)),
        ("controls", controls::draw(run)),
        ("arms", arms::draw(run)),
    ];
    let mut drawn = Vec::new();
    for (name, figure) in figures {
        let figure = figure.map_err(|error| AnalysisError::Figure {
            name: name.to_owned(),
            reason: error.to_string(),
        })?;
        drawn.extend(figure.map(|(caption, svg)| Figure { name, caption, svg }));
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{sample, small_run, synthetic_run};

    /// Well-formed as far as a reader of tags can tell, and free of numbers that are none.
    fn check(figures: &[Figure]) {
        for figure in figures {
            let svg = &figure.svg;
            assert!(
                svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"),
                "{svg}"
            );
            assert!(
                !svg.contains("NaN") && !svg.contains("inf"),
                "{}",
                figure.name
            );
            let opened = svg.matches("<text").count();
            assert_eq!(opened, svg.matches("</text>").count(), "{}", figure.name);
        }
    }

    fn names(figures: &[Figure]) -> Vec<&str> {
        figures.iter().map(|figure| figure.name).collect()
    }

    #[test]
    fn every_figure_is_drawn_for_shallow_and_deep_models_and_few_and_many_datasets() {
        let tasks: Vec<String> = (0..10).map(|k| format!("dataset-number-{k}")).collect();
        let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
        for (tasks, layers) in [(&tasks[..1], 12), (&tasks[..], 48)] {
            let figures = draw_all(&synthetic_run(tasks, layers, 30)).unwrap();
            assert_eq!(figures.len(), 7);
            check(&figures);
        }
        check(&draw_all(&small_run()).unwrap());
    }

    #[test]
    fn a_run_that_found_nothing_draws_what_there_is() {
        let run = RunRecords::new("m", 1.0, vec![sample("t", 0).failed("broken").build()]).unwrap();
        let figures = draw_all(&run).unwrap();
        assert_eq!(names(&figures), ["transitions"]);
        check(&figures);
    }

    #[test]
    fn names_of_tasks_are_escaped() {
        let run = synthetic_run(&["<b>&\"bold\"</b>"], 6, 12);
        for figure in draw_all(&run).unwrap() {
            assert!(!figure.svg.contains("<b>"), "{}", figure.name);
        }
    }
}
