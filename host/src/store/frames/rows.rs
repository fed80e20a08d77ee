//! The hot rows: what each holds, and its frame. Reading borrows from the page; writing goes into a
//! buffer of the caller's.

pub use self::waiting::{Dead, Waiting};
use crate::conversation::{Author, Occasion};
use crate::message::{ContactKey, DeliveryState, SenderName, Timestamp};
use crate::store::OutboxState;
use crate::store::frames::codec::{Eye, Pen, Unreadable};
use crate::store::rows::history::{HistoryRow, Line as LineRow, MOST_ATTEMPTS, Times};
use crate::store::rows::journal::JournalRow;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::packed::Packed;

pub mod answer;
pub mod contact;
pub mod conversation;
pub mod state;
mod times;
pub mod usage;
mod waiting;
pub mod way;

type Read<T> = Result<T, Unreadable>;

const VERSION: u8 = 2;

/// A number that is written as 0 where there is none.
pub fn named(number: u64) -> Option<u64> {
    (number > 0).then_some(number)
}

/// A reply that has not reached its provider. It is the line of the history too until it has.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub state: OutboxState,
    pub author: Author,
    pub occasion: Occasion,
    /// It was said when the brain was told of a receipt, whatever its occasion has become since.
    pub on_receipt: bool,
    /// It waits for its hour, see [`crate::store::Settlement::Postponed`].
    pub postponed: bool,
    pub attempts: u32,
    /// Nobody knows what became of the last attempt: the next one is the same again, under its name.
    pub repeats: bool,
    /// When an operator last asked for it.
    pub retried_at: Option<Timestamp>,
    pub due: Timestamp,
    pub created_at: Timestamp,
    /// The line before it.
    pub previous: u64,
    /// The arrival number of the message that it answers; 0: of none.
    pub message: u64,
    /// When that came in; [`Timestamp::ZERO`] where there is none.
    pub heard_at: Timestamp,
    pub contact: &'a str,
    pub sender: &'a str,
    pub to: &'a str,
    pub error: Option<&'a str>,
    /// An `Outbound`.
    pub payload: &'a [u8],
}

impl<'a> Reply<'a> {
    pub fn of(row: &'a OutboxRow) -> Self {
        Reply {
            state: row.state,
            author: row.author,
            occasion: row.occasion,
            on_receipt: row.on_receipt,
            postponed: row.postponed,
            attempts: row.attempts,
            repeats: row.repeats,
            retried_at: row.retried_at,
            due: row.due,
            created_at: row.created_at,
            previous: row.previous,
            message: row.message.unwrap_or_default(),
            heard_at: row.heard_at.unwrap_or_default(),
            contact: row.contact.as_str(),
            sender: row.sender.as_str(),
            to: &row.to,
            error: row.error.as_deref(),
            payload: row.said.as_kept(),
        }
    }

    pub fn row(&self) -> OutboxRow {
        OutboxRow {
            state: self.state,
            author: self.author,
            occasion: self.occasion,
            on_receipt: self.on_receipt,
            postponed: self.postponed,
            attempts: self.attempts,
            repeats: self.repeats,
            retried_at: self.retried_at,
            due: self.due,
            created_at: self.created_at,
            previous: self.previous,
            message: named(self.message),
            heard_at: (self.heard_at > Timestamp::ZERO).then_some(self.heard_at),
            contact: ContactKey::from_stored(self.contact),
            sender: SenderName::new(self.sender),
            to: self.to.to_owned(),
            error: self.error.map(str::to_owned),
            said: Packed::from_kept(self.payload.to_vec()),
        }
    }

    pub fn write(&self, buffer: &mut Vec<u8>) {
        let mut pen = Pen::new(buffer, VERSION);
        let state = match self.state {
            OutboxState::Waiting => 0,
            OutboxState::Sending => 1,
            OutboxState::Dead => 2,
            OutboxState::Unknown => 3,
        };
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        pen.u8(state | flag(self.repeats, REPEATS) | flag(self.retried_at.is_some(), RETRIED));
        let flags = flag(self.postponed, POSTPONED) | flag(self.on_receipt, ON_RECEIPT);
        pen.u8(author_code(self.author) | occasion_code(self.occasion) | flags);
        self.retried_at.inspect(|at| pen.time(*at));
        pen.u32(self.attempts);
        pen.time(self.due);
        pen.time(self.created_at);
        pen.u64(self.previous);
        pen.u64(self.message);
        pen.time(self.heard_at);
        pen.text(self.contact);
        pen.text(self.sender);
        pen.text(self.to);
        pen.maybe(self.error);
        pen.raw(self.payload);
    }

