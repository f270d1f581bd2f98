//! Whose budget, of what, in which window.

use std::sync::Arc;

use cedargate::model::Timestamp;

use crate::token::{Unit, Window};

/// Who spends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A token, by its id.
    Token(Arc<str>),
    /// A team, by its id.
    Team(Arc<str>),
}

/// What is spent by whom in which window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BudgetKey {
    /// Who spends.
    pub owner: Owner,
    /// What is counted.
    pub unit: Unit,
    /// The kind of window.
    pub window: Window,
    /// When the window began: [`Window::start`].
    pub start: Timestamp,
}

impl BudgetKey {
    /// The window that holds this moment.
    #[must_use]
    pub fn at(owner: Owner, unit: Unit, window: Window, at: Timestamp) -> Self {
        Self { owner, unit, window, start: window.start(at) }
    }
}
