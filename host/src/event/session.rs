//! How a WAHA session stands: the words that are known here as an enum, and what WAHA may say besides.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::glyph;

/// Of a word that is not known here, this much.
const WORD_BYTES: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    Working,
    Failed,
    Stopped,
    Starting,
    ScanQrCode,
    PasskeyRequired,
    PasskeyConfirmationRequired,
    /// WAHA's own word, not yet known to us; as a line that can be shown.
    Other(String),
}

/// Those with a word of their own.
const KNOWN: [Status; 7] = [
    Status::Working,
    Status::Failed,
    Status::Stopped,
    Status::Starting,
    Status::ScanQrCode,
    Status::PasskeyRequired,
    Status::PasskeyConfirmationRequired,
];

impl Status {
    pub fn read(word: &str) -> Self {
        let known = KNOWN.into_iter().find(|known| known.word() == word);
        known.unwrap_or_else(|| Status::Other(glyph::shown(word, WORD_BYTES)))
    }

    /// WAHA's word.
    pub fn word(&self) -> &str {
        match self {
            Status::Working => "WORKING",
            Status::Failed => "FAILED",
            Status::Stopped => "STOPPED",
            Status::Starting => "STARTING",
            Status::ScanQrCode => "SCAN_QR_CODE",
            Status::PasskeyRequired => "PASSKEY_REQUIRED",
            Status::PasskeyConfirmationRequired => "PASSKEY_CONFIRMATION_REQUIRED",
            Status::Other(word) => word,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        Status::read(&word)
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        match status {
            Status::Other(word) => word,
            known => known.word().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_itself_again() {
        for status in KNOWN {
            assert_eq!(Status::read(status.word()), status);
        }
        assert_eq!(Status::read("NEW_WORD"), Status::Other("NEW_WORD".into()));
        let kept = serde_json::to_string(&Status::ScanQrCode).expect("it is a word");
        assert_eq!(kept, "\"SCAN_QR_CODE\"");
        assert_eq!(serde_json::from_str::<Status>(&kept).expect("it reads"), Status::ScanQrCode);
        assert_eq!(Status::read("a\nb").to_string().lines().count(), 1, "what is not known is one line");
    }
}
