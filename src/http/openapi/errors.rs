//! Errors, written from the service's one table: a response per status, with an
//! example per code.
//!
//! Each example is made by the same code as the real answer, from the same row.
//! The rule it protects: this document cannot promise another status, title or
//! advice than the service gives.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::response::ResponsesBuilder;
use utoipa::openapi::{ComponentsBuilder, Ref, Response, ResponseBuilder};

use super::super::error::{ApiError, Figures, row};
use super::examples::{MODEL, SECOND_MODEL, model_id, request_id};
use super::headers;
use crate::domain::{CallFailure, Cost, FailureCode, TaskKind};
use crate::pipeline::{AttemptReport, Failure, PlanError};
use crate::tasks::{Fields, Task};

/// How an answer carries an error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// problem+json.
    Problem,
    /// One friendly sentence, on `/api` paths.
    Sentence,
}

impl Family {
    fn prefix(self) -> &'static str {
        match self {
            Self::Problem => "Problem",
            Self::Sentence => "Sentence",
        }
    }
}

/// Every code that a client can see. A cancelled request has nobody to read its answer.
pub(super) fn codes() -> impl Iterator<Item = FailureCode> {
    FailureCode::ALL.into_iter().filter(|code| *code != FailureCode::Cancelled)
}

/// One response per family and status, as components.
pub(super) fn components(mut components: ComponentsBuilder) -> ComponentsBuilder {
    for family in [Family::Problem, Family::Sentence] {
        for (status, codes) in by_status(|code| is_of(family, code)) {
            components =
                components.response(format!("{}{status}", family.prefix()), response(family, &codes));
        }
    }
    components
}

/// Adds what can go wrong with a task.
pub(super) fn of_a_task(responses: ResponsesBuilder, family: Family) -> ResponsesBuilder {
    let elsewhere = [FailureCode::NotFound, FailureCode::ModelNotFound];
    let responses = by_status(|code| is_of(family, code) && !elsewhere.contains(&code))
        .into_keys()
        .fold(responses, |responses, status| with(responses, family, status));
    // Before a request reaches its task, all paths answer alike.
    match family {
        Family::Problem => responses,
        Family::Sentence => with_code(responses, FailureCode::MethodNotAllowed),
    }
}

/// Adds what can go wrong with a chat completion, which does not read `Accept`.
pub(super) fn of_a_chat(responses: ResponsesBuilder) -> ResponsesBuilder {
    by_status(|code| code != FailureCode::NotAcceptable)
        .into_keys()
        .fold(responses, |responses, status| with(responses, Family::Problem, status))
}

/// Adds what can go wrong with a measure: no model writes anything, so none can fail.
pub(super) fn of_a_measure(responses: ResponsesBuilder) -> ResponsesBuilder {
    use FailureCode as Code;
    let codes = [
        Code::MalformedBody,
        Code::MethodNotAllowed,
        Code::NotAcceptable,
        Code::RequestTimeout,
        Code::PayloadTooLarge,
        Code::UnsupportedMediaType,
        Code::ValidationFailed,
        Code::Internal,
        Code::Overloaded,
        Code::DeadlineExceeded,
    ];
    codes.into_iter().fold(responses, with_code)
}

/// Adds one error, as problem+json.
pub(super) fn with_code(responses: ResponsesBuilder, code: FailureCode) -> ResponsesBuilder {
    with(responses, Family::Problem, row(code).status.as_u16())
}

/// A reference to the answer that carries the error as problem+json.
pub(super) fn reference(code: FailureCode) -> Ref {
    component(Family::Problem, row(code).status.as_u16())
}

/// The body of an error as problem+json has it.
pub(super) fn problem(code: FailureCode) -> Value {
    let error = example(code, TaskKind::Summarize, json!({ "text": "", "length": "longer" }));
    as_problem(&error)
}

fn as_problem(error: &ApiError) -> Value {
    serde_json::to_value(error.problem(&request_id())).expect("strings and numbers always serialize")
}

/// The other two ways in which a text is too large: it makes too many parts, it is too dear.
fn sizes() -> [(&'static str, &'static str, ApiError); 2] {
    let parts =
        PlanError::TooManyChunks { chunks: 540, max_chunks: 512, requested: 4_870_300, quota: 4_608_000 };
    let usd = |amount| Cost::of_usd(amount).expect("a small amount is a cost");
    let price = PlanError::TooExpensive { cost: usd(7.42), most_cost: usd(7.86), max_cost: usd(5.0) };
    [
        ("input_too_large-parts", "The text makes more parts than one request may have.", parts.into()),
        ("input_too_large-cost", "The request would cost more than one may.", price.into()),
    ]
}

/// The error that an example shows, made as the service makes it.
pub(super) fn failure(code: FailureCode) -> Failure {
    let attempt = |model: &str, failure: CallFailure, milliseconds: u64| AttemptReport {
        region: None,
        called: true,
        model: model_id(model),
        failure: Some(failure),
        latency: Duration::from_millis(milliseconds),
    };
    let attempts = CallFailure::ALL
        .into_iter()
        .find(|failure| failure.code() == code)
        .map(|failure| vec![attempt(MODEL, failure, 412), attempt(SECOND_MODEL, failure, 388)]);
    Failure { code, retry_after: None, detail: None, partial: false, attempts: attempts.unwrap_or_default() }
}

