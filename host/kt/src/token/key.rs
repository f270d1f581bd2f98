//! A secret, shown for the only time.

use anyhow::anyhow;
use cedargate::model::Timestamp;
use cedargate_tokens::{Label, Secret, Token};
use serde::Serialize;

use super::shown::seconds;
use crate::clean::clean;
use crate::format::Format;
use crate::stdout;

/// What is printed about a new secret.
#[derive(Serialize)]
pub(crate) struct NewKey<'a> {
    v: u8,
    id: &'a str,
    name: &'a str,
    key: &'a str,
    token_type: &'a str,
    purpose: &'a str,
    principal_type: &'a str,
    version: u32,
    created_at: String,
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_until: Option<String>,
}

impl<'a> NewKey<'a> {
    pub(crate) fn new(token: &'a Token, secret: &'a Secret, version: u32, grace_until: Option<Timestamp>) -> Self {
        Self {
            v: 1,
            id: &token.id,
            name: &token.name,
            key: secret.expose(),
            token_type: token.type_name(),
            purpose: &token.grant.purpose,
            principal_type: &token.grant.principal_type,
            version,
            created_at: seconds(token.created_at),
            expires_at: token.grant.expires_at.map(seconds),
            grace_until: grace_until.map(seconds),
        }
    }

    /// Prints it. `done` is what became of the key.
    ///
    /// Where that fails, nobody will ever see the key, which whoever reads the error has to know.
    pub(crate) fn print(&self, label: Option<Label>, done: &str, format: Format) -> anyhow::Result<()> {
        let printed = match format {
            Format::Json => stdout::print_json(self),
            Format::Text => stdout::print(&self.words(label, done)),
        };
        // As a text: a reader that is gone is no reason to be silent here.
        printed.map_err(|error| {
            let (name, id) = (clean(self.name), self.id);
            anyhow!("`{name}` has a key that could not be shown: `kt tokens rotate --id {id}` makes another: {error:#}")
        })
    }

    /// For people.
    fn words(&self, label: Option<Label>, done: &str) -> String {
        let kind = match label {
            Some(Label::Access) => "Access key",
            Some(Label::Gateway) => "Gateway key",
            None => "API token",
        };
        let expires = self.expires_at.as_deref().unwrap_or("never");
        let mut words = format!("{kind} {done}:\nKey: {}\nName: {}\nExpires: {expires}", self.key, clean(self.name));
        if let Some(until) = &self.grace_until {
            words.push_str("\nOld key until: ");
            words.push_str(until);
        }
        words
    }
}
