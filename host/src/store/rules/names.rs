//! What messages are found by: their providers' names for them, in sixteen bytes.

use sha2::{Digest as _, Sha256};

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

/// Names a message that came in by the provider's id, whichever name of its chat the id was written with:
/// of what was said to us alone the chat is left out, of what was said in a group the author.
pub fn heard(provider: Provider, account: &str, id: &str) -> Hash {
    let bare = bare_id(provider, id);
    match group_of(id).filter(|_| provider == Provider::Waha) {
        Some(group) => message(provider, account, &format!("{group}_{bare}")),
        None => message(provider, account, bare),
    }
}

fn group_of(id: &str) -> Option<&str> {
    let rest = id.strip_prefix("true_").or_else(|| id.strip_prefix("false_"))?;
    let (chat, _) = rest.split_at(rest.find("@g.us_")? + "@g.us".len());
    Some(chat)
}

/// Names a message of ours by the provider's id, as receipts will: what differs between the forms of
/// one id is left out of it.
pub fn sent(provider: Provider, account: &str, id: &str) -> Hash {
    match provider {
        Provider::Waha => message(provider, account, bare_id(provider, id)),
        // Its reports do not say whose they are.
        Provider::Infobip => message(provider, "", id),
        Provider::Gupshup | Provider::Meta | Provider::Simulator => message(provider, account, id),
    }
}

/// A message's id without what its provider says of its chat.
pub fn bare_id(provider: Provider, id: &str) -> &str {
    if provider == Provider::Waha { without_chat(id) } else { id }
}

/// WAHA names one message after the chat it is in, and the chat by phone number or by hidden id:
/// `true_971501234567@c.us_3EB0` and `true_245800000000182@lid_3EB0` are both `3EB0`. In groups the
/// author follows. The id itself may hold underscores.
fn without_chat(id: &str) -> &str {
    let Some(rest) = id.strip_prefix("true_").or_else(|| id.strip_prefix("false_")) else { return id };
    let after_chat = rest.find('@').and_then(|at| rest[at..].find('_').map(|end| &rest[at + end + 1..]));
    let bare = match (after_chat, rest.contains('@')) {
        (Some(bare), _) => bare,
        (None, false) => rest,
        (None, true) => return id,
    };
    match bare.rsplit_once('_') {
        Some((bare, author)) if author.contains('@') => bare,
        _ => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_came_in_has_one_name() {
        let name = |id| heard(Provider::Waha, "default", id);
        for (case, one, other, same) in [
            ("hidden id and phone", "false_999@lid_X", "false_5521@c.us_X", true),
            ("bare and serialized", "X", "false_5521@c.us_X", true),
            ("another message", "false_5521@c.us_X", "false_5521@c.us_Y", false),
            ("one author of a group", "false_1@g.us_X_999@lid", "false_1@g.us_X_5521@c.us", true),
            ("two groups", "false_1@g.us_X_5521@c.us", "false_2@g.us_X_5521@c.us", false),
            ("a group and a person", "false_1@g.us_X_5521@c.us", "false_5521@c.us_X", false),
        ] {
            assert_eq!(name(one) == name(other), same, "{case}");
        }
        let meta = |id| heard(Provider::Meta, "1", id);
        assert_ne!(meta("false_1@c.us_X"), meta("false_2@c.us_X"), "these are WAHA's names alone");
    }

    #[test]
    fn one_waha_message_has_one_name() {
        for (id, bare) in [
            ("true_971501234567@c.us_3EB0", "3EB0"),
            ("true_245800000000182@lid_3EB0", "3EB0"),
            ("true_971501234567@s.whatsapp.net_3EB0_A", "3EB0_A"),
            ("false_120363000000000002@g.us_3EB0_5511900000002@c.us", "3EB0"),
            ("true_1_2@lid_A_B", "A_B"),
            ("true_3EB0AAAA", "3EB0AAAA"),
            ("3EB0AAAA", "3EB0AAAA"),
            ("true_971501234567@c.us", "true_971501234567@c.us"),
            ("", ""),
        ] {
            assert_eq!(without_chat(id), bare, "{id}");
        }
        let name = |provider, account, id| sent(provider, account, id);
        assert_ne!(name(Provider::Waha, "a", "3EB0"), name(Provider::Waha, "b", "3EB0"));
        assert_eq!(name(Provider::Infobip, "97150", "x"), name(Provider::Infobip, "", "x"));
        assert_ne!(name(Provider::Meta, "1", "true_1@c.us_x"), name(Provider::Meta, "1", "x"));
    }
}
