//! The gateway's own address, as a WAHA sees it.

use std::net::SocketAddr;

use super::Waha;
use crate::internet::is_this_machine;

impl Waha {
    /// Where a WAHA at `base_url` reaches the gateway, without a slash at its end. Without a configured
    /// address it is the one that is listened on, which WAHA reaches if both are on this machine; `None`:
    /// it does not.
    pub fn gateway_for(&self, base_url: Option<&str>, listen: SocketAddr) -> Option<String> {
        if let Some(url) = &self.webhook_url {
            return Some(url.trim_end_matches('/').to_owned());
        }
        let local = url::Url::parse(base_url?).is_ok_and(|url| url.host_str().is_some_and(is_this_machine));
        (local && listen.ip().is_loopback()).then(|| format!("http://{listen}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waha_elsewhere_needs_an_address() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8000));
        let anywhere = SocketAddr::from(([0, 0, 0, 0], 8000));
        let told = Waha { webhook_url: Some("https://bots.example.com/".into()), ..Waha::default() };
        for (waha, base_url, listen, expected) in [
            (Waha::default(), Some("http://localhost:3000"), listen, Some("http://127.0.0.1:8000")),
            (Waha::default(), Some("http://waha:3000"), listen, None),
            (Waha::default(), Some("http://localhost:3000"), anywhere, None),
            (Waha::default(), None, listen, None),
            (told.clone(), Some("http://waha:3000"), listen, Some("https://bots.example.com")),
            (told, None, anywhere, Some("https://bots.example.com")),
        ] {
            assert_eq!(waha.gateway_for(base_url, listen).as_deref(), expected, "{base_url:?} {listen}");
        }
    }
}
