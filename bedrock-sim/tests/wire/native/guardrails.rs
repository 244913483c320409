//! Guardrails on native bodies: what they look at, and how each family tells what they did.

use bedrock_sim::{GuardrailRules, MaskedPhrase, Outcome, Sim};
use serde_json::{Value, json};

use super::{Family, INVOKE, METRICS, STREAM, family, whole_chunks};
use crate::client::{Answer, SIGNED, TEXT, path, send, sim};

const FORBIDDEN: &str = "SIMULATED FORBIDDEN TOPIC";
const MESSAGE: &str = "Sorry, the simulated guardrail blocked this.";
const PHRASE: &str = "four million euros";
const ACTION: &str = "amazon-bedrock-guardrailAction";
const TRACE: &str = "amazon-bedrock-trace";
const CONFIG: &str = "amazon-bedrock-guardrailConfig";
const GUARDRAIL: &str = "abc123";

/// One with blocks of a type, one with blocks without, one with a template.
fn some_families() -> [Family; 3] {
    ["claude messages", "nova", "llama 3"].map(family)
}

/// The family, asked this instead of the usual text.
fn asked(mut family: Family, text: &str) -> Family {
    family.body = serde_json::from_str(&family.body.to_string().replace(TEXT, text)).unwrap();
    family
}

fn configured(mut family: Family, config: Value) -> Family {
    family.body[CONFIG] = config;
    family
}

fn tagged(text: &str) -> String {
    let name = "amazon-bedrock-guardrails-guardContent_x7";
    format!("<{name}>{text}</{name}>")
}

async fn call(sim: &Sim, family: &Family, operation: &str, id: &str) -> Answer {
    let headers = format!(
        "{SIGNED}x-amzn-bedrock-guardrailidentifier: {id}\r\nx-amzn-bedrock-guardrailversion: DRAFT\r\n\
         x-amzn-bedrock-trace: ENABLED\r\n"
    );
    let target = path(family.model, operation);
    send(sim.addr(), "POST", &target, &headers, family.body.to_string().as_bytes()).await
}

async fn invoke(sim: &Sim, family: &Family) -> Answer {
    let answer = call(sim, family, INVOKE, GUARDRAIL).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

async fn stream(sim: &Sim, family: &Family) -> Vec<Value> {
    whole_chunks(&call(sim, family, STREAM, GUARDRAIL).await)
}

fn text<'v>(family: &Family, json: &'v Value) -> &'v str {
    json.pointer(family.text).and_then(Value::as_str).unwrap()
}

fn header_tokens(answer: &Answer) -> [u64; 2] {
    ["input", "output"].map(|side| {
        let name = format!("x-amzn-bedrock-{side}-token-count");
        answer.header(&name).unwrap().parse().unwrap()
    })
}

fn metric_tokens(chunk: &Value) -> [u64; 2] {
    ["inputTokenCount", "outputTokenCount"].map(|name| chunk[METRICS][name].as_u64().unwrap())
}

fn block_output(sim: &Sim) {
    let rules = GuardrailRules { blocked_output: vec![PHRASE.into()], ..GuardrailRules::default() };
    sim.set_guardrail(GUARDRAIL, rules);
}

#[tokio::test]
async fn a_blocked_input_is_answered_in_the_words_of_the_family_and_costs_nothing() {
    let sim = sim().await;
    for family in some_families() {
        let family = asked(family, &format!("Tell me of the {FORBIDDEN}."));
        let answer = invoke(&sim, &family).await;
        let json = answer.json();
        assert_eq!((text(&family, &json), &json[ACTION]), (MESSAGE, &json!("INTERVENED")));
        assert_eq!(json.pointer(family.reason).unwrap(), family.reasons[0], "{}", family.name);
        assert_eq!(header_tokens(&answer), [0, 0]);
        for at in family.usage.unwrap() {
            assert_eq!(json.pointer(at).unwrap(), 0, "{}", family.name);
        }

        let chunks = stream(&sim, &family).await;
        let texts = chunks.iter().filter_map(|chunk| chunk.pointer(family.chunk_text)?.as_str());
        let texts: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
        assert_eq!(texts, [MESSAGE], "{}", family.name);
        assert_eq!(family.reason_of(&chunks), Some(family.reasons[0]));
        let last = chunks.last().unwrap();
        assert_eq!((metric_tokens(last), &last[ACTION]), ([0, 0], &json!("INTERVENED")));
        let counted = chunks.iter().filter_map(|chunk| chunk["generation_token_count"].as_u64());
        assert_eq!(counted.sum::<u64>(), 0, "the message was not generated");
    }
    for record in sim.calls() {
        assert_eq!((record.billed_input_tokens, record.billed_output_tokens), (0, 0));
        assert_eq!((record.text.as_deref(), record.outcome), (Some(MESSAGE), Outcome::Completed));
    }
}

