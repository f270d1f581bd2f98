//! Which endpoint a request is for. What is not in the table does not exist.

use cedargate_http::reply::{Invalid, Refusal};
use cedargate_http::route::{Dialect, Endpoint, PathPrefix, Route};
use http::{HeaderMap, HeaderValue, Method};

fn route(method: &str, path: &str) -> Result<(Endpoint, Dialect, Option<String>), Refusal> {
    let route = Route::of(&method.parse::<Method>().unwrap(), path, &HeaderMap::new())?;
    Ok((route.endpoint(), route.dialect(), route.model().map(ToString::to_string)))
}

#[test]
fn every_endpoint_has_its_path_and_its_action() {
    for (method, path, endpoint, dialect, action) in [
        ("GET", "/v1/models", Endpoint::ModelsList, Dialect::OpenAi, "models.list"),
        ("POST", "/v1/chat/completions", Endpoint::ChatCompletions, Dialect::OpenAi, "chat.completions"),
        ("POST", "/v1/completions", Endpoint::Completions, Dialect::OpenAi, "completions"),
        ("POST", "/v1/responses", Endpoint::Responses, Dialect::OpenAi, "responses"),
        ("POST", "/v1/embeddings", Endpoint::Embeddings, Dialect::OpenAi, "embeddings"),
        ("POST", "/v1/images/generations", Endpoint::ImagesGenerations, Dialect::OpenAi, "images"),
        ("POST", "/v1/images/edits", Endpoint::ImagesEdits, Dialect::OpenAi, "images"),
        ("POST", "/v1/images/variations", Endpoint::ImagesVariations, Dialect::OpenAi, "images"),
        ("POST", "/v1/audio/speech", Endpoint::AudioSpeech, Dialect::OpenAi, "audio"),
        ("POST", "/v1/audio/transcriptions", Endpoint::AudioTranscriptions, Dialect::OpenAi, "audio"),
        ("POST", "/v1/audio/translations", Endpoint::AudioTranslations, Dialect::OpenAi, "audio"),
        ("POST", "/v1/messages", Endpoint::Messages, Dialect::Anthropic, "messages"),
        ("POST", "/v1/messages/count_tokens", Endpoint::CountTokens, Dialect::Anthropic, "messages"),
    ] {
        assert_eq!(route(method, path), Ok((endpoint, dialect, None)), "{path}");
        assert_eq!(endpoint.action().unwrap().name(), action);
    }
    assert_eq!(route("HEAD", "/"), Ok((Endpoint::Probe, Dialect::OpenAi, None)));
    assert!(Endpoint::Probe.action().is_none());
}

#[test]
fn a_path_names_its_model_decoded_exactly_once() {
    for (method, path, endpoint, dialect, model) in [
        ("GET", "/v1/models/gpt-4o", Endpoint::ModelsRead, Dialect::OpenAi, "gpt-4o"),
        ("GET", "/v1/models/openai/gpt-4o", Endpoint::ModelsRead, Dialect::OpenAi, "openai/gpt-4o"),
        ("GET", "/v1/models/openai%2Fgpt-4o", Endpoint::ModelsRead, Dialect::OpenAi, "openai/gpt-4o"),
        ("GET", "/v1/models/ft%3Agpt-4o:acme", Endpoint::ModelsRead, Dialect::OpenAi, "ft:gpt-4o:acme"),
        ("GET", "/v1/models/%67pt-4o", Endpoint::ModelsRead, Dialect::OpenAi, "gpt-4o"),
        ("POST", "/openai/deployments/gpt-4o/chat/completions", Endpoint::ChatCompletions, Dialect::Azure, "gpt-4o"),
        ("POST", "/openai/deployments/azure%2Fgpt-4o/embeddings", Endpoint::Embeddings, Dialect::Azure, "azure/gpt-4o"),
        (
            "POST",
            "/openai/deployments/gpt-4o/images/generations",
            Endpoint::ImagesGenerations,
            Dialect::Azure,
            "gpt-4o",
        ),
        (
            "POST",
            "/v1beta/models/gemini-2.5-flash:generateContent",
            Endpoint::GenerateContent,
            Dialect::Gemini,
            "gemini-2.5-flash",
        ),
        (
            "POST",
            "/v1beta/models/google%2Fg:v1:streamGenerateContent",
            Endpoint::StreamGenerateContent,
            Dialect::Gemini,
            "google/g:v1",
        ),
        ("POST", "/v1beta/models/e:embedContent", Endpoint::EmbedContent, Dialect::Gemini, "e"),
        ("POST", "/v1beta/models/g:countTokens", Endpoint::GeminiCountTokens, Dialect::Gemini, "g"),
    ] {
        assert_eq!(route(method, path), Ok((endpoint, dialect, Some(model.to_owned()))), "{path}");
    }
}

