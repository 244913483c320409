//! A book that nobody wrote: long, dull, and full of facts that can be looked for.
//!
//! Its prose is drawn from word lists of ours with a fixed seed, so every run reads
//! the same book. The one rule: each fact stands in it once, as a sentence of its
//! own, so that what became of it can be told from any text made of the book.

/// Every book is drawn from it.
const SEED: u64 = 0x5EED_0B00_0000_0001;
/// Long books have this many chapters, short ones fewer.
const MAX_CHAPTERS: usize = 20;
const CHAPTER_BYTES: usize = 100_000;
const BLOCKS_OF_A_SECTION: usize = 12;

const PLACES: &[&str] = &[
    "Ostrow", "Lunden", "Marvik", "Pellau", "Brenk", "Sorvale", "Tamsin", "Quarrel", "Hedeby", "Aldmoor",
    "Vesper", "Kolding", "Rusk", "Thornby", "Ellwick", "Drava",
];
const WORKS: &[&str] = &["mill", "quarry", "foundry", "dairy", "brewery", "harbour", "sawmill", "tannery"];
const DEEDS: &[&str] = &["ground", "shipped", "stored", "sold", "turned out", "weighed", "took in"];
const GOODS: &[&str] = &["sacks", "crates", "barrels", "bales", "wagons", "casks", "bundles"];
const SUBJECTS: &[&str] = &[
    "The board",
    "The committee of works",
    "Each of the stewards",
    "The older part of the staff",
    "The auditor",
    "The harbour office",
    "A small delegation",
    "The keeper of the accounts",
];
const VERBS: &[&str] = &[
    "reviewed",
    "approved with some hesitation",
    "put off",
    "discussed at length",
    "took note of",
    "returned to",
    "compared",
    "signed",
];
const THINGS: &[&str] = &[
    "the plan for the northern sheds",
    "the state of the roads",
    "the budget of the coming season",
    "the repair of two cranes",
    "the question of fuel",
    "the ledger of the storehouses",
    "the terms of the lease",
    "the survey of the river bank",
    "the wages of the night watch",
];
const TIMES: &[&str] = &[
    "in early spring",
    "before the harvest",
    "during the second quarter",
    "at the close of the year",
    "after a long frost",
    "on the last Thursday of the month",
    "when the water was low",
];
const ENDS: &[&str] = &[
    "and found little to change",
    "although the figures were late",
    "and asked for a fuller account",
    "without a vote",
    "and left the rest to the district",
    "as it had done the year before",
    "because nobody objected",
    "and had the result entered in the minutes",
];
const TOPICS: &[&str] = &[
    "Roads and Bridges",
    "Stores",
    "Wages",
    "Fuel and Light",
    "The River",
    "Buildings",
    "Trade",
    "Accounts",
];

/// A long Markdown document and the facts in it.
pub struct Book {
    pub text: String,
    /// Sentences, in the order in which they stand in the text.
    pub facts: Vec<String>,
}

impl Book {
    /// Twenty chapters, 2,000 facts, about 2 MB.
    pub fn new() -> Self {
        Self::small(2_000, MAX_CHAPTERS * CHAPTER_BYTES)
    }

    /// So many facts in about so many bytes; more bytes where the facts need them.
    pub fn small(facts: usize, bytes: usize) -> Self {
        let chapters = (bytes / CHAPTER_BYTES).clamp(1, MAX_CHAPTERS);
        let mut writer = Writer::new();
        for chapter in 1..=chapters {
            writer.chapter(chapter, bytes * chapter / chapters, facts * chapter / chapters);
        }
        Self { text: writer.text, facts: writer.facts }
    }
}

struct Writer {
    text: String,
    facts: Vec<String>,
    /// From which byte on each of the chapter's facts is told; the next one is the last.
    due: Vec<usize>,
    drawn: u64,
}

impl Writer {
    fn new() -> Self {
        let title = "# The Annual Report of the Nine Valleys\n\n".to_owned();
        Self { text: title, facts: Vec::new(), due: Vec::new(), drawn: SEED }
    }

    /// Writes until the text has this size and these facts, which are spread evenly.
    fn chapter(&mut self, number: usize, until_bytes: usize, until_facts: usize) {
        let topic = self.pick(TOPICS);
        self.text.push_str(&format!("# Chapter {number}: {topic}\n\n"));
        let begins = self.text.len();
        let (room, facts) = (until_bytes.saturating_sub(begins), until_facts - self.facts.len());
        // The half of a step keeps facts off both ends.
        self.due = (0..facts).rev().map(|fact| begins + (2 * fact + 1) * room / (2 * facts)).collect();
        let mut blocks = 0;
        while self.text.len() < until_bytes || !self.due.is_empty() {
            if blocks % BLOCKS_OF_A_SECTION == 0 {
                let (topic, place) = (self.pick(TOPICS), self.pick(PLACES));
                self.text.push_str(&format!("## {topic} in {place}\n\n"));
            }
            match blocks {
                3 => self.table(),
                5 => self.code(),
                block if block % 10 == 7 => self.list(),
                _ => self.paragraph(),
            }
            self.text.push('\n');
            blocks += 1;
        }
    }

