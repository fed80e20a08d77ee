//! Proofs that a webhook comes from whom it says: signatures of the raw body and shared keys. All
//! comparisons take the same time whether they match or not. An empty key proves nothing, ever, and
//! the algorithm is the caller's choice, never a header's.

use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::channel::Unverified;
use crate::tenant::Secret;
use crate::tenant::settings::HmacAlgorithm;

/// No key is longer. A longer one is a stranger's, who would have us hash it.
const KEY_BYTES: usize = 1024;

/// A signature that a webhook brought, and the key that it has to be made with. What is left to do is to
/// hash the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    algorithm: HmacAlgorithm,
    key: Secret,
    given: Vec<u8>,
}

impl Signature {
    /// Refused if it has not the algorithm's length.
    pub fn new(algorithm: HmacAlgorithm, key: &Secret, given: Vec<u8>) -> Result<Self, Unverified> {
        match given.len() == length(algorithm) {
            true => Ok(Signature { algorithm, key: key.clone(), given }),
            false => Err(Unverified::WrongSignature),
        }
    }

    /// Written in hex. Capitals are as good as small letters; a prefix such as `sha512=` is not part of
    /// the form.
    pub fn hex(algorithm: HmacAlgorithm, key: &Secret, text: &str) -> Result<Self, Unverified> {
        let mut given = vec![0; length(algorithm)];
        hex::decode_to_slice(text.trim(), &mut given).map_err(|_| Unverified::WrongSignature)?;
        Signature::new(algorithm, key, given)
    }

    /// Is it the body's?
    pub fn holds(&self, body: &[u8]) -> bool {
        let key = self.key.expose().as_bytes();
        match self.algorithm {
            HmacAlgorithm::Sha256 => is_mac::<Hmac<Sha256>>(key, body, &self.given),
            HmacAlgorithm::Sha512 => is_mac::<Hmac<Sha512>>(key, body, &self.given),
        }
    }
}

fn length(algorithm: HmacAlgorithm) -> usize {
    match algorithm {
        HmacAlgorithm::Sha256 => 32,
        HmacAlgorithm::Sha512 => 64,
    }
}

fn is_mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], body: &[u8], given: &[u8]) -> bool {
    if key.is_empty() {
        return false;
    }
    let Ok(mut mac) = <M as Mac>::new_from_slice(key) else { return false };
    mac.update(body);
    mac.verify_slice(given).is_ok()
}

/// Is `given` the shared key? How far it is right does not show in the time that this takes; whether it is
/// as long does. It is asked for every sender there is, by strangers: nothing is hashed for it.
pub fn is_key(key: &[u8], given: &[u8]) -> bool {
    !key.is_empty() && given.len() <= KEY_BYTES && bool::from(key.ct_eq(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_hmac_sha512(key: &[u8], body: &[u8], signature: &str) -> bool {
        holds(HmacAlgorithm::Sha512, key, body, signature)
    }

    fn is_hmac_sha256(key: &[u8], body: &[u8], signature: &str) -> bool {
        holds(HmacAlgorithm::Sha256, key, body, signature)
    }

    fn holds(algorithm: HmacAlgorithm, key: &[u8], body: &[u8], signature: &str) -> bool {
        let key = Secret::new(std::str::from_utf8(key).expect("text"));
        Signature::hex(algorithm, &key, signature).is_ok_and(|signature| signature.holds(body))
    }

    const BODY: &str = r#"{"event":"message","session":"default","engine":"WEBJS"}"#;
    /// Published in WAHA's documentation for [`BODY`] and the key `my-secret-key`.
    const PUBLISHED: &str = "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89";

    #[test]
    fn the_published_vector_passes() {
        assert!(is_hmac_sha512(b"my-secret-key", BODY.as_bytes(), PUBLISHED));
        assert!(is_hmac_sha512(b"my-secret-key", BODY.as_bytes(), &PUBLISHED.to_uppercase()));
        assert!(is_hmac_sha512(b"my-secret-key", BODY.as_bytes(), &format!(" {PUBLISHED} ")));
    }

    #[test]
    fn nothing_else_does() {
        let body = BODY.as_bytes();
        let short = &PUBLISHED[..126];
        for (case, key, body, signature) in [
            ("another key", b"my-secret-kez".as_slice(), body, PUBLISHED),
            ("another body", b"my-secret-key", &body[1..], PUBLISHED),
            ("no signature", b"my-secret-key", body, ""),
            ("half a signature", b"my-secret-key", body, short),
            ("no hex", b"my-secret-key", body, &PUBLISHED.replace('2', "g")),
            ("a prefix", b"my-secret-key", body, &format!("sha512={PUBLISHED}")),
        ] {
            assert!(!is_hmac_sha512(key, body, signature), "{case}");
        }
        let mut mac = Hmac::<Sha512>::new_from_slice(b"").expect("any length");
        mac.update(body);
        let under_no_key = hex::encode(mac.finalize().into_bytes());
        assert!(!is_hmac_sha512(b"", body, &under_no_key), "an empty key proves nothing");
    }

    /// RFC 4231, test case 2.
    #[test]
    fn the_shorter_hash() {
        let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let body = b"what do ya want for nothing?";
        assert!(is_hmac_sha256(b"Jefe", body, signature));
        assert!(is_hmac_sha256(b"Jefe", body, &signature.to_uppercase()));
        for (case, key, body, signature) in [
            ("another key", b"jefe".as_slice(), body.as_slice(), signature),
            ("another body", b"Jefe", &body[1..], signature),
            ("no key", b"", body, signature),
            ("no signature", b"Jefe", body, ""),
            ("half a signature", b"Jefe", body, &signature[..32]),
            ("more than a signature", b"Jefe", body, &format!("{signature}00")),
            ("a prefix", b"Jefe", body, &format!("sha256={signature}")),
        ] {
            assert!(!is_hmac_sha256(key, body, signature), "{case}");
        }
    }

    #[test]
    fn shared_keys() {
        assert!(is_key(b"secret", b"secret"));
        for (key, given) in [("secret", "secreT"), ("secret", "secret "), ("secret", ""), ("", ""), ("", "x")]
        {
            assert!(!is_key(key.as_bytes(), given.as_bytes()), "{key:?} {given:?}");
        }
        let long = "k".repeat(KEY_BYTES + 1);
        assert!(!is_key(long.as_bytes(), long.as_bytes()), "nobody has such a key, so it is not hashed");
    }
}
