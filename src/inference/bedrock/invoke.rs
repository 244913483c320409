//! Calls a model by `InvokeModel` and `InvokeModelWithResponseStream`.
//!
//! Owns what goes beside the body, both ways: headers that ask for a guardrail, a tier or
//! a latency, and headers that count tokens, which AWS sends and does not model. What
//! stands in the body is `native`'s matter. The one rule, as for Converse: a stream that
//! ends before the model said why it stopped was cut.

use std::sync::{Arc, OnceLock};

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_bedrockruntime::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::primitives::event_stream::EventReceiver;
use aws_sdk_bedrockruntime::types::error::ResponseStreamError;
use aws_sdk_bedrockruntime::types::{PerformanceConfigLatency, ResponseStream, ServiceTierType, Trace};
use aws_smithy_runtime_api::box_error::BoxError;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Map, Value};

use super::classify;
use super::held::Held;
use super::native::{self, Billing, Counts, Decoder, Delivery};
use crate::domain::{CallFailure, ServiceTerms, ServiceTier};
use crate::inference::{BackendError, Completion, ModelCall, ModelEvent, ModelStream, NativeFormat};

const JSON: &str = "application/json";

/// Puts a call into a builder: the two have the same methods and no trait for them.
macro_rules! put {
    ($call:expr, $body:expr, $request:expr) => {
        $request
            .model_id($call.model.sent())
            .body(Blob::new($body.to_string()))
            .content_type(JSON)
            .accept(JSON)
            .set_guardrail_identifier($call.guardrail.as_deref().map(|guardrail| guardrail.id.clone()))
            .set_guardrail_version($call.guardrail.as_deref().map(|guardrail| guardrail.version.clone()))
            .set_trace(
                $call.guardrail.as_deref().is_some_and(|guardrail| guardrail.trace).then_some(Trace::Enabled),
            )
            .set_service_tier(tier($call))
            .set_performance_config_latency(
                $call.terms.optimized_latency.then_some(PerformanceConfigLatency::Optimized),
            )
            .set_request_metadata(metadata($call))
    };
}

/// Runs a call and waits for the whole answer.
pub(super) async fn complete(
    client: &Client,
    call: &ModelCall,
    format: NativeFormat,
) -> Result<Completion, BackendError> {
    let body = native::request(format, call, Delivery::Whole);
    let counted = HeaderCounts::default();
    let request = put!(call, body, client.invoke_model());
    let answer = request.customize().interceptor(counted.clone()).send().await;
    let answer = answer.map_err(classify::invoke_model)?;
    let (tier, latency) = (answer.service_tier(), answer.performance_config_latency());
    let billing = billing(call, counted.told(), tier, latency);
    native::completion(format, call, &billing, answer.body().as_ref())
}

/// Opens a call whose answer comes in pieces.
pub(super) async fn stream(
    client: &Client,
    call: &ModelCall,
    format: NativeFormat,
) -> Result<ModelStream, BackendError> {
    let body = native::request(format, call, Delivery::Streamed);
    let counted = HeaderCounts::default();
    let request = put!(call, body, client.invoke_model_with_response_stream());
    let answer = request.customize().interceptor(counted.clone()).send().await;
    let answer = answer.map_err(classify::invoke_model_with_response_stream)?;
    let (tier, latency) = (answer.service_tier(), answer.performance_config_latency());
    let billing = billing(call, counted.told(), tier, latency);
    let decoder = Decoder::new(format, billing, call.guardrail.clone());
    Ok(read(Reader { receiver: answer.body, decoder, held: Held::for_call(call), ended: false }))
}

/// Nothing is said about the default tier.
fn tier(call: &ModelCall) -> Option<ServiceTierType> {
    match call.terms.service_tier {
        ServiceTier::Default => None,
        tier => Some(ServiceTierType::from(tier.as_str())),
    }
}

/// The header takes an object of texts, and AWS refuses one without entries.
fn metadata(call: &ModelCall) -> Option<String> {
    let entries = call.metadata.iter().map(|(key, value)| (key.to_owned(), Value::from(value)));
    (!call.metadata.is_empty()).then(|| Value::Object(entries.collect::<Map<_, _>>()).to_string())
}

/// The terms that are billed: those that the answer names, else those that were asked for.
fn billing(
    call: &ModelCall,
    told: Counts,
    tier: Option<&ServiceTierType>,
    latency: Option<&PerformanceConfigLatency>,
) -> Billing {
    let asked = call.terms.service();
    let tier = tier.and_then(|tier| ServiceTier::parse(tier.as_str()));
    let optimized = latency.map(|latency| *latency == PerformanceConfigLatency::Optimized);
    let served = ServiceTerms {
        tier: tier.unwrap_or(asked.tier),
        optimized_latency: optimized.unwrap_or(asked.optimized_latency),
    };
    Billing { told, served, terms: Arc::clone(&call.terms) }
}

/// Takes the token counts off a response's headers, while they can still be seen.
#[derive(Debug, Clone, Default)]
struct HeaderCounts(Arc<OnceLock<Counts>>);

impl HeaderCounts {
    fn told(&self) -> Counts {
        self.0.get().copied().unwrap_or_default()
    }
}

impl Intercept for HeaderCounts {
    fn name(&self) -> &'static str {
        "HeaderCounts"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        let count = |name: &str| {
            let value = headers.get(format!("x-amzn-bedrock-{name}-token-count"));
            value.and_then(|text| text.trim().parse().ok())
        };
        self.0.get_or_init(|| Counts {
            input: count("input"),
            output: count("output"),
            cache_read: count("cache-read-input"),
            cache_write: count("cache-write-input"),
        });
        Ok(())
    }
}

struct Reader {
    receiver: EventReceiver<ResponseStream, ResponseStreamError>,
    decoder: Decoder,
    held: Held,
    ended: bool,
}

fn read(reader: Reader) -> ModelStream {
    stream::unfold(reader, |mut reader| async move {
        let item = reader.next().await?;
        Some((item, reader))
    })
    .boxed()
}

impl Reader {
    async fn next(&mut self) -> Option<Result<ModelEvent, BackendError>> {
        loop {
            if let Some(item) = self.held.ready() {
                return Some(item);
            }
            if self.ended {
                return None;
            }
            match self.receive().await {
                Ok(events) => events.into_iter().for_each(|event| self.held.push(Ok(event))),
                Err(error) => {
                    self.ended = true;
                    self.held.push(Err(error));
                }
            }
        }
    }

    /// The events of the next chunk, or of the end.
    async fn receive(&mut self) -> Result<Vec<ModelEvent>, BackendError> {
        let failure = match self.receiver.recv().await {
            Ok(Some(ResponseStream::Chunk(part))) => {
                let bytes = part.bytes.map(Blob::into_inner).unwrap_or_default();
                match self.decoder.chunk(&bytes) {
                    Ok(events) => {
                        self.ended = self.decoder.is_done();
                        return Ok(events);
                    }
                    Err(no_chunk) => BackendError::new(CallFailure::BadResponse, no_chunk.to_string()),
                }
            }
            Ok(Some(_unknown)) => return Ok(Vec::new()),
            Ok(None) => {
                self.ended = true;
                let cause = "the stream ended before the model said why it stopped";
                return self.decoder.end().ok_or_else(|| BackendError::new(CallFailure::StreamCut, cause));
            }
            Err(error) => classify::chunk(error),
        };
        // What breaks after the stop costs the usage, not the answer.
        self.ended = true;
        let rest = self.decoder.has_stopped().then(|| self.decoder.end()).flatten();
        rest.ok_or(failure)
    }
}
