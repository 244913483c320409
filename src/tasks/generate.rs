//! The generators: pieces that are written from a brief instead of a text.
//!
//! Owns `Generate`, one file per generator, and what they share: the labelled lines that
//! the caller's words stand in, their words about data, and the platforms of posts. The
//! rule it protects: whatever comes is worked on in one call; a brief is never cut into
//! parts.

mod blog_post;
mod composed;
mod counting;
mod links;
mod material;
mod platform;
mod product_description;
mod social_posts;
mod top_domains;

pub use blog_post::BlogPost;
pub use composed::{GenerateFormat, GenerateLength, Output};
pub use platform::Platform;
pub use product_description::ProductDescription;
pub use social_posts::{PostsOutput, SocialPosts};

pub(super) use composed::{JSON, Retry};
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::review::{Review, verdict};
use super::shape::Shape;
use super::vocabulary::Vocabulary as _;
use crate::domain::{Boundary, OutputSize, Passage, Prompt, TaskName};

/// Which generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generator {
    BlogPost,
    ProductDescription,
    SocialPosts,
}

impl Generator {
    /// Every generator.
    pub const ALL: [Self; 3] = [Self::BlogPost, Self::ProductDescription, Self::SocialPosts];

    /// The last part of its path.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlogPost => "blog-post",
            Self::ProductDescription => "product-description",
            Self::SocialPosts => "social-posts",
        }
    }

    /// The task's name.
    pub const fn name(self) -> TaskName {
        match self {
            Self::BlogPost => TaskName::BLOG_POST,
            Self::ProductDescription => TaskName::PRODUCT_DESCRIPTION,
            Self::SocialPosts => TaskName::SOCIAL_POSTS,
        }
    }

    /// The names of the member that holds what it writes about, the usual one first.
    pub(super) const fn matter(self) -> &'static [&'static str] {
        match self {
            Self::BlogPost => &["topic", "prompt"],
            Self::ProductDescription => &["features", "prompt"],
            Self::SocialPosts => &["content", "text", "prompt", "input"],
        }
    }

    /// The shortest body that it takes, with these words as its matter.
    pub(super) fn sample(self, words: &str) -> Map<String, Value> {
        let body = match self {
            Self::BlogPost => json!({ "topic": words }),
            Self::ProductDescription => json!({ "name": "Sample", "features": [words] }),
            Self::SocialPosts => json!({ "content": words, "platforms": ["x"] }),
        };
        let Value::Object(members) = body else { return Map::new() };
        members
    }
}

/// One piece to be generated.
#[derive(Debug, Clone)]
pub enum Generate {
    BlogPost(BlogPost),
    ProductDescription(ProductDescription),
    SocialPosts(SocialPosts),
}

impl Generate {
    /// Reads the members that a generator has.
    pub(super) fn read(generator: Generator, fields: &mut Fields) -> Option<Self> {
        match generator {
            Generator::BlogPost => BlogPost::read(fields).map(Self::BlogPost),
            Generator::ProductDescription => ProductDescription::read(fields).map(Self::ProductDescription),
            Generator::SocialPosts => SocialPosts::read(fields).map(Self::SocialPosts),
        }
    }

    /// Which one it is.
    pub fn generator(&self) -> Generator {
        match self {
            Self::BlogPost(_) => Generator::BlogPost,
            Self::ProductDescription(_) => Generator::ProductDescription,
            Self::SocialPosts(_) => Generator::SocialPosts,
        }
    }

    pub(super) fn document(&self) -> Passage {
        match self {
            Self::BlogPost(task) => task.document(),
            Self::ProductDescription(task) => task.document(),
            Self::SocialPosts(task) => task.document(),
        }
    }

    pub(super) fn prompt(&self, boundary: &Boundary) -> Prompt {
        self.prompt_for(boundary, None)
    }

    /// What the model is told after an answer that could not be used; see [`super::Task::second_prompt`].
    pub(super) fn second_prompt(&self, answer: Option<&str>, problem: &str, boundary: &Boundary) -> Prompt {
        self.prompt_for(boundary, Some(Retry { answer, problem }))
    }

    fn prompt_for(&self, boundary: &Boundary, retry: Option<Retry<'_>>) -> Prompt {
        match self {
            Self::BlogPost(task) => task.prompt(boundary, retry),
            Self::ProductDescription(task) => task.prompt(boundary, retry),
            Self::SocialPosts(task) => task.prompt(boundary, retry),
        }
    }

    pub(super) fn output_size(&self) -> OutputSize {
        match self {
            Self::BlogPost(task) => task.output_size(),
            Self::ProductDescription(task) => task.output_size(),
            Self::SocialPosts(task) => task.output_size(),
        }
    }

    pub(super) fn temperature(&self) -> f32 {
        match self {
            Self::BlogPost(_) => BlogPost::TEMPERATURE,
            Self::ProductDescription(_) => ProductDescription::TEMPERATURE,
            Self::SocialPosts(_) => SocialPosts::TEMPERATURE,
        }
    }

    /// `markdown`, `plain-text`, or `json` for data.
    pub(super) fn format(&self) -> &'static str {
        let (output, format) = match self {
            Self::BlogPost(task) => (task.output(), task.format()),
            Self::ProductDescription(task) => (task.output(), task.format()),
            Self::SocialPosts(_) => (Output::Json, GenerateFormat::PlainText),
        };
        if output == Output::Json { "json" } else { format.as_str() }
    }

    pub(super) fn object(&self) -> &'static str {
        match self {
            Self::BlogPost(_) => "blog_post",
            Self::ProductDescription(_) => "product_description",
            Self::SocialPosts(_) => "social_posts",
        }
    }

    /// The shape of the answer, where it is data.
    pub(super) fn shape(&self) -> Option<&Shape> {
        match self {
            Self::BlogPost(task) => task.shape(),
            Self::ProductDescription(task) => task.shape(),
            Self::SocialPosts(task) => Some(task.shape()),
        }
    }

    /// What is made of a finished answer that is data; see [`super::Task::review`].
    pub(super) fn review(&self, answer: &str, earlier: Option<&str>, was_told: bool) -> Review {
        match self {
            Self::SocialPosts(task) => task.review(answer, earlier),
            Self::BlogPost(_) | Self::ProductDescription(_) => verdict(self.shape(), answer, was_told),
        }
    }
}
