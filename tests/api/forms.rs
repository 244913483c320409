//! Forms as browsers send them, of any size that is allowed.

use crate::support::{Request, TestApp};

#[tokio::test]
async fn a_form_may_be_as_large_as_a_file() {
    let app = TestApp::start().await;
    let text = "The library opened on Monday. ".repeat(110_000);
    assert!(text.len() > 3_000_000);
    let form = format!(
        "--seam\r\ncontent-disposition: form-data; name=\"file\"; filename=\"long.txt\"\r\n\
         content-type: text/plain\r\n\r\n{text}\r\n--seam\r\n\
         content-disposition: form-data; name=\"task\"\r\n\r\nsummarize\r\n--seam--\r\n"
    );
    let request = Request::post(app.api, "/v1/measure");
    let request = request.header("content-type", "Multipart/Form-Data; boundary=seam");
    let answer = request.body(form).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let measure = answer.json();
    assert_eq!(measure["strategy"], "map_reduce");
    assert!(measure["input_usage"].as_u64().unwrap() > 500_000, "{measure}");
}
