//! What keys are in tables. A text that something follows has its length before it, so that one contact's keys do not
//! run into another's.

use redb::{Key, Value};

use crate::message::{ContactKey, ConversationKey, OrganizationId, SenderName, TenantId, Timestamp};
use crate::store::frames::codec::{
    self, Eye, Read, conversation_key, of_contact, owned_by, place, read_place, under,
};
use crate::store::rows::Hash;
use crate::store::rows::place::Place;
use crate::template;

/// What a key is in a table.
pub trait KeyCode: Sized {
    type In: Key + 'static;

    fn with<T>(&self, use_it: impl FnOnce(<Self::In as Value>::SelfType<'_>) -> T) -> T;

    fn read(table: &'static str, key: <Self::In as Value>::SelfType<'_>) -> Read<Self>;
}

/// Keys that are made of bytes: how they are written, and how they are read.
macro_rules! of_bytes {
    ($($key:ty: |$it:ident| $bytes:expr, |$eye:ident| $read:expr;)*) => {$(
        impl KeyCode for $key {
            type In = &'static [u8];

            fn with<T>(&self, use_it: impl FnOnce(&[u8]) -> T) -> T {
                let $it = self;
                use_it(&$bytes)
            }

            fn read(table: &'static str, key: &[u8]) -> Read<Self> {
                let mut eye = Eye::bare(table, key);
                let $eye = &mut eye;
                Ok($read)
            }
        }
    )*};
}

of_bytes! {
    ContactKey: |it| *it.as_str().as_bytes(), |eye| eye.rest_as_contact()?;
    (ContactKey, ContactKey):
        |it| of_contact(&it.0, it.1.as_str().as_bytes()),
        |eye| (eye.contact()?, eye.rest_as_contact()?);
    (ContactKey, TenantId): |it| of_contact(&it.0, &it.1.get().to_be_bytes()), |eye| (eye.contact()?, eye.tenant()?);
    (ContactKey, TenantId, ContactKey):
        |it| [&of_contact(&it.0, &it.1.get().to_be_bytes()), it.2.as_str().as_bytes()].concat(),
        |eye| (eye.contact()?, eye.tenant()?, eye.rest_as_contact()?);
    ConversationKey: |it| conversation_key(it), |eye| conversation(eye.tenant()?, eye.rest_as_contact()?);
    (ConversationKey, u64):
        |it| under(&it.0, &it.1.to_be_bytes()),
        |eye| (conversation(eye.tenant()?, eye.contact()?), eye.u64()?);
    (ConversationKey, String):
        |it| under(&it.0, it.1.as_bytes()),
        |eye| (conversation(eye.tenant()?, eye.contact()?), eye.rest_as_text()?);
    (Timestamp, ConversationKey, String):
        |it| timed(it.0, &under(&it.1, it.2.as_bytes())),
        |eye| (eye.moment()?, conversation(eye.tenant()?, eye.contact()?), eye.rest_as_text()?);
    (Timestamp, ContactKey): |it| timed(it.0, it.1.as_str().as_bytes()), |eye| (eye.moment()?, eye.rest_as_contact()?);
    (OrganizationId, ContactKey):
        |it| owned_by(it.0.0, it.1.as_str()),
        |eye| (OrganizationId(eye.u32()?), eye.rest_as_contact()?);
    (Timestamp, u64): |it| timed(it.0, &it.1.to_be_bytes()), |eye| (eye.moment()?, eye.u64()?);
    (TenantId, u64): |it| number_of(it.0, it.1), |eye| (eye.tenant()?, eye.u64()?);
    (TenantId, String): |it| owned_by(it.0.get(), &it.1), |eye| (eye.tenant()?, eye.rest_as_text()?);
    (Timestamp, TenantId, String):
        |it| timed(it.0, &owned_by(it.1.get(), &it.2)),
        |eye| (eye.moment()?, eye.tenant()?, eye.rest_as_text()?);
    (bool, Timestamp, TenantId, String):
        |it| [&[u8::from(it.0)], timed(it.1, &owned_by(it.2.get(), &it.3)).as_slice()].concat(),
        |eye| (eye.u8()? != 0, eye.moment()?, eye.tenant()?, eye.rest_as_text()?);
    template::Key: |it| template(it), |eye| read_template(eye)?;
    (String, u64): |it| arrived(&it.0, it.1), |eye| (name(eye)?, eye.u64()?);
}

/// Keys that redb has a type for: what is written, and how it is read.
macro_rules! of_type {
    ($($key:ty as $in:ty: |$it:ident| $write:expr, |$kept:ident| $read:expr;)*) => {$(
        impl KeyCode for $key {
            type In = $in;

            fn with<T>(&self, use_it: impl FnOnce(<$in as Value>::SelfType<'_>) -> T) -> T {
                let $it = self;
                use_it($write)
            }

            fn read(_: &'static str, $kept: <$in as Value>::SelfType<'_>) -> Read<Self> {
                Ok($read)
            }
        }
    )*};
}

of_type! {
    () as (): |it| *it, |kept| kept;
    u64 as u64: |it| *it, |kept| kept;
    String as &'static str: |it| it.as_str(), |kept| kept.to_owned();
    OrganizationId as u32: |it| it.0, |kept| OrganizationId(kept);
    TenantId as u32: |it| it.get(), |kept| TenantId::from_stored(kept);
    SenderName as &'static str: |it| it.as_str(), |kept| SenderName::new(kept);
}

impl KeyCode for Place {
    type In = &'static codec::Place;

    fn with<T>(&self, use_it: impl FnOnce(&codec::Place) -> T) -> T {
        use_it(&place(self.seq, self.tenant))
    }

    fn read(_: &'static str, key: &codec::Place) -> Read<Self> {
        let (seq, tenant) = read_place(key);
        Ok(Place { seq, tenant })
    }
}

impl KeyCode for Hash {
    type In = &'static Hash;

    fn with<T>(&self, use_it: impl FnOnce(&Hash) -> T) -> T {
        use_it(self)
    }

    fn read(_: &'static str, key: &Hash) -> Read<Self> {
        Ok(*key)
    }
}

fn conversation(tenant: TenantId, contact: ContactKey) -> ConversationKey {
    ConversationKey { tenant, contact }
}

fn number_of(tenant: TenantId, number: u64) -> Vec<u8> {
    let mut bytes = tenant.get().to_be_bytes().to_vec();
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes
}

/// `name 0 number`: the names that are kept so hold no zero.
fn arrived(name: &str, number: u64) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes
}

fn name(eye: &mut Eye<'_>) -> Read<String> {
    let mut name = Vec::new();
    loop {
        match eye.u8()? {
            0 => break,
            byte => name.push(byte),
        }
    }
    String::from_utf8(name).map_err(|_| eye.wrong("a name is not UTF-8"))
}

/// Times before 1970 lie at it.
fn timed(at: Timestamp, rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + rest.len());
    bytes.extend_from_slice(&(at.as_ms().max(0) as u64).to_be_bytes());
    bytes.extend_from_slice(rest);
    bytes
}

/// `tenant name 0 language 0 sender`: names and languages hold no zero.
fn template(key: &template::Key) -> Vec<u8> {
    owned_by(key.tenant.get(), &format!("{}\0{}\0{}", key.name, key.language, key.sender))
}

fn read_template(eye: &mut Eye<'_>) -> Read<template::Key> {
    let tenant = eye.tenant()?;
    let rest = eye.rest_as_text()?;
    let mut parts = rest.splitn(3, '\0');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(language), Some(sender)) => Ok(template::Key {
            tenant,
            name: name.to_owned(),
            language: language.to_owned(),
            sender: SenderName::new(sender),
        }),
        _ => Err(eye.wrong("a template's name has too few parts")),
    }
}

#[cfg(test)]
mod tests;
