//! What a Converse request is made of: from our words to the SDK's shapes.
//!
//! `Converse` and `ConverseStream` take the same members in types of their own, so
//! they are made here once and put in twice. The one rule: with a guardrail the document
//! stands where it looks, with what else is quoted of it and what a user wishes, and our
//! rules never do.

use std::collections::HashMap;

use aws_sdk_bedrockruntime::error::BuildError;
use aws_sdk_bedrockruntime::operation::converse::builders::ConverseFluentBuilder;
use aws_sdk_bedrockruntime::operation::converse_stream::builders::ConverseStreamFluentBuilder;
use aws_sdk_bedrockruntime::types::{
    AnyToolChoice, CachePointBlock, CachePointType, ContentBlock, ConversationRole, ConverseTokensRequest,
    CountTokensInput, GuardrailConfiguration, GuardrailConverseContentBlock, GuardrailConverseTextBlock,
    GuardrailStreamConfiguration, GuardrailStreamProcessingMode, GuardrailTrace, InferenceConfiguration,
    JsonSchemaDefinition, Message, OutputConfig, OutputFormat, OutputFormatStructure, OutputFormatType,
    PerformanceConfigLatency, PerformanceConfiguration, ServiceTier as SdkServiceTier, ServiceTierType,
    SystemContentBlock, Tool, ToolChoice, ToolConfiguration, ToolInputSchema, ToolSpecification,
};

use super::document::to_document;
use crate::domain::{CallFailure, Guardrail, GuardrailStream, OutputSchema, ServiceTier};
use crate::inference::{BackendError, ModelCall, StructuredOutput};

/// The members that both operations have.
struct Members {
    system: Option<Vec<SystemContentBlock>>,
    messages: Vec<Message>,
    inference: InferenceConfiguration,
    tools: Option<ToolConfiguration>,
    output: Option<OutputConfig>,
    metadata: Option<HashMap<String, String>>,
    tier: Option<SdkServiceTier>,
    performance: Option<PerformanceConfiguration>,
}

/// Puts the members into a builder: the two have the same methods and no trait for them.
macro_rules! put {
    ($members:expr, $request:expr) => {
        $request
            .set_system($members.system)
            .set_messages(Some($members.messages))
            .inference_config($members.inference)
            .set_tool_config($members.tools)
            .set_output_config($members.output)
            .set_request_metadata($members.metadata)
            .set_service_tier($members.tier)
            .set_performance_config($members.performance)
    };
}

/// The call as `Converse` takes it.
pub(super) fn converse(
    call: &ModelCall,
    request: ConverseFluentBuilder,
) -> Result<ConverseFluentBuilder, BackendError> {
    let members = members(call).map_err(not_built)?;
    let guardrail = call.guardrail.as_deref().map(|guardrail| {
        GuardrailConfiguration::builder()
            .guardrail_identifier(&guardrail.id)
            .guardrail_version(&guardrail.version)
            .trace(trace(guardrail))
            .build()
    });
    Ok(put!(members, request.model_id(call.model.sent())).set_guardrail_config(guardrail))
}

/// The call as `ConverseStream` takes it.
pub(super) fn converse_stream(
    call: &ModelCall,
    request: ConverseStreamFluentBuilder,
) -> Result<ConverseStreamFluentBuilder, BackendError> {
    let members = members(call).map_err(not_built)?;
    let guardrail = call.guardrail.as_deref().map(|guardrail| {
        GuardrailStreamConfiguration::builder()
            .guardrail_identifier(&guardrail.id)
            .guardrail_version(&guardrail.version)
            .trace(trace(guardrail))
            .stream_processing_mode(match guardrail.stream {
                GuardrailStream::Sync => GuardrailStreamProcessingMode::Sync,
                GuardrailStream::Async => GuardrailStreamProcessingMode::Async,
            })
            .build()
    });
    Ok(put!(members, request.model_id(call.model.sent())).set_guardrail_config(guardrail))
}

