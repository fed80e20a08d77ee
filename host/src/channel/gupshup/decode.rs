//! A Gupshup webhook becomes events. Version 3 is WhatsApp's own form with the app's id at the top.

use crate::channel::DecodeError;
use crate::channel::cloud::{self, Dialect};
use crate::channel::json::{self, Object};
use crate::message::{Event, Provider};

/// Reads a body.
pub fn events(body: &[u8], groups: bool) -> Result<Vec<Event>, DecodeError> {
    let body: Object = json::parse(body)?;
    let app = json::strict_text(&body, "gs_app_id", "body")?;
    cloud::events(
        &body,
        &Dialect {
            provider: Provider::Gupshup,
            account: app,
            groups,
            own_ids: &["gs_id", "id", "meta_msg_id"],
            file: &["url", "id"],
            fate: |_| None,
        },
    )
}
