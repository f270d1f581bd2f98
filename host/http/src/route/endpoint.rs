//! The endpoints, their paths, and the actions that they stand for.

use std::borrow::Cow;

use http::Method;

use super::dialect::Dialect;
use super::path;

/// An action of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `chat.completions`.
    ChatCompletions,
    /// `completions`.
    Completions,
    /// `responses`.
    Responses,
    /// `messages`.
    Messages,
    /// `embeddings`.
    Embeddings,
    /// `images`.
    Images,
    /// `audio`.
    Audio,
    /// `models.read`: one model by its id.
    ModelsRead,
    /// `models.list`: the only one that takes no model.
    ModelsList,
}

impl Action {
    /// The name that policies know.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat.completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
            Self::Images => "images",
            Self::Audio => "audio",
            Self::ModelsRead => "models.read",
            Self::ModelsList => "models.list",
        }
    }

    /// Whether a request for it names a model.
    #[must_use]
    pub const fn takes_model(self) -> bool {
        !matches!(self, Self::ModelsList)
    }
}

/// The forms of body that an endpoint reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForms {
    /// None: a body is refused.
    Nothing,
    /// `application/json`.
    Json,
    /// `multipart/form-data`.
    Multipart,
    /// Either of the two.
    JsonOrMultipart,
}

