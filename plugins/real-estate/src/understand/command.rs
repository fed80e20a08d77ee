//! What may be said at any point: go back, start over, give me a human.

use crate::language::Language;
use crate::words::Words;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Back,
    StartOver,
    Agent,
    /// Another language; `None`: ask which.
    Language(Option<Language>),
    Help,
    Greeting,
    Thanks,
    More,
    Book,
    Yes,
    No,
    /// The answer does not matter.
    Any,
}

const BACK: &[&str] = &[
    "back",
    "go back",
    "previous",
    "return",
    "please go back",
    "one step back",
    "برگشت",
    "بازگشت",
    "برگرد",
    "قبلی",
    "مرحله قبل",
    "رجوع",
    "ارجع",
    "عوده",
    "السابق",
    "للخلف",
];
const START_OVER: &[&str] = &[
    "start over",
    "restart",
    "reset",
    "start again",
    "begin again",
    "new search",
    "start",
    "از اول",
    "شروع مجدد",
    "شروع دوباره",
    "دوباره شروع کن",
    "از نو",
    "جستجوی جدید",
    "من جدید",
    "البد من جدید",
    "ابدا من جدید",
    "من البدایه",
    "بدایه جدیده",
    "بحث جدید",
    "اعاده",
];
const AGENT: &[&str] = &[
    "agent",
    "human",
    "real person",
    "person",
    "talk to someone",
    "speak to someone",
    "consultant",
    "broker",
    "representative",
    "operator",
    "call me",
    "مشاور",
    "کارشناس",
    "انسان",
    "اپراتور",
    "پشتیبانی",
    "با یک نفر",
    "تماس بگیرید",
    "وکیل",
    "الوکیل",
    "موظف",
    "وسیط",
    "مندوب",
    "مستشار",
    "شخص حقیقی",
    "اتصل بی",
    "خدمه العملا",
    "بشر",
    "سمسار",
];
const LANGUAGE: &[&str] = &[
    "language",
    "change language",
    "languages",
    "زبان",
    "تغییر زبان",
    "لغه",
    "اللغه",
    "تغییر اللغه",
    "عوض کردن زبان",
    "lang",
    "other language",
    "switch language",
];
const HELP: &[&str] =
    &["help", "menu", "what can you do", "راهنما", "کمک", "منو", "مساعده", "القایمه", "ساعدنی"];
const GREETING: &[&str] = &[
    "hi",
    "hello",
    "hey",
    "hi there",
    "hello there",
    "good morning",
    "good evening",
    "good afternoon",
    "salam",
    "سلام",
    "درود",
    "سلام علیکم",
    "وقت بخیر",
    "صبح بخیر",
    "عصر بخیر",
    "روز بخیر",
    "سلام وقت بخیر",
    "مرحبا",
    "اهلا",
    "السلام علیکم",
    "صباح الخیر",
    "مسا الخیر",
    "هلا",
    "های",
    "اهلا وسهلا",
    "hii",
];
const THANKS: &[&str] = &[
    "thanks",
    "thank you",
    "thx",
    "thank you very much",
    "thanks a lot",
    "many thanks",
    "great thanks",
    "ok thanks",
    "مرسی",
    "ممنون",
    "متشکرم",
    "سپاس",
    "خیلی ممنون",
    "تشکر",
    "دمت گرم",
    "شکرا",
    "شکرا جزیلا",
    "شکرا لک",
    "مشکور",
    "تسلم",
];
const MORE: &[&str] = &[
    "more",
    "show more",
    "next",
    "more homes",
    "others",
    "بیشتر",
    "بعدی",
    "ادامه",
    "المزید",
    "اکثر",
    "التالی",
    "بقیه",
];
const BOOK: &[&str] = &[
    "book",
    "viewing",
    "visit",
    "appointment",
    "schedule",
    "see it",
    "بازدید",
    "رزرو",
    "قرار",
    "نوبت",
    "معاینه",
    "زیاره",
    "موعد",
    "حجز",
    "احجز",
];
const YES: &[&str] = &[
    "yes",
    "yep",
    "yeah",
    "ok",
    "okay",
    "sure",
    "confirm",
    "confirmed",
    "y",
    "yes please",
    "بله",
    "اره",
    "باشه",
    "تایید",
    "تایید می کنم",
    "حتما",
    "اوکی",
    "نعم",
    "ایوا",
    "موافق",
    "تمام",
    "اکید",
    "طیب",
    "ای",
];
const NO: &[&str] = &[
    "no",
    "nope",
    "cancel",
    "n",
    "not now",
    "no thanks",
    "نه",
    "خیر",
    "لغو",
    "نه ممنون",
    "لا",
    "الغا",
    "لا شکرا",
    "کنسل",
];
const ANY: &[&str] = &[
    "any",
    "anything",
    "anywhere",
    "whatever",
    "no preference",
    "no limit",
    "doesn t matter",
    "does not matter",
    "not important",
    "i don t mind",
    "all",
    "all of them",
    "فرقی ندارد",
    "فرقی نداره",
    "فرقی نمیکنه",
    "مهم نیست",
    "هر چی",
    "هرچی",
    "هر جا",
    "هرجا",
    "همه",
    "ای شی",
    "لا یهم",
    "الکل",
    "ای مکان",
    "غیر مهم",
    "مو مهم",
];

/// What the text asks for, where that is all it says.
pub fn command(words: &Words) -> Option<Command> {
    let whole: [(&[&str], Command); 11] = [
        (BACK, Command::Back),
        (START_OVER, Command::StartOver),
        (LANGUAGE, Command::Language(None)),
        (HELP, Command::Help),
        (GREETING, Command::Greeting),
        (THANKS, Command::Thanks),
        (MORE, Command::More),
        (YES, Command::Yes),
        (NO, Command::No),
        (ANY, Command::Any),
        (BOOK, Command::Book),
    ];
    if words.is_empty() {
        return None;
    }
    for (language, names) in [
        (Language::English, ["english", "in english", "انگلیسی", "الانجلیزیه"]),
        (Language::Arabic, ["arabic", "العربیه", "عربی", "بالعربی"]),
        (Language::Persian, ["persian", "farsi", "فارسی", "الفارسیه"]),
    ] {
        if words.is_one_of(&names) {
            return Some(Command::Language(Some(language)));
        }
    }
    if let Some((_, command)) = whole.into_iter().find(|(phrases, _)| words.is_one_of(phrases)) {
        return Some(command);
    }
    // A human is asked for in many ways; a short sentence that names one is enough.
    (words.len() <= 9 && words.has_phrase(AGENT)).then_some(Command::Agent)
}

/// Does a longer sentence speak of a viewing?
pub fn mentions_viewing(words: &Words) -> bool {
    words.len() <= 12 && words.has_phrase(BOOK)
}

#[cfg(test)]
pub const LISTS: [&[&str]; 12] =
    [BACK, START_OVER, AGENT, LANGUAGE, HELP, GREETING, THANKS, MORE, BOOK, YES, NO, ANY];
