//! Writes down what a brain asked the gateway and what it was told, so that the turn can be looked
//! at and run again later. Bounded: a brain that reads much must not fill the store.

use sha2::{Digest, Sha256};

use crate::conversation::HostCall;

/// A longer argument or answer is replaced by its length and digest.
const EACH_BYTES: usize = 32 << 10;

/// After this much in one turn only lengths and digests are kept.
const TURN_BYTES: usize = 128 << 10;

/// The host calls of one turn.
#[derive(Debug, Default)]
pub struct Recorder {
    calls: Vec<HostCall>,
    bytes: usize,
}

impl Recorder {
    /// `arguments` and `answer` are JSON. Returns how many bytes more are kept now.
    pub fn record(&mut self, function: &str, arguments: String, answer: String) -> usize {
        let arguments = self.bounded(arguments);
        let answer = self.bounded(answer);
        let kept = size_of::<HostCall>() + function.len() + arguments.len() + answer.len();
        self.calls.push(HostCall { function: function.to_owned(), arguments, answer });
        kept
    }

    pub fn into_calls(self) -> Vec<HostCall> {
        self.calls
    }

    pub fn take(&mut self) -> Vec<HostCall> {
        std::mem::take(self).into_calls()
    }

    fn bounded(&mut self, json: String) -> String {
        let kept = if json.len() > EACH_BYTES || self.bytes + json.len() > TURN_BYTES {
            let digest = hex::encode(Sha256::digest(json.as_bytes()));
            format!(r#"{{"omitted":{{"bytes":{},"sha256":"{digest}"}}}}"#, json.len())
        } else {
            json
        };
        self.bytes += kept.len();
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_named_by_length_and_digest() {
        let mut recorder = Recorder::default();
        recorder.record("records.find", "{}".into(), format!("\"{}\"", "x".repeat(EACH_BYTES)));
        for _ in 0..6 {
            recorder.record("records.find", "{}".into(), format!("\"{}\"", "x".repeat(EACH_BYTES - 2)));
        }
        let calls = recorder.into_calls();
        assert!(
            calls[0].answer.starts_with(r#"{"omitted":{"bytes":32770,"sha256":""#),
            "{}",
            calls[0].answer
        );
        assert_eq!(calls[1].answer.len(), EACH_BYTES);
        assert!(calls[6].answer.starts_with(r#"{"omitted":"#), "the turn's sum is bounded too");
        assert_eq!(calls[6].arguments, "{}");
    }
}
