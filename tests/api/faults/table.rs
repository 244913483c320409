//! The table of faults: what happens upstream, and what follows from it.
//!
//! One row per fault, grouped for readers. The matrix runs every row in every
//! representation, and `docs/FAULTS.md` is written from the same rows, so the
//! document cannot promise what the service does not do. A row says what is
//! particular; what follows from a word of `attempts` stands in [`words`].

mod answers;
mod breaks;
mod in_stream;
mod network;
mod refusals;
mod silence;
pub mod words;

/// Every group, in the order of the document.
pub const GROUPS: &[Group] = &[
    refusals::GROUP,
    in_stream::GROUP,
    silence::GROUP,
    breaks::GROUP,
    answers::GROUP,
    answers::STOP_REASONS,
    network::GROUP,
    network::CREDENTIALS,
];

pub struct Group {
    pub title: &'static str,
    /// What its rows have in common.
    pub about: &'static str,
    pub rows: &'static [Row],
}

/// One fault.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The simulator's name of it, or one of our own for what is no scenario.
    pub name: &'static str,
    /// What happens upstream, as the beginning of a sentence's table cell.
    pub upstream: &'static str,
    pub fault: Fault,
    /// When the answer is asked for in one piece.
    pub json: Course,
    /// When it is asked for as a stream of any kind.
    pub stream: Course,
    pub clocks: Clocks,
    /// What an operator sees besides the counters.
    pub operator: &'static str,
}

/// The clocks that the fault meets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clocks {
    /// Those that are shipped: the fault meets none of them.
    Shipped,
    /// Those for silence are cut short.
    ShortSilence,
    /// Those for whole answers are cut short.
    ShortWhole,
}

/// How the fault is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// The simulator's scenario of the row's name.
    Named,
    /// The same kind of scenario with other numbers, as JSON.
    Played(&'static str),
    /// Nobody listens at the address: it cannot be told apart by model.
    NoListener,
    /// The address has a name that nobody knows.
    NoSuchHost,
    /// TLS is expected and not spoken.
    NoTls,
    /// There is nothing to sign with.
    NoCredentials,
}

impl Fault {
    /// Whether one model alone can have it.
    pub fn is_of_a_model(self) -> bool {
        matches!(self, Self::Named | Self::Played(_))
    }
}

/// What becomes of a request whose first model has the fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Course {
    /// The first model's answer is the answer.
    Answers { finish: &'static str, usage: Usage },
    /// The first model fails with this word, and answers when asked again.
    Recovers { word: &'static str },
    /// The first model fails with this word in that many calls, and the next one is asked.
    FallsBack { word: &'static str, calls: usize },
    /// The first model fails with this word, and nobody else is asked.
    Fails { word: &'static str },
    /// Part of the answer has left when the first model fails with this word.
    BreaksOff { word: &'static str },
}

impl Course {
    /// The word for what failed, if anything did.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Answers { .. } => None,
            Self::Recovers { word }
            | Self::FallsBack { word, .. }
            | Self::Fails { word }
            | Self::BreaksOff { word } => Some(word),
        }
    }

    /// Whether an answer that broke off may start over on the next model, if the caller
    /// lets it: not where no other model would do better.
    pub fn restarts(self) -> bool {
        let Self::BreaksOff { word } = self else { return false };
        !["content_filtered", "input_too_long"].contains(&word)
    }

    /// Calls of a model that has the fault.
    pub fn calls(self) -> usize {
        match self {
            Self::Recovers { .. } => 2,
            Self::FallsBack { calls, .. } => calls,
            Self::Answers { .. } | Self::Fails { .. } | Self::BreaksOff { .. } => 1,
        }
    }
}

/// Where the tokens of an answer come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Usage {
    /// As the simulator's log has them.
    True,
    /// The model did not tell, or told nonsense: estimated, and marked so.
    Estimated,
}

pub const ANSWERS: Course = Course::Answers { finish: "stop", usage: Usage::True };
pub const ANSWERS_ESTIMATED: Course = Course::Answers { finish: "stop", usage: Usage::Estimated };

impl Row {
    /// A fault that takes the same course however the answer is asked for.
    pub const fn new(name: &'static str, upstream: &'static str, course: Course) -> Self {
        let (fault, clocks) = (Fault::Named, Clocks::Shipped);
        Self { name, upstream, fault, json: course, stream: course, clocks, operator: "" }
    }

    /// ... but this one as a stream.
    pub const fn streamed(self, stream: Course) -> Self {
        Self { stream, ..self }
    }

    pub const fn made_by(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    /// The scenario of the row's name with other numbers.
    pub const fn played(self, scenario: &'static str) -> Self {
        self.made_by(Fault::Played(scenario))
    }

    pub const fn on(self, clocks: Clocks) -> Self {
        Self { clocks, ..self }
    }

    pub const fn operator(self, operator: &'static str) -> Self {
        Self { operator, ..self }
    }
}

pub const fn falls_back(word: &'static str, calls: usize) -> Course {
    Course::FallsBack { word, calls }
}

pub const fn fails(word: &'static str) -> Course {
    Course::Fails { word }
}

pub const fn breaks_off(word: &'static str) -> Course {
    Course::BreaksOff { word }
}

/// Every row of every group.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|group| group.rows)
}
