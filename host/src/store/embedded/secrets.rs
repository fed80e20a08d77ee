//! The verbs of [`Secrets`].

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Embedded;
use crate::seal::{KeyId, Ring};
use crate::store::Result;
use crate::store::rows::Rows as _;
use crate::store::rules::secrets;
use crate::store::secrets::Secrets;
use crate::store::shared::effect::Effect;
use crate::tenant::HouseWaha;

#[async_trait]
impl Secrets for Embedded {
    async fn sealed(&self) -> Result<BTreeMap<Option<KeyId>, usize>> {
        self.read(secrets::count)
    }

    async fn use_keys(&self, keys: Ring) -> Result<()> {
        self.write(move |batch| secrets::use_keys(batch, &keys)).await
    }

    fn keys(&self) -> Ring {
        (**self.index().keys.load()).clone()
    }

    async fn lend_waha(&self, waha: HouseWaha) -> Result<()> {
        self.write(move |batch| {
            batch.effect(Effect::Waha(waha.clone()));
            Ok(())
        })
        .await
    }

    async fn reseal(&self, limit: usize) -> Result<usize> {
        self.write(move |batch| secrets::reseal(batch, limit)).await
    }
}

#[cfg(test)]
mod tests;
