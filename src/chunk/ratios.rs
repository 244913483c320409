//! How many tokens of one model an estimated token is.
//!
//! Owns one ratio per class of script and what it learns from exact counts. It
//! knows no model by name: whoever keeps one of these keeps it per model. The rule
//! it protects: no single count, however wrong, moves an estimate by more than a
//! bounded step, and no ratio leaves its bounds.

use super::profile::{CLASSES, TextProfile};

/// How many tokens of one model an estimated token of each class is.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRatios {
    per_class: [f64; CLASSES],
    margin: f64,
}

const LEAST_RATIO: f64 = 0.2;
const LARGEST_RATIO: f64 = 5.0;

/// The part of an error that one count corrects.
const LEARNING_RATE: f64 = 0.4;
/// The most by which one count multiplies or divides an estimate.
const LARGEST_STEP: f64 = 2.0;
/// A text of this many tokens teaches half of what a long one does: the shorter it is, the
/// more of its count is rounding, and wrapping that is no part of the text.
const HALF_TRUSTED_TOKENS: f64 = 16.0;

/// What is assumed before anything was learnt.
const FIRST_MARGIN: f64 = 0.15;
const LEAST_MARGIN: f64 = 0.02;
const LARGEST_MARGIN: f64 = 0.5;
/// How far the margin follows a larger error, and a smaller one.
const MARGIN_RISE: f64 = 0.5;
const MARGIN_FALL: f64 = 0.05;

impl TokenRatios {
    /// The same ratio for every class: where a model starts. What is no number counts as 1.
    pub fn uniform(ratio: f64) -> Self {
        let ratio = if ratio.is_nan() { 1.0 } else { ratio.clamp(LEAST_RATIO, LARGEST_RATIO) };
        Self { per_class: [ratio; CLASSES], margin: FIRST_MARGIN }
    }

    /// Learns from the exact count of a text with this profile, and returns the relative error of
    /// the estimate that stood before: 0.25 is a quarter too high. An empty text and a count of
    /// 0 teach nothing, and have no error.
    ///
    /// Each class takes a part of the error according to its share in the text: a text of one
    /// script corrects that script, and leaves the others alone.
    pub fn learn(&mut self, profile: &TextProfile, exact_tokens: u64) -> f64 {
        let estimate = self.estimate(profile);
        if estimate <= 0.0 || exact_tokens == 0 {
            return 0.0;
        }
        let exact = f64::from(u32::try_from(exact_tokens).unwrap_or(u32::MAX));
        let error = estimate / exact - 1.0;
        let trust = exact / (exact + HALF_TRUSTED_TOKENS);
        let step = (exact / estimate).ln().clamp(-LARGEST_STEP.ln(), LARGEST_STEP.ln());
        let tokens = profile.tokens_by_class();
        let share = |class: usize| tokens[class] * self.per_class[class] / estimate;
        let shares: [f64; CLASSES] = std::array::from_fn(share);
        // With this divisor the estimate itself moves by the step, however the shares lie.
        let norm: f64 = shares.iter().map(|share| share * share).sum();
        for (ratio, share) in self.per_class.iter_mut().zip(shares) {
            let class_step =
                (LEARNING_RATE * trust * step * share / norm).clamp(-LARGEST_STEP.ln(), LARGEST_STEP.ln());
            *ratio = (*ratio * class_step.exp()).clamp(LEAST_RATIO, LARGEST_RATIO);
        }
        let rate = if error.abs() > self.margin { MARGIN_RISE } else { MARGIN_FALL };
        self.margin += rate * trust * (error.abs() - self.margin);
        self.margin = self.margin.clamp(LEAST_MARGIN, LARGEST_MARGIN);
        error
    }