#[test]
fn a_path_that_could_be_read_as_another_is_no_route() {
    for path in [
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/v1/./chat/completions",
        "/v1/models/../chat/completions",
        "/v1/models/%2e%2e/chat/completions",
        "/v1/models/./x",
        "/v1/models/%2E/x",
        "/v1/models/",
        "/v1/models//gpt-4o",
        "/v1/models/gpt-4o/",
        "/v1/models/a;b",
        "/v1/models/a\\b",
        "/v1/chat%2Fcompletions",
        "/v1/ch%61t/completions",
        "/V1/chat/completions",
        "/v1/Chat/Completions",
        "/v1/chat/completions;x",
        "/v1/chat/completions%00",
        "/v1/chat",
        "/v1/files",
        "/v1/batches",
        "/v1/responses/resp_1",
        "/v1/messages/batches",
        "/v1/realtime",
        "/chat/completions",
        "/v1beta/models",
        "/v1beta/models/gemini",
        "/v1beta/models/a/b:generateContent",
        "/v1beta/models/gemini:batchEmbedContents",
        "/v1beta/models/gemini:GENERATECONTENT",
        "/v1beta/tunedModels/x:generateContent",
        "/openai/deployments/gpt-4o",
        "/openai/deployments/a/b/chat/completions",
        "/openai/deployments//chat/completions",
        "/openai/deployments/gpt-4o/extensions/chat/completions",
        "",
        "*",
        "v1/models/x",
        "/%2e%2e/v1/models/x",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(route(method, path), Err(Refusal::RouteUnknown), "{method} {path}");
        }
    }
}

#[test]
fn an_id_in_a_path_is_checked_like_any_other() {
    for written in [
        "%2e%2e%2fx",
        "a%2F%2Fb",
        "a%2f",
        "%2fa",
        "a%00b",
        "a%0a",
        "a%20b",
        "a*",
        "%2A",
        "%252e",
        "a%252Fb",
        "a%2",
        "a%zz",
        "a%",
        "%ff",
        "a%5Cb",
        "%E2%80%8Ba",
        "a%3Fb",
        "a..b",
    ] {
        let refusal = route("GET", &format!("/v1/models/{written}")).unwrap_err();
        assert!(matches!(refusal, Refusal::RequestInvalid(Invalid::ModelId(_) | Invalid::Encoding)), "{written}");
    }
}

#[test]
fn another_method_is_told_which_one_to_take() {
    for (method, path, allow) in [
        ("GET", "/v1/chat/completions", Method::POST),
        ("PUT", "/v1/responses", Method::POST),
        ("POST", "/v1/models", Method::GET),
        ("HEAD", "/v1/models", Method::GET),
        ("DELETE", "/v1/models/gpt-4o", Method::GET),
        ("GET", "/", Method::HEAD),
        ("OPTIONS", "/v1/chat/completions", Method::POST),
        ("post", "/v1/chat/completions", Method::POST),
    ] {
        assert_eq!(route(method, path), Err(Refusal::MethodNotAllowed { allow }), "{method} {path}");
    }
}

#[test]
fn lists_of_models_are_in_the_dialect_that_the_caller_says() {
    let mut headers = HeaderMap::new();
    headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    for (path, dialect) in [
        ("/v1/models", Dialect::Anthropic),
        ("/v1/models/claude", Dialect::Anthropic),
        ("/v1/messages", Dialect::Anthropic),
        ("/v1/chat/completions", Dialect::OpenAi),
        ("/", Dialect::Anthropic),
        ("/v1beta/models/g:countTokens", Dialect::Gemini),
        ("/openai/deployments/a/completions", Dialect::Azure),
    ] {
        assert_eq!(Dialect::of(path, &headers), dialect, "{path}");
    }
    assert_eq!(Dialect::of("/v1/models", &HeaderMap::new()), Dialect::OpenAi);
}

