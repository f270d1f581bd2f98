//! Tokens as comma-separated values: everything about them but their secrets.

use std::borrow::Cow;

use cedargate::model::Timestamp;

use crate::token::Token;

const COLUMNS: [&str; 20] = [
    "name",
    "id",
    "type",
    "purpose",
    "principal_type",
    "status",
    "team",
    "gateway_id",
    "consumer_group",
    "providers",
    "models",
    "scopes",
    "networks",
    "budgets",
    "created_at",
    "not_before",
    "expires_at",
    "last_used_at",
    "last_refused_at",
    "description",
];

/// The first line, without its end.
#[must_use]
pub fn csv_header() -> String {
    COLUMNS.join(",")
}

/// The line of a token, without its end.
#[must_use]
pub fn csv_row(token: &Token, at: Timestamp) -> String {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(" ")).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let bindings = &token.grant.bindings;
    let budgets: Vec<_> = token.allowances.iter().map(ToString::to_string).collect();
    let cells: [String; COLUMNS.len()] = [
        token.name.clone(),
        token.id.clone(),
        token.type_name().to_owned(),
        token.grant.purpose.clone(),
        token.grant.principal_type.clone(),
        token.status(at).to_string(),
        text(&token.grant.team_id),
        text(&bindings.gateway_id),
        text(&bindings.consumer_group),
        list(&bindings.providers),
        list(&bindings.models),
        list(&bindings.scopes),
        list(&bindings.networks),
        budgets.join(" "),
        time(Some(token.created_at)),
        time(token.grant.not_before),
        time(token.grant.expires_at),
        time(token.last_used_at),
        time(token.last_refused_at),
        text(&token.description),
    ];
    cells.iter().map(|cell| csv_cell(cell)).collect::<Vec<_>>().join(",")
}

/// A cell that a spreadsheet shows and does not compute: what would begin a formula gets an apostrophe before it,
/// <https://owasp.org/www-community/attacks/CSV_Injection>; then quoted as RFC 4180 says.
#[must_use]
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let is_formula =
        text.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
            || text.starts_with(['\t', '\r', '\n']);
    let is_quoted = is_formula || text.contains([',', '"', '\n', '\r', ';', '\t']);
    match (is_formula, is_quoted) {
        (_, false) => Cow::Borrowed(text),
        (true, true) => Cow::Owned(format!("\"'{}\"", text.replace('"', "\"\""))),
        (false, true) => Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        for (text, cell) in [
            ("ci-pipeline", "ci-pipeline"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "\"'=1+1\""),
            (" @SUM(A1)", "\"' @SUM(A1)\""),
            ("-2", "\"'-2\""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }
}
