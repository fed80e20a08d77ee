//! Reads a script: lines of `word: value`, conversations under `== Title`.

use serde_json::Value;

use super::Problem;
use crate::message::{ContactCard, Content, Location, Media, MediaKind};
use crate::time::{Span, Timestamp, days, hours, minutes, seconds};
use crate::zone::{Date, Zone};

/// One conversation of a file.
#[derive(Debug)]
pub(super) struct Script {
    pub title: String,
    pub settings: Settings,
    pub steps: Vec<(usize, Step)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub language: Option<String>,
    pub name: Option<String>,
    pub zone: Option<String>,
    pub tenant: Option<String>,
    /// `2026-03-02 09:00` on the tenant's clock.
    pub time: Option<(Date, u8, u8)>,
    /// Values laid over the personality.
    pub personality: Vec<(String, Value)>,
    /// Hours since the contact's last message that free replies are allowed.
    pub window: Option<Span>,
    pub memory: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Start { attribution: Option<String>, text: String },
    Say(Vec<Content>),
    Choose(String),
    After(Span),
    Human(String),
    HandBack,
    Expect(Expect),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expect {
    Says(String),
    SaysExactly(String),
    NeverSays(String),
    Offers(Vec<String>),
    OffersExactly(Vec<String>),
    /// A kind of message, and what its caption contains.
    Sends(String, String),
    Silence,
    LeadStage(String),
    Lead(String, Value),
    Timer(String),
    NoTimer(String),
    HandOff(String),
    Ended,
    Fault(String),
}

pub(super) fn parse(text: &str) -> Result<Vec<Script>, Problem> {
    let mut common = Settings::default();
    let mut scripts: Vec<Script> = Vec::new();
    for (line, text) in logical_lines(text) {
        if let Some(title) = text.strip_prefix("==") {
            let title = title.trim_matches(['=', ' ']).to_owned();
            scripts.push(Script { title, settings: common.clone(), steps: Vec::new() });
            continue;
        }
        let (word, value) = text.split_once(':').unwrap_or((&text, ""));
        let (word, value) = (word.trim().to_lowercase(), value.trim());
        let under_title = scripts.last().is_some_and(|script| script.steps.is_empty());
        let problem = |message: String| Problem { line, message };
        if under_title || scripts.is_empty() {
            let settings = scripts.last_mut().map_or(&mut common, |script| &mut script.settings);
            if setting(settings, &word, value).map_err(problem)? {
                continue;
            }
        }
        let step = step(&word, value).map_err(problem)?;
        if scripts.is_empty() {
            scripts.push(Script {
                title: "the conversation".into(),
                settings: common.clone(),
                steps: Vec::new(),
            });
        }
        if let Some(script) = scripts.last_mut() {
            script.steps.push((line, step));
        }
    }
    Ok(scripts)
}

/// Lines with their numbers; comments and empty lines left out, indented lines joined to the one
/// before.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, before)) if line.starts_with([' ', '\t']) => {
                before.push('\n');
                before.push_str(line.trim());
            }
            _ => lines.push((index + 1, line.trim().to_owned())),
        }
    }
    lines
}

