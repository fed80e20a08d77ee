//! Each provider end to end: a webhook comes in, a brain answers, the reply leaves through the same
//! provider, and every failure has the fate that it should.

mod dialog360;
mod gupshup;
mod infobip;
mod meta;
