//! What rows are in tables.

use redb::Value;

use crate::conversation::Lead;
use crate::event::SessionChange;
use crate::message::{ContactKey, SenderName, Timestamp};
use crate::route::Answer;
use crate::store::ApiKey;
use crate::store::contacts::OptOut;
use crate::store::frames::codec::{self, Eye, Pen, Read, Unreadable, pack, place, read_place, unpack};
use crate::store::frames::rows::{
    Dead, Journaled, Reply, Spoken, Waiting, answer, contact, conversation, state, usage, way,
};
use crate::store::media::File;
use crate::store::numbers::Wish;
use crate::store::packages::OwnPackage;
use crate::store::quotas::Usage;
use crate::store::rows::Hash;
use crate::store::rows::audited::Audited;
use crate::store::rows::collection::CollectionRow;
use crate::store::rows::contact::Contact;
use crate::store::rows::conversation::ConversationRow;
use crate::store::rows::dead_turn::DeadTurnRow;
use crate::store::rows::history::HistoryRow;
use crate::store::rows::inbox::InboxRow;
use crate::store::rows::journal::JournalRow;
use crate::store::rows::kept_sender::KeptSender;
use crate::store::rows::known_by::KnownBy;
use crate::store::rows::lookup::LookupRow;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::packed::Packed;
use crate::store::rows::place::Place;
use crate::store::rows::timer::TimerRow;
use crate::store::rows::unread_mark::UnreadMark;
use crate::store::rows::way::Way;
use crate::store::shared::state::State;
use crate::store::unread::UnreadBody;
use crate::template::{Registered, Use};
use crate::tenant::{Organization, Tenant};

/// What a row is in a table.
pub trait RowCode: Sized {
    type In: Value + 'static;

