//! Reads the members of a JSON object, one by one, and collects every problem.
//!
//! Owns the words in which a caller learns what is wrong with a request, and the
//! JSON pointers that say where. It does not know which members a task has. The
//! rule it protects: a member is understood or reported, never ignored; and no
//! message repeats text that a caller sent to be worked on.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::suggestion::MOST_SUGGESTIONS;
use super::vocabulary::Vocabulary;
use crate::domain::{SourceText, TaskKind};

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// A JSON pointer (RFC 6901) to the member, as the caller spelled it; empty for the whole body.
    pub pointer: String,
    /// A sentence that says what to send instead.
    pub detail: String,
}

/// The members of a request that have not been read yet, and the problems so far.
///
/// Every name may also be spelled in camelCase, and `null` counts as absent.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
    renames: Vec<(&'static str, &'static str)>,
    asked: Vec<Cow<'static, str>>,
    spelled: Vec<(&'static str, String)>,
    problems: Vec<FieldProblem>,
    /// How many more there are.
    untold: usize,
    /// Whether members may be texts that stand for values of another type.
    textual: bool,
}

/// A member that was present, with the name the caller gave it.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) value: Value,
}

/// The names under which a request may carry its text.
const TEXT_NAMES: [&str; 3] = ["text", "prompt", "input"];

/// Members that people look for in other tasks, and the task that has them.
const OF_ONE_TASK: [(&str, TaskKind); 2] = [("n", TaskKind::Rephrase), ("bullets", TaskKind::Expand)];

/// How many problems are told one by one: an answer must not be much longer than its request.
pub(super) const MAX_PROBLEMS: usize = 100;

/// How many unknown members are named one by one.
const MAX_UNKNOWN_NAMED: usize = 20;

/// The longest word of a caller that a message repeats, in characters.
const MAX_ECHO_CHARS: usize = 40;

impl Fields {
    /// Takes the members of a request's body.
    pub fn new(members: Map<String, Value>) -> Self {
        Self {
            members,
            renames: Vec::new(),
            asked: Vec::new(),
            spelled: Vec::new(),
            problems: Vec::new(),
            untold: 0,
            textual: false,
        }
    }

    /// Takes members that came as text, as in a query or a form: where a task says what type a
    /// member has, its text is read as that.
    pub fn of_text(members: Map<String, Value>) -> Self {
        Self { textual: true, ..Self::new(members) }
    }

    /// Whether members came as text.
    pub(super) fn is_textual(&self) -> bool {
        self.textual
    }

    /// Lets the caller spell the member `name` also as `other`; problems then speak of `other`.
    pub fn rename(&mut self, other: &'static str, name: &'static str) {
        self.renames.push((other, name));
    }

    /// Puts `value` in the place of the member `name` where the caller sent none.
    pub fn set_default(&mut self, name: &'static str, value: impl Into<Value>) {
        if !self.contains(name) {
            self.members.insert(name.to_owned(), value.into());
        }
    }

    /// The text to work on: exactly one of `text`, `prompt` and `input`, and not blank.
    pub fn source_text(&mut self) -> Option<SourceText> {
        self.asked.extend(TEXT_NAMES.map(Cow::Borrowed));
        let Some(member) = self.take_one("text", &TEXT_NAMES.map(str::to_owned)) else {
            self.problem("/text", "`text` is missing; send the text to work on.");
            return None;
        };
        let Value::String(text) = &member.value else {
            self.refuse(&member.name, "must be a string with the text to work on");
            return None;
        };
        let parsed = SourceText::parse(text).ok();
        if parsed.is_none() {
            self.refuse(&member.name, "is empty or holds only white space; send the text to work on");
        }
        parsed
    }

    /// A word of a closed list.
    pub fn word<T: Vocabulary>(&mut self, name: &'static str) -> Option<T> {
        let member = self.take(name)?;
        let given = member.value.as_str();
        let word = given.and_then(T::from_word);
        if word.is_none() {
            let mut rule = format!("must be {}", alternatives(T::NAMES.iter().map(|(name, _)| *name)));
            if let Some(given) = given {
                if is_harmless(given) {
                    rule.push_str(&format!(", not `{given}`"));
                }
                if let Some(near) = nearest(given, T::NAMES.iter().map(|(name, _)| *name)) {
                    self.problem(
                        pointer(&member.name),
                        format!("`{}` {rule}; did you mean `{near}`?", member.name),
                    );
                    return None;
                }
            }
            self.refuse(&member.name, &rule);
        }
        word
    }

