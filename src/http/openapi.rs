//! The contract as OpenAPI 3.1: one document, served as JSON and kept as YAML.
//!
//! Owns the document's frame. Paths, bodies, events and errors stand in the files
//! beside. Whatever can be taken from the code is: shapes from the types that are
//! serialized, words from the vocabularies, errors from their table. The rule it
//! protects: nothing is promised here that the service does not do.

mod answer_examples;
mod answers;
mod chat;
mod dialects;
mod errors;
mod events;
mod examples;
mod files;
mod generator_paths;
mod generators;
mod headers;
mod modules;
mod options;
mod own_tasks;
mod paths;
mod refine;
mod request_examples;
mod requests;
mod transcripts;
mod written;

pub(super) use answers::REPRESENTATIONS;
use serde_json::Value;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, ServerBuilder, Tag,
};

use crate::pipeline::OwnTasks;
use crate::tasks::Wanted;

const ABOUT: &str = "Turns text into better text: summarize, rephrase, expand, generate, refine, and tasks of your own. Models on AWS \
                     Bedrock do the writing; when one fails, the next one of the chain is asked.\n\n\
                     Answers and events gain members over time; readers pass over those that they do not know. \
                     There is no sign-in: whoever can reach the service may use it.";

/// The document as YAML; `openapi.yaml` holds it with the built-in tasks from files.
pub fn yaml(own_tasks: &OwnTasks) -> String {
    document(own_tasks).to_yaml().expect("the document holds nothing that YAML cannot say")
}

/// The document as JSON; `GET /openapi.json` serves it.
pub fn json(own_tasks: &OwnTasks) -> String {
    document(own_tasks).to_json().expect("the document holds nothing that JSON cannot say")
}

/// The options of a task with the values they take, for `GET /v1/capabilities`.
pub(super) fn options(wanted: &Wanted) -> Value {
    options::capabilities(wanted)
}

/// The shape of an answer that is data.
pub(super) fn any_data() -> Schema {
    generators::any_data()
}

fn document(own_tasks: &OwnTasks) -> OpenApi {
    let components = ComponentsBuilder::new();
    let components = answers::components(components, own_tasks);
    let components = requests::components(components, own_tasks);
    let components = generators::components(components);
    let components = refine::components(components);
    let components = files::components(components, own_tasks);
    let components = own_tasks::components(components, own_tasks);
    let components = events::components(components);
    let components = chat::components(components, own_tasks);
    let components = errors::components(components);
    let mut components = headers::components(components).build();
    answers::close_word_lists(&mut components, own_tasks);
    let license =
        LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).identifier(Some(env!("CARGO_PKG_LICENSE")));
    let info = InfoBuilder::new()
        .title("Redraft")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license.build()));
    let servers = [
        ServerBuilder::new().url("/").description(Some("The service that served this document.")).build(),
        ServerBuilder::new()
            .url("http://127.0.0.1:8080")
            .description(Some("`redraft demo` on this machine."))
            .build(),
    ];
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some(servers))
        .tags(Some(tags()))
        .paths(paths::paths(own_tasks))
        .components(Some(components))
        .build()
}

fn tags() -> [Tag; 5] {
    [
        (paths::WRITING, "The tasks."),
        (paths::OWN, "Tasks of this service's own, from files: others may have others, or none."),
        (paths::ABOUT, "What the service offers, and in which version."),
        (paths::COMPATIBLE, "The same tasks for clients of an older interface."),
        (paths::PROBES, "For load balancers and operators."),
    ]
    .map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build())
}
