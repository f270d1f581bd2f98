//! What is noticed before it is stored.

use std::fmt;
use std::sync::Arc;

use cedargate::model::{Profile, Timestamp};

use super::mistake::TokenError;
use crate::catalogue::Catalogue;
use crate::period::Period;
use crate::secret::{holds_secret, mask_secrets};
use crate::token::{Allowance, Token, state};

/// The longest name, description or key of a rotation, in bytes: the contract's ids end at 256.
pub const TEXT_BYTES_MAX: usize = 256;

/// The longest profile, in bytes of its JSON: an edit hands over the token as it is and as it would be, and both have
/// room in the 64 KiB that a request may have.
pub const PROFILE_BYTES_MAX: usize = 24 << 10;

/// The most budgets and rates of one token: there are three units and six windows.
const ALLOWANCES_MAX: usize = 18;

/// Profiles that a token may have: purpose and principal type. People at a console and keys of providers have
/// others, and are no tokens.
const PROFILES: [(&str, &str); 3] =
    [("general", "api_token"), ("integration", "api_token"), ("gateway_runtime", "gateway_runtime")];

/// Says whether the policies can use a profile, and why not.
pub type ProfileCheck = Arc<dyn Fn(&Profile) -> Result<(), String> + Send + Sync>;

/// What tokens must be like, beyond what all must.
#[derive(Clone, Default)]
pub struct Rules {
    /// The longest life of a token. Where it is set, every token has an expiry.
    pub expiry_max: Option<Period>,
    /// What there is to be bound to.
    pub catalogue: Option<Arc<Catalogue>>,
    /// What the policies think of a profile.
    pub profile_check: Option<ProfileCheck>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("expiry_max", &self.expiry_max).finish_non_exhaustive()
    }
}

impl Rules {
    /// Notices mistakes in a token that is to be stored. `before` is the token that it replaces: what stays as it
    /// was is not looked at again, so that a rule that came later does not stand in the way of other changes.
    pub(super) fn check(&self, token: &Token, before: Option<&Token>, now: Timestamp) -> Result<(), TokenError> {
        check_text("the name of a token", &token.name)?;
        if let Some(description) = &token.description {
            check_text("a description", description)?;
        }
        let grant = &token.grant;
        if !PROFILES.contains(&(grant.purpose.as_str(), grant.principal_type.as_str())) {
            return Err(TokenError::Purpose {
                purpose: shown(&grant.purpose),
                principal_type: shown(&grant.principal_type),
            });
        }
        if grant.purpose == "gateway_runtime" && grant.bindings.gateway_id.is_none() {
            return Err(TokenError::RuntimeWithoutGateway);
        }
        if before.is_none_or(|before| before.allowances != token.allowances) {
            check_allowances(&token.allowances)?;
        }
        if before.is_none_or(|before| before.grant.expires_at != grant.expires_at) {
            self.check_expiry(grant.expires_at, now)?;
        }
        if let (Some(not_before), Some(expires_at)) = (grant.not_before, grant.expires_at)
            && not_before >= expires_at
        {
            return Err(TokenError::NeverValid { not_before, expires_at });
        }
        let grant_stays = before.is_some_and(|before| before.grant == *grant);
        if grant_stays && before.is_some_and(|before| before.allowances == token.allowances) {
            return Ok(());
        }
        let profile = grant.profile(&token.id, &token.name, &token.allowances, state(false, false, None));
        check_size(&profile)?;
        if grant_stays {
            return Ok(());
        }
        if let Some(catalogue) = &self.catalogue {
            catalogue.check(&grant.bindings)?;
        }
        match &self.profile_check {
            Some(check) => check(&profile).map_err(TokenError::Profile),
            None => Ok(()),
        }
    }

    fn check_expiry(&self, expires_at: Option<Timestamp>, now: Timestamp) -> Result<(), TokenError> {
        if let Some(expires_at) = expires_at
            && expires_at <= now
        {
            return Err(TokenError::ExpiryPast { expires_at, now });
        }
        match (self.expiry_max, expires_at) {
            (None, _) => Ok(()),
            // Expiries are rounded up to a second.
            (Some(max), Some(at)) if at.as_millis().saturating_sub(now.as_millis()) < max.millis() + 1_000 => Ok(()),
            (Some(max), _) => Err(TokenError::ExpiryTooLate { max }),
        }
    }
}

fn check_size(profile: &Profile) -> Result<(), TokenError> {
    let text = serde_json::to_vec(profile).map_err(|error| TokenError::Profile(error.to_string()))?;
    match text.len() {
        ..=PROFILE_BYTES_MAX => Ok(()),
        bytes => Err(TokenError::ProfileTooLarge { bytes, max: PROFILE_BYTES_MAX }),
    }
}

/// Which of two budgets of one unit and window counts would have to be guessed.
fn check_allowances(allowances: &[Allowance]) -> Result<(), TokenError> {
    let found = allowances.len();
    if found > ALLOWANCES_MAX {
        return Err(TokenError::TooMany { what: "budgets", found, max: ALLOWANCES_MAX });
    }
    for (n, one) in allowances.iter().enumerate() {
        let is_same = |other: &&Allowance| other.unit == one.unit && other.window == one.window;
        if let Some(other) = allowances.iter().skip(n.saturating_add(1)).find(is_same) {
            return Err(TokenError::BudgetTwice { one: *one, other: *other });
        }
    }
    Ok(())
}

/// Whether a text can stand in a line of a log without being more than one, or another.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(is_odd)
}

/// Control characters, and those that change the direction or the lines of the text around them.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

pub(super) fn check_text(what: &'static str, text: &str) -> Result<(), TokenError> {
    let why = if text.is_empty() {
        "it is empty".to_owned()
    } else if text.len() > TEXT_BYTES_MAX {
        format!("it is longer than {TEXT_BYTES_MAX} bytes")
    } else if text.chars().any(is_odd) {
        "it holds characters that cannot be seen".to_owned()
    } else if text.trim() != text {
        "a blank stands at its beginning or end".to_owned()
    } else if holds_secret(text) {
        "it holds a key, and is shown to everybody".to_owned()
    } else {
        return Ok(());
    };
    Err(TokenError::Text { what, text: shown(text), why })
}

/// A text that somebody typed, fit to be shown.
pub(super) fn shown(text: &str) -> String {
    mask_secrets(text).chars().take(64).flat_map(char::escape_debug).collect()
}

/// A moment in whole seconds, not earlier than the given one: what people are shown is what counts.
pub(super) fn whole_second(at: Timestamp) -> Timestamp {
    let millis = at.as_millis();
    Timestamp::from_millis(millis.saturating_add((-millis).rem_euclid(1_000)))
}
