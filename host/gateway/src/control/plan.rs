//! What would come of a request: what is decided about, and then done.

use cedargate::model::{Target, Timestamp};
use cedargate_tokens::{Created, Draft, Plan, Rotated, Rotation, Selector, Token, TokenError, Tokens};

use super::ask::Deed;

/// What would come of a request, from the token as it was when it was looked at.
pub(super) enum Planned {
    /// There is no such token.
    Absent { id: String },
    /// A token would be made.
    Create(Box<Draft>),
    /// A token would be shown.
    Inspect(Box<Token>),
    /// A token's secret would be handed over.
    Rotate(Box<Token>, Rotation, Timestamp),
    /// A token would be another.
    Change(Box<Plan>),
    /// A token would end or stop, which nobody gains by.
    End(Box<Plan>),
}

/// What came of a request.
pub(super) enum Done {
    Shown(Token),
    Created(Created),
    Rotated(Rotated),
}

/// The facts that a decision about tokens is made from.
#[derive(Debug)]
pub(super) struct About {
    /// The token as it is.
    pub(super) current: Option<Target>,
    /// The token as it would be stored.
    pub(super) target: Option<Target>,
}

impl Planned {
    /// Plans what is asked for at this time; nothing for a list, of which each row is decided.
    pub(super) async fn of(deed: &Deed, tokens: &Tokens, at: Timestamp) -> Result<Option<Self>, TokenError> {
        let Some(id) = deed.token_id() else {
            return Ok(match deed {
                Deed::Create(new) => Some(Self::Create(Box::new(tokens.draft((**new).clone(), at)?))),
                _ => None,
            });
        };
        let before = match tokens.find(&Selector::Id(id.to_owned())).await {
            Ok(before) => before,
            Err(TokenError::NotFound(_)) => return Ok(Some(Self::Absent { id: id.to_owned() })),
            Err(error) => return Err(error),
        };
        Ok(match deed {
            Deed::List(_) | Deed::Create(_) => None,
            Deed::Inspect(_) => Some(Self::Inspect(Box::new(before))),
            Deed::Edit(_, edit) => Some(Self::Change(Box::new(tokens.plan_edit(before, edit, at)))),
            Deed::Enable(_) => Some(Self::Change(Box::new(tokens.plan_enable(before, at)))),
            Deed::Disable(_) => Some(Self::End(Box::new(tokens.plan_disable(before, at)))),
            Deed::Revoke(_, version) => Some(Self::End(Box::new(tokens.plan_revoke(before, *version, at)))),
            Deed::Rotate(_, rotation) => Some(Self::Rotate(Box::new(before), rotation.clone(), at)),
        })
    }

    /// What is asked of the policies. Of a token that is not there only the id is known, so who may not see any
    /// token there is answered as for one of somebody else.
    pub(super) fn about(&self) -> About {
        match self {
            Self::Absent { id } => {
                let mut current = Target::default();
                current.id = Some(id.clone());
                About { current: Some(current), target: None }
            }
            Self::Create(draft) => About { current: None, target: Some(draft.facts()) },
            Self::Inspect(token) => About { current: Some(token.small_facts()), target: None },
            Self::Rotate(token, ..) => About { current: Some(token.facts()), target: None },
            Self::Change(plan) => About { current: Some(plan.before().facts()), target: Some(plan.after().facts()) },
            Self::End(plan) => About { current: Some(plan.before().small_facts()), target: None },
        }
    }

    /// The same without lists and attributes, which may be what cannot be read.
    pub(super) fn about_in_small(&self) -> About {
        match self {
            Self::Absent { .. } | Self::Inspect(_) | Self::End(_) => self.about(),
            Self::Create(draft) => About { current: None, target: Some(draft.small_facts()) },
            Self::Rotate(token, ..) => About { current: Some(token.small_facts()), target: None },
            Self::Change(plan) => {
                About { current: Some(plan.before().small_facts()), target: Some(plan.after().small_facts()) }
            }
        }
    }

    /// What is wrong with it, as far as that is known before it is stored.
    pub(super) fn check(&self, tokens: &Tokens) -> Result<(), TokenError> {
        match self {
            Self::Absent { id } => Err(TokenError::NotFound(Selector::Id(id.clone()))),
            Self::Create(draft) => tokens.check_draft(draft),
            Self::Change(plan) | Self::End(plan) => tokens.check_plan(plan),
            Self::Inspect(_) | Self::Rotate(..) => Ok(()),
        }
    }

    /// Does it, from the very values that were decided about.
    pub(super) async fn carry_out(self, tokens: &Tokens) -> Result<Done, TokenError> {
        match self {
            Self::Absent { id } => Err(TokenError::NotFound(Selector::Id(id))),
            Self::Create(draft) => tokens.create_drafted(*draft).await.map(Done::Created),
            Self::Inspect(token) => Ok(Done::Shown(*token)),
            Self::Rotate(token, rotation, at) => tokens.rotate_as_is(*token, &rotation, at).await.map(Done::Rotated),
            Self::Change(plan) | Self::End(plan) => tokens.carry_out(*plan).await.map(Done::Shown),
        }
    }
}