/// What a call of the same prompt would send, as far as it counts.
pub(super) fn count_input(call: &ModelCall) -> Result<CountTokensInput, BackendError> {
    let messages = turns(call, Watch::Nothing).map_err(not_built)?;
    let system = (!call.prompt.system.is_empty() && call.terms.accepts_system)
        .then(|| vec![SystemContentBlock::Text(call.prompt.system.clone())]);
    let request = ConverseTokensRequest::builder().set_system(system).set_messages(Some(messages));
    Ok(CountTokensInput::Converse(request.build()))
}

fn members(call: &ModelCall) -> Result<Members, BuildError> {
    let schema = call.output_schema.as_deref().zip(call.terms.structured_output);
    Ok(Members {
        system: system(call)?,
        messages: turns(call, if call.guardrail.is_some() { Watch::Caller } else { Watch::Nothing })?,
        inference: inference_config(call),
        tools: match schema {
            Some((schema, StructuredOutput::Tool)) => Some(forced_tool(schema)?),
            _ => None,
        },
        output: match schema {
            Some((schema, StructuredOutput::JsonSchema)) => Some(json_schema(schema)?),
            _ => None,
        },
        metadata: (!call.metadata.is_empty())
            .then(|| call.metadata.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
        tier: service_tier(call.terms.service_tier)?,
        performance: call.terms.optimized_latency.then(|| {
            PerformanceConfiguration::builder().latency(PerformanceConfigLatency::Optimized).build()
        }),
    })
}

/// The rules. Where their beginning is to be remembered, a mark stands behind it; where
/// they quote the document, a guardrail looks at the quotation.
fn system(call: &ModelCall) -> Result<Option<Vec<SystemContentBlock>>, BuildError> {
    let prompt = &call.prompt;
    if !call.terms.accepts_system || prompt.system.is_empty() {
        return Ok(None);
    }
    let (shared, _) = prompt.split_system();
    let shared = if call.cache_shared { shared } else { "" };
    let [rules, quotation, behind] = match call.guardrail {
        Some(_) => prompt.around_quotation(),
        None => [prompt.system.as_str(), "", ""],
    };
    let rules = rules.strip_prefix(shared).unwrap_or(rules);
    let text = |text: &str| (!text.trim().is_empty()).then(|| SystemContentBlock::Text(text.to_owned()));
    let mut blocks = Vec::from_iter(text(shared));
    if !blocks.is_empty() {
        let mark = CachePointBlock::builder().r#type(CachePointType::Default).build()?;
        blocks.push(SystemContentBlock::CachePoint(mark));
    }
    blocks.extend(text(rules));
    if !quotation.trim().is_empty() {
        blocks.push(SystemContentBlock::GuardContent(guarded(quotation)?));
    }
    blocks.extend(text(behind));
    Ok(Some(blocks))
}

/// What a guardrail is shown of a conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    Nothing,
    /// What the user's turns hold of the caller's. Answers that came back are shown to it
    /// before the call: whether it would look into an assistant's turn is not documented.
    Caller,
}

/// The document, and what was said of it since.
fn turns(call: &ModelCall, watch: Watch) -> Result<Vec<Message>, BuildError> {
    let mut messages = vec![match watch {
        Watch::Nothing => whole_turn(call)?,
        Watch::Caller => guarded_turn(call)?,
    }];
    for exchange in &call.prompt.later {
        let wish = match watch {
            Watch::Nothing => ContentBlock::Text(exchange.wish.to_string()),
            Watch::Caller => ContentBlock::GuardContent(guarded(&exchange.wish)?),
        };
        let answer = ContentBlock::Text(exchange.answer.to_string());
        messages.push(Message::builder().role(ConversationRole::Assistant).content(answer).build()?);
        messages.push(Message::builder().role(ConversationRole::User).content(wish).build()?);
    }
    Ok(messages)
}

