//! A summary that grows from part to part.

use bedrock_sim::Scenario;
use serde_json::json;

use super::asked::{asked, parts};
use super::{answered, app, book, streamed};

#[tokio::test]
async fn each_part_is_read_with_the_summary_of_those_before_it() {
    let app = app(&[]).await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 30 });
    let body = json!({"text": book().text, "strategy": "refine"});
    let answer = answered(&app, "/v1/summarize", &body).await;
    let all = asked(&app).await;
    let parts = parts(&all);
    assert_eq!(all.len(), parts.len());
    assert!(parts.len() > 5, "{}", parts.len());
    let document: String = parts.iter().map(|part| part.document()).collect();
    assert_eq!(document, book().text);
    assert_eq!(parts[0].so_far().unwrap_or_default().trim(), "");
    for pair in parts.windows(2) {
        assert!(pair[1].call.began >= pair[0].call.ended.unwrap(), "one after the other");
        assert_eq!(pair[1].so_far(), Some(pair[0].answer().trim()));
    }
    assert_eq!(answer["text"], parts.last().unwrap().answer());
    assert_eq!((&answer["strategy"], &answer["chunks"]["total"]), (&json!("refine"), &json!(parts.len())));
    app.sim.clear_calls();
    let stream = streamed(&app, "/v1/summarize", &body).await;
    assert_eq!(stream.text(), answer["text"].as_str().unwrap());
    assert_eq!(app.sim.calls().len(), parts.len());
}
