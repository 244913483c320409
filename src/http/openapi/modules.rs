//! The JavaScript modules that a page imports, as the document describes them.
//!
//! Owns their two operations. What the modules do stands in `docs/CLIENTS.md`.

use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::response::ResponsesBuilder;
use utoipa::openapi::{Content, ResponseBuilder};

use super::paths::{ABOUT, plain_text};
use super::{errors, headers};
use crate::domain::FailureCode;

pub(super) fn operations() -> [(&'static str, OperationBuilder); 2] {
    let client = module(
        "client_module",
        "The client for pages",
        "An ES module without dependencies, under 3 KiB. It calls the service that it was imported from.",
        "import { summarize } from \"/client.js\";\n",
    );
    let polyfill = module(
        "polyfill_module",
        "`Summarizer`, `Writer` and `Rewriter` for pages",
        "An ES module. Imported, it installs those of the W3C's Writing Assistance APIs that the page has not got; \
         with the query `force`, all of them.",
        "import \"/polyfill.js\";\nconst summarizer = await Summarizer.create({ type: \"tldr\" });\n",
    );
    [("/client.js", client), ("/polyfill.js", polyfill)]
}

fn module(
    operation_id: &'static str,
    summary: &'static str,
    description: &'static str,
    import: &str,
) -> OperationBuilder {
    let answer = |description, content: Option<Content>| {
        let answer = ResponseBuilder::new().description(description);
        let answer = match content {
            Some(content) => answer.content("text/javascript", content),
            None => answer,
        };
        headers::add(headers::add(answer, &headers::ON_EVERY_ANSWER), &["ETag"])
    };
    let source = plain_text("import", "How a page imports it.", import);
    let responses = ResponsesBuilder::new()
        .response("200", answer("The module.", Some(source)))
        .response("304", answer("The file that is there already is the latest.", None));
    OperationBuilder::new()
        .tag(ABOUT)
        .operation_id(Some(operation_id))
        .summary(Some(summary))
        .description(Some(description))
        .parameter_ref(headers::parameter("If-None-Match"))
        .parameter_ref(headers::parameter("X-Request-Id"))
        .responses(errors::with_code(responses, FailureCode::MethodNotAllowed))
}
