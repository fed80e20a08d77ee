//! How much WhatsApp itself takes of a message and of a template, in characters where nothing else is said. One place
//! for the whole gateway; what a provider alone takes more or less of stands with its adapter. Source: the Cloud
//! API's pages on each kind of message, which hold behind Infobip and Gupshup too.

pub const TEXT: usize = 4096;
/// The words beside a file.
pub const CAPTION: usize = 1024;

/// The text above buttons or a list.
pub const BODY: usize = 1024;
pub const FOOTER: usize = 60;

/// How many.
pub const BUTTONS: usize = 3;
pub const BUTTON_TITLE: usize = 20;
pub const BUTTON_ID: usize = 256;

/// The words that open a list.
pub const LIST_BUTTON: usize = 20;
/// How many.
pub const SECTIONS: usize = 10;
pub const SECTION_TITLE: usize = 24;
/// How many, over all sections.
pub const ROWS: usize = 10;
pub const ROW_TITLE: usize = 24;
pub const ROW_DESCRIPTION: usize = 72;
pub const ROW_ID: usize = 200;

/// Contact cards in a message: Meta's specification names this many; its pages advise to send few.
pub const CARDS: usize = 5;

/// Of templates.
pub mod template {
    pub const NAME: usize = 512;
    pub const HEADER: usize = 60;
    pub const BODY: usize = 1024;
    pub const FOOTER: usize = 60;
    /// How many.
    pub const BUTTONS: usize = 10;
    pub const BUTTON_TITLE: usize = 25;
    /// How many of the buttons may lead to an address.
    pub const URL_BUTTONS: usize = 2;
    pub const URL: usize = 2000;
    /// A code that is copied.
    pub const CODE: usize = 15;
    pub const PHONE: usize = 20;
    /// The value of a parameter in a text.
    pub const PARAMETER: usize = 1024;
}

#[cfg(test)]
mod tests {
    use switchboard_sdk::limits as sdk;

    use super::*;

    /// A brain that is held to other limits in its own tests than here would pass them and lose turns.
    #[test]
    fn brains_are_held_to_the_same_by_the_sdk() {
        for (what, ours, theirs) in [
            ("a text", TEXT, sdk::TEXT),
            ("a caption", CAPTION, sdk::CAPTION),
            ("the body", BODY, sdk::BODY),
            ("the footer", FOOTER, sdk::FOOTER),
            ("buttons", BUTTONS, sdk::BUTTONS),
            ("a button's title", BUTTON_TITLE, sdk::BUTTON_TITLE),
            ("a button's id", BUTTON_ID, sdk::BUTTON_ID),
            ("a list's button", LIST_BUTTON, sdk::LIST_BUTTON),
            ("a section's title", SECTION_TITLE, sdk::SECTION_TITLE),
            ("rows", ROWS, sdk::ROWS),
            ("a row's title", ROW_TITLE, sdk::ROW_TITLE),
            ("a row's description", ROW_DESCRIPTION, sdk::ROW_DESCRIPTION),
            ("a row's id", ROW_ID, sdk::ROW_ID),
            ("cards", CARDS, sdk::CARDS),
        ] {
            assert_eq!(ours, theirs, "{what}");
        }
    }
}
