//! The paths of the generators.
//!
//! Owns one operation per generator. What they take and give stands in `generators`;
//! whatever they share with the other tasks comes from where those have it.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::response::ResponsesBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, ResponseBuilder};

use super::errors::{self, Family};
use super::paths::{WRITING, answer_with, example, request_body};
use super::{answer_examples, generators, headers};
use crate::tasks::{Generator, Wanted};

/// Every generator's path and what it does.
pub(super) fn operations() -> impl Iterator<Item = (String, OperationBuilder)> {
    Generator::ALL
        .into_iter()
        .map(|generator| (super::super::meta::path_of(&Wanted::Generate(generator)), operation(generator)))
}

fn operation(generator: Generator) -> OperationBuilder {
    let (id, summary, about) = match generator {
        Generator::BlogPost => ("blog_post", "Write a blog post", "Writes a blog post about a topic."),
        Generator::ProductDescription => (
            "product_description",
            "Describe a product",
            "Describes a product by its features; it promises nothing else.",
        ),
        Generator::SocialPosts => (
            "social_posts",
            "Write posts for social platforms",
            "Writes one post about a text for each platform, no longer than the platform takes. A post that is too \
             long is written anew once, and then cut at a sentence, with the warning `post_shortened`.",
        ),
    };
    let description = format!(
        "{about} The answer comes in the representations that every task has; social posts, and the others with \
         `output: \"json\"`, are data. Data that is not of its shape is asked for once more; else the request fails \
         with `output_invalid`. In streams, posts come when they are right; other data comes as it is written, as \
         partial JSON.\n\n\
         The body is a JSON object and never a file. It is worked on in one call: what is too long is refused."
    );
    let responses = ResponsesBuilder::new().response("200", answer(generator));
    OperationBuilder::new()
        .tag(WRITING)
        .operation_id(Some(id))
        .summary(Some(summary))
        .description(Some(description))
        .parameter_ref(headers::parameter("stream"))
        .parameter_ref(headers::parameter("X-Request-Timeout-Ms"))
        .parameter_ref(headers::parameter("X-Request-Id"))
        .request_body(Some(
            request_body(generators::request_name(generator), generators::examples(generator)).build(),
        ))
        .responses(errors::of_a_task(responses, Family::Problem))
}

fn answer(generator: Generator) -> ResponseBuilder {
    let whole = example("whole", "The whole answer.", answer_examples::generated_example(generator));
    let json =
        ContentBuilder::new().schema(Some(Ref::from_schema_name("TaskAnswer"))).examples_from_iter([whole]);
    let (_, text, _, _) = generators::answer_example(generator);
    let text = ContentBuilder::new()
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("The answer, nothing else: prose, or JSON where it is data.")),
        ))
        .examples_from_iter([example("whole", "The whole body.", text.into())]);
    answer_with(json, text)
}
