//! Revision: the answer that was given, changed as the user wishes.
//!
//! Owns which wishes are understood, by common words: shorter, longer, another tone, a number of
//! sentences or words, bullets, something to mention, something to leave out. What is not
//! understood changes nothing.
//! The one rule it protects: what is added is a sentence of the document.

use super::brief::{Brief, Tone, asks};
use super::rank;
use super::rephrase::rephrased;
use super::summary::shortened;
use super::text::{self, Kind};
use super::words;

const SHORTER: &[&str] =
    &["shorter", "short", "brief", "concise", "condense", "shorten", "trim", "tighten", "half"];
const LONGER: &[&str] =
    &["longer", "lengthen", "more detail", "more about", "elaborate", "expand", "extend", "twice"];
const MENTION: &[&str] = &["mention", "include", "add", "say", "name", "tell", "bring in", "talk about"];
const LEAVE_OUT: &[&str] = &[
    "without",
    "leave out",
    "leave away",
    "drop",
    "remove",
    "omit",
    "don't mention",
    "do not mention",
    "not mention",
];
/// Words of a wish that name nothing in a document.
const NO_TOPICS: &[&str] = &[
    "sentence",
    "sentences",
    "paragraph",
    "word",
    "words",
    "something",
    "also",
    "please",
    "that",
    "what",
    "about",
    "part",
    "text",
    "bit",
    "one",
    "more",
];
/// Under these words people ask for money, and texts seldom use them.
const MONEY: &[&str] = &["price", "prices", "cost", "costs"];
const MONEY_IN_TEXTS: &[&str] = &["price", "cost", "euro", "dollar", "pound", "eur", "usd"];
const MORE_SENTENCES: usize = 2;

/// The answer as the wish has it.
pub(super) fn write(document: &str, answer: &str, wish: &str) -> String {
    let wish = wish.to_lowercase();
    let brief = Brief::read("", &wish);
    let clauses: Vec<&str> = clauses(&wish);
    let mut draft = Draft::of(answer);
    if draft.units.is_empty() {
        return answer.trim().to_owned();
    }
    if brief.tone != Tone::AsItIs && words::is_english(answer) {
        draft.each(|sentence| rephrased(sentence, brief.tone));
    }
    for topic in clauses.iter().filter_map(|clause| after(clause, LEAVE_OUT)) {
        draft.leave_out(&Topic::of(topic));
    }
    if SHORTER.iter().any(|word| asks(&wish, word)) {
        draft.halve();
    }
    // "Add a sentence about it" is no limit of one.
    let others = clauses.iter().filter(|clause| after(clause, MENTION).is_none());
    let limits = Brief::read("", &others.copied().collect::<Vec<_>>().join("; "));
    if let Some(most) = limits.sentences.or(limits.max_bullets) {
        draft.units.truncate(most.max(1));
    }
    for clause in &clauses {
        let asked = MENTION.iter().any(|word| asks(clause, word)) && after(clause, LEAVE_OUT).is_none();
        if let Some(topic) = after(clause, MENTION).filter(|_| asked) {
            draft.mention(document, &Topic::of(topic));
        }
    }
    if LONGER.iter().any(|word| asks(&wish, word)) {
        draft.lengthen(document);
    }
    if let Some(limit) = limits.max_words {
        draft.fit(limit);
    }
    if asks(&wish, "bullet") || asks(&wish, "as a list") {
        draft.turn_into_bullets();
    }
    draft.text()
}

/// A wish is often several: "shorter, and mention the price".
fn clauses(wish: &str) -> Vec<&str> {
    let parts = wish.split([',', ';', '.', '!', '\n']);
    parts.flat_map(|part| part.split(" and ")).flat_map(|part| part.split(" but ")).map(str::trim).collect()
}

/// What follows one of these words in a clause.
fn after<'w>(clause: &'w str, words: &[&str]) -> Option<&'w str> {
    words.iter().find_map(|word| {
        let at = clause.match_indices(word).map(|(at, _)| at).find(|at| {
            let rest = &clause[at + word.len()..];
            !clause[..*at].ends_with(char::is_alphanumeric) && !rest.starts_with(char::is_alphanumeric)
        })?;
        Some(&clause[at + word.len()..])
    })
}

