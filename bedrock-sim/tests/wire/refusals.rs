//! Refusals as statuses: type header, body key, text.

use bedrock_sim::{ApiError, Scenario};
use serde_json::{Value, json};

use crate::client::{SIGNED, call, converse, path, request, send, sim, stream};

#[tokio::test]
async fn each_error_has_its_status_its_type_and_its_text() {
    let cases = [
        (
            "access-denied",
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        ("not-authorized", 403, "AccessDeniedException", "is not authorized to perform: bedrock:InvokeModel"),
        (
            "expired-token",
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        (
            "unrecognized-client",
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        (
            "invalid-signature",
            403,
            "InvalidSignatureException",
            "The request signature we calculated does not match",
        ),
        ("resource-not-found", 404, "ResourceNotFoundException", "Model not found."),
        (
            "end-of-life",
            404,
            "ResourceNotFoundException",
            "This model version has reached the end of its life.",
        ),
        ("legacy-model", 404, "ResourceNotFoundException", "marked by provider as Legacy"),
        (
            "use-case-missing",
            404,
            "ResourceNotFoundException",
            "Model use case details have not been submitted",
        ),
        ("model-timeout", 408, "ModelTimeoutException", "Model has timed out in processing the request."),
        ("throttling", 429, "ThrottlingException", "Too many tokens, please wait before trying again."),
        (
            "throttling-requests",
            429,
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
        ),
        (
            "throttling-per-day",
            429,
            "ThrottlingException",
            "Too many tokens per day, please wait before trying again.",
        ),
        ("model-not-ready", 429, "ModelNotReadyException", "Model is not ready for inference."),
        (
            "model-error",
            424,
            "ModelErrorException",
            "The system encountered an unexpected error during processing.",
        ),
        ("service-quota-exceeded", 400, "ServiceQuotaExceededException", "quota"),
        ("validation", 400, "ValidationException", "please reformat your input and try again."),
        ("input-too-long", 400, "ValidationException", "Input is too long for requested model."),
        ("invalid-model-id", 400, "ValidationException", "The provided model identifier is invalid."),
        (
            "on-demand-unsupported",
            400,
            "ValidationException",
            "with on-demand throughput isn\u{2019}t supported.",
        ),
        ("internal-server", 500, "InternalServerException", "The system encountered an unexpected error"),
        (
            "service-unavailable",
            503,
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
        ),
        ("too-many-connections", 503, "ServiceUnavailableException", "Too many connections, please wait"),
    ];
    assert_eq!(cases.len(), ApiError::ALL.len());
    let sim = sim().await;
    for (name, status, type_name, text) in cases {
        let model = format!("sim.{name}");
        for answer in [converse(&sim, &model).await, stream(&sim, &model).await] {
            assert_eq!(answer.status, status, "{name}");
            let suffixed = format!("{type_name}:http://internal.amazon.com/coral/com.amazon.bedrock/");
            assert_eq!(answer.header("x-amzn-errortype"), Some(suffixed.as_str()));
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36));
            let body = answer.json();
            assert!(body["message"].as_str().unwrap().contains(text), "{name}: {body}");
            if name == "model-error" {
                assert_eq!(body["originalStatusCode"], 500);
                assert_eq!(body["resourceName"], model);
            } else {
                assert_eq!(body.as_object().unwrap().len(), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_real_throttling_body_has_63_bytes() {
    let sim = sim().await;
    assert_eq!(converse(&sim, "sim.throttling").await.header("content-length"), Some("63"));
    assert_eq!(converse(&sim, "sim.invalid-model-id").await.header("content-length"), Some("55"));
}

#[tokio::test]
async fn proxies_and_untyped_refusals_look_like_themselves() {
    let sim = sim().await;
    let untyped = converse(&sim, "sim.untyped-throttling").await;
    assert_eq!((untyped.status, untyped.header("x-amzn-errortype")), (429, None));
    let html = stream(&sim, "sim.html-bad-gateway").await;
    assert_eq!((html.status, html.header("content-type")), (502, Some("text/html")));
    assert!(String::from_utf8_lossy(&html.body).contains("<h1>502 Bad Gateway</h1>"));
}

#[tokio::test]
async fn an_empty_bucket_throttles_each_model_by_itself() {
    let sim = sim().await;
    sim.set_scenario("*", Scenario::TokenBucket { capacity: 2, refill_per_second: 0.0 });
    let mut statuses = Vec::new();
    for model in ["sim.normal", "sim.normal", "sim.normal", "us.amazon.nova-lite-v1:0"] {
        statuses.push(converse(&sim, model).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 200]);
}

#[tokio::test]
async fn callers_without_credentials_are_refused() {
    let sim = sim().await;
    let body = request().to_string();
    let target = path("sim.normal", "converse");
    let scoped = |service: &str| {
        format!(
            "authorization: AWS4-HMAC-SHA256 Credential=A/20261120/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n"
        )
    };
    let cases = [
        (String::new(), 403, Some("MissingAuthenticationTokenException")),
        ("authorization: Basic abc\r\n".to_owned(), 403, Some("IncompleteSignatureException")),
        ("authorization: Bearer \r\n".to_owned(), 403, Some("IncompleteSignatureException")),
        (scoped("s3"), 403, Some("InvalidSignatureException")),
        (scoped("bedrock-runtime"), 403, Some("InvalidSignatureException")),
        (scoped("bedrock"), 200, None),
        ("authorization: Bearer bedrock-api-key-x\r\n".to_owned(), 200, None),
    ];
    for (headers, status, type_name) in cases {
        let answer = send(sim.addr(), "POST", &target, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{headers}");
        let seen = answer.header("x-amzn-errortype").map(|value| value.split(':').next().unwrap());
        assert_eq!(seen, type_name, "{headers}");
    }
}

#[tokio::test]
async fn unknown_operations_are_refused_as_aws_does() {
    let sim = sim().await;
    let known = path("sim.normal", "converse");
    for (method, target) in
        [("POST", "/model/x/no-such-operation"), ("GET", "/"), ("GET", known.as_str()), ("PUT", "/model")]
    {
        let answer = send(sim.addr(), method, target, SIGNED, b"").await;
        assert_eq!(answer.status, 404, "{method} {target}");
        assert_eq!(answer.header("x-amzn-errortype"), Some("UnknownOperationException"));
        assert!(answer.json()["Output"]["__type"].as_str().unwrap().ends_with("UnknownOperationException"));
    }
    let no_utf_8 = send(sim.addr(), "POST", "/model/%ff/converse", SIGNED, b"{}").await;
    assert_eq!((no_utf_8.status, no_utf_8.header("x-amzn-errortype")), (400, Some("ValidationException")));
    assert!(sim.calls().is_empty());
}

#[tokio::test]
async fn wrong_requests_get_the_real_400() {
    let sim = sim().await;
    let with = |name: &str, value: Value| {
        let mut body = request();
        body[name] = value;
        body
    };
    let cases = [
        (
            "us.anthropic.claude-opus-4-7",
            with("inferenceConfig", json!({"temperature": 0.2})),
            "`temperature` is deprecated",
        ),
        (
            "us.amazon.nova-micro-v1:0",
            with("inferenceConfig", json!({"maxTokens": 20_000})),
            "exceed the model limit of 10000",
        ),
        (
            "us.amazon.nova-micro-v1:0",
            with("inferenceConfig", json!({"maxTokens": 0})),
            "1 validation error detected",
        ),
        ("us.amazon.nova-micro-v1:0", with("messages", json!([])), "must start with a user message"),
        ("anthropic.claude-sonnet-5", request(), "on-demand throughput isn\u{2019}t supported"),
        ("us.does-not-exist-model-v1:0", request(), "The provided model identifier is invalid."),
    ];
    for (model, body, text) in cases {
        for operation in ["converse", "converse-stream"] {
            let answer = call(&sim, model, operation, &body).await;
            assert_eq!(answer.status, 400, "{model}");
            assert!(answer.header("x-amzn-errortype").unwrap().starts_with("ValidationException:"));
            assert!(answer.json()["message"].as_str().unwrap().contains(text), "{}", answer.json());
        }
    }
    let gone = converse(&sim, "anthropic.claude-3-haiku-20240307-v1:0").await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn arns_are_read_from_the_path() {
    let sim = sim().await;
    let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-micro-v1:0";
    assert_eq!(converse(&sim, arn).await.status, 200);
    assert_eq!(sim.calls()[0].model_id, arn);
}

#[tokio::test]
async fn bodies_that_are_no_json_or_too_large_are_refused() {
    let sim = sim().await;
    let target = path("sim.normal", "converse");
    let answer = send(sim.addr(), "POST", &target, SIGNED, b"{").await;
    assert_eq!(answer.status, 400);
    assert!(answer.header("x-amzn-errortype").unwrap().starts_with("SerializationException"));
    let large = vec![b' '; 25_000_001];
    let answer = send(sim.addr(), "POST", &target, SIGNED, &large).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("x-amzn-errortype"), Some("RequestEntityTooLargeException"));
}
