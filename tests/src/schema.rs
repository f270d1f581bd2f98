//! Checks JSON against the schemas in `wit/schemas/`, by those keywords of JSON Schema that they use. Any other keyword is an
//! error, so that none is passed over.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

use crate::corpus::root;

/// Where the schemas say that they are.
const BASE: &str = "https://github.com/cedargate/cedargate/wit/schemas/";

/// Keywords that describe and do not restrict.
const SPEECH: [&str; 8] = ["$schema", "$id", "$defs", "title", "description", "default", "examples", "format"];

/// All schemas by their names.
pub struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Reads the folder.
    pub fn read() -> Self {
        let folder = root().join("wit/schemas");
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a text");
            let schema: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(schema["$id"], format!("{BASE}{name}"), "{name}");
            (name, schema)
        };
        Self(std::fs::read_dir(folder).expect("the schemas").map(read).collect())
    }

    /// The names, without `.json`, with the schemas.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, schema)| (name.trim_end_matches(".json"), schema))
    }

    /// Everything about a value that the schema of this name does not admit.
    pub fn errors(&self, name: &str, value: &Value) -> Vec<String> {
        let mut errors = Vec::new();
        self.at(&format!("{name}.json"), "", value, "$", &mut errors);
        errors
    }

    /// Follows `file#/pointer`.
    fn at(&self, file: &str, pointer: &str, value: &Value, place: &str, errors: &mut Vec<String>) {
        let schema = self.0.get(file).and_then(|schema| schema.pointer(pointer));
        match schema.and_then(Value::as_object) {
            Some(schema) => self.check(file, schema, value, place, errors),
            None => errors.push(format!("{place}: `{file}#{pointer}` does not exist")),
        }
    }

    fn check(&self, file: &str, schema: &Map<String, Value>, value: &Value, place: &str, errors: &mut Vec<String>) {
        let mut wrong = |why: String| errors.push(format!("{place}: {why}"));
        for (keyword, rule) in schema.iter().filter(|(keyword, _)| !SPEECH.contains(&keyword.as_str())) {
            match keyword.as_str() {
                "$ref" | "properties" | "items" => {}
                "type" if !is_of(value, rule) => wrong(format!("{value} is not of type {rule}")),
                "const" if value != rule => wrong(format!("{value} is not {rule}")),
                "enum" if !rule.as_array().is_some_and(|all| all.contains(value)) => {
                    wrong(format!("{value} is not one of {rule}"))
                }
                "minimum" if value.as_i64() < rule.as_i64() => wrong(format!("{value} is below {rule}")),
                "maximum" if value.as_i64() > rule.as_i64() => wrong(format!("{value} is above {rule}")),
                "maxItems" if value.as_array().map(Vec::len) > rule.as_u64().map(|n| n as usize) => {
                    wrong(format!("more than {rule} entries"))
                }
                "required" => {
                    for name in rule.as_array().into_iter().flatten().filter_map(Value::as_str) {
                        if value.get(name).is_none() {
                            wrong(format!("`{name}` is missing"));
                        }
                    }
                }
                "additionalProperties" => {
                    assert_eq!(rule, false, "{file}: `additionalProperties` says more than `false`");
                    for name in value.as_object().into_iter().flat_map(Map::keys) {
                        if schema["properties"].get(name).is_none() {
                            wrong(format!("`{name}` is not known"));
                        }
                    }
                }
                "type" | "const" | "enum" | "minimum" | "maximum" | "maxItems" => {}
                other => wrong(format!("the keyword `{other}` is not one that this check knows")),
            }
        }
        self.parts(file, schema, value, place, errors);
    }

    fn parts(&self, file: &str, schema: &Map<String, Value>, value: &Value, place: &str, errors: &mut Vec<String>) {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let (other, pointer) = reference.split_once('#').unwrap_or((reference, ""));
            self.at(if other.is_empty() { file } else { other }, pointer, value, place, errors);
        }
        for (name, part) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if let (Some(inner), Some(part)) = (value.get(name), part.as_object()) {
                self.check(file, part, inner, &format!("{place}.{name}"), errors);
            }
        }
        if let (Some(items), Some(list)) = (schema.get("items").and_then(Value::as_object), value.as_array()) {
            for (at, inner) in list.iter().enumerate() {
                self.check(file, items, inner, &format!("{place}[{at}]"), errors);
            }
        }
    }
}

fn is_of(value: &Value, ty: &Value) -> bool {
    match ty.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        _ => false,
    }
}
