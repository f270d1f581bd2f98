//! What the annotations of a policy say about a denial, checked when it is loaded.

use crate::cedar::policies::{Annotation, Told};
use serde::{Deserialize, Serialize};

/// The class of a forbid: the status that its denial has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// 401: who asks is not known to be who they say.
    Unauthenticated,
    /// 403: they may not.
    Forbidden,
    /// 429: not now.
    Throttled,
}

impl Class {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::Throttled => 429,
        }
    }
}

/// What a forbid's denial carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Its class.
    pub class: Class,
    /// Its code, for programs.
    pub code: String,
    /// Its message, for people.
    pub message: Option<String>,
}

/// The annotations of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotations {
    /// Its `@id`.
    pub id: Option<String>,
    /// What its denial carries, if it is a forbid.
    pub denial: Option<Denial>,
}

/// An annotation that cannot stand, with the cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub message: String,
    /// What helps.
    pub help: &'static str,
    /// Where the annotation stands: its first byte and the byte behind it. `None` is the whole policy.
    pub span: Option<(usize, usize)>,
}

const CODE_DEFAULT: &str = "policy_denied";

/// Codes that say what no policy may claim.
const CODES_RESERVED: [&str; 9] = [
    "action_not_allowed",
    "policy_busy",
    "policy_error",
    "policy_memory",
    "policy_reply",
    "policy_stack",
    "policy_timeout",
    "policy_trap",
    "policy_unavailable",
];

const CODE_BYTES_MAX: usize = 64;

const MESSAGE_BYTES_MAX: usize = 200;

const ID_BYTES_MAX: usize = 128;

const HELP_ID: &str = "write `@id(\"what-the-policy-says\")` before it: lower-case words joined by `-`";

impl Annotations {
    /// Reads the annotations of a policy.
    ///
    /// # Errors
    /// Every annotation that cannot stand.
    pub fn read(told: &Told) -> Result<Self, Vec<Refused>> {
        let mut refused = Vec::new();
        let (mut id, mut status, mut code, mut message) = (None, None, None, None);
        for Annotation { name, value, span } in &told.annotations {
            let forbid = told.forbids;
            let outcome = match name.as_str() {
                "id" => read_id(value).map(|read| id = Some(read)),
                "status" | "code" | "message" if !forbid => Err(refuse(
                    format!("`@{name}` stands on a permit"),
                    "only a forbid has a denial to describe: remove it",
                )),
                "status" => read_status(value).map(|read| status = Some(read)),
                "code" => read_code(value).map(|read| code = Some(read)),
                "message" => read_message(value).map(|read| message = Some(read)),
                _ => Err(refuse(
                    format!("`@{name}` is not an annotation of this system"),
                    "the annotations are `@id`, and on a forbid `@status`, `@code` and `@message`",
                )),
            };
            refused.extend(outcome.err().map(|refused| Refused { span: *span, ..refused }));
        }
        if id.is_none() && refused.is_empty() {
            refused.push(refuse("this policy has no `@id`", HELP_ID));
        }
        if !refused.is_empty() {
            return Err(refused);
        }
        let denial = told.forbids.then(|| Denial {
            class: status.unwrap_or(Class::Forbidden),
            code: code.unwrap_or_else(|| CODE_DEFAULT.to_owned()),
            message,
        });
        Ok(Self { id, denial })
    }
}

fn refuse(message: impl Into<String>, help: &'static str) -> Refused {
    Refused { message: message.into(), help, span: None }
}

/// Whether `id` is kebab-case: words of lower-case letters and digits joined by single hyphens.
fn is_kebab(id: &str) -> bool {
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    id.len() <= ID_BYTES_MAX && id.split('-').all(word)
}

/// Reads an `@id` or the id of a template link.
///
/// # Errors
/// It is not kebab-case.
pub fn read_id(value: &str) -> Result<String, Refused> {
    if is_kebab(value) {
        return Ok(value.to_owned());
    }
    Err(refuse(format!("`{value}` is not an id"), HELP_ID))
}

fn read_status(value: &str) -> Result<Class, Refused> {
    match value {
        "401" => Ok(Class::Unauthenticated),
        "403" => Ok(Class::Forbidden),
        "429" => Ok(Class::Throttled),
        _ => Err(refuse(
            format!("`{value}` is not a status of a denial"),
            "write `@status(\"401\")`, `\"403\"` or `\"429\"`",
        )),
    }
}

fn read_code(value: &str) -> Result<String, Refused> {
    let first = value.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let rest = value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !first || !rest || value.len() > CODE_BYTES_MAX {
        return Err(refuse(
            format!("`{value}` is not a code"),
            "a code is a lower-case letter, then letters, digits and `_`, at most 64",
        ));
    }
    if CODES_RESERVED.contains(&value) {
        return Err(refuse(
            format!("the code `{value}` is reserved"),
            "choose a code of your own, such as `policy_denied`",
        ));
    }
    Ok(value.to_owned())
}

fn read_message(value: &str) -> Result<String, Refused> {
    if value.len() > MESSAGE_BYTES_MAX || !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Err(refuse(
            "this message cannot be sent to every client",
            "a message is printable ASCII, at most 200 bytes",
        ));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{is_kebab, read_code, read_message, read_status};

    #[test]
    fn ids_are_kebab_case() {
        for id in ["a", "model-not-in-scope", "v2"] {
            assert!(is_kebab(id), "{id}");
        }
        for id in ["", "-a", "a-", "a--b", "A", "a_b", "a b", "é"] {
            assert!(!is_kebab(id), "{id}");
        }
    }

    #[test]
    fn values_that_could_mislead_a_client_are_refused() {
        assert!(read_status("200").is_err());
        assert!(read_status("0401").is_err());
        assert!(read_code("action_not_allowed").is_err());
        assert!(read_code("policy_timeout").is_err());
        assert!(read_code("1st").is_err());
        assert!(read_code(&"a".repeat(65)).is_err());
        assert!(read_message("two\nlines").is_err());
        assert!(read_message(&"x".repeat(201)).is_err());
        assert!(read_message("It is fine.").is_ok());
    }
}
