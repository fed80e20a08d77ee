//! A provider's template management: the requests and what their answers mean. When they are made is
//! not decided here.

use http::HeaderMap;

use crate::channel::{EncodeError, Outcome, Request};
use crate::template::{Category, Status, Template};
use crate::tenant::Sender;

pub trait Api: Sync {
    /// Asks for approval of a new template.
    fn submit(&self, sender: &Sender, template: &Template) -> Result<Request, EncodeError>;
    /// Replaces one that the provider knows under `id`.
    fn update(&self, sender: &Sender, id: &str, template: &Template) -> Result<Request, EncodeError>;
    fn delete(&self, sender: &Sender, id: Option<&str>, template: &Template) -> Result<Request, EncodeError>;
    /// A page of all templates at the sender's account; `after` is what [`Page::next`] said.
    fn list(&self, sender: &Sender, after: Option<&str>) -> Result<Request, EncodeError>;
    /// The answer to a submission or an update.
    fn submitted(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Submitted, Outcome>;
    /// The answer to a deletion. What is not there any more is deleted.
    fn deleted(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<(), Outcome>;
    /// Does a deletion take every language of the name with it?
    fn deletes_all_languages(&self) -> bool {
        false
    }
    fn listed(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Page, Outcome>;
}

#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    pub id: Option<String>,
    pub status: Status,
    /// Where the provider put it into another category.
    pub category: Option<Category>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub templates: Vec<Listed>,
    pub next: Option<String>,
}

/// A template as the provider has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: Option<String>,
    pub name: String,
    pub language: String,
    pub status: Status,
    pub category: Option<Category>,
    /// Why it was rejected.
    pub reason: Option<String>,
}
