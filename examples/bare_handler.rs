//! The yardstick: what the service's budgets are measured against.
//!
//! An axum handler that makes one SDK call, with axum's and the SDK's defaults
//! and nothing else: no validation, no routing, no metrics; it sends a prompt of the same length. `benches/side_by_side.sh`
//! runs it next to the service, against the same simulator.

use std::convert::Infallible;
use std::sync::Arc;

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, ConverseOutput, ConverseStreamOutput, Message, SystemContentBlock,
};
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use serde_json::{Value, json};

const MODEL: &str = "us.amazon.nova-2-lite-v1:0";

/// Rules as long as the service sends them: both calls then cost the SDK the same.
const SYSTEM: &str = include_str!("../tests/golden/prompts/summarize/default.txt");

fn system() -> SystemContentBlock {
    SystemContentBlock::Text(SYSTEM.to_owned())
}

fn message(body: &Value) -> Message {
    let text = body["text"].as_str().unwrap_or_default().to_owned();
    let content = ContentBlock::Text(text);
    Message::builder()
        .role(ConversationRole::User)
        .content(content)
        .build()
        .expect("role and content are set")
}

async fn whole(State(client): State<Arc<Client>>, Json(body): Json<Value>) -> Json<Value> {
    let answer = client.converse().model_id(MODEL).system(system()).messages(message(&body)).send().await;
    let output = answer.ok().and_then(|answer| answer.output);
    let text = match output {
        Some(ConverseOutput::Message(message)) => message.content.into_iter().find_map(|block| match block {
            ContentBlock::Text(text) => Some(text),
            _ => None,
        }),
        _ => None,
    };
    Json(json!({ "text": text }))
}

async fn pieces(
    State(client): State<Arc<Client>>,
    Json(body): Json<Value>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let answer =
        client.converse_stream().model_id(MODEL).system(system()).messages(message(&body)).send().await;
    let receiver = answer.ok().map(|answer| answer.stream);
    Sse::new(stream::unfold(receiver, |receiver| async {
        let mut receiver = receiver?;
        loop {
            match receiver.recv().await {
                Ok(Some(ConverseStreamOutput::ContentBlockDelta(delta))) => {
                    let text = delta.delta.as_ref().and_then(|delta| delta.as_text().ok())?;
                    let event = Event::default().json_data(json!({ "text": text })).ok()?;
                    return Some((Ok(event), Some(receiver)));
                }
                Ok(Some(_)) => {}
                _ => return None,
            }
        }
    }))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::v2026_01_12()).await;
    let routes = Router::new()
        .route("/whole", post(whole))
        .route("/pieces", post(pieces))
        .with_state(Arc::new(Client::new(&config)));
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await
}