/// An endpoint of the gateway. The list is closed: a request for anything else is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `HEAD /`, by which some clients ask whether anybody listens. It reaches no provider and no policy.
    Probe,
    /// `GET /v1/models`.
    ModelsList,
    /// `GET /v1/models/{id}`.
    ModelsRead,
    /// `POST …/chat/completions`.
    ChatCompletions,
    /// `POST …/completions`.
    Completions,
    /// `POST /v1/responses`.
    Responses,
    /// `POST …/embeddings`.
    Embeddings,
    /// `POST …/images/generations`.
    ImagesGenerations,
    /// `POST …/images/edits`.
    ImagesEdits,
    /// `POST …/images/variations`.
    ImagesVariations,
    /// `POST …/audio/speech`.
    AudioSpeech,
    /// `POST …/audio/transcriptions`.
    AudioTranscriptions,
    /// `POST …/audio/translations`.
    AudioTranslations,
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1/messages/count_tokens`.
    CountTokens,
    /// `POST /v1beta/models/{model}:generateContent`.
    GenerateContent,
    /// `POST /v1beta/models/{model}:streamGenerateContent`.
    StreamGenerateContent,
    /// `POST /v1beta/models/{model}:embedContent`.
    EmbedContent,
    /// `POST /v1beta/models/{model}:countTokens`.
    GeminiCountTokens,
}

const MODELS: &str = "/v1/models/";
const DEPLOYMENTS: &str = "/openai/deployments/";
const GEMINI_MODELS: &str = "/v1beta/models/";

impl Endpoint {
    /// All of them, those that are asked for most first.
    pub const ALL: [Self; 19] = [
        Self::ChatCompletions,
        Self::Messages,
        Self::Responses,
        Self::Completions,
        Self::Embeddings,
        Self::ModelsList,
        Self::ModelsRead,
        Self::CountTokens,
        Self::ImagesGenerations,
        Self::ImagesEdits,
        Self::ImagesVariations,
        Self::AudioSpeech,
        Self::AudioTranscriptions,
        Self::AudioTranslations,
        Self::GenerateContent,
        Self::StreamGenerateContent,
        Self::EmbedContent,
        Self::GeminiCountTokens,
        Self::Probe,
    ];

    /// The endpoint of a path that names no model.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Probe),
            "/v1/models" => Some(Self::ModelsList),
            "/v1/messages" => Some(Self::Messages),
            "/v1/messages/count_tokens" => Some(Self::CountTokens),
            "/v1/responses" => Some(Self::Responses),
            _ => Self::of_openai(path.strip_prefix("/v1/")?),
        }
    }

    /// The endpoint of a path that names a model, and the model as the path writes it.
    pub(super) fn with_model_at(path: &str) -> Option<(Self, &str)> {
        if !path::is_plain(path) {
            return None;
        }
        if let Some(written) = path.strip_prefix(MODELS) {
            return Some((Self::ModelsRead, written));
        }
        if let Some(rest) = path.strip_prefix(DEPLOYMENTS) {
            let (written, tail) = rest.split_once('/')?;
            return Some((Self::of_openai(tail)?, written));
        }
        let rest = path.strip_prefix(GEMINI_MODELS)?;
        // The method stands behind the last colon: a model's own name may hold some.
        let (written, verb) = rest.rsplit_once(':')?;
        if written.contains('/') {
            return None;
        }
        Some((Self::of_gemini(verb)?, written))
    }

    /// Whether one model is asked for by its id.
    pub(crate) fn is_discovery(method: &Method, path: &str) -> bool {
        matches!(*method, Method::GET | Method::HEAD) && path.starts_with(MODELS)
    }

    /// Whether a request only asks whether anybody listens, which needs no credential.
    #[must_use]
    pub fn is_probe(method: &Method, path: &str) -> bool {
        *method == Method::HEAD && path == "/"
    }

    /// What OpenAI's and Azure's paths have in common.
    fn of_openai(tail: &str) -> Option<Self> {
        Some(match tail {
            "chat/completions" => Self::ChatCompletions,
            "completions" => Self::Completions,
            "embeddings" => Self::Embeddings,
            "images/generations" => Self::ImagesGenerations,
            "images/edits" => Self::ImagesEdits,
            "images/variations" => Self::ImagesVariations,
            "audio/speech" => Self::AudioSpeech,
            "audio/transcriptions" => Self::AudioTranscriptions,
            "audio/translations" => Self::AudioTranslations,
            _ => return None,
        })
    }

    fn of_gemini(verb: &str) -> Option<Self> {
        Some(match verb {
            "generateContent" => Self::GenerateContent,
            "streamGenerateContent" => Self::StreamGenerateContent,
            "embedContent" => Self::EmbedContent,
            "countTokens" => Self::GeminiCountTokens,
            _ => return None,
        })
    }

    /// The action that a policy sees. A probe is none.
    #[must_use]
    pub const fn action(self) -> Option<Action> {
        Some(match self {
            Self::Probe => return None,
            Self::ModelsList => Action::ModelsList,
            Self::ModelsRead => Action::ModelsRead,
            Self::ChatCompletions | Self::GenerateContent | Self::StreamGenerateContent | Self::GeminiCountTokens => {
                Action::ChatCompletions
            }
            Self::Completions => Action::Completions,
            Self::Responses => Action::Responses,
            Self::Embeddings | Self::EmbedContent => Action::Embeddings,
            Self::ImagesGenerations | Self::ImagesEdits | Self::ImagesVariations => Action::Images,
            Self::AudioSpeech | Self::AudioTranscriptions | Self::AudioTranslations => Action::Audio,
            Self::Messages | Self::CountTokens => Action::Messages,
        })
    }

    /// The only method that it takes.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Probe => Method::HEAD,
            Self::ModelsList | Self::ModelsRead => Method::GET,
            _ => Method::POST,
        }
    }

    /// The forms of body that it reads.
    #[must_use]
    pub const fn body(self) -> BodyForms {
        match self {
            Self::Probe | Self::ModelsList | Self::ModelsRead => BodyForms::Nothing,
            Self::ImagesEdits => BodyForms::JsonOrMultipart,
            Self::ImagesVariations | Self::AudioTranscriptions | Self::AudioTranslations => BodyForms::Multipart,
            _ => BodyForms::Json,
        }
    }

    /// The name in event lines and metrics, for example `chat/completions`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::ModelsList => "models",
            Self::ModelsRead => "models/{id}",
            Self::ChatCompletions => "chat/completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::ImagesGenerations => "images/generations",
            Self::ImagesEdits => "images/edits",
            Self::ImagesVariations => "images/variations",
            Self::AudioSpeech => "audio/speech",
            Self::AudioTranscriptions => "audio/transcriptions",
            Self::AudioTranslations => "audio/translations",
            Self::Messages => "messages",
            Self::CountTokens => "messages/count_tokens",
            Self::GenerateContent => "generateContent",
            Self::StreamGenerateContent => "streamGenerateContent",
            Self::EmbedContent => "embedContent",
            Self::GeminiCountTokens => "countTokens",
        }
    }

    /// The path at a provider that speaks this dialect.
    pub(super) fn path_for(self, dialect: Dialect, model: &str) -> Cow<'static, str> {
        match (self, dialect) {
            (Self::ModelsRead, _) => format!("{MODELS}{}", path::segment(model)).into(),
            (_, Dialect::Azure) => format!("{DEPLOYMENTS}{}/{}", path::segment(model), self.label()).into(),
            (_, Dialect::Gemini) => format!("{GEMINI_MODELS}{}:{}", path::segment(model), self.label()).into(),
            _ => self.fixed_path(dialect).into(),
        }
    }

    /// The part of its path that no client writes: all of it, or what stands before the model's name.
    pub(super) const fn fixed_path(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (_, Dialect::Azure) => "/openai/deployments",
            (_, Dialect::Gemini)
            | (Self::GenerateContent | Self::StreamGenerateContent | Self::EmbedContent | Self::GeminiCountTokens, _) => {
                "/v1beta/models"
            }
            (Self::Probe, _) => "/",
            (Self::ModelsList | Self::ModelsRead, _) => "/v1/models",
            (Self::ChatCompletions, _) => "/v1/chat/completions",
            (Self::Completions, _) => "/v1/completions",
            (Self::Responses, _) => "/v1/responses",
            (Self::Embeddings, _) => "/v1/embeddings",
            (Self::ImagesGenerations, _) => "/v1/images/generations",
            (Self::ImagesEdits, _) => "/v1/images/edits",
            (Self::ImagesVariations, _) => "/v1/images/variations",
            (Self::AudioSpeech, _) => "/v1/audio/speech",
            (Self::AudioTranscriptions, _) => "/v1/audio/transcriptions",
            (Self::AudioTranslations, _) => "/v1/audio/translations",
            (Self::Messages, _) => "/v1/messages",
            (Self::CountTokens, _) => "/v1/messages/count_tokens",
        }
    }

    /// The fixed paths of all endpoints in all dialects.
    pub(super) fn fixed_paths() -> impl Iterator<Item = &'static str> {
        [Dialect::OpenAi, Dialect::Azure].into_iter().flat_map(|dialect| Self::ALL.map(|it| it.fixed_path(dialect)))
    }
}
