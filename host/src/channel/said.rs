//! What counts as said: one list for every provider and engine, by their words for a kind of message.
//! What is not on it wakes no brain. What is known to be something else has a phrase for the log; a word
//! that is on neither list is news: the message is kept as unreadable until somebody has written it down
//! here.
//!
//! Words are compared by their letters and digits alone and without `message`, so that a protobuf's
//! `buttonsResponseMessage`, an engine's `buttons_response` and an API's `BUTTONS_RESPONSE` are one.

use crate::message::{Content, MediaKind};

/// What a message turned out to be.
pub enum Found {
    Content(Content),
    /// Not something the contact said, and what it is.
    Nothing(&'static str),
    /// A kind that is on no list, in the provider's word.
    Unknown(String),
}

/// What a word for a kind of message stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Said(Said),
    Nothing(&'static str),
    Unknown,
}

/// How what was said is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Text,
    Media(MediaKind),
    Location,
    Contacts,
    /// A button pressed or a row chosen.
    Choice,
    /// A form filled in.
    Form,
    Order,
    /// Another business offers something: its words.
    Menu,
    /// It has no shape of its own here and is shown to the brain with its data.
    Other,
}

/// There is nothing in it, or only what rides along with every message.
pub const EMPTY: &str = "nothing was said";
pub const NOT_YET: &str = "message not readable yet";
pub const PAYMENT: &str = "payment report";

const SAID: &[(Said, &[&str])] = &[
    (Said::Text, &["text", "chat", "conversation", "extendedtext", "oversized"]),
    (Said::Media(MediaKind::Image), &["image"]),
    (Said::Media(MediaKind::Video), &["video", "gif", "ptv"]),
    (Said::Media(MediaKind::Audio), &["audio"]),
    (Said::Media(MediaKind::Voice), &["voice", "ptt"]),
    (Said::Media(MediaKind::Document), &["document", "file"]),
    (Said::Media(MediaKind::Sticker), &["sticker"]),
    (Said::Location, &["location", "livelocation"]),
    (Said::Contacts, &["contact", "contacts", "contactsarray", "vcard", "multivcard"]),
    (
        Said::Choice,
        &[
            "button",
            "buttonreply",
            "listreply",
            "quickreply",
            "interactivebuttonreply",
            "interactivelistreply",
            "buttonsresponse",
            "listresponse",
            "templatebuttonreply",
            "interactiveresponse",
        ],
    ),
    (Said::Form, &["nfmreply", "flowreply", "flowresponse", "interactiveflowreply"]),
    (Said::Order, &["order"]),
    (Said::Menu, &["interactive", "buttons", "list", "template", "hsm", "highlystructured", "nativeflow"]),
    (
        Said::Other,
        &[
            "event",
            "eventcreation",
            "groupinvite",
            "groupsv4invite",
            "interactiveinthreadauthenticationreply",
            "pollcreation",
            "pollcreationv2",
            "pollcreationv3",
            "pollcreationv4",
            "pollcreationv5",
            "product",
            "scheduledeventcreation",
            "stickerpack",
            // Something was said that only its own app can show.
            "ephemeral",
            "unknown",
            "unsupported",
            "viewonce",
            "viewoncev2",
            "viewoncev2extension",
        ],
    ),
];

