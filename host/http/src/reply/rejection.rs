//! Whatever is not admitted.

use cedargate::Denial;

use super::caller::Caller;
use super::refusal::Refusal;
use super::wire::Wire;

/// A request that is not admitted, by the host alone or by the policies.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Rejection {
    /// There was no principal, or no decision could be asked for.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The policies denied.
    #[error("{0}")]
    Denied(Box<Denial>),
}

impl From<Denial> for Rejection {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial))
    }
}

impl Rejection {
    /// The status for events and metrics. What the client sees can differ: [`on_the_wire`](Self::on_the_wire).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::Denied(denial) => denial.status,
        }
    }

    /// The stable code for events and metrics.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Denied(denial) => &denial.code,
        }
    }

    /// What the client is told.
    #[must_use]
    pub fn on_the_wire(&self, caller: &Caller) -> Wire {
        match self {
            Self::Refused(refusal) => Wire::of_refusal(refusal),
            Self::Denied(denial) if caller.discovers() && Wire::hides(denial) => {
                Wire::of_refusal(&Refusal::ModelUnknown)
            }
            Self::Denied(denial) => Wire::of_denial(denial),
        }
    }
}
