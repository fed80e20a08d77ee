//! The value of a change of messages: what contacts said, what became of what we said, and what we
//! said ourselves on the phone.
//!
//! A contact may be known by phone, by an id that only this business sees (`US.1234`), or by both; the
//! profiles beside the messages are found by these, never by their place.

use serde_json::Value;

use crate::channel::DecodeError;
use crate::channel::cloud::{Item, Surroundings, content, person, status};
use crate::channel::json::{self, Object, as_object, list, short, word};
use crate::channel::said::Found;
use crate::event::{Event, Own, SameBecause, SamePerson, Topic};
use crate::identity::{self, Address};
use crate::message::{ContactKey, Inbound, Timestamp};

type Read<'a, 's> = fn(&Reader<'a, 's>, &Object, &str) -> Result<Event, DecodeError>;

pub(super) fn read(value: &Object, around: &Surroundings<'_>, place: &str) -> Vec<Event> {
    let reader = Reader { around, people: People::of(value), ours: our_number(value) };
    let mut events = Vec::new();
    let lists: [(&str, Topic, Read<'_, '_>); 4] = [
        ("messages", Topic::Message, Reader::message),
        ("message_echoes", Topic::Message, Reader::echo),
        ("statuses", Topic::Receipt, Reader::status),
        ("errors", Topic::Item, Reader::error),
    ];
    for (name, topic, read) in lists {
        let place = format!("{place}.{name}");
        let items = match list(value, name, &place) {
            Ok(items) => items.map(Vec::as_slice).unwrap_or_default(),
            Err(error) => {
                events.push(around.unreadable(topic, &error, Item::default()));
                continue;
            }
        };
        for (at, item) in items.iter().enumerate() {
            let place = format!("{place}[{at}]");
            let item = as_object(item, &place);
            let renamed = item.as_ref().map_or_else(|_| Vec::new(), |item| reader.renamed(item));
            if !renamed.is_empty() {
                events.extend(renamed);
                continue;
            }
            events.push(match item {
                Ok(item) => read(&reader, item, &place)
                    .unwrap_or_else(|error| around.unreadable(topic, &error, Item::of(item))),
                Err(error) => around.unreadable(topic, &error, Item::default()),
            });
        }
    }
    if events.is_empty() {
        events.push(around.ignored("nothing in it", Item::default()));
    }
    events
}

/// Our own, as people write it: `+1 555-078-3881`.
fn our_number(value: &Object) -> Option<ContactKey> {
    let number = word(json::object(value, &["metadata"])?, "display_phone_number")?;
    identity::contact(&number).ok()
}

struct Reader<'a, 's> {
    around: &'a Surroundings<'s>,
    people: People<'a>,
    ours: Option<ContactKey>,
}

impl Reader<'_, '_> {
    fn message(&self, message: &Object, place: &str) -> Result<Event, DecodeError> {
        let id = json::required(message, "id", place)?;
        let item = || Item::of(message);
        let named = word(message, "from");
        if named.as_deref().is_some_and(|from| self.is_ours(from)) {
            return self.echo(message, place);
        }
        let account = self.account();
        let dialect = self.around.dialect;
        let scoped = json::text(message, "from_user_id");
        let profile = self.people.find(&[named.as_deref(), scoped]);
        let known = profile.and_then(|profile| word(profile, "wa_id"));
        let Some(from) = named.or(known).or_else(|| scoped.map(str::to_owned)) else {
            return Ok(self.nobody(item()));
        };
        let mut aliases = self.aliases(message, profile);
        let (contact, from_raw) = match (group(message), dialect.groups) {
            (Some(_), false) => return Ok(self.around.ignored("group", item())),
            (Some(group), true) => match identity::address(&group) {
                Ok(Address::Group(key)) => {
                    aliases.clear();
                    (key, group)
                }
                _ => return Ok(self.nobody(item())),
            },
            (None, _) => match person(&from) {
                Ok(key) => (key, from),
                Err(_) => return Ok(self.nobody(item())),
            },
        };
        aliases.retain(|alias| *alias != contact);
        let sent_at = item().at.or(self.around.at).unwrap_or(Timestamp::ZERO);
        let content = match content::read(message, dialect.file, place)? {
            Found::Content(content) => content,
            Found::Nothing(reason) => return Ok(self.around.ignored(reason, item())),
            Found::Unknown(word) => {
                let why = format!("message of an unknown kind {}", short(&word));
                return Ok(self.around.unread(Topic::Message, &why, item()));
            }
        };
        Ok(Event::Message(Box::new(Inbound {
            provider: dialect.provider,
            account,
            id,
            contact,
            aliases,
            from_raw,
            display_name: profile.and_then(display_name),
            sent_at,
            content,
            quoted: quoted(message, dialect.own_ids),
            referral: json::object(message, &["referral"]).and_then(content::referral),
        })))
    }

    /// A message that has nobody whose words it could be.
    fn nobody(&self, item: Item) -> Event {
        self.around.unread(Topic::Message, "unreadable sender address", item)
    }

