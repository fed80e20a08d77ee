//! Keeps the file and its disk in order.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use async_trait::async_trait;

use super::{Embedded, backup, verify};
use crate::priority;
use crate::store::engine::Engine as _;
use crate::store::rows::{Audit, Contacts, Dedup, ReadTable, Ways};
use crate::store::upkeep::{Compacted, FileBytes, Room, StoreFile, Verified};
use crate::store::{Error, Result};

/// Pages are this full on average, in percent: what a tree leaves free it needs.
const FULL_PERCENT: u64 = 60;

/// What rows take, about, whose bytes are not counted.
const DEDUP_ROW: u64 = 64;
const OTHER_ROW: u64 = 300;
const WAY_ROW: u64 = 90;

/// What an empty file has.
const EMPTY: u64 = 2 << 20;

#[async_trait]
impl StoreFile for Embedded {
    fn room(&self) -> Room {
        self.shared.space.room()
    }

    async fn file_bytes(&self) -> Result<FileBytes> {
        let bytes = self.on_disk()?;
        let kept: u64 = self.index().usages().values().map(|usage| usage.bytes()).sum();
        let others = self.read(|rows| {
            let contacts = ReadTable::<Contacts>::count_rows(rows)?;
            let audit = ReadTable::<Audit>::count_rows(rows)?;
            let (dedup, ways) = (ReadTable::<Dedup>::count_rows(rows)?, ReadTable::<Ways>::count_rows(rows)?);
            Ok(dedup * DEDUP_ROW + ways * WAY_ROW + (contacts + audit) * OTHER_ROW)
        });
        let others = others.await?;
        let needed = (kept + others) * 100 / FULL_PERCENT + EMPTY;
        Ok(FileBytes { bytes, spare: bytes.saturating_sub(needed) })
    }

    async fn compact(&self) -> Result<Compacted> {
        let (bytes_before, began) = (self.on_disk()?, Instant::now());
        tracing::info!(bytes_before, "the store's file is being compacted; messages wait meanwhile");
        self.writer.compact().await?;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let bytes_after = self.on_disk()?;
        tracing::info!(bytes_before, bytes_after, took_ms, "the store's file was compacted");
        self.index().wakes.turns.notify_one();
        self.index().wakes.sends.notify_one();
        Ok(Compacted { bytes_before, bytes_after, took_ms })
    }

    async fn verify(&self) -> Result<Verified> {
        let (shared, began) = (self.shared.clone(), Instant::now());
        let work = move || Ok(verify::read_all(&shared.disk.snapshot()?));
        let read = priority::aside("verification", work).await;
        let read = read.unwrap_or_else(|error| Err(Error::Failed(format!("the verification: {error}"))))?;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(match read {
            Ok(rows) => Verified { rows, took_ms, flaw: None },
            Err(flaw) => Verified { rows: 0, took_ms, flaw: Some(flaw.to_string()) },
        })
    }

    async fn backup(&self, file: File, from: u64) -> Result<u64> {
        let shared = self.shared.clone();
        let work = move || backup::copy_into(&shared.disk.snapshot()?, &file, from);
        let done = priority::aside("backup", work).await;
        done.unwrap_or_else(|error| Err(Error::Failed(format!("the backup: {error}"))))
    }
}

impl Embedded {
    /// What the file takes of its disk.
    fn on_disk(&self) -> Result<u64> {
        let path = &self.shared.path;
        let told = std::fs::metadata(path);
        let told = told.map_err(|error| Error::Failed(format!("{}: {error}", path.display())))?;
        Ok(told.blocks() * 512)
    }
}
