//! Records that tenants give their brains.

use async_trait::async_trait;

use crate::message::TenantId;
use crate::store::audit::entry;
use crate::store::collections::Collections;
use crate::store::engine::Engine;
use crate::store::rows::collection::CollectionRow;
use crate::store::rules::collections;
use crate::store::shared::parsed::Records;
use crate::store::upkeep::Mark;
use crate::store::{Error, Result};

#[async_trait]
impl<E: Engine> Collections for E {
    async fn put_collection(
        &self,
        tenant: TenantId,
        collection: &str,
        records: Vec<serde_json::Value>,
        actor: &str,
    ) -> Result<()> {
        self.check(Mark::Stored)?;
        collections::check(&records)?;
        let json = serde_json::to_vec(&records).map_err(|error| Error::Conflict(error.to_string()))?;
        let row = CollectionRow { json };
        let (name, subject) = (collection.to_owned(), format!("{tenant}/{collection}"));
        let detail = serde_json::json!({ "records": records.len() });
        let by = entry(actor, "put collection", subject, detail, self.now());
        self.submit(move |rows| collections::put(rows, (tenant, &name), &row, &by)).await
    }

    async fn collection(&self, tenant: TenantId, collection: &str) -> Result<Option<Records>> {
        let (index, name) = (self.index().clone(), collection.to_owned());
        let (found, generation) = index.parsed.find(tenant, collection);
        if found.is_some() {
            return Ok(found);
        }
        self.read(move |rows| collections::read(rows, (&index.parsed, generation), tenant, &name)).await
    }

    fn parsed_collection(&self, tenant: TenantId, collection: &str) -> Option<Records> {
        self.index().parsed.find(tenant, collection).0
    }

    async fn collection_json(&self, tenant: TenantId, collection: &str) -> Result<Option<Vec<u8>>> {
        let name = collection.to_owned();
        self.read(move |rows| collections::json(rows, tenant, &name)).await
    }
}
