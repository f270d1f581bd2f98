//! The stage of loading that validates policies against the schema.

use super::{FILE_BUNDLE, FILE_SCHEMA, Loader, Trust};
use crate::cedar::schema::{self, Finding, Schema};
use crate::contract::diagnostic::{Code, Source};
use crate::facts::kind::Kind;

impl Loader {
    pub(super) fn validate(&mut self, schema: &Schema) {
        if !self.general() {
            for (attribute, ty) in schema::required(schema) {
                self.whole(
                    FILE_SCHEMA,
                    Code::Facts,
                    format!("the attribute `{attribute}` of {ty} is required"),
                    "make it optional: what the bundle does not declare is there without attributes",
                );
            }
        }
        if self.trust == Trust::Checked {
            return;
        }
        for finding in schema::validate(schema, &self.policies) {
            self.validation(&finding);
        }
    }

    fn validation(&mut self, Finding { policy, warning, said }: &Finding) {
        let file = match self.drafts.get(policy) {
            Some(draft) => draft.file.clone(),
            None => self.file_of_template(policy).unwrap_or_else(|| FILE_BUNDLE.to_owned()),
        };
        let mut diagnostic = match self.files.get(&file) {
            Some((original, balanced)) => {
                Source { file: &file, text: original }.cedar(&**said, Code::Validation, |at| balanced.original(at))
            }
            None => Source { file: &file, text: "" }.whole(Code::Validation, said.to_string()),
        };
        // A finding about an attribute comes once for each type of principals; one is enough.
        for kind in Kind::PRINCIPALS {
            diagnostic.message = diagnostic.message.replace(&format!(" on entity type `{}`", kind.name()), "");
        }
        let told = format!("for policy `{policy}`, ");
        diagnostic.message = diagnostic.message.strip_prefix(&told).unwrap_or(&diagnostic.message).to_owned();
        diagnostic.policy = Some(policy.clone());
        self.found.push(if *warning { diagnostic.warning() } else { diagnostic });
    }

    fn file_of_template(&self, id: &str) -> Option<String> {
        let text = self.policies.text_of_template(id)?;
        self.files.iter().find(|(_, (_, balanced))| balanced.text.as_str() == &*text).map(|(name, _)| name.clone())
    }
}
