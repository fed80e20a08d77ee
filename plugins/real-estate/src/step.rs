//! The questions of the dialogue, in their order.

use serde::{Deserialize, Serialize};

/// In the order in which they are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    #[default]
    Language,
    Purpose,
    Kind,
    Rooms,
    Area,
    Budget,
    /// The matching homes, or what to do when there are none.
    Results,
    /// One home in detail.
    Home,
    Day,
    Slot,
    Confirm,
    Booked,
}
