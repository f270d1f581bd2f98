//! The stage of loading that reads policies, templates and links.

use super::{Draft, FILE_BUNDLE, Loader, Trust};
use crate::cedar::policies::{self, LinkError, Parsed};
use crate::contract::bundle::{File, Link};
use crate::contract::diagnostic::{Code, Source};
use crate::contract::strict;
use crate::load::annotation::{self, Annotations};
use crate::load::policy_depth::{self, Balanced, Why};

/// What helps where an id is used twice.
const HELP_TAKEN: &str = "give each policy, template and link an `@id` of its own";

impl Loader {
    pub(super) fn policies(&mut self) {
        let mut count = 0;
        for at in 0..self.bundle.policies.len() {
            let Some(file) = self.bundle.policies.get(at).cloned() else { break };
            let Some(balanced) = self.through_gate(&file) else { continue };
            count += balanced.policies;
            if count > self.bundle.limits.policies {
                let limit = self.bundle.limits.policies;
                self.whole(
                    &file.name,
                    Code::Limit,
                    format!("the bundle has more than {limit} policies"),
                    "use template links or static entities, or raise `policies`",
                );
                return;
            }
            if let Some(kept) = self.bundle.policies.get_mut(at) {
                kept.text.clone_from(&balanced.text);
            }
            self.parse(&file, balanced);
        }
    }

    fn through_gate(&mut self, file: &File) -> Option<Balanced> {
        if self.trust == Trust::Checked {
            return Some(Balanced::passed(file.text.clone()));
        }
        let source = Source { file: &file.name, text: &file.text };
        let (balanced, refusals) = policy_depth::check(&file.text, &self.bundle.limits);
        let shape = refusals.iter().any(|r| r.why == Why::Shape);
        for refusal in &refusals {
            if refusal.why != Why::Shape {
                let finding =
                    source.at(refusal.offset, 1, Code::Limit, refusal.why.to_string()).help(refusal.why.help());
                self.found.push(finding);
            }
        }
        if refusals.is_empty() {
            return Some(balanced);
        }
        if refusals.iter().all(|r| r.why == Why::Shape) && shape {
            // Cedar's parser says better what is wrong. What it accepts all the same is still refused.
            match policies::parse(&balanced.text) {
                Err(errors) => {
                    for error in errors.iter() {
                        self.found.push(source.cedar(error, Code::Parse, |at| balanced.original(at)));
                    }
                }
                Ok(_) => {
                    for refusal in &refusals {
                        self.found.push(
                            source.at(refusal.offset, 1, Code::Parse, refusal.why.to_string()).help(refusal.why.help()),
                        );
                    }
                }
            }
        }
        None
    }

    fn parse(&mut self, file: &File, balanced: Balanced) {
        let source = Source { file: &file.name, text: &file.text };
        let parsed = match policies::parse(&balanced.text) {
            Ok(parsed) => parsed,
            Err(errors) => {
                for error in errors.iter() {
                    self.found.push(source.cedar(error, Code::Parse, |at| balanced.original(at)));
                }
                return;
            }
        };
        let base = self.position;
        self.position += parsed.len();
        for one in parsed {
            let fallback = file.id.clone().unwrap_or_else(|| format!("policy{}", base + one.place));
            let at = one.span.map_or(0, |(from, _)| balanced.original(from));
            if one.is_template() {
                self.template(&one, &source, at, fallback);
            } else {
                self.policy(&one, (file, &source, &balanced), at, fallback);
            }
        }
        self.files.insert(file.name.clone(), (file.text.clone(), balanced));
    }

