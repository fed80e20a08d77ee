//! The proofs that several providers share: the secret end of the webhook's address, and a key in a
//! header. Which of a sender's keys are asked for is the adapter's business; all that are set must
//! hold.

use crate::channel::{Head, Unverified, signature};
use crate::tenant::Sender;

/// If the sender's webhooks have an address of their own, this is the one.
pub fn path(sender: &Sender, head: &Head<'_>) -> Result<(), Unverified> {
    let expected = sender.webhook_path.expose().as_bytes();
    if expected.is_empty() {
        return Ok(());
    }
    match head.path_key {
        Some(given) if signature::is_key(expected, given.as_bytes()) => Ok(()),
        _ => Err(Unverified::WrongPath),
    }
}

/// If the sender has a webhook key, the header carries it.
pub fn key(sender: &Sender, head: &Head<'_>, header: &str) -> Result<(), Unverified> {
    if sender.webhook_key.is_empty() {
        return Ok(());
    }
    let given = head.headers.get(header).ok_or(Unverified::MissingKey)?;
    match signature::is_key(sender.webhook_key.expose().as_bytes(), given.as_bytes()) {
        true => Ok(()),
        false => Err(Unverified::WrongKey),
    }
}

/// The text of a header that a signature is in.
pub fn signature_text<'a>(head: &Head<'a>, header: &str) -> Result<&'a str, Unverified> {
    let given = head.headers.get(header).ok_or(Unverified::MissingSignature)?;
    given.to_str().map_err(|_| Unverified::WrongSignature)
}