    fn paragraph(&mut self) {
        self.sentence();
        for _ in 0..3 + self.below(5) {
            self.text.push(' ');
            self.sentence();
        }
        self.text.push('\n');
    }

    fn list(&mut self) {
        for _ in 0..4 {
            self.text.push_str("- ");
            self.sentence();
            self.text.push('\n');
        }
    }

    /// The next fact if it is due, else prose.
    fn sentence(&mut self) {
        if self.due.pop_if(|due| *due <= self.text.len()).is_some() {
            let fact = self.fact();
            self.text.push_str(&fact);
            self.facts.push(fact);
        } else {
            let prose = self.prose();
            self.text.push_str(&prose);
        }
    }

    fn fact(&mut self) -> String {
        let number = self.facts.len() + 1;
        let (work, place) = (self.pick(WORKS), self.pick(PLACES));
        let (deed, goods) = (self.pick(DEEDS), self.pick(GOODS));
        let (thousands, rest, year) = (1 + self.below(9), self.below(1_000), 1850 + self.below(100));
        format!(
            "Fact {number:04} states that the {work} at {place} {deed} {thousands},{rest:03} {goods} in {year}."
        )
    }

    fn prose(&mut self) -> String {
        let (subject, verb, thing) = (self.pick(SUBJECTS), self.pick(VERBS), self.pick(THINGS));
        let (time, end, place) = (self.pick(TIMES), self.pick(ENDS), self.pick(PLACES));
        match self.below(5) {
            0 => format!("{subject} {verb} {thing} {time}."),
            1 => format!("{subject} {verb} {thing}, {end}."),
            2 => format!("In {place}, {thing} came up {time}, {end}."),
            3 => format!("There is little to report of {place}, where {thing} was left as it stood {time}."),
            _ => format!("{subject} {verb} {thing} for {place} {time}, {end}."),
        }
    }

    fn table(&mut self) {
        self.text.push_str("| place | stock | hands |\n|---|---|---|\n");
        for _ in 0..6 {
            let (place, goods) = (self.pick(PLACES), self.pick(GOODS));
            let (stock, hands) = (self.below(900), 2 + self.below(60));
            self.text.push_str(&format!("| {place} | {stock} {goods} | {hands} |\n"));
        }
    }

    fn code(&mut self) {
        self.text.push_str("```text\n");
        for day in 1..=5 {
            let (place, level) = (self.pick(PLACES), self.below(400));
            self.text.push_str(&format!("gauge day={day} station={place} level_cm={level}\n"));
        }
        self.text.push_str("```\n");
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }

    /// A number below `bound`, drawn with xorshift: the same on every machine.
    fn below(&mut self, bound: usize) -> usize {
        self.drawn ^= self.drawn << 13;
        self.drawn ^= self.drawn >> 7;
        self.drawn ^= self.drawn << 17;
        usize::try_from((self.drawn >> 33) % bound as u64).expect("it is below a usize")
    }
}

#[test]
fn every_fact_stands_in_the_book_once_and_in_its_order() {
    let book = Book::new();
    assert!((1_950_000..2_050_000).contains(&book.text.len()), "{} bytes", book.text.len());
    assert_eq!(book.facts.len(), 2_000);
    let mut after = 0;
    for fact in &book.facts {
        let place = book.text[after..].find(fact.as_str()).unwrap_or_else(|| panic!("{fact} in its place"));
        after += place + fact.len();
    }
    assert_eq!(book.text.matches("Fact ").count(), book.facts.len(), "none stands twice");
    let heads = |prefix: &str| book.text.lines().filter(|line| line.starts_with(prefix)).count();
    assert_eq!((heads("# Chapter "), heads("```text"), heads("|---")), (20, 20, 20));
    assert!(heads("## ") > 20 && heads("- ") > 20);
    let longest_gap = book.text.split("Fact ").map(str::len).max();
    assert!(longest_gap < Some(5_000), "{longest_gap:?} bytes without a fact");
    assert_eq!(book.text, Book::new().text, "the same book every time");
}

#[test]
fn a_small_book_has_the_facts_and_about_the_size_that_are_asked_for() {
    for (facts, bytes) in [(0, 1_000), (3, 5_000), (50, 60_000), (40, 350_000)] {
        let book = Book::small(facts, bytes);
        assert_eq!((book.facts.len(), book.text.matches("Fact ").count()), (facts, facts));
        assert!((bytes..bytes + 5_000).contains(&book.text.len()), "{bytes}: {}", book.text.len());
    }
}
