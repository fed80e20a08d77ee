//! Each provider end to end: its webhooks in, the real gateway between, replies out to its fake.

mod meta;
