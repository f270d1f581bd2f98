//! A generated world for the general door: policies, templates, links, entities and calls that overlap, err and miss each
//! other, with a schema or without.

use serde_json::{Value, json};

/// A generated world.
#[derive(Debug, Clone)]
pub struct World {
    /// The schema, in Cedar's own language.
    pub schema: Option<String>,
    /// Static policies, each with its id.
    pub policies: Vec<(String, String)>,
    /// Templates, each with its id.
    pub templates: Vec<(String, String)>,
    /// Links of the templates.
    pub links: Vec<Link>,
    /// The set's own entities, as Cedar's JSON.
    pub entities: Value,
    /// What is asked.
    pub calls: Vec<Call>,
}

/// A template link.
#[derive(Debug, Clone)]
pub struct Link {
    /// The template's id.
    pub template: String,
    /// The link's own id.
    pub id: String,
    /// What stands for `?principal`, where the template has it.
    pub principal: Option<Value>,
    /// What stands for `?resource`, where the template has it.
    pub resource: Option<Value>,
}

/// A call of the general door.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who asks.
    pub principal: Value,
    /// What is to be done.
    pub action: Value,
    /// To what.
    pub resource: Value,
    /// The context, as Cedar's JSON.
    pub context: Value,
    /// Further entities, as Cedar's JSON.
    pub entities: Value,
    /// Whether request and entities must conform to the schema.
    pub validate: bool,
}

impl World {
    /// The text of the bundle.
    pub fn bundle(&self) -> String {
        let static_policy =
            |(id, text): &(String, String)| json!({"name": format!("{id}.cedar"), "text": text, "id": id});
        let template = |(id, text): &(String, String)| json!({"name": format!("{id}.cedar"), "text": format!("@id(\"{id}\")\n{text}")});
        let policies = self.policies.iter().map(static_policy).chain(self.templates.iter().map(template));
        let links: Value = self.links.iter().map(Link::json).collect();
        let mut bundle = json!({"v": 1, "kind": "general", "policies": policies.collect::<Value>(),
            "entities": {"name": "entities.json", "text": self.entities.to_string()},
            "links": [{"name": "a.links.json", "text": links.to_string()}]});
        if let Some(schema) = &self.schema {
            bundle["schema"] = json!({"name": "schema.cedarschema", "text": schema});
        }
        bundle.to_string()
    }
}

impl Link {
    fn json(&self) -> Value {
        let mut args = json!({});
        for (slot, value) in [("?principal", &self.principal), ("?resource", &self.resource)] {
            if let Some(value) = value {
                args[slot] = value.clone();
            }
        }
        json!({"template_id": self.template, "link_id": self.id, "args": args})
    }
}

impl Call {
    /// The text of the call.
    pub fn text(&self) -> String {
        json!({"v": 1, "principal": self.principal, "action": self.action, "resource": self.resource,
            "context": self.context, "entities": self.entities, "validate": self.validate})
        .to_string()
    }
}

/// An entity by type and id, as Cedar's JSON.
pub fn uid(ty: &str, id: impl Into<String>) -> Value {
    json!({"type": ty, "id": id.into()})
}

/// The same in Cedar's language.
pub fn literal(uid: &Value) -> String {
    format!("{}::{}", uid["type"].as_str().unwrap_or_default(), json!(uid["id"]))
}
