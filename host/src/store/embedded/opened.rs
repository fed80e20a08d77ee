//! A store that is open.

use std::path::PathBuf;
use std::sync::Arc;

use super::disk::Disk;
use super::space::Space;
use crate::store::shared::index::Index;

/// What the writer and the readers share.
pub struct Shared {
    pub disk: Disk,
    pub space: Space,
    pub index: Arc<Index>,
    /// Where its file lies.
    pub path: PathBuf,
}
