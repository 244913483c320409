//! Conversations in every format: who says what, and what a guardrail is shown of it.

use bedrock_sim::GuardrailRules;

use super::simulator::{Bench, DOCUMENT, model};
use super::{FIXED, OnBlock, conversation, guardrail, text};
use crate::domain::ModelId;
use crate::inference::bedrock::native::{Delivery, request_with};
use crate::inference::{ModelCall, NativeFormat, StopReason};

const ANSWER: &str = "The bridge in Graz is open to cyclists since March. Traffic fell by a third.";
const WISH: &str = "Shorter, and mention the price.";

/// Models that know no turns are told of them in words.
const WITHOUT_TURNS: [NativeFormat; 2] = [NativeFormat::CohereCommand, NativeFormat::Ai21Jurassic];

fn calls(wish: &str) -> impl Iterator<Item = (NativeFormat, ModelCall)> {
    NativeFormat::ALL.into_iter().map(move |format| {
        let call = conversation(format, DOCUMENT, &[(ANSWER, wish)]);
        (format, ModelCall { model: ModelId::parse(model(format)).unwrap(), ..call })
    })
}

#[tokio::test]
async fn the_wish_is_heard_as_one_about_the_answer() {
    let bench = Bench::start().await;
    let revised = "The bridge in Graz is open to cyclists since March. It cost four million euros.";
    for (format, call) in calls(WISH) {
        let answer = bench.whole(&call).await.unwrap_or_else(|error| panic!("{format:?}: {error}"));
        if WITHOUT_TURNS.contains(&format) {
            assert!(!answer.text.is_empty(), "{format:?}");
        } else {
            assert_eq!(answer.text, revised, "{format:?}");
        }
        if format.can_stream() {
            assert_eq!(text(&bench.events(&call).await.0), answer.text, "{format:?}");
        }
    }
}

#[tokio::test]
async fn a_guardrail_is_shown_the_wish_in_every_format() {
    let bench = Bench::start().await;
    let rules = GuardrailRules { blocked_input: vec!["weapons".to_owned()], ..GuardrailRules::default() };
    bench.sim.set_guardrail("*", rules);
    for (wish, blocked) in [("Say something about weapons.", true), (WISH, false)] {
        for (format, mut call) in calls(wish) {
            call.guardrail = Some(guardrail(OnBlock::Refuse));
            let stop = bench.whole(&call).await.unwrap().stop_reason;
            assert_eq!(stop == StopReason::GuardrailIntervened, blocked, "{format:?}: {wish}");
        }
    }
}

#[test]
fn the_document_and_the_wish_stand_in_tags_and_the_answer_does_not() {
    for (format, mut call) in calls(WISH) {
        call.guardrail = Some(guardrail(OnBlock::Refuse));
        let body = request_with(format, &call, Delivery::Whole, FIXED).to_string();
        let tag = format!("amazon-bedrock-guardrails-guardContent_{FIXED}>");
        let tagged: Vec<&str> = body
            .split(&format!("<{tag}\\n"))
            .skip(1)
            .map(|rest| rest.split(&format!("</{tag}")).next().unwrap())
            .collect();
        assert_eq!(tagged, [DOCUMENT, WISH], "{format:?}: {body}");
        assert!(body.contains(ANSWER), "{format:?}");
    }
}