const NOTHING: &[(&str, &[&str])] = &[
    ("reaction", &["reaction", "encreaction"]),
    ("edit", &["edit", "edited", "secretencrypted"]),
    ("revoke", &["revoke", "revoked", "deleted"]),
    (
        "call",
        &[
            "bcall",
            "call",
            "calllog",
            // So spelled in the protobuf.
            "calllogmesssage",
            "callpermissionreply",
            "interactivecallpermissionreply",
            "scheduledcallcreation",
            "scheduledcalledit",
        ],
    ),
    // Says how many pictures follow; each comes as a message of its own.
    ("album header", &["album"]),
    (
        "story",
        &[
            "groupstatus",
            "groupstatusmention",
            "groupstatusv2",
            "statusaddyours",
            "statusmention",
            "statusnotification",
            "statusquestionanswer",
            "statusquoted",
            "statusstickerinteraction",
        ],
    ),
    (
        PAYMENT,
        &[
            "cancelpaymentrequest",
            "declinepaymentrequest",
            "interactivepaymentconfirmation",
            "payment",
            "paymentconfirmation",
            "paymentinvite",
            "requestpayment",
            "sendpayment",
        ],
    ),
    (NOT_YET, &["ciphertext", "placeholder"]),
    // The chat was opened; nothing was said.
    ("chat opened", &["requestwelcome"]),
    // The provider took the file away; what is left is where it lay.
    ("infected file", &["infectedcontent"]),
    (
        "system notice",
        &[
            "broadcastnotification",
            "debug",
            "e2enotification",
            "enccomment",
            "enceventresponse",
            "eventresponse",
            "fastratchetkeysenderkeydistribution",
            "gp2",
            "groupnotification",
            "historybundle",
            "historynotice",
            "keepinchat",
            "limitsharing",
            "newsletteradmininvite",
            "newsletternotification",
            "notification",
            "notificationtemplate",
            "pin",
            "pininchat",
            "pinned",
            "pollresultsnapshot",
            "pollresultsnapshotv3",
            "pollupdate",
            "protocol",
            "requestphonenumber",
            "senderkeydistribution",
            "stickersyncrmr",
            "system",
        ],
    ),
];

/// Longer words are none of a provider's.
const LONGEST: usize = 64;

/// What a provider's word for a kind of message stands for.
pub fn kind(word: &str) -> Kind {
    if word.len() > LONGEST {
        return Kind::Unknown;
    }
    let word = plain(word);
    let is_in = |words: &&[&str]| words.contains(&word.as_str());
    if let Some((said, _)) = SAID.iter().find(|(_, words)| is_in(words)) {
        return Kind::Said(*said);
    }
    match NOTHING.iter().find(|(_, words)| is_in(words)) {
        Some((what, _)) => Kind::Nothing(what),
        None => Kind::Unknown,
    }
}

fn plain(word: &str) -> String {
    let letters = word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
    letters.collect::<String>().replace("message", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_in_every_spelling() {
        for (words, kind) in [
            (
                &["buttonsResponseMessage", "buttons_response", "ButtonsResponse"][..],
                Kind::Said(Said::Choice),
            ),
            (&["INTERACTIVE_LIST_REPLY", "list_reply", "listResponseMessage"], Kind::Said(Said::Choice)),
            (&["nfm_reply", "INTERACTIVE_FLOW_REPLY"], Kind::Said(Said::Form)),
            (&["order", "ORDER", "orderMessage"], Kind::Said(Said::Order)),
            (&["call", "call_log", "callLogMesssage", "bcallMessage"], Kind::Nothing("call")),
            (&["secretEncryptedMessage", "edit", "editedMessage"], Kind::Nothing("edit")),
            (&["statusMentionMessage", "groupStatusMentionMessage"], Kind::Nothing("story")),
            (&["INTERACTIVE_PAYMENT_CONFIRMATION", "payment"], Kind::Nothing(PAYMENT)),
            (&["pinned_message", "messageHistoryBundle"], Kind::Nothing("system notice")),
            (&["hologram", "", "message", "پیام"], Kind::Unknown),
        ] {
            for word in words {
                assert_eq!(super::kind(word), kind, "{word}");
            }
        }
        assert_eq!(kind(&"text".repeat(1_000_000)), Kind::Unknown);
    }

    #[test]
    fn each_word_is_written_as_it_is_compared_and_stands_once() {
        let said = SAID.iter().flat_map(|(_, words)| words.iter());
        let mut words: Vec<&str> =
            said.chain(NOTHING.iter().flat_map(|(_, words)| words.iter())).copied().collect();
        for word in &words {
            assert_eq!(plain(word), *word);
        }
        words.sort_unstable();
        let twice: Vec<&[&str]> = words.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
