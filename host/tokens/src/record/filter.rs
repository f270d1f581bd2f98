//! Which events to show.

use std::str::FromStr;

use super::event::{Event, Verdict};

/// Conditions that an event must meet, all of them. Its text is `token_name=ci-pipeline`; several are separated by
/// blanks or commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The name of the token.
    pub token_name: Option<String>,
    /// The id of the token.
    pub token_id: Option<String>,
    /// The team.
    pub team: Option<String>,
    /// Allowed or denied.
    pub decision: Option<Verdict>,
    /// The code of a denial.
    pub code: Option<String>,
    /// The action.
    pub action: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Whether the candidate policies would have turned the decision around.
    pub would_flip: Option<bool>,
}

/// The text is not a filter of events.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a filter: write `FIELD=VALUE` with one of token_name, token_id, team, decision (allow or deny), code, action, provider, model, would_flip (true or false)"
)]
pub struct EventFilterError(String);

impl EventFilter {
    /// Adds a condition `FIELD=VALUE`. A value may hold anything, blanks and commas too.
    ///
    /// # Errors
    ///
    /// [`EventFilterError`].
    pub fn add(&mut self, condition: &str) -> Result<(), EventFilterError> {
        let wrong = || EventFilterError(condition.chars().take(64).collect());
        let (field, value) = condition.split_once('=').ok_or_else(wrong)?;
        let place = match field.trim() {
            "token_name" => &mut self.token_name,
            "token_id" => &mut self.token_id,
            "team" => &mut self.team,
            "code" => &mut self.code,
            "action" => &mut self.action,
            "provider" => &mut self.provider,
            "model" => &mut self.model,
            "decision" => {
                let verdict = [Verdict::Allow, Verdict::Deny].into_iter().find(|verdict| verdict.name() == value);
                self.decision = Some(verdict.ok_or_else(wrong)?);
                return Ok(());
            }
            "would_flip" => {
                self.would_flip = Some(value.parse().map_err(|_| wrong())?);
                return Ok(());
            }
            _ => return Err(wrong()),
        };
        *place = Some(value.to_owned());
        Ok(())
    }

    /// Whether an event meets every condition.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        let Self { token_name, token_id, team, decision, code, action, provider, model, would_flip } = self;
        let is =
            |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| found == Some(wanted));
        is(token_name, event.token_name.as_deref())
            && is(token_id, event.token_id.as_deref())
            && is(team, event.team.as_deref())
            && is(code, event.code.as_deref())
            && is(action, Some(&event.action))
            && is(provider, event.provider.as_deref())
            && is(model, event.model.as_deref())
            && decision.is_none_or(|decision| decision == event.decision)
            && would_flip.is_none_or(|flip| flip == event.would_flip())
    }
}

impl FromStr for EventFilter {
    type Err = EventFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut filter = Self::default();
        filter.add(text)?;
        Ok(filter)
    }
}
