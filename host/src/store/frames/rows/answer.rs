//! What a message was answered.

use super::{Read, VERSION};
use crate::message::{ContactKey, TenantId};
use crate::route::{Answer, Reason};
use crate::store::frames::codec::{Eye, Pen};

/// What a message was answered, kept as long as duplicates of it may come. `message`: its arrival number,
/// where it has one.
pub fn write(buffer: &mut Vec<u8>, answer: &Answer, message: Option<u64>) {
    let mut pen = Pen::new(buffer, VERSION);
    match answer {
        Answer::Ignored(reason) => pen.u8(match reason {
            Reason::NoTenant => 0,
            Reason::UnknownTenant => 1,
        }),
        Answer::Routed { tenant, contact, is_new_session } => {
            pen.u8(if *is_new_session { 9 } else { 8 });
            pen.u32(tenant.get());
            pen.u64(message.unwrap_or_default());
            pen.raw(contact.as_str().as_bytes());
        }
    }
}

pub fn read(bytes: &[u8]) -> Read<(Answer, Option<u64>)> {
    let mut eye = Eye::new("dedup", bytes, VERSION)?;
    let kind = eye.u8()?;
    Ok(match kind {
        0 => (Answer::Ignored(Reason::NoTenant), None),
        1 => (Answer::Ignored(Reason::UnknownTenant), None),
        8 | 9 => {
            let tenant = TenantId::from_stored(eye.u32()?);
            let message = eye.u64()?;
            let contact = ContactKey::from_stored(String::from_utf8_lossy(eye.rest()));
            (Answer::Routed { tenant, contact, is_new_session: kind == 9 }, (message > 0).then_some(message))
        }
        other => return Err(eye.wrong(format!("unknown answer {other}"))),
    })
}