    /// The typical relative error of recent estimates, rather too high than too low: it follows
    /// larger errors quickly and smaller ones slowly.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// The estimate before rounding.
    pub(super) fn estimate(&self, profile: &TextProfile) -> f64 {
        let tokens = profile.tokens_by_class();
        tokens.iter().zip(self.per_class).map(|(tokens, ratio)| tokens * ratio).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: [&str; 3] = [
        "The harbour froze in the second week of January. Ships that had meant to leave waited for \
         a month, and their crews found work in the sawmills until the ice went out again.",
        "Nobody in the village remembered who had planted the orchard. The oldest trees no longer \
         bore fruit, but each spring they flowered as if they had been asked to.",
        "Our survey covered 412 households in three districts. About two thirds of them heat with \
         wood, and most intend to change that within the next five years.",
    ];
    const GERMAN: [&str; 3] = [
        "Die Gemeindeverwaltung hat beschlossen, die Straßenbeleuchtung schrittweise zu erneuern. \
         Für das kommende Haushaltsjahr stehen dafür ungefähr 80 000 Euro zur Verfügung.",
        "Früher fuhr hier täglich ein Zug über die Brücke. Heute wachsen Brombeeren zwischen den \
         Gleisen, und Spaziergänger genießen die Aussicht auf das gegenüberliegende Ufer.",
        "Wer die Prüfung nicht besteht, kann sie zweimal wiederholen. Über Ausnahmen entscheidet \
         der Prüfungsausschuss auf schriftlichen Antrag.",
    ];
    const CHINESE: [&str; 3] = [
        "这座城市的老桥建于一百多年前。每天清晨,河边都有人散步、钓鱼,或者只是安静地看着流水。",
        "会议决定把项目推迟到明年春天。主要原因是材料价格上涨,而且工人数量不足,无法按时完成。",
        "他把信放在桌子上,没有打开。窗外下着小雨,街上的灯一盏一盏地亮了起来。",
    ];
    const JAPANESE: [&str; 3] = [
        "駅前の小さな喫茶店は、朝七時に開きます。常連の客は新聞を読みながら、ゆっくりとコーヒーを飲みます。",
        "調査によると、この地域では高齢者の割合が年々高くなっている。バスの本数を増やすことが課題である。",
        "雨が止んだあと、庭のあちこちに水たまりができた。子どもたちは長靴をはいて外へ飛び出した。",
    ];
    const ARABIC: [&str; 3] = [
        "وصل القطار إلى المحطة متأخرا نصف ساعة. كان المسافرون ينتظرون في البرد، وبعضهم يشرب الشاي.",
        "قررت اللجنة تأجيل المشروع إلى العام القادم بسبب ارتفاع الأسعار ونقص المواد في السوق.",
        "في القرية القديمة بئر عميقة يقول الناس إن ماءها لا ينضب حتى في أشد الأعوام جفافا.",
    ];
    const HINDI: [&str; 3] = [
        "गाँव के बाहर एक पुराना कुआँ है। गर्मियों में भी उसका पानी ठंडा रहता है और लोग दूर से आते हैं।",
        "समिति ने तय किया कि नया पुल अगले साल बनेगा। इसके लिए राज्य सरकार से धन माँगा गया है।",
        "बारिश रुकने के बाद बच्चे मैदान में खेलने लगे। उनकी हँसी पूरे मोहल्ले में सुनाई देती थी।",
    ];
    const CODE: [&str; 3] = [
        "fn total(items: &[Item]) -> u64 {\n    let mut sum = 0;\n    for item in items {\n        if item.price > 0 {\n            sum += item.price * item.count;\n        }\n    }\n    sum\n}\n",
        "class Queue:\n    def __init__(self, limit=16):\n        self.items = []\n        self.limit = limit\n\n    def push(self, item):\n        if len(self.items) >= self.limit:\n            raise OverflowError(\"full\")\n        self.items.append(item)\n",
        "SELECT orders.id, customers.name, SUM(lines.amount) AS total\nFROM orders\n    JOIN customers ON customers.id = orders.customer_id\n    JOIN lines ON lines.order_id = orders.id\nWHERE orders.state = 'open'\nGROUP BY orders.id, customers.name;\n",
    ];
    const BASE64: [&str; 3] = [
        "q8Zt2LwXn0vYp4RkTe7uHs1BfJ5cMaGd9iOxKy6rWjEbQlSzUhNoCVDPgFIAmT3+4mYtRw/1sZk0xQe8LbV2nJp7HcUf5GdAoi9KyXrB6WlSjEqMzTNhCvOPDguFIaQ==",
        "Tm9wZXN0aGlzaXNub3RhbWVzc2FnZWF0YWxsYnV0cmFuZG9tYnl0ZXM3Zk05aDJrTHBRcjV0V3ZYejFiTmNEZjNHaEo0a0w2bU44cFEwclM1dFY3eFo5YUIyY0Q0ZUY2",
        "kR7vGm2Xw9PzLq4TsBn6YcJd0HfUa3Ke8WiOx5ElVb1MyQjZgNhCrStDpFuIoA+7nXe4bKw0TzVq9RmLs2YhPd6GcJa3/8fUi5OxEl1WyBjQgZNkCrHtSpMvDuFIoA==",
    ];
    const LANGUAGES: [(&str, [&str; 3]); 8] = [
        ("English", ENGLISH),
        ("German", GERMAN),
        ("Chinese", CHINESE),
        ("Japanese", JAPANESE),
        ("Arabic", ARABIC),
        ("Hindi", HINDI),
        ("code", CODE),
        ("base64", BASE64),
    ];

    type Rule = (&'static str, fn(&str) -> u64);

    /// Rules by which a model might count, each far from the base estimate in its own way.
    const RULES: [Rule; 3] = [
        ("a quarter per Latin character, a half per other", |text| {
            let quarters: u64 = text.chars().map(|c| if c < '\u{250}' { 1 } else { 2 }).sum();
            quarters.div_ceil(4)
        }),
        ("four bytes", |text| text.len().div_ceil(4) as u64),
        ("three characters", |text| text.chars().count().div_ceil(3) as u64),
    ];

    /// Relative errors of the three texts of a language, by ratios that have learnt.
    fn errors(ratios: &TokenRatios, texts: &[&str], count: fn(&str) -> u64) -> Vec<f64> {
        let error = |text: &&str| {
            f64::from(TextProfile::of(text).tokens(ratios)) / f64::from(u32::try_from(count(text)).unwrap())
                - 1.0
        };
        texts.iter().map(error).collect()
    }

    #[test]
    fn twenty_counts_of_a_language_bring_its_estimate_within_a_quarter() {
        for (rule, count) in RULES {
            for (language, texts) in LANGUAGES {
                let mut ratios = TokenRatios::uniform(1.0);
                for text in texts.iter().cycle().take(20) {
                    ratios.learn(&TextProfile::of(text), count(text));
                }
                for error in errors(&ratios, &texts, count) {
                    assert!(error.abs() < 0.25, "{language} by {rule}: {error:.2}");
                }
            }
        }
    }

    #[test]
    fn languages_learnt_in_turn_do_not_undo_each_other() {
        for (rule, count) in RULES {
            let mut ratios = TokenRatios::uniform(1.0);
            for round in 0..20 {
                for (_, texts) in LANGUAGES {
                    let text = texts[round % texts.len()];
                    ratios.learn(&TextProfile::of(text), count(text));
                }
            }
            for (language, texts) in LANGUAGES {
                for error in errors(&ratios, &texts, count) {
                    assert!(error.abs() < 0.25, "{language} by {rule}: {error:.2}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_learnt_from_nothing() {
        let mut ratios = TokenRatios::uniform(1.3);
        let untouched = ratios.clone();
        assert_eq!(ratios.learn(&TextProfile::default(), 12), 0.0);
        assert_eq!(ratios.learn(&TextProfile::of("some words"), 0), 0.0);
        assert_eq!(ratios.learn(&TextProfile::of(" "), 9), 0.0);
        assert_eq!(ratios, untouched);
    }

    #[test]
    fn the_error_returned_is_that_of_the_estimate_before() {
        let profile = TextProfile::of(ENGLISH[0]);
        let mut ratios = TokenRatios::uniform(1.0);
        let exact = u64::from(profile.base_tokens()) * 2;
        assert!((ratios.learn(&profile, exact) + 0.5).abs() < 0.01);
        assert!(ratios.learn(&profile, exact) > -0.5);
    }

    #[test]
    fn no_count_moves_an_estimate_far_and_no_ratio_leaves_its_bounds() {
        let profile = TextProfile::of(ENGLISH[0]);
        let mut ratios = TokenRatios::uniform(1.0);
        let before = ratios.estimate(&profile);
        ratios.learn(&profile, u64::MAX);
        assert!(ratios.estimate(&profile) <= before * 2.0);
        for _ in 0..100 {
            ratios.learn(&profile, u64::MAX);
        }
        assert!(ratios.per_class.iter().all(|ratio| (LEAST_RATIO..=LARGEST_RATIO).contains(ratio)));
        for _ in 0..100 {
            ratios.learn(&profile, 1);
        }
        assert!(ratios.per_class.iter().all(|ratio| (LEAST_RATIO..=LARGEST_RATIO).contains(ratio)));
        assert_eq!(TokenRatios::uniform(f64::NAN), TokenRatios::uniform(1.0));
        assert_eq!(TokenRatios::uniform(-1.0), TokenRatios::uniform(0.2));
        assert_eq!(TokenRatios::uniform(f64::INFINITY), TokenRatios::uniform(5.0));
    }

    #[test]
    fn a_script_that_was_not_read_is_not_relearnt() {
        let mut ratios = TokenRatios::uniform(1.0);
        for text in ENGLISH {
            ratios.learn(&TextProfile::of(text), 1_000);
        }
        let untouched = TextProfile::of("漢字");
        assert_eq!(untouched.tokens(&ratios), untouched.base_tokens());
    }

    #[test]
    fn the_margin_rises_quickly_and_falls_slowly_within_its_bounds() {
        let profile = TextProfile::of(&ENGLISH.concat());
        let mut ratios = TokenRatios::uniform(1.0);
        assert_eq!(ratios.margin(), 0.15);
        ratios.learn(&profile, u64::from(profile.base_tokens()) * 2);
        let risen = ratios.margin();
        assert!(risen > 0.28, "{risen}");
        let exact = u64::from(profile.tokens(&ratios));
        ratios.learn(&profile, exact);
        assert!((risen * 0.9..risen).contains(&ratios.margin()));
        for _ in 0..200 {
            let exact = u64::from(profile.tokens(&ratios));
            ratios.learn(&profile, exact);
        }
        assert_eq!(ratios.margin(), 0.02);
        for _ in 0..20 {
            let exact = u64::from(profile.tokens(&ratios)) / 3 + 1;
            ratios.learn(&profile, exact);
        }
        assert!(ratios.margin() <= 0.5);
    }
}
