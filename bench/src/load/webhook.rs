//! WAHA's webhook for a text message, in the shape its GOWS engine sends, prebuilt: only the parts
//! that differ from message to message are written anew. All of them have a fixed width.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac as _};
use sha2::Sha512;

use super::{Target, wire};

/// The number of the contact 0; twelve digits.
const NUMBERS_FROM: u64 = 971_500_000_000;

const CONTACT: &str = "CCCCCCCCCCCC";
const MESSAGE: &str = "MMMMMMMMMMMMMMMMMMMM";
const TOKEN: &str = "TTTTTTTTTTTTTTTT";
const SECONDS: &str = "SSSSSSSSSS";

/// Marks the token in a message's text, so that it is found in the reply.
pub const TOKEN_MARK: &[u8] = b"no. ";

/// What a contact writes, with the token that makes its reply known.
pub const HELLO: &str = "Hello from GOWS, no. TTTTTTTTTTTTTTTT";

/// Stands where the text goes.
const TEXT: &str = "%TXT";

const BODY: &str = concat!(
    r#"{"id":"evt_MMMMMMMMMMMMMMMMMMMM","timestamp":SSSSSSSSSS000,"event":"message","session":"default","metadata":{},"#,
    r#""me":{"id":"5511900000001@c.us","pushName":"Test Shop","lid":"144444444444444@lid","jid":"5511900000001:42@s.whatsapp.net"},"#,
    r#""payload":{"id":"false_CCCCCCCCCCCC@c.us_MMMMMMMMMMMMMMMMMMMM","timestamp":SSSSSSSSSS,"from":"CCCCCCCCCCCC@c.us","#,
    r#""fromMe":false,"source":"app","body":"%TXT","to":null,"participant":null,"#,
    r#""hasMedia":false,"media":null,"ack":2,"location":null,"vCards":null,"ackName":"DEVICE","replyTo":null,"#,
    r#""_data":{"Info":{"Chat":"CCCCCCCCCCCC@s.whatsapp.net","Sender":"CCCCCCCCCCCC:3@s.whatsapp.net","#,
    r#""IsFromMe":false,"IsGroup":false,"AddressingMode":"pn","SenderAlt":"","RecipientAlt":"","#,
    r#""ID":"MMMMMMMMMMMMMMMMMMMM","Type":"text","PushName":"Maria","Timestamp":"2025-03-06T08:28:21Z"},"#,
    r#""Message":{"conversation":"%TXT"}}},"#,
    r#""engine":"GOWS","environment":{"version":"2026.7.1","engine":"GOWS","tier":"CORE","browser":null,"#,
    r#""platform":"linux/x64","worker":{"id":null}}}"#,
);

/// One request that is sent again and again, never twice the same.
pub struct Webhook {
    request: Vec<u8>,
    body_at: usize,
    contacts_at: Vec<usize>,
    messages_at: Vec<usize>,
    tokens_at: Vec<usize>,
    seconds_at: Vec<usize>,
    signature: Option<Signature>,
}

struct Signature {
    key: Hmac<Sha512>,
    at: usize,
}

impl Webhook {
    /// `text` goes into a JSON string as it is.
    pub fn new(target: Target, hmac_key: Option<&str>, text: &str) -> Self {
        let body = BODY.replace(TEXT, text);
        let mut head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            target.path,
            target.address,
            body.len()
        );
        let signature = hmac_key.map(|key| {
            head.push_str("X-Webhook-Hmac-Algorithm: sha512\r\nX-Webhook-Hmac: ");
            let at = head.len();
            head.push_str(&"0".repeat(128));
            head.push_str("\r\n");
            let key = Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
            Signature { key, at }
        });
        head.push_str("\r\n");
        let body_at = head.len();
        let request = (head + &body).into_bytes();
        let places = |mark: &str| places(&request, mark.as_bytes());
        Webhook {
            body_at,
            contacts_at: places(CONTACT),
            messages_at: places(MESSAGE),
            tokens_at: places(TOKEN),
            seconds_at: places(SECONDS),
            signature,
            request,
        }
    }

    /// The next message: from whom, and the token that its reply is known by.
    pub fn prepare(&mut self, contact: u64, token: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        put(&mut self.request, &self.contacts_at, number(contact).as_bytes());
        put(&mut self.request, &self.messages_at, format!("3EB0{:016X}", mix(token)).as_bytes());
        put(&mut self.request, &self.tokens_at, format!("{token:016x}").as_bytes());
        put(&mut self.request, &self.seconds_at, format!("{now:010}").as_bytes());
        if let Some(signature) = &self.signature {
            let mut mac = signature.key.clone();
            mac.update(&self.request[self.body_at..]);
            let sum = hex::encode(mac.finalize().into_bytes());
            self.request[signature.at..signature.at + sum.len()].copy_from_slice(sum.as_bytes());
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.request
    }
}

/// A contact's phone number.
pub fn number(contact: u64) -> String {
    (NUMBERS_FROM + contact).to_string()
}

fn put(request: &mut [u8], places: &[usize], value: &[u8]) {
    for &at in places {
        request[at..at + value.len()].copy_from_slice(value);
    }
}

fn places(text: &[u8], mark: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(at) = wire::position(&text[from..], mark) {
        places.push(from + at);
        from += at + mark.len();
    }
    places
}

/// Spreads a counter over all 64 bits, one to one (SplitMix64): ids look random and never repeat.
pub fn mix(counter: u64) -> u64 {
    let mut z = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn body(webhook: &Webhook) -> serde_json::Value {
        serde_json::from_slice(wire::body(webhook.bytes())).unwrap()
    }

    #[test]
    fn every_message_is_a_whole_webhook_of_its_own() {
        let target = Target { address: ([127, 0, 0, 1], 8000).into(), path: "/api/gateway/waha" };
        let mut webhook = Webhook::new(target, Some("my-secret-key"), HELLO);
        webhook.prepare(7, 1);
        let first = body(&webhook);
        let signed = webhook.bytes().to_vec();
        webhook.prepare(7, 2);
        let second = body(&webhook);
        assert_eq!(first["payload"]["from"], "971500000007@c.us");
        assert_eq!(first["payload"]["body"], "Hello from GOWS, no. 0000000000000001");
        assert_eq!(second["payload"]["body"], "Hello from GOWS, no. 0000000000000002");
        assert_ne!(first["payload"]["id"], second["payload"]["id"]);
        assert_eq!(
            first["payload"]["timestamp"].as_u64().unwrap() * 1000,
            first["timestamp"].as_u64().unwrap()
        );
        assert_ne!(signed, webhook.bytes());
        assert!(!wire::contains(webhook.bytes(), &[b'0'; 128]), "the signature was filled in");
    }
}