fn with(responses: ResponsesBuilder, family: Family, status: u16) -> ResponsesBuilder {
    responses.response(status.to_string(), component(family, status))
}

fn component(family: Family, status: u16) -> Ref {
    Ref::new(format!("#/components/responses/{}{status}", family.prefix()))
}

/// Compatible paths write what the task itself says; they do not read `Accept`, and no data
/// is asked for there.
fn is_of(family: Family, code: FailureCode) -> bool {
    use FailureCode as Code;
    let elsewhere = [
        Code::NotFound,
        Code::ModelNotFound,
        Code::MethodNotAllowed,
        Code::NotAcceptable,
        Code::OutputInvalid,
    ];
    family == Family::Problem || !elsewhere.contains(&code)
}

fn by_status(wanted: impl Fn(FailureCode) -> bool) -> BTreeMap<u16, Vec<FailureCode>> {
    let mut statuses: BTreeMap<u16, Vec<FailureCode>> = BTreeMap::new();
    for code in codes().filter(|code| wanted(*code)) {
        statuses.entry(row(code).status.as_u16()).or_default().push(code);
    }
    statuses
}

fn response(family: Family, codes: &[FailureCode]) -> Response {
    let of_codes = codes.iter().map(|code| {
        let value = match family {
            Family::Problem => problem(*code),
            Family::Sentence => sentence(*code),
        };
        (code.as_str(), row(*code).detail, value)
    });
    let of_sizes = codes.contains(&FailureCode::InputTooLarge).then(sizes).into_iter().flatten();
    let of_sizes = of_sizes.map(|(name, summary, error)| match family {
        Family::Problem => (name, summary, as_problem(&error)),
        Family::Sentence => (name, summary, json!({ "error": error.detail() })),
    });
    let examples = of_codes.chain(of_sizes).map(|(name, summary, value)| {
        (name, ExampleBuilder::new().summary(summary).value(Some(value)).build())
    });
    let (media_type, schema) = match family {
        Family::Problem => ("application/problem+json", "Problem"),
        Family::Sentence => ("application/json", "Sentence"),
    };
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .examples_from_iter(examples)
        .build();
    let titles: Vec<String> =
        codes.iter().map(|code| format!("{} (`{}`).", row(*code).title, code.as_str())).collect();
    let answer = ResponseBuilder::new().description(titles.join(" ")).content(media_type, content);
    let answer = headers::add(answer, &headers::ON_EVERY_ANSWER);
    let answer = headers::add(answer, &headers_of(codes));
    let answer = if family == Family::Sentence { headers::add(answer, &["Link"]) } else { answer };
    answer.build()
}

/// The headers that the table's answers carry beside the common ones.
fn headers_of(codes: &[FailureCode]) -> Vec<&'static str> {
    let mut names = vec!["x-should-retry"];
    if codes.iter().any(|code| ApiError::new(*code).wait().is_some()) {
        names.extend(["Retry-After", "retry-after-ms"]);
    }
    if codes.contains(&FailureCode::UnsupportedMediaType) {
        names.push("Accept-Post");
    }
    if codes.contains(&FailureCode::MethodNotAllowed) {
        names.push("Allow");
    }
    if codes.iter().any(|code| matches!(code, FailureCode::PayloadTooLarge | FailureCode::RequestTimeout)) {
        names.push("Connection");
    }
    names
}

fn sentence(code: FailureCode) -> Value {
    let error = example(code, TaskKind::Summarize, json!({ "text": "", "paragraphs": 11 }));
    let sentences: Vec<&str> = match error.problems.as_slice() {
        [] => vec![error.detail()],
        problems => problems.iter().map(|problem| problem.detail.as_str()).collect(),
    };
    json!({ "error": sentences.join(" ") })
}

/// An error with the code, as full as the service makes it; `invalid` is a body that shows a
/// validation error.
fn example(code: FailureCode, kind: TaskKind, invalid: Value) -> ApiError {
    match code {
        FailureCode::ValidationFailed => {
            let members = match invalid {
                Value::Object(members) => members,
                _ => Map::new(),
            };
            let mut fields = Fields::new(members);
            let _task = Task::read(kind, &mut fields);
            ApiError::invalid(fields.finish().err().unwrap_or_default())
        }
        FailureCode::InputTooLarge => {
            PlanError::InputTooLarge { requested: 5_231_400, quota: 5_000_000 }.into()
        }
        FailureCode::PayloadTooLarge => {
            let figures = Figures { limit_bytes: Some(4 << 20), ..Figures::default() };
            ApiError { figures, ..ApiError::new(code) }
        }
        _ => failure(code).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{codes, problem};
    use crate::domain::FailureCode;

    #[test]
    fn examples_are_as_full_as_real_answers() {
        assert_eq!(problem(FailureCode::ValidationFailed)["errors"][1]["pointer"], "/length");
        assert_eq!(problem(FailureCode::InputTooLarge)["quota"], 5_000_000);
        assert_eq!(problem(FailureCode::ModelCapacity)["attempts"][0]["error"], "throttled");
        assert_eq!(problem(FailureCode::ModelCapacity)["retry_after_ms"], 2000);
        for code in codes() {
            assert_eq!(problem(code)["code"], code.as_str());
        }
    }
}
