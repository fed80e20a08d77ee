//! How replies and turns are named, in answers and on the command line.

use serde::{Deserialize, Serialize};

use crate::message::{ContactKey, ConversationKey, TenantId};

/// Names a reply: its place in its conversation. Text form `2-971501234567-17`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SendId {
    pub key: ConversationKey,
    /// Also the place of the line in the conversation's history.
    pub seq: u64,
}

impl SendId {
    /// `2-971501234567-17`. Not for the log: it holds the contact.
    pub fn text(&self) -> String {
        format!("{}-{}-{}", self.key.tenant, self.key.contact, self.seq)
    }

    /// Undoes [`SendId::text`]. A contact's key may hold anything, so the ends decide.
    pub fn parse(text: &str) -> Option<Self> {
        let (tenant, rest) = text.split_once('-')?;
        let (contact, seq) = rest.rsplit_once('-')?;
        let tenant = TenantId::from_stored(tenant.parse().ok()?);
        let key = ConversationKey { tenant, contact: ContactKey::from_stored(contact) };
        Some(SendId { key, seq: seq.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_both_ends() {
        for contact in ["971501234567", "245800000000182@lid", "a-b-c", "", "-"] {
            let key = ConversationKey {
                tenant: TenantId::from_stored(2),
                contact: ContactKey::from_stored(contact),
            };
            let id = SendId { key, seq: 17 };
            assert_eq!(SendId::parse(&id.text()), Some(id), "{contact:?}");
        }
        for wrong in ["", "2", "2-17", "x-971-17", "2-971-", "2-971-x", "-1-971-17", "99999999999-971-17"] {
            assert_eq!(SendId::parse(wrong), None, "{wrong:?}");
        }
    }
}