    /// What our own number said to somebody, typed on its phone.
    fn echo(&self, echo: &Object, place: &str) -> Result<Event, DecodeError> {
        let id = json::required(echo, "id", place)?;
        let to = word(echo, "to").or_else(|| word(echo, "to_user_id"));
        let content = match content::read(echo, self.around.dialect.file, place)? {
            Found::Content(content) => Some(content),
            Found::Nothing(_) | Found::Unknown(_) => None,
        };
        Ok(Event::Own(Box::new(Own {
            provider: self.around.dialect.provider,
            account: self.account(),
            id,
            contact: to.as_deref().and_then(|to| person(to).ok()),
            from_raw: word(echo, "from"),
            to_raw: to,
            sent_at: Item::of(echo).at.or(self.around.at).unwrap_or(Timestamp::ZERO),
            content,
            quoted: quoted(echo, self.around.dialect.own_ids),
            origin: None,
        })))
    }

    fn status(&self, status: &Object, place: &str) -> Result<Event, DecodeError> {
        status::read(status, self.around, place)
    }

    /// Not about one message: the provider cannot do something at all.
    fn error(&self, error: &Object, _place: &str) -> Result<Event, DecodeError> {
        let told = status::failure(error).unwrap_or_else(|| "without words".into());
        Ok(self.around.alert(&format!("provider error: {told}")))
    }

    /// Empty where the value does not say: then it is for the address that it came to.
    fn account(&self) -> String {
        self.around.account.clone().unwrap_or_default()
    }

    fn is_ours(&self, from: &str) -> bool {
        self.ours.is_some() && person(from).ok() == self.ours
    }

    /// The person's other ids, from the message and its profile.
    fn aliases(&self, message: &Object, profile: Option<&Object>) -> Vec<ContactKey> {
        let of_message = ["from", "from_user_id", "from_parent_user_id"].map(|name| word(message, name));
        let of_profile = ["wa_id", "user_id", "parent_user_id"]
            .map(|name| profile.and_then(|profile| word(profile, name)));
        let mut aliases = Vec::new();
        for id in of_message.into_iter().chain(of_profile).flatten() {
            if let Ok(key) = person(&id)
                && !aliases.contains(&key)
            {
                aliases.push(key);
            }
        }
        aliases
    }

    /// A person's new number or new ids: the message is from the old number, or names the old ids. Empty
    /// where the message says nothing of the kind.
    fn renamed(&self, message: &Object) -> Vec<Event> {
        let system = json::object(message, &["system"]);
        let changed =
            |system: &&Object| json::text(system, "type").is_some_and(|kind| kind.contains("changed"));
        let (Some(system), Some(account), Some(id)) =
            (system.filter(changed), &self.around.account, word(message, "id"))
        else {
            return Vec::new();
        };
        let key = |object: &Object, name: &str| person(&word(object, name)?).ok();
        let from = key(message, "from").or_else(|| key(message, "from_user_id"));
        let mut pairs = vec![
            (from.clone(), key(system, "new_wa_id").or_else(|| key(system, "wa_id"))),
            (key(system, "previous_user_id"), key(system, "user_id")),
            (key(system, "previous_parent_user_id"), key(system, "parent_user_id")),
        ];
        if pairs.iter().all(|(known, also)| known.is_none() || also.is_none()) {
            pairs = vec![(from, key(system, "user_id"))];
        }
        let same = |(known, also): (Option<ContactKey>, Option<ContactKey>)| {
            let (known, also) = (known?, also?);
            (known != also).then(|| {
                Event::SamePerson(SamePerson {
                    provider: self.around.dialect.provider,
                    account: account.clone(),
                    known,
                    also,
                    message_id: Some(id.clone()),
                    at: Item::of(message).at.or(self.around.at).unwrap_or(Timestamp::ZERO),
                    because: SameBecause::NumberChanged,
                })
            })
        };
        pairs.into_iter().filter_map(same).collect()
    }
}

/// The profiles of those who wrote.
struct People<'a>(Vec<&'a Object>);

impl<'a> People<'a> {
    fn of(value: &'a Object) -> Self {
        let contacts = json::field(value, "contacts").and_then(Value::as_array);
        People(contacts.into_iter().flatten().filter_map(Value::as_object).collect())
    }

    fn find(&self, ids: &[Option<&str>]) -> Option<&'a Object> {
        let wanted: Vec<ContactKey> = ids.iter().flatten().filter_map(|id| person(id).ok()).collect();
        self.0.iter().copied().find(|profile| {
            let names = ["wa_id", "user_id"].into_iter().filter_map(|name| word(profile, name));
            names.filter_map(|id| person(&id).ok()).any(|key| wanted.contains(&key))
        })
    }
}

fn display_name(profile: &Object) -> Option<String> {
    let profile = json::object(profile, &["profile"])?;
    [json::text(profile, "name"), json::text(profile, "username")]
        .into_iter()
        .flatten()
        .map(str::trim)
        .find(|name| !name.is_empty())
        .map(str::to_owned)
}

/// In the form in which groups are written everywhere else.
fn group(message: &Object) -> Option<String> {
    let id = word(message, "group_id")?;
    Some(if id.ends_with("@g.us") { id } else { format!("{id}@g.us") })
}

/// A context with `forwarded` alone, or with empty ids, quotes nothing.
fn quoted(message: &Object, names: &[&str]) -> Option<String> {
    let context = json::object(message, &["context"])?;
    names.iter().find_map(|name| json::text(context, name)).map(str::to_owned)
}