fn whole_turn(call: &ModelCall) -> Result<Message, BuildError> {
    let document = call.prompt.user.assemble();
    let text = match leading_rules(call) {
        Some(rules) => [&rules, document.as_str()].concat(),
        None => document,
    };
    Message::builder().role(ConversationRole::User).content(ContentBlock::Text(text)).build()
}

/// The turn in blocks: the guardrail looks at the document and at what else is of it.
fn guarded_turn(call: &ModelCall) -> Result<Message, BuildError> {
    let user = &call.prompt.user;
    let [rules, quotation, behind] = match call.terms.accepts_system {
        true => ["", "", ""],
        false => call.prompt.around_quotation(),
    };
    let behind = if rules.is_empty() { String::new() } else { format!("{behind}\n\n") };
    // Blank blocks are refused.
    let text = |text: &str| (!text.trim().is_empty()).then(|| ContentBlock::Text(text.to_owned()));
    let watched = |text: &str| match text.trim().is_empty() {
        true => Ok(None),
        false => guarded(text).map(|block| Some(ContentBlock::GuardContent(block))),
    };
    let blocks = [
        text(rules),
        watched(quotation)?,
        text(&behind),
        watched(&user.before)?,
        text(&user.opening),
        watched(&user.document)?,
        text(&user.closing),
    ];
    let blocks = blocks.into_iter().flatten().collect();
    Message::builder().role(ConversationRole::User).set_content(Some(blocks)).build()
}

fn guarded(text: &str) -> Result<GuardrailConverseContentBlock, BuildError> {
    GuardrailConverseTextBlock::builder().text(text).build().map(GuardrailConverseContentBlock::Text)
}

/// Rules for a model that has no place for them.
fn leading_rules(call: &ModelCall) -> Option<String> {
    let rules = &call.prompt.system;
    (!call.terms.accepts_system && !rules.is_empty()).then(|| format!("{rules}\n\n"))
}

fn inference_config(call: &ModelCall) -> InferenceConfiguration {
    InferenceConfiguration::builder()
        .max_tokens(i32::try_from(call.max_tokens).unwrap_or(i32::MAX))
        .set_temperature(call.temperature)
        .build()
}

/// A tool that the model has to use. It is the only one, so `any` forces it, which
/// more models take than a tool's name.
fn forced_tool(schema: &OutputSchema) -> Result<ToolConfiguration, BuildError> {
    let tool = ToolSpecification::builder()
        .name(schema.name())
        .description("Takes the answer.")
        .input_schema(ToolInputSchema::Json(to_document(schema.schema())))
        .build()?;
    let choice = ToolChoice::Any(AnyToolChoice::builder().build());
    ToolConfiguration::builder().tools(Tool::ToolSpec(tool)).tool_choice(choice).build()
}

fn json_schema(schema: &OutputSchema) -> Result<OutputConfig, BuildError> {
    let definition = JsonSchemaDefinition::builder().name(schema.name()).schema(schema.text()).build()?;
    let format = OutputFormat::builder()
        .r#type(OutputFormatType::JsonSchema)
        .structure(OutputFormatStructure::JsonSchema(definition))
        .build()?;
    Ok(OutputConfig::builder().text_format(format).build())
}

/// Nothing is said about the default tier: not every model knows the member.
fn service_tier(tier: ServiceTier) -> Result<Option<SdkServiceTier>, BuildError> {
    let kind = match tier {
        ServiceTier::Default => return Ok(None),
        ServiceTier::Priority => ServiceTierType::Priority,
        ServiceTier::Flex => ServiceTierType::Flex,
        ServiceTier::Reserved => ServiceTierType::Reserved,
    };
    SdkServiceTier::builder().r#type(kind).build().map(Some)
}

fn trace(guardrail: &Guardrail) -> GuardrailTrace {
    if guardrail.trace { GuardrailTrace::Enabled } else { GuardrailTrace::Disabled }
}

fn not_built(error: BuildError) -> BackendError {
    BackendError::new(CallFailure::RequestRejected, error.to_string())
}
