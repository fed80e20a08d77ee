//! The verbs of [`Secrets`].

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::seal::{KeyId, Ring};
use crate::store::Result;
use crate::store::engine::Engine;
use crate::store::rules::secrets;
use crate::store::secrets::Secrets;
use crate::tenant::HouseWaha;

#[async_trait]
impl<E: Engine> Secrets for E {
    async fn sealed(&self) -> Result<BTreeMap<Option<KeyId>, usize>> {
        self.read(secrets::count).await
    }

    async fn use_keys(&self, keys: Ring) -> Result<()> {
        self.submit(move |rows| secrets::use_keys(rows, &keys)).await
    }

    fn keys(&self) -> Ring {
        (**self.index().keys.load()).clone()
    }

    async fn lend_waha(&self, waha: HouseWaha) -> Result<()> {
        self.submit(move |rows| secrets::lend_waha(rows, &waha)).await
    }

    async fn reseal(&self, limit: usize) -> Result<usize> {
        self.submit(move |rows| secrets::reseal(rows, limit)).await
    }
}
