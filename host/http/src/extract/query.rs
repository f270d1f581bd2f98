//! What a query says of the model.

use percent_encoding::percent_decode_str;

use super::key;
use super::limits::QUERY_BYTES_MAX;
use super::routing::routing_field;
use crate::catalogue::ModelId;
use crate::reply::Invalid;
use crate::route::is_well_encoded;

/// Names by which some servers take a model from the query.
const MODEL_NAMES: [&str; 7] =
    ["deployment", "deployment_id", "deployment_name", "engine", "model", "model_id", "model_name"];

/// The models that a query names. Each must be the one that path or body name.
pub(super) fn models(query: &str) -> Result<Vec<ModelId>, Invalid> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(Invalid::QueryTooLong);
    }
    let mut models = Vec::new();
    for pair in query.split(['&', ';']) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name)?;
        let name = key::fold(&name).replace('-', "_");
        // `model[]` and `model.id` are read as `model` by some.
        let stem = name.split(['[', '.']).next().unwrap_or_default().trim();
        if MODEL_NAMES.contains(&stem) {
            models.push(ModelId::new(&decoded(value)?)?);
        } else if routing_field(stem.trim_start_matches('$')).is_some() {
            // The model's id is the only way to choose who answers, and no client says who pays.
            return Err(Invalid::Query);
        }
    }
    Ok(models)
}

/// A text decoded once. What is encoded twice is refused: a server behind could decode it twice.
fn decoded(text: &str) -> Result<String, Invalid> {
    if !is_well_encoded(text) {
        return Err(Invalid::Encoding);
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| Invalid::Encoding)?;
    if decoded.contains('%') || decoded.contains(char::is_control) {
        return Err(Invalid::Encoding);
    }
    Ok(decoded.into_owned())
}
