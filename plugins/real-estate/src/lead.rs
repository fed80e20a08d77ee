//! What the organization learns of the contact: the lead's stage and fields, told when they change.

use serde_json::{Map, Value, json};

use crate::criteria::Rooms;
use crate::memory::Memory;
use crate::step::Step;
use crate::talk::Talk;

/// In the order of the way to a viewing. `agent` stands beside them.
const STAGES: [&str; 4] = ["new", "searching", "matched", "viewing"];
pub const AGENT: &str = "agent";

/// Tells what changed since the lead was last told.
pub fn update(talk: &mut Talk<'_>, handed_off: bool) {
    let known = talk.turn.context().lead.clone().unwrap_or_default();
    for (field, value) in fields(&talk.memory) {
        let before = known.fields.get(&field).unwrap_or(&Value::Null);
        if *before != value {
            talk.reply.lead_field(field, value);
        }
    }
    let stage = if handed_off { AGENT } else { stage(&talk.memory) };
    let place = |stage: &str| STAGES.iter().position(|known| *known == stage);
    let moves = match (place(&known.stage), place(stage)) {
        _ if known.stage == stage => false,
        _ if handed_off || known.stage.is_empty() => true,
        // Onwards, or back from a viewing that was cancelled. A stage that the sales team gave stays.
        (Some(before), Some(after)) => after > before || known.stage == "viewing",
        _ => known.stage == AGENT && stage == "viewing",
    };
    if moves {
        talk.reply.lead_stage(stage);
    }
}

fn stage(memory: &Memory) -> &'static str {
    if memory.viewing.is_some() {
        "viewing"
    } else if memory.step >= Step::Home || (memory.step == Step::Results && has_homes(memory)) {
        "matched"
    } else if !memory.criteria.is_empty() {
        "searching"
    } else {
        "new"
    }
}

fn has_homes(memory: &Memory) -> bool {
    memory.offered.iter().any(|choice| choice.id.starts_with("home:"))
}

/// All fields; null where there is nothing to tell.
fn fields(memory: &Memory) -> Map<String, Value> {
    let criteria = &memory.criteria;
    let rooms = criteria.rooms.value();
    let budget = criteria.budget.value();
    let viewing = memory.viewing.as_ref();
    let fields = json!({
        "language": memory.language.map(|language| language.code()),
        "source": memory.source,
        "purpose": criteria.purpose.map(|purpose| purpose.name()),
        "type": criteria.kind.value().map(|kind| kind.name()),
        "bedrooms_min": rooms.map(|rooms| rooms.min),
        "bedrooms_max": rooms.map(|rooms| rooms.max).filter(|max| *max < Rooms::MOST),
        "area": criteria.area.value(),
        "budget_min": budget.and_then(|budget| budget.min),
        "budget_max": budget.and_then(|budget| budget.max),
        "viewing_property": viewing.map(|viewing| &viewing.home),
        "viewing_at": viewing.map(|viewing| viewing.at.to_string()),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