#[test]
fn a_path_for_a_provider_hides_nothing_in_a_model() {
    let paths = [
        ("POST", "/openai/deployments/m/chat/completions", "a/b", "/openai/deployments/a%2Fb/chat/completions"),
        ("POST", "/v1beta/models/m:streamGenerateContent", "g", "/v1beta/models/g:streamGenerateContent"),
        ("POST", "/v1/images/edits", "x", "/v1/images/edits"),
        ("POST", "/v1/messages/count_tokens", "x", "/v1/messages/count_tokens"),
        ("GET", "/v1/models/m", "ft:a#b", "/v1/models/ft:a%23b"),
    ];
    for (method, path, model, expected) in paths {
        let route = Route::of(&method.parse::<Method>().unwrap(), path, &HeaderMap::new()).unwrap();
        assert_eq!(route.path_for(model), expected);
    }
}

#[test]
fn a_prefix_holds_what_its_segments_say_and_no_spelling_changes_that() {
    let holds = |prefix: &str, method: &str, path: &str| {
        let route = Route::of(&method.parse().unwrap(), path, &HeaderMap::new()).unwrap();
        prefix.parse::<PathPrefix>().unwrap_or_else(|_| panic!("{prefix} is one")).holds(&route)
    };
    for (prefix, method, path) in [
        ("/v1", "POST", "/v1/chat/completions"),
        ("/v1/chat", "POST", "/v1/chat/completions"),
        ("/v1/chat/completions", "POST", "/v1/chat/completions"),
        ("/v1/completions", "POST", "/v1/completions"),
        ("/v1/responses", "POST", "/v1/responses"),
        ("/v1/embeddings", "POST", "/v1/embeddings"),
        ("/v1/images", "POST", "/v1/images/generations"),
        ("/v1/images/edits", "POST", "/v1/images/edits"),
        ("/v1/images/variations", "POST", "/v1/images/variations"),
        ("/v1/audio/speech", "POST", "/v1/audio/speech"),
        ("/v1/audio/transcriptions", "POST", "/v1/audio/transcriptions"),
        ("/v1/audio/translations", "POST", "/v1/audio/translations"),
        ("/v1/messages", "POST", "/v1/messages"),
        ("/v1/messages", "POST", "/v1/messages/count_tokens"),
        ("/v1/messages/count_tokens", "POST", "/v1/messages/count_tokens"),
        ("/v1/models", "GET", "/v1/models"),
        ("/v1/models", "GET", "/v1/models/gpt-4o"),
        ("/v1/models", "GET", "/v1/models/%67pt-4o"),
        ("/openai", "POST", "/openai/deployments/gpt-4o/chat/completions"),
        ("/openai/deployments", "POST", "/openai/deployments/%67pt-4o/embeddings"),
        ("/v1beta", "POST", "/v1beta/models/g:generateContent"),
        ("/v1beta/models", "POST", "/v1beta/models/g:embedContent"),
    ] {
        assert!(holds(prefix, method, path), "{prefix} {path}");
    }
    for (prefix, method, path) in [
        ("/v1", "POST", "/v1beta/models/g:generateContent"),
        ("/v1/chat", "POST", "/v1/completions"),
        ("/v1/completions", "POST", "/v1/chat/completions"),
        ("/v1/messages/count_tokens", "POST", "/v1/messages"),
        ("/v1/embeddings", "POST", "/openai/deployments/gpt-4o/embeddings"),
        ("/v1/chat", "GET", "/v1/models/chat/completions"),
    ] {
        assert!(!holds(prefix, method, path), "{prefix} {path}");
    }
    // A client's header changes how it is answered, and not where it came in.
    let mut headers = HeaderMap::new();
    headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    let list = Route::of(&Method::GET, "/v1/models", &headers).unwrap();
    assert!("/v1/models".parse::<PathPrefix>().unwrap().holds(&list));
}

#[test]
fn a_prefix_that_no_path_has_is_refused() {
    for text in [
        "",
        "/",
        "v1",
        "/v1/",
        "//v1",
        "/v1//chat",
        "/v1/ch",
        "/V1/chat",
        "/v1/./chat",
        "/v1/%63hat",
        "/v1/files",
        "/v1/chat/completions/x",
        "/v1/chat/completions?x",
        "/v1/models/gpt-4o",
        "/openai/deployments/gpt-4o",
        "/v1beta/models/g:generateContent",
        "*",
    ] {
        assert!(text.parse::<PathPrefix>().is_err(), "{text}");
    }
}
