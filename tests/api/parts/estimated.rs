//! Token estimates learn from the counts that come back with answers.
//!
//! The simulator counts by a rule of its own, which no estimate knows: a quarter of a
//! token for each Latin character, half of one for every other.

use bedrock_sim::tokens;
use serde_json::json;

use super::{answered, app, knows_texts};

const ENGLISH: &[&str] = &[
    "The mill at the edge of the town was built when grain still came by boat. ",
    "Nobody remembers who drew its plans, yet the walls have outlived four roofs. ",
    "In the winter of the great flood its keeper slept on the upper floor for nine nights. ",
    "A school bought the building later and taught carpentry between the old stones. ",
    "Visitors now climb a narrow stair to see the wheel, which turns on Sundays only. ",
];
const GERMAN: &[&str] = &[
    "Die Mühle am Rand der Stadt wurde gebaut, als das Getreide noch mit Schiffen kam. ",
    "Niemand erinnert sich, wer die Pläne zeichnete, doch die Mauern überlebten vier Dächer. ",
    "Im Winter des großen Hochwassers schlief der Müller neun Nächte im Obergeschoss. ",
    "Später kaufte eine Berufsschule das Gebäude und unterrichtete dort Tischlerhandwerk. ",
    "Besucher steigen heute eine schmale Treppe hinauf und sehen das Rad, das sonntags läuft. ",
];
const CHINESE: &[&str] = &[
    "城边的磨坊建于粮食还靠船运来的年代。",
    "没有人记得是谁画的图纸，但墙壁比四个屋顶活得更久。",
    "发大水的那个冬天，看守人在楼上睡了九个晚上。",
    "后来一所学校买下了这座房子，在老石墙之间教木工。",
    "今天的游客沿着狭窄的楼梯上去看水轮，它只在星期天转动。",
];
const JAPANESE: &[&str] = &[
    "町外れの水車小屋は、穀物がまだ船で運ばれていた頃に建てられました。",
    "誰が図面を引いたのか覚えている人はいませんが、壁は四つの屋根より長生きしました。",
    "大洪水の冬、番人は九晩も二階で眠りました。",
    "その後、学校が建物を買い取り、古い石の間で大工仕事を教えました。",
    "今では見学者が狭い階段を上り、日曜日だけ回る水車を眺めます。",
];
const ARABIC: &[&str] = &[
    "بنيت الطاحونة عند طرف المدينة حين كانت الحبوب تصل بالقوارب. ",
    "لا أحد يتذكر من رسم مخططاتها، لكن جدرانها عاشت أطول من أربعة سقوف. ",
    "في شتاء الفيضان الكبير نام حارسها تسع ليال في الطابق العلوي. ",
    "اشترت مدرسة المبنى لاحقا وعلمت النجارة بين الحجارة القديمة. ",
    "يصعد الزوار اليوم درجا ضيقا ليروا العجلة التي تدور أيام الأحد فقط. ",
];
const HINDI: &[&str] = &[
    "शहर के किनारे की चक्की तब बनी थी जब अनाज नाव से आता था। ",
    "किसी को याद नहीं कि नक्शा किसने बनाया, पर दीवारें चार छतों से ज़्यादा टिकीं। ",
    "बड़ी बाढ़ की सर्दी में रखवाला नौ रातें ऊपर की मंज़िल पर सोया। ",
    "बाद में एक स्कूल ने इमारत ख़रीदी और पुराने पत्थरों के बीच बढ़ईगिरी सिखाई। ",
    "आज लोग सँकरी सीढ़ी चढ़कर पहिया देखते हैं, जो केवल रविवार को घूमता है। ",
];
const CODE: &[&str] = &[
    "fn area(width: u32, height: u32) -> u32 {\n    width.saturating_mul(height)\n}\n\n",
    "for (index, line) in text.lines().enumerate() {\n    println!(\"{index:>4} {line}\");\n}\n\n",
    "if let Some(value) = cache.get(&key) {\n    return Ok(Arc::clone(value));\n}\n\n",
    "SELECT id, name, SUM(price) FROM orders WHERE year >= 2024 GROUP BY id, name;\n\n",
    "const total = items.filter((item) => item.open).reduce((sum, item) => sum + item.size, 0);\n\n",
];
const BASE64: &[&str] = &[
    "VGhlIG1pbGwgYXQgdGhlIGVkZ2Ugb2YgdGhlIHRvd24gd2FzIGJ1aWx0IHdoZW4gZ3JhaW4gc3RpbGw=",
    "Q29tZXMgYnkgYm9hdC4gTm9ib2R5IHJlbWVtYmVycyB3aG8gZHJldyBpdHMgcGxhbnMsIHlldA9xKz7",
    "dGhlIHdhbGxzIGhhdmUgb3V0bGl2ZWQgZm91ciByb29mcy4gSW4gdGhlIHdpbnRlciBvZiB0aGUgZ3Jl",
    "YXQgZmxvb2QgaXRzIGtlZXBlciBzbGVwdCBvbiB0aGUgdXBwZXIgZmxvb3IgZm9yIG5pbmUgbmlnaHRz",
    "QSBzY2hvb2wgYm91Z2h0IHRoZSBidWlsZGluZyBsYXRlciBhbmQgdGF1Z2h0IGNhcnBlbnRyeSBiZXR3",
];

const TEXTS: [(&str, &[&str]); 8] = [
    ("English", ENGLISH),
    ("German", GERMAN),
    ("Chinese", CHINESE),
    ("Japanese", JAPANESE),
    ("Arabic", ARABIC),
    ("Hindi", HINDI),
    ("code", CODE),
    ("base64", BASE64),
];

const LESSON_BYTES: usize = 4000;

/// A text of all sentences but the last one, which begins with another each time.
fn lesson(sentences: &[&str], turn: usize) -> String {
    let taught = &sentences[..sentences.len() - 1];
    taught
        .iter()
        .cycle()
        .skip(turn)
        .scan(0, |bytes, sentence| {
            let fits = *bytes < LESSON_BYTES + turn * 10;
            *bytes += sentence.len();
            fits.then_some(*sentence)
        })
        .collect()
}

#[tokio::test]
async fn after_twenty_answers_an_estimate_is_within_a_quarter_of_the_models_count() {
    if !knows_texts() {
        println!("skipped: this build has one ratio for all scripts");
        return;
    }
    for (language, sentences) in TEXTS {
        let app = app(&[("DOCUMENTS__TARGET_CHUNK_TOKENS", "12000")]).await;
        for turn in 0..20 {
            let body = json!({"text": lesson(sentences, turn), "type": "headline"});
            answered(&app, "/v1/summarize", &body).await;
        }
        // A sentence that was never in a lesson.
        let text = sentences[sentences.len() - 1].repeat(30);
        let measure = answered(&app, "/v1/measure", &json!({"text": text, "task": "summarize"})).await;
        let (told, exact) = (measure["input_usage"].as_u64().unwrap(), tokens::count(&text));
        println!("{language}: {told} told, {exact} counted");
        assert!(told.abs_diff(exact) * 4 <= exact, "{language}: {told} told, {exact} counted");
    }
}
