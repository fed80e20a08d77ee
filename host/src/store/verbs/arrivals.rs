//! Messages come in.

use async_trait::async_trait;

use crate::store::Result;
use crate::store::arrivals::{Accepted, Arrival, Arrivals};
use crate::store::engine::Engine;
use crate::store::rules::accept::{self, Incoming};
use crate::store::upkeep::Mark;

#[async_trait]
impl<E: Engine> Arrivals for E {
    async fn accept(&self, arrival: Arrival) -> Result<Accepted> {
        self.check(Mark::Messages)?;
        let incoming = Incoming::new(arrival, &self.index().settings, &self.index().secret);
        self.submit(move |rows| accept::accept(rows, &incoming)).await
    }
}