/// Was it a setting?
fn setting(settings: &mut Settings, word: &str, value: &str) -> Result<bool, String> {
    match word {
        "language" => settings.language = Some(value.to_owned()),
        "name" => settings.name = Some(value.to_owned()),
        "tenant" => settings.tenant = Some(value.to_owned()),
        "memory" => settings.memory = Some(value.to_owned()),
        "window" => settings.window = Some(span(value)?),
        "zone" => {
            Zone::named(value).map_err(|fault| fault.message)?;
            settings.zone = Some(value.to_owned());
        }
        "time" => {
            let time = date_and_time(value);
            settings.time =
                Some(time.ok_or_else(|| format!("`{value}` is not a time like 2026-03-02 09:00"))?);
        }
        "personality" => {
            let (path, value) =
                value.split_once('=').ok_or("write `personality: path = value`, the value JSON or text")?;
            settings.personality.push((path.trim().to_owned(), json_or_text(value.trim())));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn step(word: &str, value: &str) -> Result<Step, String> {
    let text = value.to_owned();
    let titles = || value.split('|').map(|title| title.trim().to_owned()).collect();
    let expect = match word {
        "start" => {
            let (attribution, text) = value.split_once('|').unwrap_or((value, ""));
            let attribution = Some(attribution.trim().to_owned()).filter(|it| !it.is_empty());
            return Ok(Step::Start { attribution, text: text.trim().to_owned() });
        }
        "contact" => return Ok(Step::Say(vec![Content::from_text(value)])),
        "contact together" => {
            let texts = value.split('|').map(|text| Content::from_text(text.trim()));
            return Ok(Step::Say(texts.collect()));
        }
        "contact sends" => return content(value).map(|content| Step::Say(vec![content])),
        "choose" => return Ok(Step::Choose(text)),
        "after" => return span(value).map(Step::After),
        "human" => return Ok(Step::Human(text)),
        "hand back" => return Ok(Step::HandBack),
        "bot" => Expect::Says(text),
        "bot exactly" => Expect::SaysExactly(text),
        "bot never" => Expect::NeverSays(text),
        "bot offers" => Expect::Offers(titles()),
        "bot offers exactly" => Expect::OffersExactly(titles()),
        "bot sends" => {
            let (kind, caption) = value.split_once('|').unwrap_or((value, ""));
            Expect::Sends(known_kind(kind.trim())?, caption.trim().to_owned())
        }
        "bot is silent" => Expect::Silence,
        "lead stage" => Expect::LeadStage(text),
        "timer" => Expect::Timer(text),
        "no timer" => Expect::NoTimer(text),
        "hand off" => Expect::HandOff(text),
        "ended" => Expect::Ended,
        "fault" => Expect::Fault(text),
        _ => match word.strip_prefix("lead ") {
            Some(field) => Expect::Lead(field.trim().to_owned(), json_or_text(value)),
            None => return Err(format!("`{word}` is not a word of scripts; {WORDS}")),
        },
    };
    Ok(Step::Expect(expect))
}

const WORDS: &str = "steps are start, contact, contact together, contact sends, choose, after, human, hand back; \
    expectations are bot, bot exactly, bot never, bot offers, bot offers exactly, bot sends, bot is silent, \
    lead stage, lead FIELD, timer, no timer, hand off, ended, fault; settings, before the first step, are \
    language, name, tenant, time, zone, window, memory, personality";

const MESSAGE_KINDS: [&str; 13] = [
    "text", "image", "video", "audio", "voice", "document", "sticker", "buttons", "list", "location",
    "contacts", "template", "reaction",
];

fn known_kind(kind: &str) -> Result<String, String> {
    if MESSAGE_KINDS.contains(&kind) {
        Ok(kind.to_owned())
    } else {
        Err(format!("`{kind}` is not a kind of message; kinds are {}", MESSAGE_KINDS.join(", ")))
    }
}

/// `image | a caption`, `location 25.08 55.14`, `contacts Name +9715…`, `unknown poll`.
fn content(value: &str) -> Result<Content, String> {
    let (what, caption) = value.split_once('|').unwrap_or((value, ""));
    let (kind, rest) = what.trim().split_once(' ').unwrap_or((what.trim(), ""));
    let caption = Some(caption.trim().to_owned()).filter(|caption| !caption.is_empty());
    let kind = match kind {
        "image" => MediaKind::Image,
        "video" => MediaKind::Video,
        "audio" => MediaKind::Audio,
        "voice" => MediaKind::Voice,
        "document" => MediaKind::Document,
        "sticker" => MediaKind::Sticker,
        "location" => {
            let mut numbers = rest.split([' ', ',']).filter(|n| !n.is_empty()).map(str::parse::<f64>);
            return match (numbers.next(), numbers.next()) {
                (Some(Ok(latitude)), Some(Ok(longitude))) => {
                    Ok(Content::Location(Location { latitude, longitude, name: caption, address: None }))
                }
                _ => Err("write `contact sends: location 25.08 55.14`".into()),
            };
        }
        "contacts" => {
            let (name, phone) = rest.rsplit_once(' ').unwrap_or((rest, ""));
            return Ok(Content::Contacts { contacts: vec![ContactCard::new(name).phone(phone)] });
        }
        "unknown" => return Ok(Content::Unknown { kind: rest.into(), data: "{}".into() }),
        other => {
            return Err(format!(
                "a contact cannot send `{other}`; kinds are image, video, audio, voice, document, sticker, \
                 location, contacts, unknown"
            ));
        }
    };
    Ok(Content::Media(Media {
        kind,
        handle: "test-file".into(),
        mime_type: None,
        filename: None,
        caption,
        size: None,
    }))
}

fn json_or_text(value: &str) -> Value {
    serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))
}

/// `25h`, `2 days`, `1d 12h 30m`.
fn span(text: &str) -> Result<Span, String> {
    let wrong = || format!("`{text}` is not a length of time like 25h, 90m, 2 days or 1d 12h");
    let mut total = Span::default();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: i64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        total = total
            + match &rest[..letters] {
                "s" | "second" | "seconds" => seconds(number),
                "m" | "min" | "minute" | "minutes" => minutes(number),
                "h" | "hour" | "hours" => hours(number),
                "d" | "day" | "days" => days(number),
                _ => return Err(wrong()),
            };
        rest = rest[letters..].trim_start();
    }
    Ok(total)
}

