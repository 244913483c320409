//! Guardrails over the simulator: what it blocks before a model runs, and after.

use bedrock_sim::GuardrailRules;

use super::simulator::{Bench, calls};
use super::{OnBlock, assert_in_order, guardrail, text};
use crate::inference::{ModelEvent, StopReason};

/// What the simulator's guardrails say in the answer's place.
const OF_INPUT: &str = "Nothing was asked.";
const OF_OUTPUT: &str = "Nothing is told.";

/// A bench whose guardrail looks for words of the document, on one side of the model.
async fn bench(of_input: bool) -> Bench {
    let bench = Bench::start().await;
    let phrases = |looks: bool| if looks { vec!["The bridge".to_owned()] } else { Vec::new() };
    let rules = GuardrailRules {
        blocked_input: phrases(of_input),
        blocked_output: phrases(!of_input),
        masked: Vec::new(),
        input_message: OF_INPUT.to_owned(),
        output_message: OF_OUTPUT.to_owned(),
    };
    bench.sim.set_guardrail("*", rules);
    bench
}

fn stopped(events: &[ModelEvent]) -> bool {
    events.contains(&ModelEvent::Stopped(StopReason::GuardrailIntervened))
}

#[tokio::test]
async fn a_document_that_is_blocked_costs_no_tokens_and_gets_no_answer() {
    let bench = bench(true).await;
    for (format, mut call) in calls() {
        for (on_block, told) in [(OnBlock::Refuse, ""), (OnBlock::Answer, OF_INPUT)] {
            call.guardrail = Some(guardrail(on_block));
            let answer = bench.whole(&call).await.unwrap();
            assert_eq!(answer.text, OF_INPUT, "{format:?}");
            assert_eq!(answer.stop_reason, StopReason::GuardrailIntervened, "{format:?}");
            assert_eq!(answer.usage.unwrap().tokens.total_tokens(), 0, "{format:?}");
            if format.can_stream() {
                let (events, error) = bench.events(&call).await;
                assert_eq!(error, None, "{format:?}");
                assert_in_order(&events, format);
                assert_eq!(text(&events), told, "{format:?}: {events:?}");
                assert!(stopped(&events), "{format:?}: {events:?}");
                let Some(ModelEvent::Usage(usage)) = events.last() else { panic!("{format:?}: {events:?}") };
                assert_eq!(usage.tokens.total_tokens(), 0, "{format:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_blocked_is_paid_for_and_not_told() {
    let bench = bench(false).await;
    for (format, mut call) in calls() {
        for (on_block, told) in [(OnBlock::Refuse, ""), (OnBlock::Answer, OF_OUTPUT)] {
            call.guardrail = Some(guardrail(on_block));
            let answer = bench.whole(&call).await.unwrap();
            assert_eq!(answer.stop_reason, StopReason::GuardrailIntervened, "{format:?}");
            assert_eq!(answer.text, OF_OUTPUT, "{format:?}");
            assert!(answer.usage.unwrap().tokens.output_tokens > 0, "{format:?}");
            if format.can_stream() {
                let (events, error) = bench.events(&call).await;
                assert_eq!(error, None, "{format:?}");
                assert_in_order(&events, format);
                assert!(stopped(&events), "{format:?}: {events:?}");
                assert_eq!(text(&events), told, "{format:?}: {events:?}");
            }
        }
    }
}

#[tokio::test]
async fn our_own_rules_trip_no_guardrail() {
    let bench = Bench::start().await;
    let rules = GuardrailRules { blocked_input: vec!["Summarize".to_owned()], ..GuardrailRules::default() };
    bench.sim.set_guardrail("*", rules);
    for (format, mut call) in calls() {
        call.guardrail = Some(guardrail(OnBlock::Refuse));
        let answer = bench.whole(&call).await.unwrap();
        assert_eq!(answer.stop_reason, StopReason::EndTurn, "{format:?}");
        assert!(!answer.text.is_empty(), "{format:?}");
    }
}
