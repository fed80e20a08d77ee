//! Gupshup.

use http::HeaderMap;

use crate::channel::{Adapter, DecodeError, EncodeError, Hook, Outcome, Outgoing, Request, Unverified};
use crate::message::{Event, Fate};
use crate::tenant::Sender;

#[derive(Debug)]
pub struct Gupshup;

impl Adapter for Gupshup {
    fn claimed_accounts(&self, _body: &[u8]) -> Result<Vec<String>, DecodeError> {
        Ok(Vec::new())
    }

    fn verify(&self, _sender: &Sender, _hook: &Hook<'_>) -> Result<(), Unverified> {
        Err(Unverified::NoKeyConfigured)
    }

    fn decode(&self, _body: &[u8], _groups: bool) -> Result<Vec<Event>, DecodeError> {
        Ok(Vec::new())
    }

    fn encode(&self, _outgoing: &Outgoing<'_>) -> Result<Option<Request>, EncodeError> {
        Err(EncodeError("this provider is being built".into()))
    }

    fn outcome(&self, _status: u16, _headers: &HeaderMap, _body: &[u8], _to: &str) -> Outcome {
        Outcome::failed(Fate::Unknown, "this provider is being built")
    }
}