    pub fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut eye = Eye::new("outbox", bytes, VERSION)?;
        let first = eye.u8()?;
        let state = match first & !(REPEATS | RETRIED) {
            0 => OutboxState::Waiting,
            1 => OutboxState::Sending,
            2 => OutboxState::Dead,
            3 => OutboxState::Unknown,
            other => return Err(eye.wrong(format!("unknown state {other}"))),
        };
        let about = eye.u8()?;
        let occasion = occasion_of(&eye, about & 0x30)?;
        Ok(Reply {
            state,
            author: author_of(&eye, about & 0x0F)?,
            occasion,
            on_receipt: about & ON_RECEIPT != 0 || occasion == Occasion::Receipt,
            postponed: about & POSTPONED != 0,
            repeats: first & REPEATS != 0,
            retried_at: if first & RETRIED == 0 { None } else { Some(eye.time()?) },
            attempts: eye.u32()?,
            due: eye.time()?,
            created_at: eye.time()?,
            previous: eye.u64()?,
            message: eye.u64()?,
            heard_at: eye.time()?,
            contact: eye.text()?,
            sender: eye.text()?,
            to: eye.text()?,
            error: eye.maybe()?,
            payload: eye.rest(),
        })
    }
}

/// A line of a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Spoken<'a> {
    pub at: Timestamp,
    pub author: Author,
    /// By us: the payload is an `Outbound`. Else a `Heard`.
    pub said: bool,
    pub state: Option<DeliveryState>,
    /// The line before it; 0: none.
    pub previous: u64,
    /// The arrival number of the message that it is, or answers; 0: of none. What is kept of the way of a
    /// message leaves with the line that it is.
    pub message: u64,
    /// Under which receipts find it; leaves with it.
    pub sent_id: Option<[u8; 16]>,
    /// As its provider calls what was said.
    pub provider_id: Option<&'a str>,
    /// When what was said came how far.
    pub times: Times,
    /// It was said when the brain was told of a receipt.
    pub on_receipt: bool,
    /// With which it reached its provider, up to [`MOST_ATTEMPTS`]; 0: not known.
    pub attempt: u8,
    pub contact: &'a str,
    pub payload: &'a [u8],
}

impl<'a> Spoken<'a> {
    pub fn of(row: &'a HistoryRow) -> Self {
        let (said, payload) = match &row.line {
            LineRow::Heard(heard) => (false, heard.as_kept()),
            LineRow::Said(said) => (true, said.as_kept()),
        };
        Spoken {
            at: row.at,
            author: row.author,
            said,
            state: row.state,
            previous: row.previous,
            message: row.message.unwrap_or_default(),
            sent_id: row.sent_id,
            provider_id: row.provider_id.as_deref(),
            times: row.times,
            on_receipt: row.on_receipt,
            attempt: row.attempt,
            contact: row.contact.as_str(),
            payload,
        }
    }

    pub fn row(&self) -> HistoryRow {
        let payload = self.payload.to_vec();
        HistoryRow {
            at: self.at,
            author: self.author,
            line: match self.said {
                true => LineRow::Said(Packed::from_kept(payload)),
                false => LineRow::Heard(Packed::from_kept(payload)),
            },
            state: self.state,
            previous: self.previous,
            message: named(self.message),
            sent_id: self.sent_id,
            provider_id: self.provider_id.map(str::to_owned),
            times: self.times,
            on_receipt: self.on_receipt,
            attempt: self.attempt,
            contact: ContactKey::from_stored(self.contact),
        }
    }

    pub fn write(&self, buffer: &mut Vec<u8>) {
        let mut pen = Pen::new(buffer, VERSION);
        pen.time(self.at);
        pen.u8(author_code(self.author) | if self.on_receipt { ON_RECEIPT } else { 0 });
        pen.u8(u8::from(self.said));
        pen.u8(match self.state {
            None => 0,
            Some(DeliveryState::Queued) => 1,
            Some(DeliveryState::Unknown) => 2,
            Some(DeliveryState::Sent) => 3,
            Some(DeliveryState::Failed) => 4,
            Some(DeliveryState::Delivered) => 5,
            Some(DeliveryState::Read) => 6,
        });
        pen.u64(self.previous);
        pen.u8(u8::from(self.sent_id.is_some()) | self.attempt.min(MOST_ATTEMPTS) << 1);
        self.sent_id.inspect(|id| pen.raw(id));
        pen.u64(self.message);
        pen.maybe(self.provider_id);
        times::write(&self.times, &mut pen);
        pen.text(self.contact);
        pen.raw(self.payload);
    }

