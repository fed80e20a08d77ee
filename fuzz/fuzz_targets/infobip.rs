//! Any bytes as a webhook of Infobip's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard_fuzz::message::Provider;

fuzz_target!(|body: &[u8]| switchboard_fuzz::decoder(Provider::Infobip, body));