    /// A string of at most `max_chars` characters; it may be empty.
    pub fn string(&mut self, name: &'static str, max_chars: usize) -> Option<String> {
        let Member { name, value } = self.take(name)?;
        match value {
            Value::String(text) if !is_longer(&text, max_chars) => Some(text),
            Value::String(_) => {
                self.refuse(&name, &format!("must have at most {max_chars} characters"));
                None
            }
            _ => {
                self.refuse(&name, "must be a string");
                None
            }
        }
    }

    /// A list of at most `max_items` strings of at most `max_chars` characters each; it may be empty.
    pub fn strings(&mut self, name: &'static str, max_items: usize, max_chars: usize) -> Option<Vec<String>> {
        let Member { name, value } = self.take(name)?;
        let Value::Array(items) = value else {
            self.refuse(&name, "must be a list of strings");
            return None;
        };
        self.string_items(&name, items, max_items, max_chars)
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let member = self.take(name)?;
        let number = whole_number(&member.value).filter(|number| range.contains(number));
        if number.is_none() {
            let rule = format!("must be a whole number from {} to {}", range.start(), range.end());
            self.refuse(&member.name, &rule);
        }
        number
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let member = self.take(name)?;
        let answer = member.value.as_bool();
        if answer.is_none() {
            self.refuse(&member.name, "must be `true` or `false`");
        }
        answer
    }

