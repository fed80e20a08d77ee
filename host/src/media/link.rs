//! Addresses under which a file is handed out to a provider for a while: the token in them says which
//! file and until when, and is signed. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::channel::media::{HANDLE_PREFIX, is_handle};
use crate::message::{TenantId, Timestamp};

/// Tenant, end, handle: what is signed.
const SIGNED: usize = 4 + 8 + 16;
const SIGNATURE: usize = 16;

/// The token for a file until `until`; `None` where the handle is none of ours.
pub fn token(key: &[u8; 32], tenant: TenantId, handle: &str, until: Timestamp) -> Option<String> {
    let digits = handle.strip_prefix(HANDLE_PREFIX).filter(|_| is_handle(handle))?;
    let mut bytes = Vec::with_capacity(SIGNED + SIGNATURE);
    bytes.extend_from_slice(&tenant.get().to_be_bytes());
    bytes.extend_from_slice(&until.as_ms().to_be_bytes());
    bytes.extend_from_slice(&hex::decode(digits).ok()?);
    let signature = sign(key, &bytes);
    bytes.extend_from_slice(&signature);
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// The file that a token names, if it is ours and its time is not over.
pub fn read(key: &[u8; 32], token: &str, now: Timestamp) -> Option<(TenantId, String)> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signed, signature) = bytes.split_at_checked(SIGNED).filter(|(_, rest)| rest.len() == SIGNATURE)?;
    if !bool::from(sign(key, signed).ct_eq(signature)) {
        return None;
    }
    let (tenant, rest) = signed.split_first_chunk::<4>()?;
    let (until, handle) = rest.split_first_chunk::<8>()?;
    if Timestamp::from_ms(i64::from_be_bytes(*until)) < now {
        return None;
    }
    let tenant = TenantId::new(u32::from_be_bytes(*tenant))?;
    Some((tenant, format!("{HANDLE_PREFIX}{}", hex::encode(handle))))
}

fn sign(key: &[u8; 32], bytes: &[u8]) -> [u8; SIGNATURE] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a MAC takes keys of any length");
    mac.update(bytes);
    let digest: [u8; 32] = mac.finalize().into_bytes().into();
    let mut short = [0; SIGNATURE];
    short.copy_from_slice(&digest[..SIGNATURE]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: &str = "file-0123456789abcdef0123456789abcdef";
    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_token_names_its_file_until_its_end() {
        let (tenant, end) = (TenantId::from_stored(2), Timestamp::from_ms(1_000));
        let made = token(&KEY, tenant, HANDLE, end).expect("a token");
        assert!(!made.contains("0123456789"), "the handle does not show");
        assert_eq!(read(&KEY, &made, Timestamp::from_ms(1_000)), Some((tenant, HANDLE.to_owned())));
        assert_eq!(read(&KEY, &made, Timestamp::from_ms(1_001)), None, "too late");
        assert_eq!(read(&[8; 32], &made, Timestamp::ZERO), None, "another gateway's");
        assert_eq!(token(&KEY, tenant, "https://example.com/a.jpg", end), None);
    }

    #[test]
    fn no_byte_of_it_can_be_changed() {
        let made = token(&KEY, TenantId::from_stored(2), HANDLE, Timestamp::from_ms(1_000)).expect("a token");
        let bytes = URL_SAFE_NO_PAD.decode(&made).expect("base64");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(read(&KEY, &URL_SAFE_NO_PAD.encode(changed), Timestamp::ZERO), None, "byte {at}");
        }
        for wrong in ["", "AAAA", &made[..made.len() - 2], &format!("{made}AA"), "../../etc/passwd"] {
            assert_eq!(read(&KEY, wrong, Timestamp::ZERO), None, "{wrong}");
        }
    }
}
