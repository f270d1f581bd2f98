//! What a request spends, in every unit that is counted.

use cedargate_http::extract::Asked;
use cedargate_http::route::Endpoint;
use cedargate_tokens::{AllowanceKind, Unit};

use crate::config::{Model, Price};
use crate::usage::Usage;

/// More than any allowance: what nobody can put a price on fits no budget of money.
const UNPRICED: u64 = 1 << 53;

/// Tokens that a reply is taken to have at most, where neither the request nor the configuration says.
const OUTPUT_TOKENS: u64 = 4_096;

/// Billionths of a dollar in a millionth.
const NANOS_PER_MICRO: f64 = 1_000.0;

/// What a request spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amounts {
    /// A question that reaches no provider: it counts against rates of requests alone.
    Discovery,
    /// A request to a provider.
    Traffic {
        /// Tokens of the model.
        tokens: u64,
        /// Billionths of a dollar.
        nanos: u64,
    },
}

impl Amounts {
    /// What a request may spend at most at this model.
    pub(crate) fn most(asked: &Asked, body_bytes: usize, model: Option<&Model>) -> Self {
        let usage = match Kind::of(asked.endpoint()) {
            Kind::Question => return Self::Discovery,
            Kind::Text => {
                let said = asked.output_tokens_max().or(model.and_then(|model| model.max_output_tokens));
                let output_tokens = said.unwrap_or(OUTPUT_TOKENS).saturating_mul(asked.choices());
                // A token is at least one byte.
                Usage { input_tokens: u64::try_from(body_bytes).unwrap_or(u64::MAX), cached_tokens: 0, output_tokens }
            }
            Kind::Embeddings => {
                let input_tokens = u64::try_from(body_bytes).unwrap_or(u64::MAX);
                Usage { input_tokens, ..Usage::default() }
            }
            Kind::Media => Usage::default(),
        };
        Self::of_usage(&usage, model.and_then(|model| model.price.as_ref()))
    }

    /// What a request spent.
    pub(crate) fn of_usage(usage: &Usage, price: Option<&Price>) -> Self {
        let nanos = price.map_or(UNPRICED, |price| cost_nanos(usage, price));
        Self::Traffic { tokens: usage.total_tokens(), nanos }
    }

    /// The larger of both, in each unit.
    pub(crate) fn max(self, other: Self) -> Self {
        match (self, other) {
            (Self::Traffic { tokens: a, nanos: x }, Self::Traffic { tokens: b, nanos: y }) => {
                Self::Traffic { tokens: a.max(b), nanos: x.max(y) }
            }
            (Self::Discovery, other) | (other, Self::Discovery) => other,
        }
    }

    /// The amount in a unit; `None` where it does not count at all.
    pub(super) fn of(self, unit: Unit, kind: AllowanceKind) -> Option<u64> {
        match (self, unit, kind) {
            (Self::Discovery, Unit::Requests, AllowanceKind::Rate) => Some(1),
            (Self::Discovery, ..) => None,
            (Self::Traffic { .. }, Unit::Requests, _) => Some(1),
            (Self::Traffic { tokens, .. }, Unit::Tokens, _) => Some(tokens),
            (Self::Traffic { nanos, .. }, Unit::Money, _) => Some(nanos),
        }
    }
}

/// How a request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It costs nothing.
    Question,
    /// Tokens in and out.
    Text,
    /// Tokens in.
    Embeddings,
    /// Images and audio: what a provider counts for them cannot be told from their bytes.
    Media,
}

impl Kind {
    pub(crate) const fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Probe
            | Endpoint::ModelsList
            | Endpoint::ModelsRead
            | Endpoint::CountTokens
            | Endpoint::GeminiCountTokens => Self::Question,
            Endpoint::ChatCompletions
            | Endpoint::Completions
            | Endpoint::Responses
            | Endpoint::Messages
            | Endpoint::GenerateContent
            | Endpoint::StreamGenerateContent => Self::Text,
            Endpoint::Embeddings | Endpoint::EmbedContent => Self::Embeddings,
            Endpoint::ImagesGenerations
            | Endpoint::ImagesEdits
            | Endpoint::ImagesVariations
            | Endpoint::AudioSpeech
            | Endpoint::AudioTranscriptions
            | Endpoint::AudioTranslations => Self::Media,
        }
    }
}

/// The cost in billionths of a dollar, rounded up.
pub(crate) fn cost_nanos(usage: &Usage, price: &Price) -> u64 {
    let fresh = usage.input_tokens.saturating_sub(usage.cached_tokens);
    let micros = fresh as f64 * price.input
        + usage.cached_tokens as f64 * price.cached_input
        + usage.output_tokens as f64 * price.output
        + price.request;
    // Saturates; tokens and prices are not negative.
    (micros * NANOS_PER_MICRO).ceil() as u64
}
