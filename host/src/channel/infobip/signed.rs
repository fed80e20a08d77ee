//! The signature that an Infobip notification profile can add: HMAC of the raw body. Which header it
//! is in, and by which algorithm it is made, is what the operator entered there and here; the header
//! itself chooses nothing. Hex and Base64 are both read, with or without `sha256=` before it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::channel::Unverified;
use crate::channel::signature::Signature;
use crate::tenant::Secret;
use crate::tenant::settings::HmacAlgorithm;

/// The signature in the header's text.
pub fn read(algorithm: HmacAlgorithm, key: &Secret, text: &str) -> Result<Signature, Unverified> {
    let prefix = match algorithm {
        HmacAlgorithm::Sha256 => "sha256=",
        HmacAlgorithm::Sha512 => "sha512=",
    };
    Signature::new(algorithm, key, bytes(text.trim(), prefix).ok_or(Unverified::WrongSignature)?)
}

fn bytes(given: &str, prefix: &str) -> Option<Vec<u8>> {
    let given = match given.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &given[prefix.len()..],
        _ => given,
    };
    // Longer than any signature in any of the forms; a header may have many kilobytes.
    if given.len() > 160 {
        return None;
    }
    hex::decode(given)
        .ok()
        .or_else(|| STANDARD.decode(given).ok())
        .or_else(|| STANDARD_NO_PAD.decode(given).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(algorithm: HmacAlgorithm, key: &Secret, body: &[u8], given: &str) -> bool {
        read(algorithm, key, given).is_ok_and(|signature| signature.holds(body))
    }

    const BODY: &[u8] = br#"{"results":[]}"#;
    /// Of [`BODY`] under `secret`.
    const HEX: &str = "ab717fc160300a68632d8373db61e33bd2a0af542dd557783ff126ddefee40f3";
    const BASE64: &str = "q3F/wWAwCmhjLYNz22HjO9Kgr1Qt1Vd4P/Em3e/uQPM=";
    const BASE64_512: &str =
        "7o5HzcCfzHw1yuifVVXvGwfzBwso4hCPzj1wjQRjP+D8yCmtM9K2iS9fxBvjScERpO8IH/H4cH1NfANVn/WSkA==";

    #[test]
    fn hex_and_base64_hold() {
        use HmacAlgorithm::{Sha256, Sha512};
        let key = Secret::new("secret");
        for (algorithm, given) in [
            (Sha256, HEX),
            (Sha256, &HEX.to_uppercase()),
            (Sha256, &format!(" sha256={HEX} ")),
            (Sha256, &format!("SHA256={BASE64}")),
            (Sha256, BASE64),
            (Sha256, BASE64.trim_end_matches('=')),
            (Sha512, BASE64_512),
            (Sha512, &format!("sha512={BASE64_512}")),
        ] {
            assert!(holds(algorithm, &key, BODY, given), "{given}");
            assert!(!holds(algorithm, &Secret::new("secreT"), BODY, given), "another key: {given}");
            assert!(!holds(algorithm, &Secret::default(), BODY, given), "no key: {given}");
            assert!(!holds(algorithm, &key, &BODY[1..], given), "another body: {given}");
        }
        for (algorithm, given) in [
            (Sha512, HEX),
            (Sha256, BASE64_512),
            (Sha256, &HEX[..62]),
            (Sha256, ""),
            (Sha256, "sha256="),
            (Sha256, &format!("sha512={HEX}")),
            (Sha256, "none"),
            (Sha256, "é"),
        ] {
            assert!(!holds(algorithm, &key, BODY, given), "{given}");
        }
    }
}