#[tokio::test]
async fn a_blocked_answer_is_replaced_and_paid_for() {
    let sim = sim().await;
    block_output(&sim);
    for family in some_families() {
        let free = header_tokens(&family.invoke(&sim).await);
        let answer = invoke(&sim, &family).await;
        let json = answer.json();
        assert_eq!((text(&family, &json), &json[ACTION]), (MESSAGE, &json!("INTERVENED")));
        assert_eq!(header_tokens(&answer), free, "{}", family.name);
        for config in [json!({}), json!({"streamProcessingMode": "SYNCHRONOUS"})] {
            let chunks = stream(&sim, &configured(self::family(family.name), config)).await;
            assert_eq!(family.text_of(&chunks), MESSAGE, "{}", family.name);
            let last = chunks.last().unwrap();
            assert_eq!((metric_tokens(last), &last[ACTION]), (free, &json!("INTERVENED")));
            assert_eq!(sim.calls().pop().unwrap().billed_output_tokens, free[1]);
        }
    }
}

#[tokio::test]
async fn an_asynchronous_stream_flows_up_to_the_phrase() {
    let sim = sim().await;
    block_output(&sim);
    let phrase_end = TEXT.find(PHRASE).unwrap() + PHRASE.len();
    for family in some_families() {
        let family = configured(family, json!({"streamProcessingMode": "ASYNCHRONOUS"}));
        let chunks = stream(&sim, &family).await;
        let expected = format!("{}{MESSAGE}", &TEXT[..phrase_end - 1]);
        assert_eq!(family.text_of(&chunks), expected, "{}", family.name);
        let last = chunks.last().unwrap();
        assert_eq!(last[ACTION], "INTERVENED");
        assert_eq!(sim.calls().pop().unwrap().billed_output_tokens, metric_tokens(last)[1]);
        assert_eq!(text(&family, &invoke(&sim, &family).await.json()), MESSAGE, "no stream, no flow");
    }
}

#[tokio::test]
async fn only_tagged_text_is_looked_at_where_there_is_any_and_no_tag_reaches_the_model() {
    let sim = sim().await;
    let rules = GuardrailRules {
        blocked_input: vec!["mayor".into()],
        blocked_output: Vec::new(),
        ..GuardrailRules::default()
    };
    sim.set_guardrail(GUARDRAIL, rules);
    let suffix = || json!({"tagSuffix": "x7"});
    let with_tags = |part: &str| TEXT.replacen(part, &tagged(part), 1);
    for name in some_families().map(|family| family.name) {
        let blocked = invoke(&sim, &family(name)).await;
        assert_eq!(blocked.json()[ACTION], "INTERVENED", "{name}: without tags all is looked at");
        let other = configured(asked(family(name), &with_tags("bridge")), suffix());
        let passed = invoke(&sim, &other).await;
        let json = passed.json();
        assert_eq!((text(&other, &json), &json[ACTION]), (TEXT, &json!("NONE")), "{name}");
        let free = family(name).invoke(&sim).await;
        assert_eq!(header_tokens(&passed), header_tokens(&free), "{name}: tags cost nothing");
        let chunks = stream(&sim, &other).await;
        assert_eq!(
            (other.text_of(&chunks).as_str(), &chunks.last().unwrap()[ACTION]),
            (TEXT, &json!("NONE"))
        );
        let guilty = configured(asked(family(name), &with_tags("mayor")), suffix());
        assert_eq!(invoke(&sim, &guilty).await.json()[ACTION], "INTERVENED", "{name}");
        assert_eq!(stream(&sim, &guilty).await.last().unwrap()[ACTION], "INTERVENED", "{name}");
    }
}

