//! The names and figures that all examples share, so that they tell one story.

use crate::domain::{ModelId, RequestId};

pub(super) const REQUEST_ID: &str = "req_01KAJ7ZQ3T6X5V8M2N4P6R8S0V";
pub(super) const GENERATION_ID: &str = "gen_01KAJ7ZQ3T6X5V8M2N4P6R8S0W";
/// Unix time in seconds, the same instant as in the ids.
pub(super) const CREATED: u64 = 1_763_696_434;
pub(super) const CHAIN: &str = "default";
/// The model that is asked first.
pub(super) const MODEL: &str = "us.amazon.nova-2-lite-v1:0";
/// The model that takes over.
pub(super) const SECOND_MODEL: &str = "us.anthropic.claude-haiku-5-5";

pub(super) fn request_id() -> RequestId {
    RequestId::parse(REQUEST_ID).expect("letters, digits and an underscore make an id")
}

pub(super) fn model_id(id: &str) -> ModelId {
    ModelId::parse(id).expect("the ids above hold allowed characters only")
}
