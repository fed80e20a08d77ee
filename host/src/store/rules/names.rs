//! What messages are found by: their providers' names for them, in sixteen bytes.

use sha2::{Digest as _, Sha256};

use crate::channel;
use crate::message::Provider;
use crate::store::rows::Hash;

/// Names a provider's message in sixteen bytes, whatever the length of its id. Contacts choose their
/// own message ids, so the hash is one that nobody can aim.
pub fn message(provider: Provider, account: &str, id: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update(provider.name());
    hash.update([0]);
    hash.update(account);
    hash.update([0]);
    hash.update(id);
    let digest: [u8; 32] = hash.finalize().into();
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

/// Names a message that came in by the provider's id, however the provider wrote it.
pub fn heard(provider: Provider, account: &str, id: &str) -> Hash {
    message(provider, account, &channel::adapter(provider).heard_id(id))
}

/// Names a message of ours by the provider's id, as receipts will: what differs between the forms of
/// one id is left out of it.
pub fn sent(provider: Provider, account: &str, id: &str) -> Hash {
    let account = if provider.facts().reports_name_account { account } else { "" };
    message(provider, account, channel::adapter(provider).bare_id(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How ids are written is the providers'; that their writings make one name is ours.
    #[test]
    fn one_message_has_one_name() {
        let heard = |provider, id| heard(provider, "default", id);
        assert_eq!(heard(Provider::Waha, "false_999@lid_X"), heard(Provider::Waha, "X"));
        assert_ne!(heard(Provider::Meta, "false_1@c.us_X"), heard(Provider::Meta, "false_2@c.us_X"));
        assert_eq!(sent(Provider::Waha, "a", "true_1@c.us_3EB0"), sent(Provider::Waha, "a", "3EB0"));
        assert_ne!(sent(Provider::Waha, "a", "3EB0"), sent(Provider::Waha, "b", "3EB0"));
        assert_eq!(sent(Provider::Infobip, "97150", "x"), sent(Provider::Infobip, "", "x"));
        assert_ne!(sent(Provider::Meta, "1", "true_1@c.us_x"), sent(Provider::Meta, "1", "x"));
    }
}
