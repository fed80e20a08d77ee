//! To come.

use http::HeaderMap;

use crate::channel::{Adapter, DecodeError, EncodeError, Outcome, Request, Unverified};
use crate::message::{Event, Outbound};
use crate::tenant::Sender;

pub struct Simulator;

impl Adapter for Simulator {
    fn claimed_account(&self, _body: &[u8]) -> Result<Option<String>, DecodeError> {
        unimplemented!()
    }
    fn verify(&self, _sender: &Sender, _headers: &HeaderMap, _body: &[u8]) -> Result<(), Unverified> {
        unimplemented!()
    }
    fn decode(&self, _body: &[u8], _groups: bool) -> Result<Vec<Event>, DecodeError> {
        unimplemented!()
    }
    fn encode(
        &self,
        _sender: &Sender,
        _to: &str,
        _outbound: &Outbound,
    ) -> Result<Option<Request>, EncodeError> {
        unimplemented!()
    }
    fn outcome(&self, _status: u16, _headers: &HeaderMap, _body: &[u8], _to: &str) -> Outcome {
        unimplemented!()
    }
}