    pub fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut eye = Eye::new("history", bytes, VERSION)?;
        let (at, about) = (eye.time()?, eye.u8()?);
        let (author, on_receipt) = (author_of(&eye, about & !ON_RECEIPT)?, about & ON_RECEIPT != 0);
        let said = eye.u8()? != 0;
        let state = match eye.u8()? {
            0 => None,
            1 => Some(DeliveryState::Queued),
            2 => Some(DeliveryState::Unknown),
            3 => Some(DeliveryState::Sent),
            4 => Some(DeliveryState::Failed),
            5 => Some(DeliveryState::Delivered),
            6 => Some(DeliveryState::Read),
            other => return Err(eye.wrong(format!("unknown state {other}"))),
        };
        let previous = eye.u64()?;
        let sent = eye.u8()?;
        let sent_id = if sent & 1 == 0 { None } else { Some(eye.array()?) };
        let (attempt, message, provider_id) = (sent >> 1, eye.u64()?, eye.maybe()?);
        let (times, contact, payload) = (times::read(&mut eye)?, eye.text()?, eye.rest());
        Ok(Spoken {
            at,
            author,
            said,
            state,
            previous,
            message,
            sent_id,
            provider_id,
            times,
            on_receipt,
            attempt,
            contact,
            payload,
        })
    }
}

/// A journal entry with the one before it.
pub struct Journaled<'a> {
    pub at: Timestamp,
    pub previous: u64,
    /// What its turn was for, where that is no line: its way leaves with this. Else 0.
    pub way: u64,
    pub contact: &'a str,
    /// A `JournalEntry`.
    pub payload: &'a [u8],
}

impl<'a> Journaled<'a> {
    pub fn of(row: &'a JournalRow) -> Self {
        Journaled {
            at: row.at,
            previous: row.previous,
            way: row.way.unwrap_or_default(),
            contact: row.contact.as_str(),
            payload: row.entry.as_kept(),
        }
    }

    pub fn row(&self) -> JournalRow {
        JournalRow {
            at: self.at,
            previous: self.previous,
            way: named(self.way),
            contact: ContactKey::from_stored(self.contact),
            entry: Packed::from_kept(self.payload.to_vec()),
        }
    }

    pub fn write(&self, buffer: &mut Vec<u8>) {
        let mut pen = Pen::new(buffer, VERSION);
        pen.time(self.at);
        pen.u64(self.previous);
        pen.u64(self.way);
        pen.text(self.contact);
        pen.raw(self.payload);
    }

    pub fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut eye = Eye::new("journal", bytes, VERSION)?;
        let (at, previous, way) = (eye.time()?, eye.u64()?, eye.u64()?);
        Ok(Journaled { at, previous, way, contact: eye.text()?, payload: eye.rest() })
    }
}

fn author_code(author: Author) -> u8 {
    match author {
        Author::Contact => 0,
        Author::Brain => 1,
        Author::Human => 2,
        Author::Gateway => 3,
    }
}

/// Beside the state in a reply's first byte.
const REPEATS: u8 = 0x10;
const RETRIED: u8 = 0x20;

/// Beside author and occasion in a reply's second byte, and the latter beside the author of a line.
const POSTPONED: u8 = 0x40;
const ON_RECEIPT: u8 = 0x80;

/// Beside the author.
fn occasion_code(occasion: Occasion) -> u8 {
    match occasion {
        Occasion::Answer => 0,
        Occasion::Timer => 0x10,
        Occasion::Receipt => 0x20,
    }
}

fn occasion_of(eye: &Eye<'_>, code: u8) -> Read<Occasion> {
    Ok(match code {
        0 => Occasion::Answer,
        0x10 => Occasion::Timer,
        0x20 => Occasion::Receipt,
        other => return Err(eye.wrong(format!("unknown occasion {other}"))),
    })
}

fn author_of(eye: &Eye<'_>, code: u8) -> Read<Author> {
    Ok(match code {
        0 => Author::Contact,
        1 => Author::Brain,
        2 => Author::Human,
        3 => Author::Gateway,
        other => return Err(eye.wrong(format!("unknown author {other}"))),
    })
}
