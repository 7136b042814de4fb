//! The code that `docs/models.md` shows; `tests/` runs it.
#![forbid(unsafe_code)]

pub mod bedrock;
pub mod genai;
pub mod ollama;
pub mod openai;
pub mod prices;
pub mod rig;
