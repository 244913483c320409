//! The headers of InvokeModel and InvokeModelWithResponseStream.
//!
//! Owns their words and lengths as published, and what of them is told back. What a guardrail does
//! is not its matter. The one rule it protects: a header outside its published values never reaches
//! a model.

use http::HeaderMap;
use serde_json::Value;

use super::guarding::{self, Guarding};
use super::reader::{At, Reader};
use super::settings::Echo;
use crate::errors::Refusal;

const MAX_METADATA_CHARS: usize = 8_500;

/// What the headers ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InvokeHeaders {
    pub(crate) echo: Echo,
    /// The guardrail, without the texts it looks at.
    pub(crate) guarding: Option<Guarding>,
}

impl InvokeHeaders {
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut reader = Reader::default();
        let trace = value(headers, "x-amzn-bedrock-trace");
        word(&mut reader, trace, "trace", &["ENABLED", "DISABLED", "ENABLED_FULL"]);
        let identifier = value(headers, "x-amzn-bedrock-guardrailidentifier");
        let version = value(headers, "x-amzn-bedrock-guardrailversion");
        guarding::check_name(
            &mut reader,
            identifier.unwrap_or_default(),
            version.unwrap_or_default(),
            At::ROOT,
        );
        let latency = value(headers, "x-amzn-bedrock-performanceconfig-latency");
        word(&mut reader, latency, "performanceConfigLatency", &["standard", "optimized"]);
        let tier = value(headers, "x-amzn-bedrock-service-tier");
        word(&mut reader, tier, "serviceTier", &["priority", "default", "flex", "reserved"]);
        let metadata = value(headers, "x-amzn-bedrock-request-metadata");
        if let Some(metadata) = metadata {
            reader.length(metadata, At::ROOT.member("requestMetadata"), 1, MAX_METADATA_CHARS);
        }
        reader.finish()?;
        if identifier.is_some() != version.is_some() {
            return Err(Refusal::validation(
                "The guardrail identifier and the guardrail version must be given together.",
            ));
        }
        if tier == Some("reserved") {
            return Err(Refusal::validation("Reservation not found."));
        }
        if metadata.is_some_and(|metadata| !is_flat(metadata)) {
            return Err(Refusal::validation("The request metadata is no JSON object of strings."));
        }
        let owned = |word: Option<&str>| word.map(str::to_owned);
        let guarding = identifier.zip(version).filter(|(identifier, _)| !identifier.is_empty());
        Ok(Self {
            echo: Echo { service_tier: owned(tier), latency: owned(latency), trace: None },
            guarding: guarding.map(|(identifier, version)| Guarding {
                identifier: identifier.to_owned(),
                version: version.to_owned(),
                traced: matches!(trace, Some("ENABLED" | "ENABLED_FULL")),
                ..Guarding::default()
            }),
        })
    }
}

fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn word(reader: &mut Reader, value: Option<&str>, name: &str, words: &[&str]) {
    if let Some(value) = value {
        reader.word(value, At::ROOT.member(name), words);
    }
}

fn is_flat(metadata: &str) -> bool {
    let Ok(Value::Object(metadata)) = serde_json::from_str(metadata) else { return false };
    metadata.values().all(Value::is_string)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<InvokeHeaders, String> {
        let headers = pairs.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        InvokeHeaders::read(&headers.collect()).map_err(|refusal| refusal.message)
    }

    #[test]
    fn words_outside_their_sets_are_refused() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(8_500));
        let cases = [
            ("x-amzn-bedrock-trace", "enabled", "'trace' failed to satisfy constraint"),
            ("x-amzn-bedrock-service-tier", "gold", "[priority, default, flex, reserved]"),
            ("x-amzn-bedrock-service-tier", "reserved", "Reservation not found."),
            ("x-amzn-bedrock-performanceconfig-latency", "fast", "[standard, optimized]"),
            ("x-amzn-bedrock-guardrailversion", "01", "'guardrailVersion'"),
            ("x-amzn-bedrock-guardrailidentifier", "abc", "must be given together"),
            ("x-amzn-bedrock-request-metadata", "[1]", "no JSON object of strings"),
            ("x-amzn-bedrock-request-metadata", &long, "less than or equal to 8500"),
        ];
        for (name, value, text) in cases {
            let message = read(&[(name, value)]).unwrap_err();
            assert!(message.contains(text), "{name}: {message}");
        }
    }

    #[test]
    fn tier_and_latency_are_told_back() {
        let headers = read(&[
            ("x-amzn-bedrock-trace", "ENABLED_FULL"),
            ("x-amzn-bedrock-guardrailidentifier", "abc"),
            ("x-amzn-bedrock-guardrailversion", "DRAFT"),
            ("x-amzn-bedrock-service-tier", "flex"),
            ("x-amzn-bedrock-performanceconfig-latency", "optimized"),
            ("x-amzn-bedrock-request-metadata", r#"{"team":"a"}"#),
        ]);
        let (service_tier, latency) = (Some("flex".to_owned()), Some("optimized".to_owned()));
        let echo = Echo { service_tier, latency, trace: None };
        let guarding = Guarding {
            identifier: "abc".to_owned(),
            version: "DRAFT".to_owned(),
            traced: true,
            ..Guarding::default()
        };
        assert_eq!(headers, Ok(InvokeHeaders { echo, guarding: Some(guarding) }));
    }
}