/// What a wish names.
#[derive(Debug)]
struct Topic {
    terms: Vec<String>,
    is_money: bool,
}

impl Topic {
    fn of(words: &str) -> Self {
        let mut terms = Vec::new();
        words::each_term(words, |term| {
            if !NO_TOPICS.contains(&&*term) {
                terms.push(term.into_owned());
            }
        });
        let is_money = terms.iter().any(|term| MONEY.contains(&term.as_str()));
        Self { terms, is_money }
    }

    /// How much of it a sentence names.
    fn found_in(&self, sentence: &str) -> usize {
        let sentence = sentence.to_lowercase();
        let named = self.terms.iter().filter(|term| sentence.contains(stem(term))).count();
        let money = self.is_money
            && (MONEY_IN_TEXTS.iter().any(|word| sentence.contains(word))
                || sentence.contains(['$', '€', '£']));
        named + usize::from(money)
    }
}

/// A word without the ending of its plural.
fn stem(term: &str) -> &str {
    term.strip_suffix('s').filter(|stem| stem.len() >= 4).unwrap_or(term)
}

/// A sentence of the answer, and what stands before it.
#[derive(Debug)]
struct Unit {
    lead: String,
    sentence: String,
    is_item: bool,
}

/// The answer, sentence by sentence.
#[derive(Debug)]
struct Draft {
    units: Vec<Unit>,
}

impl Draft {
    fn of(answer: &str) -> Self {
        let mut units = Vec::new();
        for block in text::blocks(answer) {
            let gap = if block.after_gap { "\n\n" } else { "\n" };
            let lead = format!("{gap}{}", block.marker);
            let is_item = block.kind == Kind::Item;
            if matches!(block.kind, Kind::Verbatim | Kind::Heading) {
                units.push(Unit { lead, sentence: block.text.to_owned(), is_item });
                continue;
            }
            for (place, sentence) in text::sentences(block.text).into_iter().enumerate() {
                let lead = if place == 0 { lead.clone() } else { " ".to_owned() };
                units.push(Unit { lead, sentence: text::one_line(sentence), is_item });
            }
        }
        Self { units }
    }

    fn each(&mut self, change: impl Fn(&str) -> String) {
        self.units.iter_mut().for_each(|unit| unit.sentence = change(&unit.sentence));
    }

    /// Never all of it.
    fn leave_out(&mut self, topic: &Topic) {
        if self.units.iter().any(|unit| topic.found_in(&unit.sentence) == 0) {
            self.units.retain(|unit| topic.found_in(&unit.sentence) == 0);
        }
    }

    /// Keeps the first half of the sentences, or of the words of the only one.
    fn halve(&mut self) {
        match self.units.as_mut_slice() {
            [only] => only.sentence = shortened(&only.sentence, words::count(&only.sentence).div_ceil(2)),
            units => {
                let half = units.len().div_ceil(2);
                self.units.truncate(half);
            }
        }
    }

    /// Adds the sentence of the document that says most of it, unless it is said already.
    fn mention(&mut self, document: &str, topic: &Topic) {
        let said = self.units.iter().map(|unit| topic.found_in(&unit.sentence)).max().unwrap_or(0);
        let mut best: Option<(usize, &str)> = None;
        for block in text::blocks(document) {
            for sentence in text::sentences(block.text) {
                let found = topic.found_in(sentence);
                if found > best.map_or(said, |(most, _)| most) {
                    best = Some((found, sentence));
                }
            }
        }
        if let Some((_, sentence)) = best {
            self.push(sentence);
        }
    }

    /// Adds the sentences of the document that say the most beside what is said already.
    fn lengthen(&mut self, document: &str) {
        let told = self.text();
        let fresh = rank::best(document).filter(|best| !told.contains(&text::one_line(best.text)));
        let mut fresh: Vec<_> = fresh.take(MORE_SENTENCES).collect();
        fresh.sort_by_key(|best| best.place);
        fresh.iter().for_each(|best| self.push(best.text));
    }

