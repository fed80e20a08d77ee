//! The engine's own form of a message (`_data`), and its word for what kind of message it is. NOWEB prints
//! a WhatsApp protobuf under `message`, GOWS one under `Message` with Go's spelling (`selectedRowID`, and a
//! level more for its "one of" fields); WEBJS has flat fields of its own and a `type`.

use serde_json::Value;

use crate::channel::cloud::content::of_unknown_kind;
use crate::channel::json::{self, Object};
use crate::channel::said::{self, Kind};
use crate::message::Content;

/// Disappearing, view-once and captioned messages come wrapped, sometimes twice.
const WRAPPERS: [&str; 10] = [
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "deviceSentMessage",
    "botInvokeMessage",
    "lottieStickerMessage",
    "groupMentionedMessage",
    // A picture of an album.
    "associatedChildMessage",
];

/// Rides along with any message.
const CONTEXT: &str = "messageContextInfo";

pub struct Raw<'a> {
    pub data: Option<&'a Object>,
    /// The protobuf, without wrappers.
    pub message: Option<&'a Object>,
}

impl<'a> Raw<'a> {
    pub fn of(payload: &'a Object) -> Self {
        let data = json::object(payload, &["_data"]);
        let mut message = data.and_then(|data| json::object(data, &["message"]));
        for _ in 0..4 {
            let inner = message.and_then(|message| {
                WRAPPERS.iter().find_map(|wrapper| json::object(message, &[wrapper, "message"]))
            });
            match inner {
                Some(_) => message = inner,
                None => break,
            }
        }
        Raw { data, message }
    }

    pub fn part(&self, name: &str) -> Option<&'a Object> {
        json::object(self.message?, &[name])
    }

    /// The engine's word for the kind of message. Of a protobuf's parts the one that says something
    /// counts, then one that nobody knows.
    pub fn word(&self) -> Option<&'a str> {
        let parts = self.parts();
        let rank = |name: &&&str| match said::kind(name) {
            Kind::Said(_) => 0,
            Kind::Unknown => 1,
            Kind::Nothing(_) => 2,
        };
        if let Some(part) = parts.iter().min_by_key(rank) {
            return Some(part);
        }
        if let Some(word) = json::text(self.data?, "type") {
            return Some(word);
        }
        // Of GOWS, which says it of files alone.
        let info = json::text(json::object(self.data?, &["Info"])?, "MediaType")?;
        matches!(said::kind(info), Kind::Said(said::Said::Media(_))).then_some(info)
    }

    /// Where the fields of the part that [`Raw::word`] names are.
    pub fn named_part(&self) -> Option<&'a Object> {
        let word = self.word()?;
        self.part(word).or(self.data)
    }

    fn parts(&self) -> Vec<&'a str> {
        let is_there = |value: &Value| !value.is_null() && value.as_str() != Some("");
        let parts = self.message.into_iter().flatten();
        parts
            .filter(|(name, value)| is_there(value) && !name.eq_ignore_ascii_case(CONTEXT))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// What the normalized field should have said.
    pub fn text(&self) -> Option<&'a str> {
        let message = self.message?;
        json::text(message, "conversation").or_else(|| json::text(self.part("extendedTextMessage")?, "text"))
    }

    /// Does it change or take back what was said before? GOWS shows an edit as the new message.
    pub fn undoes(&self) -> Option<&'static str> {
        let data = self.data?;
        let attribute = json::object(data, &["Info"]).and_then(|info| json::text(info, "Edit"));
        let protocol = self.part("protocolMessage");
        let of_protocol = |name| json::field(protocol?, name);
        if json::flag(data, "IsEdit") || attribute == Some("1") || of_protocol("editedMessage").is_some() {
            return Some("edit");
        }
        let is_revoke = |kind: &Value| kind.as_str() == Some("REVOKE") || kind.as_i64() == Some(0);
        of_protocol("type").filter(|kind| is_revoke(kind)).map(|_| "revoke")
    }

    /// What a message without content stands for: NOWEB announces what it cannot decrypt yet under the id
    /// that the message itself will come under.
    pub fn stub(&self) -> Option<&'static str> {
        Some(match json::field(self.data?, "messageStubType")? {
            Value::String(word) if word == "CIPHERTEXT" => said::NOT_YET,
            Value::String(word) if word.starts_with("CALL") => "call",
            Value::Number(number) if number.as_i64() == Some(2) => said::NOT_YET,
            Value::Number(number) if matches!(number.as_i64(), Some(40 | 41 | 45 | 46)) => "call",
            _ => "system notice",
        })
    }

    /// Shown to the brain as it is: the part of a protobuf, or what WEBJS says in words.
    pub fn unknown(&self, word: &str) -> Content {
        const WORDS: [&str; 5] = ["pollName", "eventName", "title", "description", "inviteGrpName"];
        if let Some(part) = self.message.and_then(|message| json::field(message, word)) {
            return of_unknown_kind(word, Some(part));
        }
        let told = |name: &&str| Some(((*name).to_owned(), Value::from(json::text(self.data?, name)?)));
        of_unknown_kind(word, Some(&Value::Object(WORDS.iter().filter_map(told).collect())))
    }
}
