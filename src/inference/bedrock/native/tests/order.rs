//! Whatever comes from below, the port hears events in its order or a failure.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{OnBlock, assert_in_order, golden, guardrail, text};
use crate::inference::bedrock::native::{Billing, Decoder};
use crate::inference::{ModelEvent, NativeFormat};

/// The golden chunks of all formats, some with what Bedrock may add, and some noise.
fn chunks() -> Vec<String> {
    let streamed = NativeFormat::ALL.into_iter().filter(|format| format.can_stream());
    let texts: Vec<String> = streamed.map(|format| golden::read(format, "stream.jsonl")).collect();
    let plain: Vec<String> = texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
    let judged = ["INTERVENED", "NONE"].into_iter().flat_map(|action| {
        plain.iter().step_by(7).map(move |chunk| {
            let mut chunk: Value = serde_json::from_str(chunk).unwrap();
            chunk["amazon-bedrock-guardrailAction"] = json!(action);
            chunk.to_string()
        })
    });
    let noise = ["{}", "[]", "not json", "{\"choices\": 1}", "{\"generation\": [\"a\"], \"stop_reason\": 5}"];
    judged.collect::<Vec<_>>().into_iter().chain(noise.map(str::to_owned)).chain(plain.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn events_come_in_the_ports_order_whatever_the_chunks_are(
        picked in prop::collection::vec(any::<prop::sample::Index>(), 1..24), guarded: bool,
    ) {
        let chunks = chunks();
        for format in NativeFormat::ALL {
            let guardrail = guarded.then(|| guardrail(OnBlock::Answer));
            let mut decoder = Decoder::new(format, Billing::default(), guardrail);
            let mut events = Vec::new();
            for index in &picked {
                events.extend(decoder.chunk(index.get(&chunks).as_bytes()).unwrap_or_default());
                if decoder.is_done() {
                    break;
                }
            }
            let is_told = |event: &ModelEvent| matches!(event, ModelEvent::Stopped(_));
            match decoder.end() {
                Some(rest) => {
                    events.extend(rest);
                    prop_assert_eq!(events.iter().filter(|event| is_told(event)).count(), 1);
                }
                None => prop_assert!(!events.iter().any(is_told)),
            }
            if !events.is_empty() {
                assert_in_order(&events, format);
            }
            text(&events);
        }
    }
}