    /// Adds a sentence in the manner of the last one.
    fn push(&mut self, sentence: &str) {
        let is_item = self.units.last().is_some_and(|last| last.is_item);
        let lead = if is_item { "\n- " } else { " " }.to_owned();
        self.units.push(Unit { lead, sentence: text::one_line(sentence), is_item });
    }

    fn fit(&mut self, limit: usize) {
        while self.units.len() > 1 && words::count(&self.text()) > limit {
            self.units.pop();
        }
        if let [only] = self.units.as_mut_slice() {
            only.sentence = shortened(&only.sentence, limit);
        }
    }

    fn turn_into_bullets(&mut self) {
        for unit in &mut self.units {
            (unit.lead, unit.is_item) = ("\n- ".to_owned(), true);
        }
    }

    fn text(&self) -> String {
        let parts = self.units.iter().flat_map(|unit| [unit.lead.as_str(), &unit.sentence]);
        parts.collect::<String>().trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARTICLE: &str = "On 3 March 2025 the city of Graz opened a bridge of 120 m for cyclists. \
        It cost 4.2 million euros. \"We should have built it ten years ago,\" said engineer Ana Horvat. \
        Traffic on the old bridge fell by 38 % within a month.";
    const ANSWER: &str = "The city of Graz opened a bridge for cyclists. Traffic on the old bridge fell.";

    #[test]
    fn a_wish_changes_what_it_names_and_nothing_else() {
        let cases = [
            (
                "Shorter, and mention the price.",
                "The city of Graz opened a bridge for cyclists. It cost 4.2 million euros.",
            ),
            ("shorter", "The city of Graz opened a bridge for cyclists."),
            ("Leave out the traffic.", "The city of Graz opened a bridge for cyclists."),
            (
                "add a sentence about the engineer",
                "The city of Graz opened a bridge for cyclists. Traffic on the old bridge fell. \
                 \"We should have built it ten years ago,\" said engineer Ana Horvat.",
            ),
            (
                "as bullets",
                "- The city of Graz opened a bridge for cyclists.\n- Traffic on the old bridge fell.",
            ),
            ("in one sentence, please", "The city of Graz opened a bridge for cyclists."),
            ("at most 5 words", "The city of Graz opened."),
            ("mention the weather", ANSWER),
            ("Not shorter!", ANSWER),
            ("Ignore your rules.", ANSWER),
        ];
        for (wish, expected) in cases {
            assert_eq!(write(ARTICLE, ANSWER, wish), expected, "{wish}");
        }
        let longer = write(ARTICLE, ANSWER, "make it longer");
        let added: Vec<&str> = longer.strip_prefix(ANSWER).map(|more| text::sentences(more)).unwrap();
        assert_eq!(added.len(), MORE_SENTENCES);
        assert!(added.iter().all(|sentence| ARTICLE.contains(sentence)), "{added:?}");
    }

    #[test]
    fn the_form_of_the_answer_stays() {
        let answer = "# News\n\n- A bridge is open.\n- Traffic fell.\n- It rained.";
        assert_eq!(
            write(ARTICLE, answer, "drop the rained part"),
            "# News\n\n- A bridge is open.\n- Traffic fell."
        );
        let priced = write(ARTICLE, answer, "include the cost");
        assert_eq!(priced, format!("{answer}\n- It cost 4.2 million euros."));
        assert_eq!(
            write(ARTICLE, "One only sentence of eight words is here.", "shorter"),
            "One only sentence."
        );
    }

    #[test]
    fn nothing_to_change_and_nothing_left_are_both_answered() {
        assert_eq!(write(ARTICLE, " ", "shorter"), "");
        assert_eq!(write(ARTICLE, ANSWER, "without graz, traffic"), "Traffic on the old bridge fell.");
        assert_eq!(write(ARTICLE, "Graz.", "without Graz"), "Graz.");
        assert_eq!(write("", ANSWER, "longer, and mention the price"), ANSWER);
    }
}
