//! Addresses under which a file is handed out to a provider for a while. Pure.

use crate::channel::media::{HANDLE_PREFIX, is_handle};
use crate::message::{TenantId, Timestamp};
use crate::signed_address::{self, Opens};

const HANDLE: usize = 16;

/// The token for a file until `until`; `None` where the handle is none of ours.
pub fn token(key: &[u8; 32], tenant: TenantId, handle: &str, until: Timestamp) -> Option<String> {
    let digits = handle.strip_prefix(HANDLE_PREFIX).filter(|_| is_handle(handle))?;
    let mut bytes = tenant.get().to_be_bytes().to_vec();
    bytes.extend_from_slice(&hex::decode(digits).ok()?);
    Some(signed_address::token(key, Opens::File, &bytes, until))
}

/// The file that a token names, if it is ours and its time is not over.
pub fn read(key: &[u8; 32], token: &str, now: Timestamp) -> Option<(TenantId, String)> {
    let bytes = signed_address::read(key, Opens::File, token, now)?;
    let (tenant, handle) = bytes.split_first_chunk::<4>().filter(|(_, handle)| handle.len() == HANDLE)?;
    let tenant = TenantId::new(u32::from_be_bytes(*tenant))?;
    Some((tenant, format!("{HANDLE_PREFIX}{}", hex::encode(handle))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: &str = "file-0123456789abcdef0123456789abcdef";
    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_token_names_its_file() {
        let (tenant, end) = (TenantId::from_stored(2), Timestamp::from_ms(1_000));
        let made = token(&KEY, tenant, HANDLE, end).expect("a token");
        assert!(!made.contains("0123456789"), "the handle does not show");
        assert_eq!(read(&KEY, &made, end), Some((tenant, HANDLE.to_owned())));
        assert_eq!(token(&KEY, tenant, "https://example.com/a.jpg", end), None);
    }
}
