//! What a guardrail does to native answers, in the shape of every format.

use serde_json::{Value, json};

use super::{OnBlock, call, golden, guardrail, text};
use crate::inference::bedrock::held::Held;
use crate::inference::bedrock::native::{Billing, Counts, Decoder, completion};
use crate::inference::{ModelEvent, NativeFormat, StopReason};

const ACTION: &str = "amazon-bedrock-guardrailAction";

/// The chunks of a golden stream, of which the last says what the guardrail did.
fn chunks(format: NativeFormat, action: &str) -> Vec<Value> {
    let text = golden::read(format, "stream.jsonl");
    let mut chunks: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    chunks.last_mut().unwrap()[ACTION] = json!(action);
    chunks
}

fn told(format: NativeFormat, on_block: OnBlock, chunks: &[Value]) -> Vec<ModelEvent> {
    let mut call = call(format, "A document.");
    call.guardrail = Some(guardrail(on_block));
    let mut held = Held::for_call(&call);
    let mut decoder = Decoder::new(format, Billing::default(), call.guardrail);
    for chunk in chunks {
        let events = decoder.chunk(chunk.to_string().as_bytes()).unwrap();
        events.into_iter().for_each(|event| held.push(Ok(event)));
    }
    decoder.end().unwrap().into_iter().for_each(|event| held.push(Ok(event)));
    std::iter::from_fn(|| held.ready()).map(Result::unwrap).collect()
}

fn streamed() -> impl Iterator<Item = NativeFormat> {
    NativeFormat::ALL.into_iter().filter(|format| format.can_stream())
}

#[test]
fn an_intervention_outweighs_the_familys_own_reason_in_whole_answers() {
    for format in NativeFormat::ALL {
        let mut body: Value = serde_json::from_str(&golden::read(format, "answer.json")).unwrap();
        body[ACTION] = json!("INTERVENED");
        let call = call(format, "A document.");
        let none = Counts { input: Some(0), output: Some(0), ..Counts::default() };
        let billing = Billing { told: none, ..Billing::default() };
        let answer = completion(format, &call, &billing, body.to_string().as_bytes()).unwrap();
        assert_eq!(answer.stop_reason, StopReason::GuardrailIntervened, "{}", format.as_str());
        if format != NativeFormat::AnthropicMessages {
            // That golden answer has read a cache, which is a count.
            assert_eq!(answer.usage.unwrap().tokens.total_tokens(), 0, "no model ran: {}", format.as_str());
        }
        let bare = json!({ ACTION: "INTERVENED" }).to_string();
        let answer = completion(format, &call, &billing, bare.as_bytes()).unwrap();
        assert_eq!((answer.text.as_str(), answer.stop_reason), ("", StopReason::GuardrailIntervened));
    }
}

#[test]
fn the_guardrails_own_text_is_told_only_where_it_is_to_be_the_answer() {
    for format in streamed() {
        let chunks = chunks(format, "INTERVENED");
        let whole = text(&told(format, OnBlock::Answer, &chunks));
        assert_eq!(whole, "A bridge for cyclists opened in Graz.", "{}", format.as_str());
        let events = told(format, OnBlock::Refuse, &chunks);
        assert_eq!(text(&events), "A bridge for cyclists opened", "the last piece: {}", format.as_str());
        let stop = events.iter().position(|event| matches!(event, ModelEvent::Stopped(_))).unwrap();
        assert_eq!(events[stop], ModelEvent::Stopped(StopReason::GuardrailIntervened));
        assert!(matches!(events[stop + 1..], [ModelEvent::Usage(_)]), "{}", format.as_str());
    }
}

#[test]
fn a_guarded_answer_that_passes_loses_nothing() {
    for format in streamed() {
        let plain: Value = serde_json::from_str(&golden::read(format, "expected.json")).unwrap();
        let events = told(format, OnBlock::Refuse, &chunks(format, "NONE"));
        let written: Value = events.iter().map(golden::event).collect();
        assert_eq!(written, plain["events"], "{}", format.as_str());
    }
}

#[test]
fn a_text_in_reasonings_place_is_told_only_when_it_is_known_to_be_the_guardrails() {
    let chunk = |text: &str, reason: Value| json!({ "choices": [{ "text": text, "stop_reason": reason }] });
    let mut chunks = [chunk("Blocked by us.", json!(null)), chunk("", json!("stop"))];
    chunks[1][ACTION] = json!("INTERVENED");
    let format = NativeFormat::DeepSeek;
    let answer = |chunks: &[Value]| text(&told(format, OnBlock::Answer, chunks));
    assert_eq!(answer(&chunks), "", "it may be reasoning of which something was masked");
    let assessed = |action: &str| {
        let words = json!({ "customWords": [{ "match": "x", "action": action }] });
        json!({ "guardrail": { "outputs": [{ "g": { "wordPolicy": words } }] } })
    };
    chunks[1]["amazon-bedrock-trace"] = assessed("BLOCKED");
    assert_eq!(answer(&chunks), "Blocked by us.");
    assert_eq!(text(&told(format, OnBlock::Refuse, &chunks)), "");
    chunks[1]["amazon-bedrock-trace"] = assessed("ANONYMIZED");
    assert_eq!(answer(&chunks), "");
}

#[test]
fn a_stream_that_a_guardrail_ends_needs_no_stop_of_the_model() {
    for format in streamed() {
        let chunk = json!({ ACTION: "INTERVENED" });
        let events = told(format, OnBlock::Refuse, &[chunk]);
        let expected = [ModelEvent::Started, ModelEvent::Stopped(StopReason::GuardrailIntervened)];
        assert_eq!(events, expected, "{}", format.as_str());
    }
}