#[tokio::test]
async fn all_turns_of_the_user_are_looked_at_and_no_others() {
    let sim = sim().await;
    let mut claude = family("claude messages");
    claude.body["messages"] = json!([
        {"role": "user", "content": FORBIDDEN},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": [{"type": "text", "text": "Why?"}]},
    ]);
    assert_eq!(invoke(&sim, &claude).await.json()[ACTION], "INTERVENED");
    claude.body["messages"][0]["content"] = json!("fine");
    claude.body["messages"][1]["content"] = json!(FORBIDDEN);
    claude.body["system"] = json!(FORBIDDEN);
    // The author is not to repeat the phrase.
    claude.body["max_tokens"] = json!(1);
    assert_eq!(invoke(&sim, &claude).await.json()[ACTION], "NONE");
    claude.body[CONFIG] = json!({"tagSuffix": "x7"});
    claude.body["system"] = json!(tagged(FORBIDDEN));
    assert_eq!(invoke(&sim, &claude).await.json()[ACTION], "INTERVENED", "a tagged system text is looked at");
}

#[tokio::test]
async fn masks_and_the_trace_are_told() {
    let sim = sim().await;
    let masked = vec![MaskedPhrase { phrase: "Graz".into(), name: "ADDRESS".into() }];
    sim.set_guardrail(GUARDRAIL, GuardrailRules { masked, ..GuardrailRules::default() });
    let expected = TEXT.replace("Graz", "{ADDRESS}");
    for family in some_families() {
        let json = invoke(&sim, &family).await.json();
        let chunks = stream(&sim, &family).await;
        assert_eq!(family.text_of(&chunks), expected, "{}", family.name);
        assert_eq!(text(&family, &json), expected, "{}", family.name);
        for told in [&json, chunks.last().unwrap()] {
            assert_eq!(told[ACTION], "INTERVENED");
            let trace = &told[TRACE]["guardrail"];
            assert_eq!(trace["modelOutput"], json!([TEXT]));
            let found = &trace["outputs"][0][GUARDRAIL]["sensitiveInformationPolicy"]["piiEntities"][0];
            assert_eq!(found["match"], "Graz");
            assert!(trace["input"][GUARDRAIL]["invocationMetrics"].is_object());
        }
        let blocked = invoke(&sim, &asked(family, FORBIDDEN)).await.json();
        let trace = &blocked[TRACE]["guardrail"];
        assert_eq!(trace["input"][GUARDRAIL]["wordPolicy"]["customWords"][0]["match"], FORBIDDEN);
        assert!(trace["outputs"].is_null() && trace["modelOutput"].is_null(), "no model was asked");
    }
}

#[tokio::test]
async fn without_a_guardrail_there_is_neither_action_nor_trace() {
    let sim = sim().await;
    for family in some_families() {
        let family = asked(family, FORBIDDEN);
        let json = family.invoke(&sim).await.json();
        let chunks = whole_chunks(&family.stream(&sim).await);
        for told in chunks.iter().chain([&json]) {
            assert!(told.get(ACTION).is_none() && told.get(TRACE).is_none(), "{told}");
        }
    }
}

#[tokio::test]
async fn a_guardrail_that_is_not_there_is_refused_and_so_is_a_config_without_one() {
    let sim = sim().await;
    for family in some_families() {
        for operation in [INVOKE, STREAM] {
            let unknown = call(&sim, &family, operation, "unknownguardrail").await;
            assert_eq!(unknown.status, 400);
            let message = unknown.json()["message"].as_str().unwrap().to_owned();
            assert!(message.contains("does not exist"), "{message}");
        }
        let alone = configured(family, json!({"tagSuffix": "x7"})).invoke(&sim).await;
        assert_eq!(alone.status, 400);
        assert!(alone.json()["message"].as_str().unwrap().contains("no guardrail identifier"));
    }
}
