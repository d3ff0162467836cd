//! A search for a problem of one's own: `cargo run --release --example own_problem`.
//!
//! The questions are a JSON file, and what is right is a closure: here, that the model puts the first of some words before
//! all others. Nothing of lm-evaluation-harness is used.

use std::sync::Arc;

use cola::{
    engine::{Outcome, Row},
    model::Tokenizer,
    prelude::*,
    search::SearchConfig,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Question {
    id: String,
    prompt: String,
    /// The right one first.
    words: Vec<String>,
}

/// A question and the tokenizer that reads it.
struct Asked {
    question: Question,
    tokenizer: Arc<Tokenizer>,
}

type Closure = Box<dyn Fn(&[Arc<Row>], &[Outcome]) -> Result<Judged, String> + Send>;

impl Problem for Asked {
    type Judge = Closure;

    fn task(&self) -> &str {
        "words"
    }

    fn id(&self) -> &str {
        &self.question.id
    }

    fn gold(&self) -> String {
        self.question.words[0].clone()
    }

    fn fingerprint(&self) -> String {
        format!("{} {:?}", self.question.prompt, self.question.words)
    }

    fn prepare(&self) -> Result<Prepared<Closure>, String> {
        let tokens = |text: &str, special| self.tokenizer.encode_with(text, special);
        let prompt = tokens(&self.question.prompt, true).map_err(|error| error.to_string())?;
        let mut row = Row::builder(&prompt);
        // Chains that no longer read the question are not to count, whatever they answer.
        row.read_prompt_loss();
        let mut read = Vec::new();
        for word in &self.question.words {
            let word = tokens(word, false).map_err(|error| error.to_string())?;
            read.push(row.read_continuation(&word));
        }
        let words = self.question.words.clone();
        let judge = move |rows: &[Arc<Row>], outcomes: &[Outcome]| {
            let readings = &outcomes[0].readings;
            let nats = |at: usize| read[at].log_prob(&rows[0], readings);
            let others = (1..words.len()).max_by(|&a, &b| nats(a).total_cmp(&nats(b)));
            let other = others.ok_or("there is one word only")?;
            let margin = nats(0) - nats(other);
            let correct = margin > 0.0;
            Ok(Judged {
                verdict: Verdict {
                    correct,
                    margin: Some(margin),
                    answer: words[if correct { 0 } else { other }].clone(),
                    values: vec![f64::from(correct)],
                },
                // Closer than this, another batch could tip the scales.
                near_tie: margin.abs() < 1e-4,
            })
        };
        Ok(Prepared {
            rows: vec![row.build()],
            decode: None,
            judge: Box::new(judge),
        })
    }
}

const QUESTIONS: &str = r#"[
    {"id": "a", "prompt": "Dial 29 up 15.\nAnswer:", "words": [" 44", " 45", " 14"]},
    {"id": "b", "prompt": "Dial 47 up 12 down 5.\nAnswer:", "words": [" 54", " 59", " 64"]}
]"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A file of one's own, or the two questions above.
    let text = match std::env::args().nth(1) {
        Some(file) => std::fs::read_to_string(file)?,
        None => QUESTIONS.to_owned(),
    };
    let session = Session::builder("models/demo").build()?;
    let tokenizer = Arc::new(Tokenizer::load("models/demo".as_ref())?);
    let questions: Vec<Question> = serde_json::from_str(&text)?;
    let ask = |question| Asked {
        question,
        tokenizer: Arc::clone(&tokenizer),
    };
    let problems = questions.into_iter().map(ask).collect();

    let searches = session.searches(&SearchConfig::default())?;
    let plan = session.plan(problems, searches, 0);
    let out = tempfile::tempdir()?;
    let mut progress = Progress::quiet();
    session.search(&plan, out.path(), &Interrupt::never(), &mut progress)?;
    for record in Journal::read(out.path())? {
        match &record.best {
            Some(best) => println!(
                "{}: {} ({} layers)",
                record.id,
                best.chain,
                best.chain.len()
            ),
            None => println!(
                "{}: no right chain among {}",
                record.id,
                record.evaluations.len()
            ),
        }
    }
    Ok(())
}
