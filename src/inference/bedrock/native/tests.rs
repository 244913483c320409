//! The formats as a whole: golden files both ways, prompts that nobody can break out of,
//! guardrails, and calls over the simulator.

mod blocked;
mod conversations;
mod golden;
mod guarded;
mod order;
mod simulator;
mod templates;

use std::sync::Arc;

use crate::domain::{Exchange, FencedDocument, Guardrail, GuardrailStream, ModelId, OnBlock, Prompt};
use crate::inference::{Api, CallTerms, ModelCall, ModelEvent, NativeFormat};

/// The boundary of the fences and the suffix of the tags, which are random elsewhere.
const FIXED: &str = "0123456789abcdef";
const RULES: &str = "Summarize the document in one sentence.";

fn call(format: NativeFormat, document: &str) -> ModelCall {
    let user = FencedDocument {
        before: String::new(),
        opening: format!("<document-{FIXED}>\n"),
        document: document.into(),
        closing: format!("\n</document-{FIXED}>"),
    };
    ModelCall {
        model: ModelId::parse("provider.model-v1:0").unwrap(),
        region: None,
        prompt: Arc::new(Prompt {
            system: RULES.to_owned(),
            shared_bytes: 0,
            quoted: 0..0,
            user,
            later: Vec::new(),
        }),
        max_tokens: 300,
        temperature: Some(0.3),
        terms: Arc::new(CallTerms {
            api: Api::Invoke(format),
            accepts_system: format.has_system(),
            ..CallTerms::default()
        }),
        guardrail: None,
        cache_shared: false,
        output_schema: None,
        metadata: Arc::default(),
    }
}

/// A call whose answer was answered.
fn conversation(format: NativeFormat, document: &str, exchanges: &[(&str, &str)]) -> ModelCall {
    let call = call(format, document);
    let exchange =
        |(answer, wish): &(&str, &str)| Exchange { answer: (*answer).into(), wish: (*wish).into() };
    let later = exchanges.iter().map(exchange).collect();
    ModelCall { prompt: Arc::new(Prompt { later, ..Prompt::clone(&call.prompt) }), ..call }
}

fn guardrail(on_block: OnBlock) -> Arc<Guardrail> {
    Arc::new(Guardrail {
        name: "house-rules".into(),
        id: "gr1abc2def3g".to_owned(),
        version: "3".to_owned(),
        stream: GuardrailStream::Sync,
        on_block,
        trace: true,
    })
}

/// All pieces of the answer, none of which is empty.
fn text(events: &[ModelEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        ModelEvent::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.inspect(|text| assert!(!text.is_empty(), "a piece is never empty")).collect()
}

/// Started, then text and thinking, then the stop, then the usage at most.
fn assert_in_order(events: &[ModelEvent], format: NativeFormat) {
    let rank = |event: &ModelEvent| match event {
        ModelEvent::Started => 0,
        ModelEvent::Thinking | ModelEvent::Text(_) => 1,
        ModelEvent::Stopped(_) => 2,
        ModelEvent::Usage(_) => 3,
    };
    let ranks: Vec<i32> = events.iter().map(rank).collect();
    assert!(ranks.is_sorted(), "{format:?}: {events:?}");
    for once in [0, 2, 3] {
        assert!(ranks.iter().filter(|rank| **rank == once).count() <= 1, "{format:?}: {events:?}");
    }
    assert_eq!(ranks.first(), Some(&0), "{format:?}");
}
