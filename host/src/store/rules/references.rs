//! Our names for replies at their providers. A name holds the reply's place and a proof that we made
//! it, so that a receipt that brings it back finds its reply without a row that says where.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::message::TenantId;
use crate::store::rows::place::Place;

const PREFIX: &str = "sb";
const PLACE_BYTES: usize = 12;
const PROOF_BYTES: usize = 12;

/// Length of a name without what tells its attempt.
const NAME: usize = 34;

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    pub place: Place,
    /// From 1.
    pub attempt: u32,
    /// Of a template, which may go out in place of what was refused in the same attempt.
    pub is_template: bool,
}

/// 34 of `A-Za-z0-9-_`; from the second attempt on its number follows. A provider that knows repeats by
/// their names takes what it refused for one too, so that each attempt has a name of its own.
pub fn name(secret: &[u8; 32], place: Place, attempt: u32) -> String {
    let mut bytes = [0; PLACE_BYTES + PROOF_BYTES];
    let place = written(place);
    bytes[..PLACE_BYTES].copy_from_slice(&place);
    bytes[PLACE_BYTES..].copy_from_slice(&proof(secret, &place));
    let name = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    if attempt > 1 { format!("{name}-{attempt}") } else { name }
}

/// Undoes [`name`], with the mark of a template or without; `None` for what we have not made.
pub fn read(secret: &[u8; 32], name: &str) -> Option<Named> {
    let (name, rest) = name.split_at_checked(NAME)?;
    let (rest, is_template) = match rest.strip_suffix("-t") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let attempt = match rest.strip_prefix('-') {
        None if rest.is_empty() => 1,
        None => return None,
        Some(number) => number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))?,
    };
    let bytes = URL_SAFE_NO_PAD.decode(name.strip_prefix(PREFIX)?).ok()?;
    let (place, given) = bytes.split_first_chunk::<PLACE_BYTES>()?;
    let is_ours = bool::from(proof(secret, place).as_slice().ct_eq(given));
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *place;
    let tenant = TenantId::from_stored(u32::from_be_bytes([i, j, k, l]));
    let place = Place { seq: u64::from_be_bytes([a, b, c, d, e, f, g, h]), tenant };
    is_ours.then_some(Named { place, attempt, is_template })
}

fn written(place: Place) -> [u8; PLACE_BYTES] {
    let mut bytes = [0; PLACE_BYTES];
    bytes[..8].copy_from_slice(&place.seq.to_be_bytes());
    bytes[8..].copy_from_slice(&place.tenant.get().to_be_bytes());
    bytes
}

fn proof(secret: &[u8; 32], place: &[u8; PLACE_BYTES]) -> [u8; PROOF_BYTES] {
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

    #[test]
    fn a_name_leads_back_and_nobody_else_can_make_one() {
        let (secret, other) = ([7; 32], [8; 32]);
        for (seq, tenant) in [(1, 1), (u64::MAX, u32::MAX), (17, 2)] {
            let place = Place::new(seq, TenantId::from_stored(tenant));
            let name = name(&secret, place, 1);
            assert_eq!(name.len(), 34);
            assert!(
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')),
                "{name}"
            );
            assert_eq!(read(&secret, &name), Some(Named { place, attempt: 1, is_template: false }));
            assert_eq!(read(&other, &name), None, "another store's secret");
            for at in 2..name.len() {
                let mut wrong = name.clone().into_bytes();
                wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
                let wrong = String::from_utf8(wrong).expect("ASCII");
                assert_eq!(read(&secret, &wrong), None, "{at}: {wrong}");
            }
            for wrong in ["", "sb", "sb!", &name[..33], &name[2..], &format!("{name}A"), "true_1@c.us_3EB0"] {
                assert_eq!(read(&secret, wrong), None, "{wrong}");
            }
        }
    }

    #[test]
    fn a_name_tells_its_attempt() {
        let (secret, place) = ([7; 32], Place::new(17, TenantId::from_stored(2)));
        let plain = name(&secret, place, 1);
        assert_eq!(name(&secret, place, 0), plain, "nothing has begun");
        for attempt in [1, 2, 13, u32::MAX] {
            let of_it = name(&secret, place, attempt);
            let marked = format!("{of_it}-t");
            assert!(marked.len() <= 50, "Infobip takes no more: {marked}");
            for (name, is_template) in [(&of_it, false), (&marked, true)] {
                assert_eq!(read(&secret, name), Some(Named { place, attempt, is_template }), "{name}");
            }
        }
        for wrong in ["-", "-x", "-+2", "2", "-2-", "-2-tt", "-t-2", "-4294967296", "é"] {
            assert_eq!(read(&secret, &format!("{plain}{wrong}")), None, "{wrong}");
        }
    }
}
