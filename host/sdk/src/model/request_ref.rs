//! A request that owns nothing.

use super::{Attributes, Counter, Request, Target};

/// A [`Request`] that borrows what it says: for hosts that have it elsewhere and decide many.
///
/// Each field is that of [`Request`].
///
/// ```
/// use cedargate::model::{Request, RequestRef};
///
/// let mut request = RequestRef::new("chat.completions");
/// request.provider = Some("openai");
/// request.model = Some("gpt-4o");
/// let owned: Request = request.to_owned();
/// assert_eq!(RequestRef::from(&owned), request);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is that of `Request`")]
#[non_exhaustive]
pub struct RequestRef<'a> {
    pub action: &'a str,
    pub provider: Option<&'a str>,
    pub model: Option<&'a str>,
    pub gateway_id: Option<&'a str>,
    pub team_id: Option<&'a str>,
    pub consumer_group: Option<&'a str>,
    pub client_ip: Option<&'a str>,
    pub org_id: Option<&'a str>,
    pub target: Option<&'a Target>,
    pub current: Option<&'a Target>,
    pub attributes: Option<&'a Attributes>,
    pub budget: Option<&'a Counter>,
    pub team_budget: Option<&'a Counter>,
    pub rate: Option<&'a Counter>,
    pub team_rate: Option<&'a Counter>,
}

impl<'a> RequestRef<'a> {
    /// A request for an action, in which nothing else is said.
    #[must_use]
    pub const fn new(action: &'a str) -> Self {
        Self {
            action,
            provider: None,
            model: None,
            gateway_id: None,
            team_id: None,
            consumer_group: None,
            client_ip: None,
            org_id: None,
            target: None,
            current: None,
            attributes: None,
            budget: None,
            team_budget: None,
            rate: None,
            team_rate: None,
        }
    }

    /// The same request, which owns what it says.
    #[must_use]
    pub fn to_owned(self) -> Request {
        let Self {
            action,
            provider,
            model,
            gateway_id,
            team_id,
            consumer_group,
            client_ip,
            org_id,
            target,
            current,
            attributes,
            budget,
            team_budget,
            rate,
            team_rate,
        } = self;
        let text = |text: Option<&str>| text.map(str::to_owned);
        Request {
            action: action.to_owned(),
            provider: text(provider),
            model: text(model),
            gateway_id: text(gateway_id),
            team_id: text(team_id),
            consumer_group: text(consumer_group),
            client_ip: text(client_ip),
            org_id: text(org_id),
            target: target.cloned(),
            current: current.cloned(),
            attributes: attributes.cloned(),
            budget: budget.cloned(),
            team_budget: team_budget.cloned(),
            rate: rate.cloned(),
            team_rate: team_rate.cloned(),
        }
    }
}

impl<'a> From<&'a Request> for RequestRef<'a> {
    fn from(request: &'a Request) -> Self {
        let Request {
            action,
            provider,
            model,
            gateway_id,
            team_id,
            consumer_group,
            client_ip,
            org_id,
            target,
            current,
            attributes,
            budget,
            team_budget,
            rate,
            team_rate,
        } = request;
        Self {
            action,
            provider: provider.as_deref(),
            model: model.as_deref(),
            gateway_id: gateway_id.as_deref(),
            team_id: team_id.as_deref(),
            consumer_group: consumer_group.as_deref(),
            client_ip: client_ip.as_deref(),
            org_id: org_id.as_deref(),
            target: target.as_ref(),
            current: current.as_ref(),
            attributes: attributes.as_ref(),
            budget: budget.as_ref(),
            team_budget: team_budget.as_ref(),
            rate: rate.as_ref(),
            team_rate: team_rate.as_ref(),
        }
    }
}