    /// A member as it is, for a reader that knows more about it than this one.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
        self.take(name).map(|member| member.value)
    }

    /// Whether a member is present, in either spelling, and has not been read yet.
    pub fn contains(&self, name: &str) -> bool {
        let present = |spelling: &str| self.members.get(spelling).is_some_and(|value| !value.is_null());
        present(name)
            || present(&camel_case(name))
            || self.renames.iter().any(|(other, renamed)| *renamed == name && present(other))
    }

    /// Whether several suggestions are asked for; the member `n` stays to be read.
    pub fn wants_several(&self) -> bool {
        self.members.get("n").and_then(whole_number).is_some_and(|n| (2..=MOST_SUGGESTIONS).contains(&n))
    }

    /// The pointer to a member that was read, in the caller's own spelling.
    pub fn pointer(&self, name: &'static str) -> String {
        pointer(self.spelling(name))
    }

    /// The name that the caller gave to a member that was read.
    pub fn spelling(&self, name: &'static str) -> &str {
        self.spelled
            .iter()
            .find_map(|(asked, spelled)| (*asked == name).then_some(&**spelled))
            .unwrap_or(name)
    }

    /// Records a problem that a reader found itself.
    pub fn problem(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        if self.problems.len() >= MAX_PROBLEMS {
            self.untold += 1;
            return;
        }
        self.problems.push(FieldProblem { pointer: pointer.into(), detail: detail.into() });
    }

    /// How many problems there are so far.
    pub fn problem_count(&self) -> usize {
        self.problems.len() + self.untold
    }

    /// Tells what was found about a member, since there were so many problems, as something about
    /// the place that it came from.
    pub fn trace_back(&mut self, since: usize, name: &str, place: &str) {
        let member = pointer(name);
        for problem in self.problems.iter_mut().skip(since) {
            let rest = problem.pointer.strip_prefix(&member);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                place.clone_into(&mut problem.pointer);
            }
        }
    }

    /// Ends the reading: members that nobody asked for are problems, too.
    ///
    /// # Errors
    /// Every problem of the request, in the order in which they were met.
    pub fn finish(mut self) -> Result<(), Vec<FieldProblem>> {
        let mut unknown: Vec<String> = std::mem::take(&mut self.members)
            .into_iter()
            .filter_map(|(name, value)| (!value.is_null()).then_some(name))
            .collect();
        // The map may keep any order; callers get the same list for the same body.
        unknown.sort_unstable();
        for name in unknown.iter().take(MAX_UNKNOWN_NAMED) {
            let problem = self.unknown_member(name);
            self.problems.push(problem);
        }
        if let Some(more) = unknown.len().checked_sub(MAX_UNKNOWN_NAMED).filter(|more| *more > 0) {
            self.problem("", format!("There are {more} further unknown members."));
        }
        let problems = self.into_problems();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// What was wrong so far, whatever else is there.
    pub fn into_problems(mut self) -> Vec<FieldProblem> {
        if self.untold > 0 {
            let detail = format!("There are {} further problems.", self.untold);
            self.problems.push(FieldProblem { pointer: String::new(), detail });
        }
        self.problems
    }

    /// Takes a member under any of its spellings.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Member> {
        self.asked.push(Cow::Borrowed(name));
        let mut spellings = vec![name.to_owned(), camel_case(name)];
        for (other, _) in self.renames.iter().filter(|(_, renamed)| *renamed == name) {
            self.asked.push(Cow::Borrowed(other));
            spellings.push((*other).to_owned());
        }
        self.take_one(name, &spellings)
    }

    /// Takes a member whose name is not known before the service runs, under either of its spellings.
    pub(super) fn take_named(&mut self, name: &str) -> Option<Member> {
        self.asked.push(Cow::Owned(name.to_owned()));
        self.first_of(&[name.to_owned(), camel_case(name)])
    }

    /// Records that a member breaks a rule; the rule reads on after the member's name.
    pub(super) fn refuse(&mut self, spelled: &str, rule: &str) {
        self.problem(pointer(spelled), format!("`{spelled}` {rule}."));
    }

    /// Records that one entry of a list breaks a rule.
    pub(super) fn refuse_entry(&mut self, spelled: &str, index: usize, rule: &str) {
        let pointer = format!("{}/{index}", pointer(spelled));
        self.problem(pointer, format!("Entry {} of `{spelled}` {rule}.", index + 1));
    }

    /// Reads the items of a list that was taken before.
    pub(super) fn string_items(
        &mut self,
        name: &str,
        items: Vec<Value>,
        max_items: usize,
        max_chars: usize,
    ) -> Option<Vec<String>> {
        if items.len() > max_items {
            self.refuse(name, &format!("must have at most {max_items} entries"));
            return None;
        }
        let mut strings = Vec::with_capacity(items.len());
        let mut complete = true;
        for (index, item) in items.into_iter().enumerate() {
            let rule = match item {
                Value::String(text) if !is_longer(&text, max_chars) => {
                    strings.push(text);
                    continue;
                }
                Value::String(_) => format!("must have at most {max_chars} characters"),
                _ => "must be a string".to_owned(),
            };
            complete = false;
            self.refuse_entry(name, index, &rule);
        }
        complete.then_some(strings)
    }

    fn take_one(&mut self, name: &'static str, spellings: &[String]) -> Option<Member> {
        let member = self.first_of(spellings)?;
        self.spelled.push((name, member.name.clone()));
        Some(member)
    }

    /// The member of any of these names; a second one is a problem.
    fn first_of(&mut self, spellings: &[String]) -> Option<Member> {
        let mut found: Option<Member> = None;
        for spelling in spellings {
            let Some((spelled, value)) = self.members.remove_entry(spelling) else { continue };
            if value.is_null() {
                continue;
            }
            if let Some(first) = &found {
                let rule = format!("means the same as `{}`; send only one of them", first.name);
                self.refuse(&spelled, &rule);
            } else {
                found = Some(Member { name: spelled, value });
            }
        }
        found
    }

    fn unknown_member(&self, name: &str) -> FieldProblem {
        if !is_harmless(name) {
            let detail = "A member has a name that is not known.".to_owned();
            return FieldProblem { pointer: String::new(), detail };
        }
        if let Some((_, owner)) = OF_ONE_TASK.iter().find(|(member, _)| *member == name) {
            let detail = format!("`{name}` is an unknown member here; only `{owner}` has it.");
            return FieldProblem { pointer: pointer(name), detail };
        }
        let detail = match nearest(name, self.asked.iter().map(|asked| &**asked)) {
            Some(near) => format!("`{name}` is an unknown member; did you mean `{near}`?"),
            None => format!("`{name}` is an unknown member."),
        };
        FieldProblem { pointer: pointer(name), detail }
    }
}