fn date_and_time(text: &str) -> Option<(Date, u8, u8)> {
    let (date, time) = text.trim().split_once([' ', 'T'])?;
    let (hour, minute) = time.trim().split_once(':')?;
    Some((Date::parse(date)?, hour.parse().ok()?, minute.parse().ok()?))
}

impl Settings {
    /// The point in time that `time` names, on this zone's clock.
    pub(super) fn instant(&self, zone: &Zone) -> Option<Option<Timestamp>> {
        self.time.map(|(date, hour, minute)| zone.at(date, hour, minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_settings_titles_and_steps() {
        let scripts = parse(
            "# comment\nlanguage: fa\n\n== One ==\ntime: 2026-03-02 09:30\nstart: instagram | a villa\n\
             contact: first line\n  second line\nbot offers: A | B\nafter: 1d 2 hours\nlead rooms: 2\n\
             == Two\nstart\nbot is silent\n",
        )
        .expect("reads");
        assert_eq!(scripts.len(), 2);
        assert_eq!((scripts[0].title.as_str(), scripts[1].title.as_str()), ("One", "Two"));
        assert_eq!(scripts[0].settings.time, Some((Date::new(2026, 3, 2).expect("a day"), 9, 30)));
        assert_eq!(scripts[1].settings.time, None);
        assert_eq!(scripts[1].settings.language.as_deref(), Some("fa"));
        let steps: Vec<&Step> = scripts[0].steps.iter().map(|(_, step)| step).collect();
        let start = Step::Start { attribution: Some("instagram".into()), text: "a villa".into() };
        assert_eq!(steps[0], &start);
        assert_eq!(steps[1], &Step::Say(vec![Content::from_text("first line\nsecond line")]));
        assert_eq!(steps[2], &Step::Expect(Expect::Offers(vec!["A".into(), "B".into()])));
        assert_eq!(steps[3], &Step::After(hours(26)));
        assert_eq!(steps[4], &Step::Expect(Expect::Lead("rooms".into(), Value::from(2))));
    }

    #[test]
    fn what_does_not_read_names_its_line() {
        for (text, line, part) in [
            ("start\nbotsays: hi", 2, "`botsays` is not a word"),
            ("\n\nafter: soon", 3, "not a length of time"),
            ("time: noon", 1, "not a time"),
            ("zone: Mars/Base", 1, "not an IANA time zone"),
            ("start\nbot sends: smoke", 2, "not a kind of message"),
            ("start\nlanguage: en", 2, "before the first step"),
            ("contact sends: location north", 1, "location 25.08 55.14"),
        ] {
            let problem = parse(text).expect_err(text);
            assert_eq!(problem.line, line, "{text}");
            assert!(problem.message.contains(part), "{text}: {}", problem.message);
        }
    }
}
