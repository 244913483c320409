//! The words of the business, shared by every room above.
//!
//! Owns validated text, model ids, token usage, money, ids, the prompt's shape
//! and the closed lists of task kinds and failure codes. It knows neither
//! tokio nor axum nor AWS, and imports nothing from the crate.

mod calendar;
mod call_failure;
mod failure;
mod family;
mod guardrail;
mod ids;
mod input_size;
mod model;
mod model_kind;
mod money;
mod output_schema;
mod output_size;
mod passage;
mod prompt;
mod request_metadata;
mod service_terms;
mod task_kind;
mod task_name;
mod text;
mod usage;

pub use calendar::CalendarDate;
pub use call_failure::CallFailure;
pub use failure::FailureCode;
pub use family::{BaseModel, Family, InvalidBaseModel};
pub use guardrail::{Guardrail, GuardrailStream, OnBlock};
pub use ids::{GenerationId, InvalidRequestId, RequestId, Tenant};
pub use input_size::{InputSize, ModelTokens};
pub use model::{InvalidModelId, ModelId, Region};
pub use model_kind::{ArnKind, Geography, ModelKind};
pub use money::{Cost, PriceFactors, Prices, UsdPerMillionTokens};
pub use output_schema::{InvalidOutputSchema, OutputSchema};
pub use output_size::OutputSize;
pub use passage::Passage;
pub use prompt::{Boundary, Exchange, FencedDocument, Fences, Prompt};
pub use request_metadata::RequestMetadata;
pub use service_terms::{Metered, ServiceTerms, ServiceTier};
pub use task_kind::TaskKind;
pub use task_name::{InvalidTaskName, TaskName};
pub use text::{BlankText, SourceText};
pub use usage::TokenUsage;
