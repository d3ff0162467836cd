//! The program as a user runs it, and prompts as the model reads them.

mod arms;
mod asking;
mod bad_inputs;
mod certify;
mod chat_prompts;
mod damping;
mod data;
mod derived;
mod early_end;
mod endless;
mod eval;
mod foreign_texts;
mod hub;
mod kills;
mod lm_eval;
mod model;
mod refusals;
mod resume;
mod rotations;
mod search;
mod snapshots;
mod support_arrow;
mod support_cli;
mod support_hub;
mod support_parquet;
