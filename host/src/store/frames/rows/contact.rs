//! The frame of a contact's row.

use super::{Read, VERSION};
use crate::message::{ContactKey, SenderName, TenantId};
use crate::route::Lock;
use crate::store::frames::codec::{Eye, Pen};
use crate::store::rows::contact::Contact;

fn write_lock(pen: &mut Pen<'_>, lock: Option<&Lock>) {
    let Some(lock) = lock else {
        pen.u8(0);
        return;
    };
    pen.u8(1);
    pen.u32(lock.tenant.get());
    pen.time(lock.since);
    pen.maybe(lock.attribution.as_deref());
    pen.maybe(lock.sender.as_ref().map(SenderName::as_str));
}

fn read_lock(eye: &mut Eye<'_>) -> Read<Option<Lock>> {
    Ok(match eye.u8()? {
        0 => None,
        _ => Some(Lock {
            tenant: TenantId::from_stored(eye.u32()?),
            since: eye.time()?,
            attribution: eye.maybe()?.map(str::to_owned),
            sender: eye.maybe()?.map(SenderName::new),
        }),
    })
}

pub fn write(contact: &Contact, buffer: &mut Vec<u8>) {
    let mut pen = Pen::new(buffer, VERSION);
    pen.maybe(contact.alias_of.as_ref().map(ContactKey::as_str));
    write_lock(&mut pen, contact.lock.as_ref());
    if contact.former.is_some() || contact.replaced.is_some() {
        write_lock(&mut pen, contact.former.as_ref());
        write_lock(&mut pen, contact.replaced.as_ref());
    }
}

pub fn read(bytes: &[u8]) -> Read<Contact> {
    let mut eye = Eye::new("contacts", bytes, VERSION)?;
    let mut contact = Contact {
        alias_of: eye.maybe()?.map(ContactKey::from_stored),
        lock: read_lock(&mut eye)?,
        ..Contact::default()
    };
    if !eye.is_over() {
        contact.former = read_lock(&mut eye)?;
        contact.replaced = read_lock(&mut eye)?;
    }
    Ok(contact)
}