/// The JSON pointer to a member of the body.
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn camel_case(snake_case: &str) -> String {
    let mut words = snake_case.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// `a`, `b` or `c`.
fn alternatives(names: impl ExactSizeIterator<Item = &'static str>) -> String {
    let last = names.len().saturating_sub(1);
    let mut list = String::new();
    for (index, name) in names.enumerate() {
        list.push_str(match index {
            0 => "",
            _ if index == last => " or ",
            _ => ", ",
        });
        list.push_str(&format!("`{name}`"));
    }
    list
}

/// The candidate that the caller most likely meant, if any is near.
pub(super) fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if is_longer(given, MAX_ECHO_CHARS) {
        return None;
    }
    let given = plain_spelling(given);
    candidates
        .filter_map(|candidate| {
            let plain = plain_spelling(candidate);
            let distance = strsim::osa_distance(&given, &plain);
            let tolerated = (plain.len() / 3).max(1);
            let is_part = given.len() >= 3 && (plain.contains(&given) || given.contains(&plain));
            (distance <= tolerated || is_part).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What is left of a name when case and separators do not matter.
fn plain_spelling(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Whether a caller's word may stand in a message: short, and nothing but letters, digits and ASCII signs.
fn is_harmless(word: &str) -> bool {
    let shown = |c: char| c != '`' && (c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric());
    !word.is_empty() && !is_longer(word, MAX_ECHO_CHARS) && word.chars().all(shown)
}

/// Whether a text has more than `max_chars` characters; looks no further than needed.
pub(super) fn is_longer(text: &str, max_chars: usize) -> bool {
    text.len() > max_chars && text.chars().nth(max_chars).is_some()
}

/// A JSON number without a fraction, also when it is written as `3.0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number was found to be whole and within u32"
)]
fn whole_number(value: &Value) -> Option<u32> {
    if let Some(number) = value.as_u64() {
        return u32::try_from(number).ok();
    }
    let number = value.as_f64()?;
    let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    whole.then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{FieldProblem, Fields};
    use crate::tasks::SummaryType;

    fn fields(body: Value) -> Fields {
        let Value::Object(members) = body else { panic!("not an object: {body}") };
        Fields::new(members)
    }

    /// The problems after `read` looked at the body, as pointer and detail.
    fn problems(body: Value, read: impl FnOnce(&mut Fields)) -> Vec<(String, String)> {
        let mut fields = fields(body);
        read(&mut fields);
        let problems = fields.finish().err().unwrap_or_default();
        problems.into_iter().map(|FieldProblem { pointer, detail }| (pointer, detail)).collect()
    }

    fn only_problem(body: Value, read: impl FnOnce(&mut Fields)) -> (String, String) {
        let mut problems = problems(body, read);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    #[test]
    fn members_of_the_right_kind_are_taken_in_either_spelling() {
        let mut fields = fields(json!({
            "text": " a ", "type": "key_points", "sharedContext": "s", "max_words": 3.0,
            "expectedInputLanguages": ["en"], "stream": true, "metadata": {"a": 1}, "tone": null,
        }));
        assert!(fields.contains("shared_context") && !fields.contains("tone"));
        assert_eq!(fields.source_text().unwrap().as_str(), " a ");
        assert_eq!(fields.word::<SummaryType>("type"), Some(SummaryType::KeyPoints));
        assert_eq!(fields.string("shared_context", 1).as_deref(), Some("s"));
        assert_eq!(fields.pointer("shared_context"), "/sharedContext");
        assert_eq!(fields.integer("max_words", 1..=5), Some(3));
        assert_eq!(fields.strings("expected_input_languages", 1, 2), Some(vec!["en".to_owned()]));
        assert_eq!(fields.boolean("stream"), Some(true));
        assert_eq!(fields.value("metadata"), Some(json!({"a": 1})));
        assert_eq!(fields.word::<SummaryType>("tone"), None);
        assert!(!fields.contains("text"));
        assert_eq!(fields.finish(), Ok(()));
    }

    #[test]
    fn the_text_is_needed_once_and_not_blank() {
        let table = [
            (json!({}), "/text", "`text` is missing; send the text to work on."),
            (json!({"text": null}), "/text", "`text` is missing; send the text to work on."),
            (
                json!({"text": " \n"}),
                "/text",
                "`text` is empty or holds only white space; send the text to work on.",
            ),
            (
                json!({"input": ""}),
                "/input",
                "`input` is empty or holds only white space; send the text to work on.",
            ),
            (json!({"prompt": ["a"]}), "/prompt", "`prompt` must be a string with the text to work on."),
            (
                json!({"text": "a", "prompt": "b"}),
                "/prompt",
                "`prompt` means the same as `text`; send only one of them.",
            ),
        ];
        for (body, pointer, detail) in table {
            let problem = only_problem(body.clone(), |fields| drop(fields.source_text()));
            assert_eq!(problem, (pointer.to_owned(), detail.to_owned()), "{body}");
        }
        assert!(
            problems(json!({"text": null, "input": "a"}), |fields| drop(fields.source_text())).is_empty()
        );
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_list_and_the_nearest() {
        let all = "must be `key-points`, `tldr`, `teaser` or `headline`";
        let long = "x".repeat(41);
        let table = [
            (json!("key-point"), format!("`type` {all}, not `key-point`; did you mean `key-points`?")),
            (json!("TLDR"), format!("`type` {all}, not `TLDR`; did you mean `tldr`?")),
            (json!("teasre"), format!("`type` {all}, not `teasre`; did you mean `teaser`?")),
            (json!("poem"), format!("`type` {all}, not `poem`.")),
            (json!(""), format!("`type` {all}.")),
            (json!(3), format!("`type` {all}.")),
            (json!(long), format!("`type` {all}.")),
            (json!("a\u{202e}b"), format!("`type` {all}.")),
            (json!("a`b"), format!("`type` {all}.")),
            (json!("a\nb"), format!("`type` {all}.")),
        ];
        for (value, detail) in table {
            let problem = only_problem(json!({ "type": value }), |fields| {
                assert_eq!(fields.word::<SummaryType>("type"), None);
            });
            assert_eq!(problem, ("/type".to_owned(), detail), "{value}");
        }
    }

    #[test]
    fn numbers_strings_and_lists_are_held_to_their_limits() {
        let whole = "`n` must be a whole number from 1 to 10.";
        for value in [json!(0), json!(11), json!(-1), json!(1.5), json!("3"), json!([]), json!(1e300)] {
            let problem = only_problem(json!({ "n": value }), |fields| {
                assert_eq!(fields.integer("n", 1..=10), None);
            });
            assert_eq!(problem, ("/n".to_owned(), whole.to_owned()), "{value}");
        }
        for (value, detail) in
            [(json!("äöü"), "`s` must have at most 2 characters."), (json!(1), "`s` must be a string.")]
        {
            let problem = only_problem(json!({ "s": value }), |fields| {
                assert_eq!(fields.string("s", 2), None);
            });
            assert_eq!(problem, ("/s".to_owned(), detail.to_owned()));
        }
        assert_eq!(fields(json!({"s": "äö"})).string("s", 2).as_deref(), Some("äö"));
        let found = problems(json!({"l": ["a", 1, "bcd"]}), |fields| {
            assert_eq!(fields.strings("l", 3, 2), None);
        });
        assert_eq!(
            found,
            [
                ("/l/1".to_owned(), "Entry 2 of `l` must be a string.".to_owned()),
                ("/l/2".to_owned(), "Entry 3 of `l` must have at most 2 characters.".to_owned()),
            ]
        );
        for (value, detail) in [
            (json!("a"), "`l` must be a list of strings."),
            (json!(["a", "b", "c"]), "`l` must have at most 2 entries."),
        ] {
            let problem = only_problem(json!({ "l": value }), |fields| {
                assert_eq!(fields.strings("l", 2, 2), None);
            });
            assert_eq!(problem, ("/l".to_owned(), detail.to_owned()));
        }
        let problem = only_problem(json!({"b": "true"}), |fields| assert_eq!(fields.boolean("b"), None));
        assert_eq!(problem, ("/b".to_owned(), "`b` must be `true` or `false`.".to_owned()));
    }

    #[test]
    fn two_spellings_of_one_member_are_a_problem() {
        let problem = only_problem(json!({"max_words": 3, "maxWords": 3}), |fields| {
            fields.integer("max_words", 1..=10);
        });
        let detail = "`maxWords` means the same as `max_words`; send only one of them.";
        assert_eq!(problem, ("/maxWords".to_owned(), detail.to_owned()));
        let found = problems(json!({"max_words": null, "maxWords": 3}), |fields| {
            assert_eq!(fields.integer("max_words", 1..=10), Some(3));
        });
        assert_eq!(found, []);
    }

    #[test]
    fn problems_without_end_are_counted_and_not_told() {
        let found = problems(json!({}), |fields| {
            for number in 0..250 {
                fields.problem(format!("/list/{number}"), "is wrong");
            }
            assert_eq!(fields.problem_count(), 250);
        });
        assert_eq!(found.len(), 101);
        assert_eq!(found[100], (String::new(), "There are 150 further problems.".to_owned()));
    }

    #[test]
    fn members_that_nobody_asked_for_are_problems() {
        let read = |fields: &mut Fields| {
            fields.source_text();
            fields.word::<SummaryType>("type");
            fields.string("output_language", 9);
        };
        let table = [
            ("lenght", "`lenght` is an unknown member."),
            ("typ", "`typ` is an unknown member; did you mean `type`?"),
            ("outputlanguage", "`outputlanguage` is an unknown member; did you mean `output_language`?"),
            ("promtp", "`promtp` is an unknown member; did you mean `prompt`?"),
            ("language", "`language` is an unknown member; did you mean `output_language`?"),
        ];
        for (name, detail) in table {
            let problem = only_problem(json!({"text": "a", name: 1}), read);
            assert_eq!(problem, (format!("/{name}"), detail.to_owned()));
        }
        assert_eq!(only_problem(json!({"text": "a", "a/b~c": 1}), read).0, "/a~1b~0c");
        assert_eq!(problems(json!({"text": "a", "typ": null}), read), []);
    }

    #[test]
    fn names_that_could_harm_or_flood_are_not_repeated() {
        let mut body = serde_json::Map::new();
        body.insert("x".repeat(1000), json!(1));
        body.insert("\u{1b}[31m".to_owned(), json!(1));
        body.extend((0..30).map(|index| (format!("m{index:02}"), json!(1))));
        let found = problems(Value::Object(body), |_| {});
        assert_eq!(found.len(), 21);
        assert_eq!(found[0], (String::new(), "A member has a name that is not known.".to_owned()));
        assert_eq!(found[1].0, "/m00");
        assert_eq!(found[20], (String::new(), "There are 12 further unknown members.".to_owned()));
    }

    #[test]
    fn a_renamed_member_is_reported_under_the_name_that_the_caller_used() {
        let read = |fields: &mut Fields| {
            fields.rename("max_length", "paragraphs");
            fields.set_default("paragraphs", 2);
            fields.integer("paragraphs", 1..=10);
        };
        let problem = only_problem(json!({"max_length": 99}), read);
        let detail = "`max_length` must be a whole number from 1 to 10.";
        assert_eq!(problem, ("/max_length".to_owned(), detail.to_owned()));
        let problem = only_problem(json!({"max_lenght": 3}), read);
        assert_eq!(problem.1, "`max_lenght` is an unknown member; did you mean `max_length`?");

        let mut fields = fields(json!({}));
        fields.rename("max_length", "paragraphs");
        fields.set_default("paragraphs", 2);
        assert_eq!(fields.integer("paragraphs", 1..=10), Some(2));
        assert_eq!(fields.finish(), Ok(()));
    }
}
