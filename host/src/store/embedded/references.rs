//! Our names for replies at their providers. A name holds the reply's place and a proof that we made
//! it, so that a receipt that brings it back finds its reply without a row that says where.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::codec::Place;

const PREFIX: &str = "sb";
const PLACE_BYTES: usize = 12;
const PROOF_BYTES: usize = 12;

/// 34 of `A-Za-z0-9-_`.
pub fn name(secret: &[u8; 32], place: &Place) -> String {
    let mut bytes = [0; PLACE_BYTES + PROOF_BYTES];
    bytes[..PLACE_BYTES].copy_from_slice(place);
    bytes[PLACE_BYTES..].copy_from_slice(&proof(secret, place));
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Undoes [`name`]; `None` for what we have not made.
pub fn place_of(secret: &[u8; 32], name: &str) -> Option<Place> {
    let bytes = URL_SAFE_NO_PAD.decode(name.strip_prefix(PREFIX)?).ok()?;
    let (place, given) = bytes.split_first_chunk::<PLACE_BYTES>()?;
    bool::from(proof(secret, place).as_slice().ct_eq(given)).then_some(*place)
}

fn proof(secret: &[u8; 32], place: &Place) -> [u8; PROOF_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(b"reference");
    mac.update(place);
    let digest: [u8; 32] = mac.finalize().into_bytes().into();
    let mut short = [0; PROOF_BYTES];
    short.copy_from_slice(&digest[..PROOF_BYTES]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TenantId;
    use crate::store::embedded::codec::place;

    #[test]
    fn a_name_leads_back_and_nobody_else_can_make_one() {
        let (secret, other) = ([7; 32], [8; 32]);
        for (seq, tenant) in [(1, 1), (u64::MAX, u32::MAX), (17, 2)] {
            let place = place(seq, TenantId::from_stored(tenant));
            let name = name(&secret, &place);
            assert_eq!(name.len(), 34);
            assert!(
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')),
                "{name}"
            );
            assert_eq!(place_of(&secret, &name), Some(place));
            assert_eq!(place_of(&other, &name), None, "another store's secret");
            for at in 2..name.len() {
                let mut wrong = name.clone().into_bytes();
                wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
                let wrong = String::from_utf8(wrong).expect("ASCII");
                assert_eq!(place_of(&secret, &wrong), None, "{at}: {wrong}");
            }
            for wrong in ["", "sb", "sb!", &name[..33], &name[2..], &format!("{name}A"), "true_1@c.us_3EB0"] {
                assert_eq!(place_of(&secret, wrong), None, "{wrong}");
            }
        }
    }
}
