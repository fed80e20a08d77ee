//! What is wrong with a file.

use std::io;

use redb::DatabaseError;

use super::batch::{Fault, file_error};
use super::tables::FORMAT;
use crate::message::SenderName;
use crate::seal::{KeyId, Unopened};
use crate::store::rules::secrets::Closed;

/// What is wrong with a file.
#[derive(Debug)]
pub enum Flaw {
    Locked,
    Damaged(String),
    Newer(u32),
    Older(u32),
    NoKey { sender: SenderName, field: &'static str, key: KeyId },
    Io(io::Error),
}

impl From<DatabaseError> for Flaw {
    fn from(error: DatabaseError) -> Self {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        match error {
            DatabaseError::DatabaseAlreadyOpen => Flaw::Locked,
            DatabaseError::Storage(redb::StorageError::Io(error))
                if !matches!(error.kind(), InvalidData | UnexpectedEof) =>
            {
                Flaw::Io(error)
            }
            other => Flaw::Damaged(other.to_string()),
        }
    }
}

impl From<Fault> for Flaw {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Engine(error) => match file_error(error) {
                redb::Error::Io(error) => Flaw::Io(error),
                other => Flaw::Damaged(other.to_string()),
            },
            other => Flaw::Damaged(other.to_string()),
        }
    }
}

impl From<Closed> for Flaw {
    fn from(Closed { sender, field, why }: Closed) -> Self {
        match why {
            Unopened::NoKey(key) => Flaw::NoKey { sender, field, key },
            why => Flaw::Damaged(format!("the {field} of sender {sender}: {why}")),
        }
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Flaw::Locked => f.write_str("another gateway runs on it"),
            Flaw::Damaged(what) => write!(f, "it is damaged: {what}"),
            Flaw::Newer(found) => write!(f, "it is of format {found}; this program reads up to {FORMAT}"),
            Flaw::Older(found) => write!(f, "it is of format {found}; this program reads {FORMAT} alone"),
            Flaw::NoKey { sender, key, .. } => {
                write!(f, "sender {sender} is sealed with key {key}, which is not here")
            }
            Flaw::Io(error) => error.fmt(f),
        }
    }
}
