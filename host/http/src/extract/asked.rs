//! What a request asks for.

use std::ops::Range;

use crate::catalogue::{ModelId, Resolution};
use crate::route::{Action, Dialect, Endpoint, Route};

/// What a request asks for, in its only reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub(super) route: Route,
    pub(super) model: Option<(ModelId, Resolution)>,
    pub(super) team: Option<Box<str>>,
    pub(super) body: Reading,
}

/// What a body says, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) model: Option<ModelId>,
    /// Further models that the body names. Each must be the same.
    pub(super) mentions: Vec<ModelId>,
    /// Fields by which a server behind could be led elsewhere.
    pub(super) routing: Vec<&'static str>,
    /// Whether `models/` stands before the model.
    pub(super) model_prefixed: bool,
    /// Where the model stands in the body: a whole JSON string with its quotes, or the content of a form's field.
    pub(super) model_at: Option<Range<usize>>,
    /// Whether `model` is a field of a form.
    pub(super) form: bool,
    pub(super) stream: Option<bool>,
    pub(super) include_usage: Option<bool>,
    /// Where the value of `stream_options` stands.
    pub(super) stream_options_at: Option<Range<usize>>,
    /// Where the value of its `include_usage` stands.
    pub(super) include_usage_at: Option<Range<usize>>,
    pub(super) output_tokens_max: Option<u64>,
    pub(super) choices: Option<u64>,
}

impl Asked {
    /// Where it arrived.
    #[must_use]
    pub const fn route(&self) -> &Route {
        &self.route
    }

    /// The endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.route.endpoint()
    }

    /// The dialect that the caller speaks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.route.dialect()
    }

    /// The action to decide. A probe has none.
    #[must_use]
    pub const fn action(&self) -> Option<Action> {
        self.route.endpoint().action()
    }

    /// The model's id as the client wrote it. Every action but `models.list` has one.
    #[must_use]
    pub fn model(&self) -> Option<&ModelId> {
        self.model.as_ref().map(|(id, _)| id)
    }

    /// Who serves the model.
    #[must_use]
    pub fn resolution(&self) -> Option<&Resolution> {
        self.model.as_ref().map(|(_, resolution)| resolution)
    }

    /// The team that the client claims to act for, from the header [`TEAM`](crate::hygiene::TEAM).
    #[must_use]
    pub fn team(&self) -> Option<&str> {
        self.team.as_deref()
    }

    /// Whether the answer is to be streamed.
    #[must_use]
    pub fn stream(&self) -> bool {
        self.body.stream.unwrap_or_default() || self.endpoint() == Endpoint::StreamGenerateContent
    }

    /// `stream_options.include_usage`, where it is said.
    #[must_use]
    pub const fn include_usage(&self) -> Option<bool> {
        self.body.include_usage
    }

    /// How many tokens an answer may have at most, where it is said: the largest of `max_tokens`,
    /// `max_completion_tokens`, `max_output_tokens` and `generationConfig.maxOutputTokens`. Each choice may have
    /// as many.
    #[must_use]
    pub const fn output_tokens_max(&self) -> Option<u64> {
        self.body.output_tokens_max
    }

    /// How many answers are asked for: the largest of `n`, `best_of` and `generationConfig.candidateCount`; at least
    /// one.
    #[must_use]
    pub fn choices(&self) -> u64 {
        self.body.choices.unwrap_or(1).max(1)
    }
}
