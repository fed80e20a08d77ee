//! The address under which a page shows a number's QR code without a key: whoever sees the page may scan it,
//! and nobody else's. Pure.

use super::Whose;
use crate::message::{SenderName, TenantId, Timestamp};
use crate::signed_address::{self, Opens};

const TENANT: u8 = b't';
const SENDER: u8 = b's';

/// The token for this number's code until `until`.
pub fn token(key: &[u8; 32], whose: &Whose, until: Timestamp) -> String {
    let mut bytes = Vec::new();
    match whose {
        Whose::Tenant(tenant) => {
            bytes.push(TENANT);
            bytes.extend_from_slice(&tenant.get().to_be_bytes());
        }
        Whose::Sender(name) => {
            bytes.push(SENDER);
            bytes.extend_from_slice(name.as_str().as_bytes());
        }
    }
    signed_address::token(key, Opens::QrCode, &bytes, until)
}

/// Whose code a token shows, if it is ours and its time is not over.
pub fn read(key: &[u8; 32], token: &str, now: Timestamp) -> Option<Whose> {
    let bytes = signed_address::read(key, Opens::QrCode, token, now)?;
    let (kind, id) = bytes.split_first()?;
    match *kind {
        TENANT => Some(Whose::Tenant(TenantId::new(u32::from_be_bytes(id.try_into().ok()?))?)),
        SENDER => Some(Whose::Sender(SenderName::new(std::str::from_utf8(id).ok()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_numbers() {
        let (key, end) = ([7; 32], Timestamp::from_ms(1_000));
        let tenant = |id| Whose::Tenant(TenantId::from_stored(id));
        for whose in [tenant(1), tenant(2), tenant(u32::MAX), Whose::Sender(SenderName::new("main"))] {
            let made = token(&key, &whose, end);
            assert_eq!(read(&key, &made, end), Some(whose));
            assert_eq!(read(&key, &made, Timestamp::from_ms(1_001)), None);
        }
        assert_ne!(token(&key, &tenant(1), end), token(&key, &tenant(2), end));
    }
}
