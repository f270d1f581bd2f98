// Which files a bundle consists of. The build script includes this file too, so that the default set is read by
// the same rules.

/// The schema of a bundle.
pub(crate) const SCHEMA: &str = "schema.cedarschema";

/// The static entities of a bundle.
pub(crate) const ENTITIES: &str = "entities.json";

/// The settings of a bundle.
pub(crate) const SETTINGS: &str = "bundle.toml";

/// The names and digests of a bundle's files.
pub(crate) const LOCK: &str = "policies.lock";

/// What a file is in its bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Schema,
    Policy,
    Entities,
    Links,
    Settings,
}

/// What the file of this name is in its bundle, where it belongs to one. Parts of a name are parted by `/`.
pub(crate) fn kind(name: &str) -> Option<Kind> {
    if name.split('/').any(|part| part.starts_with('.') || part.is_empty()) {
        return None;
    }
    match name {
        SCHEMA => Some(Kind::Schema),
        ENTITIES => Some(Kind::Entities),
        SETTINGS => Some(Kind::Settings),
        _ if name.ends_with(".cedar") => Some(Kind::Policy),
        _ if name.ends_with(".links.json") => Some(Kind::Links),
        _ => None,
    }
}
