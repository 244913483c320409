//! The port to foundation models: what a call is, what comes back, how it fails.
//!
//! Owns [`ModelBackend`], the one trait object of the service, and the words
//! around it. `inference/bedrock` is the adapter to AWS and the only place that
//! knows its crates; `inference/scripted` is the fake that tests drive. Nothing
//! here retries: one call in, one outcome out. (A call whose signature was refused was
//! not begun; the adapter may sign it anew.) Counting tokens is no call of a
//! model, but who can run a model knows best what it makes of a text.

pub mod bedrock;
mod error;
mod screening;
pub mod scripted;
mod terms;

pub use error::BackendError;
pub use screening::{Screening, Verdict};
pub use terms::{Api, CallTerms, NativeFormat, StructuredOutput};

use std::future::ready;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::domain::{
    CallFailure, Guardrail, Metered, ModelId, OutputSchema, Prompt, Region, RequestMetadata,
};

/// One call of one model, already fitted to what that model accepts.
#[derive(Debug, Clone)]
pub struct ModelCall {
    pub model: ModelId,
    /// Where to call it; `None` is the region the service runs in.
    pub region: Option<Region>,
    pub prompt: Arc<Prompt>,
    /// Always sent: Bedrock reserves it against the token quota.
    pub max_tokens: u32,
    /// `None` for models that reject the parameter.
    pub temperature: Option<f32>,
    pub terms: Arc<CallTerms>,
    /// Who watches the document and the answer.
    pub guardrail: Option<Arc<Guardrail>>,
    /// Whether the provider is asked to remember the shared beginning of the prompt.
    pub cache_shared: bool,
    /// The answer is to be data of this shape, as the terms allow it; its text is then JSON.
    pub output_schema: Option<Arc<OutputSchema>>,
    /// What the account's own log is told.
    pub metadata: Arc<RequestMetadata>,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// All text blocks, in order; empty when the model wrote none.
    pub text: String,
    pub stop_reason: StopReason,
    /// `None` when the provider did not say.
    pub usage: Option<Metered>,
}

/// What a streamed answer is made of, in the order `Started`, then `Thinking`
/// and `Text`, then `Stopped`, then `Usage`. A stream that ends before `Stopped`
/// yields an error first.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelEvent {
    /// The model has taken the call.
    Started,
    /// The model is at work on something that is not part of the answer.
    Thinking,
    /// A piece of the answer, never empty.
    Text(String),
    Stopped(StopReason),
    Usage(Metered),
}

/// Why a model stopped writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It was done, or reached a stop sequence.
    EndTurn,
    /// It reached `max_tokens`.
    MaxTokens,
    /// It filled its context window.
    ContextWindowExceeded,
    /// A guardrail replaced the answer.
    GuardrailIntervened,
    /// The provider's own filter cut or refused the answer.
    ContentFiltered,
    /// The model's output could not be parsed.
    Malformed,
    /// A reason this version does not know.
    Other,
}

/// A running answer. Dropping it ends the call upstream.
pub type ModelStream = BoxStream<'static, Result<ModelEvent, BackendError>>;

/// Something that runs models. Dropping a returned future abandons its call.
pub trait ModelBackend: Send + Sync + 'static {
    /// Runs a call and waits for the whole answer.
    fn complete<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<Completion, BackendError>>;

    /// Opens a call whose answer comes in pieces.
    fn stream<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<ModelStream, BackendError>>;

    /// Has a guardrail look at a text before any model is called.
    ///
    /// A backend without this method fails, so that nothing goes on unwatched.
    fn screen<'a>(&'a self, _screening: &'a Screening) -> BoxFuture<'a, Result<Verdict, BackendError>> {
        let cause = "this backend has no guardrails";
        Box::pin(ready(Err(BackendError::new(CallFailure::ParameterRejected, cause))))
    }

    /// Counts the input tokens that the model makes of the call's prompt, rules and
    /// document. Nothing is generated and nothing billed.
    ///
    /// A model that cannot be counted with fails so that
    /// [`BackendError::means_uncountable`] says so. A backend without this method
    /// counts with none.
    fn count_tokens<'a>(&'a self, _call: &'a ModelCall) -> BoxFuture<'a, Result<u64, BackendError>> {
        Box::pin(ready(Err(BackendError::uncountable("this backend does not count tokens"))))
    }
}