    fn policy(
        &mut self,
        one: &Parsed,
        (file, source, balanced): (&File, &Source<'_>, &Balanced),
        at: usize,
        fallback: String,
    ) {
        let Some(annotations) = self.annotations(one, source, balanced, file.id.is_some(), fallback) else { return };
        let id = annotations.id.clone().unwrap_or_default();
        if let Some(why) = self.taken(&id) {
            self.found.push(source.at(at, 1, Code::DuplicateId, why).help(HELP_TAKEN));
            return;
        }
        let line = one.span.map_or(0, |_| source.at(at, 0, Code::Parse, "").line);
        if let Some(policy) = self.policies.add(one, &id) {
            let (forbids, file) = (one.told.forbids, file.name.clone());
            self.drafts.insert(id, Draft { policy, forbids, annotations, file, line });
        }
    }

    /// Why an id cannot be used again, and where it is used.
    fn taken(&self, id: &str) -> Option<String> {
        let place = match self.drafts.get(id) {
            Some(Draft { file, line: 0, .. }) => format!("a link of `{file}`"),
            Some(Draft { file, line, .. }) => format!("line {line} of `{file}`"),
            None => {
                self.policies.text_of_template(id)?;
                "a template".to_owned()
            }
        };
        Some(format!("the id `{id}` is used twice: here and by {place}"))
    }

    /// The annotations of a policy. In a general set they mean nothing but the id.
    fn annotations(
        &mut self,
        one: &Parsed,
        source: &Source<'_>,
        balanced: &Balanced,
        forced: bool,
        fallback: String,
    ) -> Option<Annotations> {
        if self.general() {
            let own = one.told.value("id").filter(|_| !forced).map(str::to_owned);
            return Some(Annotations { id: Some(own.unwrap_or(fallback)), denial: None });
        }
        match Annotations::read(&one.told) {
            Ok(read) => Some(read),
            Err(refused) => {
                let whole = one.span.unwrap_or_default();
                for refusal in refused {
                    let (from, to) = refusal.span.unwrap_or(whole);
                    let (from, to) = (balanced.original(from), balanced.original(to));
                    let finding = source.at(from, to.saturating_sub(from), Code::Annotation, refusal.message);
                    self.found.push(finding.help(refusal.help));
                }
                None
            }
        }
    }

    fn template(&mut self, one: &Parsed, source: &Source<'_>, at: usize, fallback: String) {
        let id = match one.told.value("id") {
            Some(id) if self.general() => id.to_owned(),
            None if self.general() => fallback,
            Some(id) => match annotation::read_id(id) {
                Ok(id) => id,
                Err(refused) => {
                    self.found.push(source.at(at, 1, Code::Annotation, refused.message).help(refused.help));
                    return;
                }
            },
            None => {
                self.found.push(
                    source.at(at, 1, Code::Annotation, "this template has no `@id`").help("links name it by its `@id`"),
                );
                return;
            }
        };
        let added = match self.taken(&id) {
            Some(why) => Err(why),
            None => self.policies.add_template(one, &id),
        };
        if let Err(why) = added {
            self.found.push(source.at(at, 1, Code::DuplicateId, why).help(HELP_TAKEN));
        }
    }

    pub(super) fn links(&mut self) {
        if self.found.has_errors() {
            // A template that was refused would be missed by its links, which says nothing new.
            return;
        }
        for file in self.bundle.links.clone() {
            let links: Vec<Link> = match strict::objects_from_str(&file.text) {
                Ok(links) => links,
                Err(error) => {
                    let source = Source { file: &file.name, text: &file.text };
                    let help = "a file of links is a list of `{\"template_id\", \"link_id\", \"args\"}`";
                    self.found.push(source.json(Code::Link, &error).help(help));
                    continue;
                }
            };
            for link in links {
                if let Err((message, help)) = self.link(&file.name, &link) {
                    self.whole(&file.name, Code::Link, message, help);
                }
            }
        }
        if !self.general() && !self.found.has_errors() && self.drafts.is_empty() {
            self.whole(
                FILE_BUNDLE,
                Code::Parse,
                "the bundle has no policy",
                "add one; a set without a policy would deny everything",
            );
        }
        if self.drafts.len() > self.bundle.limits.policies {
            let limit = self.bundle.limits.policies;
            self.whole(
                FILE_BUNDLE,
                Code::Limit,
                format!("the bundle has more than {limit} policies and links"),
                "use static entities, or raise `policies`",
            );
        }
    }

    fn link(&mut self, file: &str, link: &Link) -> Result<(), (String, &'static str)> {
        let id = &link.link_id;
        if !self.general() {
            annotation::read_id(id)
                .map_err(|refused| (refused.message, "a link's id is an `@id`: lower-case words joined by `-`"))?;
        }
        if let Some(why) = self.taken(id) {
            return Err((why, HELP_TAKEN));
        }
        let (policy, told) = self.policies.link(link).map_err(|error| match error {
            LinkError::Slot(slot) => {
                (format!("`{slot}` in link `{id}` is not a slot"), "the slots are `?principal` and `?resource`")
            }
            LinkError::Type(ty) => {
                (format!("`{ty}` in link `{id}` is not an entity type"), "write the type as the schema does")
            }
            LinkError::Misfit(why) => (why, "the template's `@id` and exactly its slots belong in a link"),
        })?;
        let annotations = if self.general() {
            Annotations { id: Some(id.clone()), denial: None }
        } else {
            Annotations::read(&told).map_err(|refused| {
                (
                    refused.into_iter().map(|r| r.message).collect::<Vec<_>>().join("; "),
                    "the template's annotations hold for its links",
                )
            })?
        };
        let draft = Draft { policy, forbids: told.forbids, annotations, file: file.to_owned(), line: 0 };
        self.drafts.insert(id.clone(), draft);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::load::{LoadError, load};
    use serde_json::json;

    /// What is said of a second policy, template or link of an id that the first file uses in its second line.
    fn twice(more: serde_json::Value) -> Vec<String> {
        let mut bundle = json!({"v": 1, "kind": "general", "policies": [
            {"name": "first.cedar", "text": "// The first.\n@id(\"same\") permit (principal, action, resource);"},
            {"name": "template.cedar", "text": "@id(\"template\") permit (principal == ?principal, action, resource);"},
        ]});
        for (name, files) in more.as_object().unwrap() {
            let mut all = bundle[name].as_array().cloned().unwrap_or_default();
            all.extend(files.as_array().unwrap().iter().cloned());
            bundle[name] = all.into();
        }
        match load(&bundle.to_string()) {
            Err(LoadError::Refused(report)) => report.diagnostics.into_iter().map(|found| found.message).collect(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it was loaded"),
        }
    }

    #[test]
    fn an_id_that_is_used_twice_names_both_places() {
        let first = "the id `same` is used twice: here and by line 2 of `first.cedar`";
        let file = |text: &str| json!({"policies": [{"name": "second.cedar", "text": text}]});
        assert_eq!(twice(file("@id(\"same\") forbid (principal, action, resource);")), [first]);
        assert_eq!(twice(file("@id(\"same\") permit (principal == ?principal, action, resource);")), [first]);
        let template = ["the id `template` is used twice: here and by a template"];
        assert_eq!(twice(file("@id(\"template\") permit (principal, action, resource);")), template);
        let args = json!({"?principal": {"type": "User", "id": "a"}});
        let link = |id: &str| json!({"template_id": "template", "link_id": id, "args": args});
        let links =
            |ids: [&str; 2]| json!({"links": [{"name": "a.links.json", "text": json!(ids.map(link)).to_string()}]});
        assert_eq!(twice(links(["other", "same"])), [first]);
        assert_eq!(
            twice(links(["other", "other"])),
            ["the id `other` is used twice: here and by a link of `a.links.json`"]
        );
    }
}
