//! The frame of a conversation.

use super::{Read, VERSION};
use crate::conversation::{Conversation, Mode};
use crate::message::{ContactKey, SenderName};
use crate::store::frames::codec::{Eye, Pen};
use crate::store::rows::conversation::{Chain, ConversationRow};

/// Beside the mode in a conversation's first byte.
const WANTS_RECEIPTS: u8 = 0x10;
const HANDED_OFF: u8 = 0x20;
const MERGED: u8 = 0x40;
const HAS_SOURCE: u8 = 0x80;
/// The contact wrote at another time than its message came.
const WROTE_AT: u8 = 0x08;
const RANG: u8 = 0x04;
const FLAGS: u8 = RANG | WROTE_AT | WANTS_RECEIPTS | HANDED_OFF | MERGED | HAS_SOURCE;

pub fn write(row: &ConversationRow, buffer: &mut Vec<u8>) {
    let it = &row.conversation;
    let mut pen = Pen::new(buffer, VERSION);
    let mode = match it.mode {
        Mode::Bot => 0,
        Mode::Human => 1,
        Mode::Ended => 2,
    };
    let flags = [
        (it.wants_receipts, WANTS_RECEIPTS),
        (row.handed_off > 0, HANDED_OFF),
        (!row.chains.is_empty(), MERGED),
        (it.source.is_some(), HAS_SOURCE),
        (it.wrote_at != it.last_inbound_at, WROTE_AT),
        (row.rang > 0, RANG),
    ];
    pen.u8(flags.into_iter().filter(|(set, _)| *set).fold(mode, |byte, (_, flag)| byte | flag));
    if row.handed_off > 0 {
        pen.u64(row.handed_off);
    }
    if !row.chains.is_empty() {
        pen.u32(row.chains.len() as u32);
        for chain in &row.chains {
            pen.text(chain.contact.as_str());
            pen.u64(chain.last_line);
            pen.u64(chain.last_journal);
        }
    }
    if let Some(source) = &it.source {
        pen.text(source);
    }
    if it.wrote_at != it.last_inbound_at {
        pen.time(it.wrote_at);
    }
    if row.rang > 0 {
        pen.u32(row.rang);
        pen.u8(u8::from(row.silenced));
    }
    pen.u64(it.turns);
    pen.time(it.created_at);
    pen.time(it.last_inbound_at);
    pen.u64(row.last_line);
    pen.u64(row.last_journal);
    pen.maybe(it.sender.as_ref().map(SenderName::as_str));
    pen.text(&it.reply_to);
    pen.maybe(it.display_name.as_deref());
    pen.maybe(it.brain_version.as_deref());
    pen.maybe(it.memory.as_deref());
}

pub fn read(bytes: &[u8]) -> Read<ConversationRow> {
    let mut eye = Eye::new("conversations", bytes, VERSION)?;
    let first = eye.u8()?;
    let mode = match first & !FLAGS {
        0 => Mode::Bot,
        1 => Mode::Human,
        2 => Mode::Ended,
        other => return Err(eye.wrong(format!("unknown mode {other}"))),
    };
    let handed_off = if first & HANDED_OFF == 0 { 0 } else { eye.u64()? };
    let mut chains = Vec::new();
    for _ in 0..(if first & MERGED == 0 { 0 } else { eye.u32()? }) {
        chains.push(Chain {
            contact: ContactKey::from_stored(eye.text()?),
            last_line: eye.u64()?,
            last_journal: eye.u64()?,
        });
    }
    let source = if first & HAS_SOURCE == 0 { None } else { Some(eye.text()?.to_owned()) };
    let wrote_at = if first & WROTE_AT == 0 { None } else { Some(eye.time()?) };
    let (rang, silenced) = if first & RANG == 0 { (0, false) } else { (eye.u32()?, eye.u8()? != 0) };
    let (turns, created_at, last_inbound_at) = (eye.u64()?, eye.time()?, eye.time()?);
    let (last_line, last_journal) = (eye.u64()?, eye.u64()?);
    let conversation = Conversation {
        mode,
        turns,
        created_at,
        last_inbound_at,
        wrote_at: wrote_at.unwrap_or(last_inbound_at),
        sender: eye.maybe()?.map(SenderName::new),
        reply_to: eye.text()?.to_owned(),
        display_name: eye.maybe()?.map(str::to_owned),
        brain_version: eye.maybe()?.map(str::to_owned),
        memory: eye.maybe()?.map(str::to_owned),
        wants_receipts: first & WANTS_RECEIPTS != 0,
        source,
    };
    Ok(ConversationRow { conversation, last_line, last_journal, handed_off, rang, silenced, chains })
}
