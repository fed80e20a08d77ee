//! Addresses that open something for a while to whoever has them: what, and until when, stands in the token,
//! and is signed. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::message::Timestamp;

const UNTIL: usize = 8;
const SIGNATURE: usize = 16;

/// What an address opens. One of one kind opens nothing of another: each has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    File,
    QrCode,
}

impl Opens {
    const fn label(self) -> &'static [u8] {
        match self {
            Opens::File => b"switchboard file address",
            Opens::QrCode => b"switchboard qr code address",
        }
    }
}

/// The token for `what` until `until`.
pub fn token(key: &[u8; 32], opens: Opens, what: &[u8], until: Timestamp) -> String {
    let mut bytes = Vec::with_capacity(UNTIL + what.len() + SIGNATURE);
    bytes.extend_from_slice(&until.as_ms().to_be_bytes());
    bytes.extend_from_slice(what);
    let signature = sign(key, opens, &bytes);
    bytes.extend_from_slice(&signature);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a token stands for, if it is ours and its time is not over.
pub fn read(key: &[u8; 32], opens: Opens, token: &str, now: Timestamp) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signed, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE)?)?;
    if !bool::from(sign(key, opens, signed).ct_eq(signature)) {
        return None;
    }
    let (until, what) = signed.split_first_chunk::<UNTIL>()?;
    (Timestamp::from_ms(i64::from_be_bytes(*until)) >= now).then(|| what.to_vec())
}

fn sign(key: &[u8; 32], opens: Opens, bytes: &[u8]) -> [u8; SIGNATURE] {
    let mac = |key: &[u8], bytes: &[u8]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a MAC takes keys of any length");
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    };
    let digest = mac(&mac(key, opens.label()), bytes);
    let mut short = [0; SIGNATURE];
    short.copy_from_slice(&digest[..SIGNATURE]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const END: Timestamp = Timestamp::from_ms(1_000);

    #[test]
    fn a_token_stands_for_one_thing_until_its_end() {
        let made = token(&KEY, Opens::File, b"that", END);
        assert_eq!(read(&KEY, Opens::File, &made, END).as_deref(), Some(&b"that"[..]));
        assert_eq!(read(&KEY, Opens::File, &made, Timestamp::from_ms(1_001)), None, "too late");
        assert_eq!(read(&[8; 32], Opens::File, &made, Timestamp::ZERO), None, "another gateway's");
        assert_eq!(read(&KEY, Opens::QrCode, &made, Timestamp::ZERO), None, "another kind");
    }

    #[test]
    fn no_byte_of_it_can_be_changed() {
        let made = token(&KEY, Opens::QrCode, b"that", END);
        let bytes = URL_SAFE_NO_PAD.decode(&made).expect("base64");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(read(&KEY, Opens::QrCode, &changed, Timestamp::ZERO), None, "byte {at}");
        }
        for wrong in ["", "AAAA", &made[..made.len() - 2], &format!("{made}AA"), "../../etc/passwd"] {
            assert_eq!(read(&KEY, Opens::QrCode, wrong, Timestamp::ZERO), None, "{wrong}");
        }
    }
}