    /// `buffer`: for rows that are made of bytes.
    fn with<T>(&self, buffer: &mut Vec<u8>, use_it: impl FnOnce(<Self::In as Value>::SelfType<'_>) -> T)
    -> T;

    fn read(table: &'static str, row: <Self::In as Value>::SelfType<'_>) -> Read<Self>;
}

/// Rows that redb has a type for: what is written, and how it is read.
macro_rules! of_type {
    ($($row:ty as $in:ty: |$it:ident| $write:expr, |$table:ident, $kept:pat_param| $read:expr;)*) => {$(
        impl RowCode for $row {
            type In = $in;

            fn with<T>(&self, _: &mut Vec<u8>, use_it: impl FnOnce(<$in as Value>::SelfType<'_>) -> T) -> T {
                let $it = self;
                use_it($write)
            }

            fn read($table: &'static str, $kept: <$in as Value>::SelfType<'_>) -> Read<Self> {
                $read
            }
        }
    )*};
}

of_type! {
    () as (): |it| *it, |_table, kept| Ok(kept);
    u64 as u64: |it| *it, |_table, kept| Ok(kept);
    Timestamp as i64: |it| it.as_ms(), |_table, kept| Ok(Timestamp::from_ms(kept));
    // Whether it came by a shared number.
    KnownBy as bool:
        |it| *it == KnownBy::Shared,
        |_table, kept| Ok(if kept { KnownBy::Shared } else { KnownBy::Own });
    SenderName as &'static str: |it| it.as_str(), |_table, kept| Ok(SenderName::new(kept));
    ContactKey as &'static [u8]: |it| it.as_str().as_bytes(), |table, kept| contact_of(table, kept);
    Place as &'static codec::Place:
        |it| &place(it.seq, it.tenant),
        |_table, kept| {
            let (seq, tenant) = read_place(kept);
            Ok(Place { seq, tenant })
        };
    Wish as u8: |it| wish_code(*it), |_table, kept| Ok(wish_of(kept));
    UnreadMark as (u64, i64, bool):
        |it| (it.bytes, it.received_at.as_ms(), it.matters),
        |_table, (bytes, at, matters)| Ok(UnreadMark { bytes, received_at: Timestamp::from_ms(at), matters });
    // What is passed on as it is kept.
    Audited as &'static [u8]: |it| it.as_kept(), |_table, kept| Ok(Audited::from_kept(kept.to_vec()));
    Vec<Hash> as &'static [u8]: |it| it.as_flattened(), |table, kept| hashes(table, kept);
    CollectionRow as &'static [u8]: |it| &it.json, |_table, kept| Ok(CollectionRow { json: kept.to_vec() });
    Packed<UnreadBody> as &'static [u8]: |it| it.as_kept(), |_table, kept| Ok(Packed::from_kept(kept.to_vec()));
    // Cold rows are kept as they are spelled.
    Organization as &'static [u8]: |it| &pack(it), |table, kept| unpack(table, kept);
    Tenant as &'static [u8]: |it| &pack(it), |table, kept| unpack(table, kept);
    KeptSender as &'static [u8]:
        |it| &pack(it.as_kept()),
        |table, kept| unpack(table, kept).map(KeptSender::from_kept);
    SessionChange as &'static [u8]: |it| &pack(it), |table, kept| unpack(table, kept);
    ApiKey as &'static [u8]: |it| &pack(it), |table, kept| unpack(table, kept);
    OwnPackage as &'static [u8]: |it| &pack(it), |table, kept| unpack(table, kept);
    OptOut as &'static [u8]: |it| &pack(it), |table, kept| unpack(table, kept);
    Lead as &'static [u8]: |it| &pack(it), |table, kept| unpack(table, kept);
    Registered as &'static [u8]: |it| &pack(it), |table, kept| unpack(table, kept);
    Use as &'static [u8]: |it| &pack(it), |table, kept| unpack(table, kept);
    File as &'static [u8]: |it| &pack(it), |table, kept| unpack(table, kept);
}

/// Rows that are frames: how they are written into the buffer, and how they are read.
macro_rules! of_frame {
    ($($row:ty: |$it:ident, $buffer:ident| $write:expr, |$bytes:ident| $read:expr;)*) => {$(
        impl RowCode for $row {
            type In = &'static [u8];

            fn with<T>(&self, $buffer: &mut Vec<u8>, use_it: impl FnOnce(&[u8]) -> T) -> T {
                let $it = self;
                $write;
                use_it($buffer)
            }

            fn read(_: &'static str, $bytes: &[u8]) -> Read<Self> {
                $read
            }
        }
    )*};
}

of_frame! {
    (Answer, Option<u64>): |it, buffer| answer::write(buffer, &it.0, it.1), |bytes| answer::read(bytes);
    Contact: |it, buffer| contact::write(it, buffer), |bytes| contact::read(bytes);
    ConversationRow: |it, buffer| conversation::write(it, buffer), |bytes| conversation::read(bytes);
    Way: |it, buffer| way::write(it, buffer), |bytes| way::read(bytes);
    InboxRow: |it, buffer| Waiting::write_row(it, buffer), |bytes| Waiting::read(bytes)?.row();
    OutboxRow: |it, buffer| Reply::of(it).write(buffer), |bytes| Ok(Reply::read(bytes)?.row());
    HistoryRow: |it, buffer| Spoken::of(it).write(buffer), |bytes| Ok(Spoken::read(bytes)?.row());
    JournalRow: |it, buffer| Journaled::of(it).write(buffer), |bytes| Ok(Journaled::read(bytes)?.row());
    DeadTurnRow: |it, buffer| Dead::write_row(it, buffer), |bytes| Dead::read(bytes)?.row();
    TimerRow: |it, buffer| write_timer(it, buffer), |bytes| read_timer(bytes);
    LookupRow: |it, buffer| write_lookup(it, buffer), |bytes| read_lookup(bytes);
    State: |it, buffer| state::write(it, buffer), |bytes| state::read(bytes);
    Usage: |it, buffer| usage::write(it, buffer), |bytes| usage::read(bytes);
}

fn hashes(table: &'static str, bytes: &[u8]) -> Read<Vec<Hash>> {
    match bytes.as_chunks() {
        (hashes, []) => Ok(hashes.to_vec()),
        _ => Err(Unreadable { table, what: format!("{} bytes are no whole number of hashes", bytes.len()) }),
    }
}

fn wish_code(wish: Wish) -> u8 {
    match wish {
        Wish::Unsaid => 0,
        Wish::Connected => 1,
        Wish::LoggedOut => 2,
    }
}

fn wish_of(code: u8) -> Wish {
    [Wish::Connected, Wish::LoggedOut].into_iter().find(|wish| wish_code(*wish) == code).unwrap_or_default()
}

fn contact_of(table: &'static str, bytes: &[u8]) -> Read<ContactKey> {
    match std::str::from_utf8(bytes) {
        Ok(contact) => Ok(ContactKey::from_stored(contact)),
        Err(_) => Err(Unreadable { table, what: "a contact is not UTF-8".into() }),
    }
}

fn write_timer(timer: &TimerRow, buffer: &mut Vec<u8>) {
    let mut pen = Pen::new(buffer, 1);
    pen.time(timer.at);
    pen.text(&timer.payload);
}

fn read_timer(bytes: &[u8]) -> Read<TimerRow> {
    let mut eye = Eye::new("timers", bytes, 1)?;
    Ok(TimerRow { at: eye.time()?, payload: eye.text()?.to_owned() })
}

/// When it is due, where it never is.
const NEVER: i64 = i64::MAX;

fn write_lookup(lookup: &LookupRow, buffer: &mut Vec<u8>) {
    let mut pen = Pen::new(buffer, 1);
    pen.time(lookup.due.unwrap_or(Timestamp::from_ms(NEVER)));
    pen.text(lookup.sender.as_str());
    pen.u32(lookup.misses);
    pen.time(lookup.since);
}

fn read_lookup(bytes: &[u8]) -> Read<LookupRow> {
    let mut eye = Eye::new("lookups", bytes, 1)?;
    let due = Some(eye.time()?).filter(|due| due.as_ms() != NEVER);
    Ok(LookupRow { due, sender: SenderName::new(eye.text()?), misses: eye.u32()?, since: eye.time()? })
}

#[cfg(test)]
mod tests;
