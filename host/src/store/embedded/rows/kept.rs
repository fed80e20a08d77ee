//! A conversation's row: what is remembered of it, and where its chains end.

use super::super::codec::{Eye, Pen};
use super::{Read, VERSION, Waiting, wrote_at};
use crate::conversation::{Conversation, Mode};
use crate::message::{ContactKey, ConversationKey, SenderName, Timestamp};

/// A conversation with the ends of its two chains: the newest line and the newest journal entry,
/// each of which names the one before it. 0: none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    pub conversation: Conversation,
    pub last_line: u64,
    pub last_journal: u64,
    /// The newest line when a human took over.
    pub handed_off: u64,
    /// Timers that rang since the contact wrote last, or a human gave the conversation back.
    pub rang: u32,
    /// No timer rings until then.
    pub silenced: bool,
    /// What was said under other keys of the same person, before they were known to be one.
    pub chains: Vec<Chain>,
}

/// The ends of the two chains of a conversation that was merged into another one. Its lines stay where
/// they are, under the key they were said under.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    pub contact: ContactKey,
    pub last_line: u64,
    pub last_journal: u64,
}

/// Beside the mode in a conversation's first byte.
const WANTS_RECEIPTS: u8 = 0x10;
const HANDED_OFF: u8 = 0x20;
const MERGED: u8 = 0x40;
const HAS_SOURCE: u8 = 0x80;
/// The contact wrote at another time than its message came.
const WROTE_AT: u8 = 0x08;
const RANG: u8 = 0x04;
const FLAGS: u8 = RANG | WROTE_AT | WANTS_RECEIPTS | HANDED_OFF | MERGED | HAS_SOURCE;

impl Kept {
    pub fn write(&self, buffer: &mut Vec<u8>) {
        let it = &self.conversation;
        let mut pen = Pen::new(buffer, VERSION);
        let mode = match it.mode {
            Mode::Bot => 0,
            Mode::Human => 1,
            Mode::Ended => 2,
        };
        let flags = [
            (it.wants_receipts, WANTS_RECEIPTS),
            (self.handed_off > 0, HANDED_OFF),
            (!self.chains.is_empty(), MERGED),
            (it.source.is_some(), HAS_SOURCE),
            (it.wrote_at != it.last_inbound_at, WROTE_AT),
            (self.rang > 0, RANG),
        ];
        pen.u8(flags.into_iter().filter(|(set, _)| *set).fold(mode, |byte, (_, flag)| byte | flag));
        if self.handed_off > 0 {
            pen.u64(self.handed_off);
        }
        if !self.chains.is_empty() {
            pen.u32(self.chains.len() as u32);
            for chain in &self.chains {
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
        if self.rang > 0 {
            pen.u32(self.rang);
            pen.u8(u8::from(self.silenced));
        }
        pen.u64(it.turns);
        pen.time(it.created_at);
        pen.time(it.last_inbound_at);
        pen.u64(self.last_line);
        pen.u64(self.last_journal);
        pen.maybe(it.sender.as_ref().map(SenderName::as_str));
        pen.text(&it.reply_to);
        pen.maybe(it.display_name.as_deref());
        pen.maybe(it.brain_version.as_deref());
        pen.maybe(it.memory.as_deref());
    }

    pub fn read(bytes: &[u8]) -> Read<Self> {
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
        Ok(Kept { conversation, last_line, last_journal, handed_off, rang, silenced, chains })
    }

    /// Is a line with this contact one of the conversation's, under whichever of the person's keys?
    pub fn holds(&self, key: &ConversationKey, contact: &str) -> bool {
        contact == key.contact.as_str() || self.chains.iter().any(|chain| chain.contact.as_str() == contact)
    }

    /// What a message tells of its conversation: where it came from, and that it came. It opens one
    /// that had ended.
    pub fn hear(&mut self, entry: &Waiting<'_>) {
        let it = &mut self.conversation;
        if !entry.kind.is_heard() {
            return;
        }
        if it.mode == Mode::Ended {
            it.mode = Mode::Bot;
        }
        if it.turns == 0 && (it.created_at == Timestamp::ZERO || entry.received_at < it.created_at) {
            it.created_at = entry.received_at;
        }
        if it.source.is_none() {
            it.source = entry.attribution.map(str::to_owned);
        }
        it.wrote_at = it.wrote_at.max(wrote_at(entry.at, entry.received_at));
        if entry.received_at < it.last_inbound_at {
            return;
        }
        it.last_inbound_at = entry.received_at;
        if it.sender.as_ref().map(SenderName::as_str) != Some(entry.sender) {
            it.sender = Some(SenderName::new(entry.sender));
        }
        if it.reply_to != entry.reply_to {
            it.reply_to = entry.reply_to.to_owned();
        }
        if entry.display_name.is_some() && it.display_name.as_deref() != entry.display_name {
            it.display_name = entry.display_name.map(str::to_owned);
        }
    }
}
