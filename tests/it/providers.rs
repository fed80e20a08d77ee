//! Each provider end to end: a webhook comes in, a brain answers, the reply leaves through the same
//! provider, and every failure has the fate that it should.

mod infobip;
mod meta;
