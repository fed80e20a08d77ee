//! What a message's id names. WAHA writes one message's id after the chat it is in, and the chat by phone
//! number or by hidden id: `true_971501234567@c.us_3EB0` and `true_245800000000182@lid_3EB0` are both
//! `3EB0`. In groups the author follows. The id itself may hold underscores.

use std::borrow::Cow;

/// The id without its chat and its author.
pub fn bare(id: &str) -> &str {
    let Some(rest) = id.strip_prefix("true_").or_else(|| id.strip_prefix("false_")) else { return id };
    let after_chat = rest.find('@').and_then(|at| rest[at..].find('_').map(|end| &rest[at + end + 1..]));
    let bare = match (after_chat, rest.contains('@')) {
        (Some(bare), _) => bare,
        (None, false) => rest,
        (None, true) => return id,
    };
    match bare.rsplit_once('_') {
        Some((bare, author)) if author.contains('@') => bare,
        _ => bare,
    }
}

/// The one name of a message that came in: of what was said to us alone the chat is left out, of what was
/// said in a group the author.
pub fn heard(id: &str) -> Cow<'_, str> {
    match group_of(id) {
        Some(group) => format!("{group}_{}", bare(id)).into(),
        None => bare(id).into(),
    }
}

fn group_of(id: &str) -> Option<&str> {
    let rest = id.strip_prefix("true_").or_else(|| id.strip_prefix("false_"))?;
    let (chat, _) = rest.split_at(rest.find("@g.us_")? + "@g.us".len());
    Some(chat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_came_in_has_one_name() {
        for (case, one, other, same) in [
            ("hidden id and phone", "false_999@lid_X", "false_5521@c.us_X", true),
            ("bare and serialized", "X", "false_5521@c.us_X", true),
            ("another message", "false_5521@c.us_X", "false_5521@c.us_Y", false),
            ("one author of a group", "false_1@g.us_X_999@lid", "false_1@g.us_X_5521@c.us", true),
            ("two groups", "false_1@g.us_X_5521@c.us", "false_2@g.us_X_5521@c.us", false),
            ("a group and a person", "false_1@g.us_X_5521@c.us", "false_5521@c.us_X", false),
        ] {
            assert_eq!(heard(one) == heard(other), same, "{case}");
        }
    }

    #[test]
    fn one_message_has_one_bare_id() {
        for (id, expected) in [
            ("true_971501234567@c.us_3EB0", "3EB0"),
            ("true_245800000000182@lid_3EB0", "3EB0"),
            ("true_971501234567@s.whatsapp.net_3EB0_A", "3EB0_A"),
            ("false_120363000000000002@g.us_3EB0_5511900000002@c.us", "3EB0"),
            ("true_1_2@lid_A_B", "A_B"),
            ("true_3EB0AAAA", "3EB0AAAA"),
            ("3EB0AAAA", "3EB0AAAA"),
            ("true_971501234567@c.us", "true_971501234567@c.us"),
            ("", ""),
        ] {
            assert_eq!(bare(id), expected, "{id}");
        }
    }
}
