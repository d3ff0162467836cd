//! One chain on one prompt, by hand: `cargo run --release --example chain_by_hand`.
//!
//! Skips layer 3 of the bundled model, runs the block of layers 6 to 8 twice, and compares with the unmodified model how likely
//! three answers are.

use cola::{
    engine::{Request, Row},
    model::Tokenizer,
    prelude::*,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = "models/demo";
    let tokenizer = Tokenizer::load(model.as_ref())?;
    let session = Session::builder(model).build()?;

    // A row is a tree of tokens: the prompt is its trunk, and one pass over it scores all answers.
    let answers = [" 54", " 55", " 59"];
    let mut row = Row::builder(&tokenizer.encode("Dial 47 up 12 down 5.\nAnswer:")?);
    let mut read = Vec::new();
    for answer in answers {
        read.push(row.read_continuation(&tokenizer.encode_with(answer, false)?));
    }
    let row = session.engine().register(row.build())?;

    for chain in ["0-11", "0-2,4-5,(6-8)x2,9-11"] {
        let outcome = session.engine().evaluate(Request {
            row: row.clone(),
            chain: Chain::parse(chain, session.model().depth())?,
            decode: None,
            isolated: false,
            tag: 0,
        })?;
        println!("{chain}");
        for (answer, read) in answers.iter().zip(&read) {
            println!(
                "  {answer:?}: {:.3} nats",
                read.log_prob(&row, &outcome.readings)
            );
        }
    }
    Ok(())
}
