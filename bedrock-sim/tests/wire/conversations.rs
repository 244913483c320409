//! Conversations: an answer that was given is changed as the last word wishes.

use serde_json::{Value, json};

use crate::client::{call, sim};

const DOCUMENT: &str =
    "<document-1a>\nThe bridge is open. It cost four million euros. Traffic fell by a third.\n</document-1a>";

fn turn(role: &str, text: &str) -> Value {
    json!({"role": role, "content": [{"text": text}]})
}

async fn said(messages: Value) -> String {
    let sim = sim().await;
    let body = json!({"messages": messages, "system": [{"text": "Summarize the document in one sentence."}]});
    let answer = call(&sim, "sim.normal", "converse", &body).await.json();
    answer["output"]["message"]["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_wish_about_an_answer_changes_it_with_the_words_of_the_document() {
    let messages = |wish: &str| {
        let answer = "The bridge is open. Traffic fell.";
        json!([turn("user", DOCUMENT), turn("assistant", answer), turn("user", wish)])
    };
    assert_eq!(
        said(messages("Shorter, and mention the price.")).await,
        "The bridge is open. It cost four million euros."
    );
    assert_eq!(said(messages("Write a poem.")).await, "The bridge is open. Traffic fell.");
}

#[tokio::test]
async fn the_last_answer_and_the_last_document_count() {
    let other = "<document-1a>\nCats sleep all day long.\n</document-1a>";
    let two_rounds = json!([
        turn("user", DOCUMENT),
        turn("assistant", "Traffic fell."),
        turn("user", "longer"),
        turn("assistant", "The bridge is open. Traffic fell."),
        turn("user", "shorter"),
    ]);
    assert_eq!(said(two_rounds).await, "The bridge is open.");
    let new_document =
        json!([turn("user", DOCUMENT), turn("assistant", "Traffic fell."), turn("user", other)]);
    assert_eq!(said(new_document).await, "Cats sleep all day long.");
    let chat = json!([turn("user", "Hello."), turn("assistant", "Yes?"), turn("user", "Dogs run.")]);
    assert_eq!(said(chat).await, "Dogs run.", "without a document there is nothing to change");
}
