//! What a message was answered.

use super::{Read, VERSION};
use crate::message::{ContactKey, TenantId};
use crate::route::{Answer, Reason};
use crate::store::embedded::codec::{Eye, Pen};

/// What a message was answered, kept as long as duplicates of it may come.
pub fn write(buffer: &mut Vec<u8>, answer: &Answer) {
    let mut pen = Pen::new(buffer, VERSION);
    match answer {
        Answer::Ignored(reason) => pen.u8(match reason {
            Reason::NoTenant => 0,
            Reason::UnknownTenant => 1,
        }),
        Answer::Routed { tenant, contact, is_new_session } => {
            pen.u8(if *is_new_session { 9 } else { 8 });
            pen.u32(tenant.get());
            pen.raw(contact.as_str().as_bytes());
        }
    }
}

pub fn read(bytes: &[u8]) -> Read<Answer> {
    let mut eye = Eye::new("dedup", bytes, VERSION)?;
    let kind = eye.u8()?;
    Ok(match kind {
        0 => Answer::Ignored(Reason::NoTenant),
        1 => Answer::Ignored(Reason::UnknownTenant),
        8 | 9 => {
            let tenant = TenantId::from_stored(eye.u32()?);
            let contact = String::from_utf8_lossy(eye.rest()).into_owned();
            Answer::Routed { tenant, contact: ContactKey::from_stored(contact), is_new_session: kind == 9 }
        }
        other => return Err(eye.wrong(format!("unknown answer {other}"))),
    })
}
