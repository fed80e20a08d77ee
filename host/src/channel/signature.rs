//! Proofs that a webhook comes from whom it says: signatures of the raw body and shared keys. All
//! comparisons take the same time whether they match or not. An empty key proves nothing, ever, and
//! the algorithm is the caller's choice, never a header's.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

/// Is `signature` the hex HMAC-SHA512 of `body` under `key`? Capitals are as good as small letters;
/// a prefix such as `sha512=` is not part of the form.
pub fn is_hmac_sha512(key: &[u8], body: &[u8], signature: &str) -> bool {
    let mut given = [0; 64];
    hex::decode_to_slice(signature.trim(), &mut given).is_ok() && is_mac::<Hmac<Sha512>>(key, body, &given)
}

/// The same with HMAC-SHA256.
pub fn is_hmac_sha256(key: &[u8], body: &[u8], signature: &str) -> bool {
    let mut given = [0; 32];
    hex::decode_to_slice(signature.trim(), &mut given).is_ok() && is_mac::<Hmac<Sha256>>(key, body, &given)
}

fn is_mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], body: &[u8], given: &[u8]) -> bool {
    if key.is_empty() {
        return false;
    }
    let Ok(mut mac) = <M as Mac>::new_from_slice(key) else { return false };
    mac.update(body);
    mac.verify_slice(given).is_ok()
}

/// Is `given` the shared key? Digests are compared, so that not even the length shows.
pub fn is_key(key: &[u8], given: &[u8]) -> bool {
    !key.is_empty() && bool::from(Sha256::digest(key).ct_eq(&Sha256::digest(given)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
