//! A search with a strategy of one's own: `cargo run --release --example own_strategy`.
//!
//! The strategy drops the layers one after the other, from the last to the first, and keeps a drop where the answer stays
//! right. Everything else (batching, near-ties, the journal, continuing a run) is the library's.

use std::sync::Arc;

use cola::{
    prelude::*,
    search::{Health, SearchConfig},
    task::{LoadOptions, load_samples, resolve},
};

/// Greedy depth pruning for one sample.
struct DropLayers {
    best: Chain,
    asked: Option<Chain>,
    /// Places of the chain yet to be tried, the next one last.
    places: Vec<usize>,
    told: usize,
}

impl Strategy for DropLayers {
    fn ask(&mut self) -> Ask {
        if self.asked.is_some() {
            return Ask::Wait;
        }
        // The unmodified model comes first: it is the baseline of the record.
        let chain = match self.told {
            0 => self.best.clone(),
            _ => match self.places.pop() {
                Some(place) => {
                    let mut layers = self.best.layers().to_vec();
                    layers.remove(place);
                    Chain::new(layers)
                }
                None => return Ask::Done,
            },
        };
        self.asked = Some(chain.clone());
        Ask::Evaluate(chain)
    }

    fn tell(&mut self, chain: &Chain, feedback: Feedback) {
        if self.asked.as_ref() != Some(chain) {
            return;
        }
        self.asked = None;
        self.told += 1;
        if feedback.correct {
            self.best = chain.clone();
        }
    }

    fn health(&self) -> Health {
        Health::without_tree(self.told)
    }
}

struct DropLayersOf {
    layers: u16,
}

impl StrategyFactory for DropLayersOf {
    fn build(&self, _seed: u64) -> Box<dyn Strategy> {
        Box::new(DropLayers {
            best: Chain::identity(self.layers.into()),
            asked: None,
            places: (0..self.layers.into()).collect(),
            told: 0,
        })
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "strategy": "drop layers from the last to the first" })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let session = Session::builder("models/demo").build()?;

    // Twenty questions of a built-in task.
    let task = Arc::new(resolve("arith")?);
    let options = LoadOptions {
        data: vec!["datasets/demo/arith-1.jsonl".into()],
        limit: Some(20),
        ..LoadOptions::default()
    };
    let layout = Arc::new(session.layout(None)?);
    let problems = SampleProblem::all(load_samples(&task, &options)?.samples, &layout);

    let searches = Searches {
        main: Arc::new(DropLayersOf {
            layers: session.model().depth() as u16,
        }),
        ..session.searches(&SearchConfig::default())?
    };
    let plan = session.plan(problems, searches, 0);
    let out = tempfile::tempdir()?;
    session.search(
        &plan,
        out.path(),
        &Interrupt::never(),
        &mut Progress::quiet(),
    )?;
    for record in Journal::read(out.path())? {
        match &record.best {
            Some(best) => println!(
                "{:>4}  {:2} layers  {}",
                record.id,
                best.chain.len(),
                best.chain
            ),
            None => println!("{:>4}  no right chain", record.id),
        }
    }
    Ok(())
}
