//! Keys of the API.

use async_trait::async_trait;

use crate::message::Timestamp;
use crate::store::Result;
use crate::store::api_keys::{ApiKey, ApiKeys};
use crate::store::audit::entry;
use crate::store::engine::Engine;
use crate::store::rules::api_keys;

#[async_trait]
impl<E: Engine> ApiKeys for E {
    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>> {
        let hash = hash.to_owned();
        self.read(move |rows| api_keys::find(rows, &hash)).await
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>> {
        self.read(api_keys::all).await
    }

    async fn put_api_key(&self, key: ApiKey, actor: &str) -> Result<()> {
        let detail = serde_json::json!({ "name": key.name });
        let by = entry(actor, "put api key", api_keys::subject(&key), detail, key.created_at);
        self.submit(move |rows| api_keys::put(rows, &key, &by)).await
    }

    async fn remove_api_key(&self, hash: &str, actor: &str, now: Timestamp) -> Result<ApiKey> {
        let (hash, actor) = (hash.to_owned(), actor.to_owned());
        self.submit(move |rows| api_keys::remove(rows, &hash, &actor, now)).await
    }
}
