//! Which task a request asks for, before anything of it has been read.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Fields, Generator, OwnTaskSpec, Refine, Task};
use crate::domain::{TaskKind, TaskName};

/// What a path asks for, before its body is read.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// A task that works on a text.
    OnText(TaskKind),
    Generate(Generator),
    /// An answer to one of the tasks, changed.
    Refine,
    /// A task from a file, which works on a text as well.
    Own(Arc<OwnTaskSpec>),
}

impl Wanted {
    /// Everything that is built in, in the order of the documentation.
    pub const BUILT_IN: [Self; 7] = [
        Self::OnText(TaskKind::Summarize),
        Self::OnText(TaskKind::Rephrase),
        Self::OnText(TaskKind::Expand),
        Self::Generate(Generator::BlogPost),
        Self::Generate(Generator::ProductDescription),
        Self::Generate(Generator::SocialPosts),
        Self::Refine,
    ];

    /// The task's name.
    pub fn name(&self) -> TaskName {
        match self {
            Self::OnText(kind) => (*kind).into(),
            Self::Generate(generator) => generator.name(),
            Self::Refine => TaskName::REFINE,
            Self::Own(spec) => spec.name().clone(),
        }
    }

    /// Whether the body may be a file, whose text the task works on.
    pub fn takes_files(&self) -> bool {
        matches!(self, Self::OnText(_) | Self::Refine | Self::Own(_))
    }

    /// The names of the member that holds what a user says, the usual one first: what the task
    /// works on, or of a refinement what is to be changed.
    pub fn matter(&self) -> &'static [&'static str] {
        match self {
            Self::OnText(TaskKind::Summarize | TaskKind::Rephrase) | Self::Own(_) => {
                &["text", "prompt", "input"]
            }
            Self::OnText(TaskKind::Expand) => &["text", "prompt", "input", "bullets"],
            Self::Generate(generator) => generator.matter(),
            Self::Refine => Refine::MATTER,
        }
    }

    /// Whether the task has a place for background.
    pub fn takes_context(&self) -> bool {
        match self {
            Self::OnText(_) | Self::Generate(_) | Self::Refine => true,
            Self::Own(spec) => spec.common_options().context,
        }
    }

    /// Whether a task from a file has given a meaning of its own to a member.
    pub fn has_own_member(&self, name: &str) -> bool {
        match self {
            Self::OnText(_) | Self::Generate(_) | Self::Refine => false,
            Self::Own(spec) => spec.input_schema()["properties"].get(name).is_some(),
        }
    }

    /// The shortest body that the task takes, with these words as its matter.
    pub fn sample(&self, words: &str) -> Map<String, Value> {
        let mut members = match self {
            Self::OnText(_) => Map::new(),
            Self::Generate(generator) => return generator.sample(words),
            Self::Refine => return Refine::sample(words),
            Self::Own(spec) => spec.example(),
        };
        members.insert("text".to_owned(), words.into());
        members
    }

    /// Reads the members that the task has; see [`Task::read`].
    pub fn read(&self, fields: &mut Fields) -> Option<Task> {
        match self {
            Self::OnText(kind) => Task::read(*kind, fields),
            Self::Generate(generator) => Task::read_generate(*generator, fields),
            Self::Refine => Task::read_refine(fields),
            Self::Own(spec) => Task::read_own(spec, fields),
        }
    }
}
