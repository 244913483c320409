//! The words of the business, shared by every room above.
//!
//! Owns validated text, model ids, token usage, money, ids, the prompt's shape
//! and the closed lists of task kinds and failure codes. It knows neither
//! tokio nor axum nor AWS, and imports nothing from the crate.

mod call_failure;
mod failure;
mod ids;
mod input_size;
mod model;
mod money;
mod output_size;
mod passage;
mod prompt;
mod task_kind;
mod text;
mod usage;

pub use call_failure::CallFailure;
pub use failure::FailureCode;
pub use ids::{GenerationId, InvalidRequestId, RequestId};
pub use input_size::{InputSize, ModelTokens};
pub use model::{InvalidModelId, ModelId, Region};
pub use money::{Cost, Prices, UsdPerMillionTokens};
pub use output_size::OutputSize;
pub use passage::Passage;
pub use prompt::{Boundary, FencedDocument, Prompt};
pub use task_kind::TaskKind;
pub use text::{BlankText, SourceText};
pub use usage::TokenUsage;
