//! The frames of what waits for its turn, and of turns that were given up.

use super::{Read, VERSION, way};
use crate::message::{ContactKey, SenderName, Timestamp};
use crate::route::Via;
use crate::store::frames::codec::{Eye, Pen, pack, unpack};
use crate::store::rows::dead_turn::DeadTurnRow;
use crate::store::rows::inbox::{InboxRow, What};
use crate::store::rows::packed::Packed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingKind {
    /// The payload is a `Heard`.
    Message,
    /// A deep link: the payload is a `Heard`.
    Started { first: bool },
    /// The payload is the timer's key and its own payload.
    Timer,
    /// The payload is the `Trigger`.
    Handback,
    /// The payload is the `Trigger`.
    Receipt,
}

/// An inbox entry. What it tells of its conversation is kept here until its turn is committed, so
/// that taking a message in writes the conversation only when it is new.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    pub kind: WaitingKind,
    /// By what it found its tenant.
    pub via: Via,
    /// Its contact was told something for it, and its line is in the history: it died once, or it was a
    /// word about messages themselves.
    pub told: bool,
    pub failures: u32,
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub due: Timestamp,
    pub contact: &'a str,
    pub sender: &'a str,
    pub reply_to: &'a str,
    pub display_name: Option<&'a str>,
    /// What brought the contact: the link's attribution, or the advertisement.
    pub attribution: Option<&'a str>,
    pub error: Option<&'a str>,
    pub payload: &'a [u8],
}

impl<'a> Waiting<'a> {
    pub fn write(&self, buffer: &mut Vec<u8>) {
        let mut pen = Pen::new(buffer, VERSION);
        pen.u8(match self.kind {
            WaitingKind::Message => 0,
            WaitingKind::Started { first: false } => 1,
            WaitingKind::Started { first: true } => 2,
            WaitingKind::Timer => 3,
            WaitingKind::Handback => 4,
            WaitingKind::Receipt => 5,
        });
        pen.u8(way::via_code(self.via));
        pen.u8(u8::from(self.told));
        pen.u32(self.failures);
        pen.time(self.at);
        pen.time(self.received_at);
        pen.time(self.due);
        pen.text(self.contact);
        pen.text(self.sender);
        pen.text(self.reply_to);
        pen.maybe(self.display_name);
        pen.maybe(self.attribution);
        pen.maybe(self.error);
        pen.raw(self.payload);
    }

    pub fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut eye = Eye::new("inbox", bytes, VERSION)?;
        let kind = match eye.u8()? {
            0 => WaitingKind::Message,
            1 => WaitingKind::Started { first: false },
            2 => WaitingKind::Started { first: true },
            3 => WaitingKind::Timer,
            4 => WaitingKind::Handback,
            5 => WaitingKind::Receipt,
            other => return Err(eye.wrong(format!("unknown kind {other}"))),
        };
        Ok(Waiting {
            kind,
            via: way::via_of(&mut eye)?,
            told: eye.u8()? != 0,
            failures: eye.u32()?,
            at: eye.time()?,
            received_at: eye.time()?,
            due: eye.time()?,
            contact: eye.text()?,
            sender: eye.text()?,
            reply_to: eye.text()?,
            display_name: eye.maybe()?,
            attribution: eye.maybe()?,
            error: eye.maybe()?,
            payload: eye.rest(),
        })
    }

    pub fn write_row(row: &InboxRow, buffer: &mut Vec<u8>) {
        let timer;
        let (kind, payload) = match &row.what {
            What::Message(heard) => (WaitingKind::Message, heard.as_kept()),
            What::Started { first, heard } => (WaitingKind::Started { first: *first }, heard.as_kept()),
            What::Timer { key, payload } => {
                timer = pack(&(key, payload));
                (WaitingKind::Timer, timer.as_slice())
            }
            What::Handback(trigger) => (WaitingKind::Handback, trigger.as_kept()),
            What::Receipt(trigger) => (WaitingKind::Receipt, trigger.as_kept()),
        };
        let waiting = Waiting {
            kind,
            via: row.via,
            told: row.told,
            failures: row.failures,
            at: row.at,
            received_at: row.received_at,
            due: row.due,
            contact: row.contact.as_str(),
            sender: row.sender.as_ref().map_or("", SenderName::as_str),
            reply_to: &row.reply_to,
            display_name: row.display_name.as_deref(),
            attribution: row.attribution.as_deref(),
            error: row.error.as_deref(),
            payload,
        };
        waiting.write(buffer);
    }

    pub fn row(&self) -> Read<InboxRow> {
        let payload = self.payload;
        let what = match self.kind {
            WaitingKind::Message => What::Message(Packed::from_kept(payload.to_vec())),
            WaitingKind::Started { first } => {
                What::Started { first, heard: Packed::from_kept(payload.to_vec()) }
            }
            WaitingKind::Timer => {
                let (key, payload) = unpack("inbox", payload)?;
                What::Timer { key, payload }
            }
            WaitingKind::Handback => What::Handback(Packed::from_kept(payload.to_vec())),
            WaitingKind::Receipt => What::Receipt(Packed::from_kept(payload.to_vec())),
        };
        Ok(InboxRow {
            what,
            via: self.via,
            told: self.told,
            failures: self.failures,
            at: self.at,
            received_at: self.received_at,
            due: self.due,
            contact: ContactKey::from_stored(self.contact),
            sender: (!self.sender.is_empty()).then(|| SenderName::new(self.sender)),
            reply_to: self.reply_to.to_owned(),
            display_name: self.display_name.map(str::to_owned),
            attribution: self.attribution.map(str::to_owned),
            error: self.error.map(str::to_owned),
        })
    }
}

/// A turn that was given up: its entries as they stood in the inbox, and why.
pub struct Dead<'a> {
    pub at: Timestamp,
    pub error: &'a str,
    /// Arrival number and inbox row.
    pub entries: Vec<(u64, &'a [u8])>,
}

impl<'a> Dead<'a> {
    pub fn write_row(row: &DeadTurnRow, buffer: &mut Vec<u8>) {
        let mut pen = Pen::new(buffer, VERSION);
        pen.time(row.at);
        pen.text(&row.error);
        pen.u32(row.entries.len() as u32);
        let mut entry = Vec::new();
        for (seq, waiting) in &row.entries {
            Waiting::write_row(waiting, &mut entry);
            pen.u64(*seq);
            pen.bytes(&entry);
        }
    }

    pub fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut eye = Eye::new("dead_turns", bytes, VERSION)?;
        let (at, error, count) = (eye.time()?, eye.text()?, eye.u32()?);
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push((eye.u64()?, eye.bytes()?));
        }
        Ok(Dead { at, error, entries })
    }

    pub fn row(&self) -> Read<DeadTurnRow> {
        let entry = |(seq, entry): &(u64, &[u8])| Ok((*seq, Waiting::read(entry)?.row()?));
        let entries = self.entries.iter().map(entry).collect::<Read<_>>()?;
        Ok(DeadTurnRow { at: self.at, error: self.error.to_owned(), entries })
    }
}
