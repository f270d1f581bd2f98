//! The stage of loading that reads policies, templates and links.

use super::{Draft, FILE_BUNDLE, Loader, Trust};
use crate::annotation::{self, Annotations};
use crate::bundle::{File, Link};
use crate::diagnostic::{Code, Source};
use crate::gate::{self, Gated, Why};
use crate::strict;
use cedar_policy_core::ast::{Policy, PolicyID, SlotId, Template};
use cedar_policy_core::parser;
use std::collections::HashMap;

/// What helps where an id is used twice.
const HELP_TAKEN: &str = "give each policy, template and link an `@id` of its own";

impl Loader {
    pub(super) fn policies(&mut self) {
        let mut count = 0;
        for at in 0..self.bundle.policies.len() {
            let Some(file) = self.bundle.policies.get(at).cloned() else { break };
            let Some(gated) = self.through_gate(&file) else { continue };
            count += gated.policies;
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
                kept.text.clone_from(&gated.text);
            }
            self.parse(&file, gated);
        }
    }

    fn through_gate(&mut self, file: &File) -> Option<Gated> {
        if self.trust == Trust::Checked {
            return Some(Gated::passed(file.text.clone()));
        }
        let source = Source { file: &file.name, text: &file.text };
        let (gated, refusals) = gate::gate(&file.text, &self.bundle.limits);
        let shape = refusals.iter().any(|r| r.why == Why::Shape);
        for refusal in &refusals {
            if refusal.why != Why::Shape {
                let finding =
                    source.at(refusal.offset, 1, Code::Limit, refusal.why.to_string()).help(refusal.why.help());
                self.found.push(finding);
            }
        }
        if refusals.is_empty() {
            return Some(gated);
        }
        if refusals.iter().all(|r| r.why == Why::Shape) && shape {
            // Cedar's parser says better what is wrong. What it accepts all the same is still refused.
            match parser::parse_policyset(&gated.text) {
                Err(errors) => {
                    for error in errors.iter() {
                        self.found.push(source.cedar(error, Code::Parse, |at| gated.original(at)));
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

    fn parse(&mut self, file: &File, gated: Gated) {
        let source = Source { file: &file.name, text: &file.text };
        let parsed = match parser::parse_policyset(&gated.text) {
            Ok(parsed) => parsed,
            Err(errors) => {
                for error in errors.iter() {
                    self.found.push(source.cedar(error, Code::Parse, |at| gated.original(at)));
                }
                return;
            }
        };
        let line_of = |policy: &Policy| {
            policy.loc().map_or(0, |loc| source.at(gated.original(loc.start()), 0, Code::Parse, "").line)
        };
        let mut policies: Vec<Policy> = parsed.static_policies().cloned().collect();
        policies.sort_by_key(|policy| policy.loc().map_or(0, |loc| loc.start()));
        let mut templates: Vec<Template> = parsed.templates().cloned().collect();
        templates.sort_by_key(|template| template.loc().map_or(0, |loc| loc.start()));
        let base = self.position;
        self.position += policies.len() + templates.len();
        for policy in policies {
            let fallback = file.id.clone().unwrap_or_else(|| positional(policy.id(), base));
            let Some(annotations) = self.annotations(&policy, &source, &gated, file.id.is_some(), fallback) else {
                continue;
            };
            let id = annotations.id.clone().unwrap_or_default();
            let policy = policy.new_id(PolicyID::from_string(&id));
            let line = line_of(&policy);
            if let Some(why) = self.taken(&id) {
                let at = policy.loc().map_or(0, |loc| gated.original(loc.start()));
                self.found.push(source.at(at, 1, Code::DuplicateId, why).help(HELP_TAKEN));
                continue;
            }
            if self.cedar.add(policy.clone()).is_ok() {
                self.drafts.insert(id, Draft { policy, annotations, file: file.name.clone(), line });
            }
        }
        for template in templates {
            let fallback = file.id.clone().unwrap_or_else(|| positional(template.id(), base));
            self.template(&template, &source, &gated, fallback);
        }
        self.files.insert(file.name.clone(), (file.text.clone(), gated));
    }

    /// Why an id cannot be used again, and where it is used.
    fn taken(&self, id: &str) -> Option<String> {
        let place = match self.drafts.get(id) {
            Some(Draft { file, line: 0, .. }) => format!("a link of `{file}`"),
            Some(Draft { file, line, .. }) => format!("line {line} of `{file}`"),
            None => {
                self.cedar.get_template(&PolicyID::from_string(id))?;
                "a template".to_owned()
            }
        };
        Some(format!("the id `{id}` is used twice: here and by {place}"))
    }

    /// The annotations of a policy. In a general set they mean nothing but the id.
    fn annotations(
        &mut self,
        policy: &Policy,
        source: &Source<'_>,
        gated: &Gated,
        forced: bool,
        fallback: String,
    ) -> Option<Annotations> {
        if self.general() {
            let own = policy
                .annotations()
                .find(|(name, _)| AsRef::<str>::as_ref(name) == "id")
                .map(|(_, a)| a.val.to_string());
            return Some(Annotations { id: Some(own.filter(|_| !forced).unwrap_or(fallback)), denial: None });
        }
        match Annotations::read(policy) {
            Ok(read) => Some(read),
            Err(refused) => {
                let (at, bytes) =
                    policy.loc().map_or((0, 0), |loc| (gated.original(loc.start()), gated.original(loc.end())));
                for refusal in refused {
                    let (from, to) =
                        refusal.span.map_or((at, bytes), |(from, to)| (gated.original(from), gated.original(to)));
                    let finding = source.at(from, to.saturating_sub(from), Code::Annotation, refusal.message);
                    self.found.push(finding.help(refusal.help));
                }
                None
            }
        }
    }

    fn template(&mut self, template: &Template, source: &Source<'_>, gated: &Gated, fallback: String) {
        let at = template.loc().map_or(0, |loc| gated.original(loc.start()));
        let own =
            template.annotations().find(|(name, _)| AsRef::<str>::as_ref(name) == "id").map(|(_, a)| a.val.to_string());
        let id = match own {
            Some(id) if self.general() => id,
            None if self.general() => fallback,
            Some(id) => match annotation::read_id(&id) {
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
            None => self.cedar.add_template(template.new_id(PolicyID::from_string(&id))).map_err(|why| why.to_string()),
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
        let mut values = HashMap::new();
        for (slot, uid) in &link.args {
            let slot = match slot.as_str() {
                "?principal" => SlotId::principal(),
                "?resource" => SlotId::resource(),
                _ => {
                    return Err((
                        format!("`{slot}` in link `{id}` is not a slot"),
                        "the slots are `?principal` and `?resource`",
                    ));
                }
            };
            let entity = uid.entity().ok_or_else(|| {
                (format!("`{}` in link `{id}` is not an entity type", uid.ty), "write the type as the schema does")
            })?;
            values.insert(slot, entity);
        }
        let linked = self
            .cedar
            .link(PolicyID::from_string(&link.template_id), PolicyID::from_string(id), values)
            .map_err(|error| (error.to_string(), "the template's `@id` and exactly its slots belong in a link"))?
            .clone();
        let annotations = if self.general() {
            Annotations { id: Some(id.clone()), denial: None }
        } else {
            Annotations::read(&linked).map_err(|refused| {
                (
                    refused.into_iter().map(|r| r.message).collect::<Vec<_>>().join("; "),
                    "the template's annotations hold for its links",
                )
            })?
        };
        self.drafts.insert(id.clone(), Draft { policy: linked, annotations, file: file.to_owned(), line: 0 });
        Ok(())
    }
}

/// The id that Cedar gives to a policy without one when all files are read as one text: `policy` and its place.
fn positional(id: &PolicyID, base: usize) -> String {
    let place = id.to_string().strip_prefix("policy").and_then(|place| place.parse::<usize>().ok());
    format!("policy{}", base + place.unwrap_or(0))
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
