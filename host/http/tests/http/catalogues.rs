//! What an id stands for: read at its first slash, compared byte for byte.

use crate::asking::catalogue;
use cedargate_http::catalogue::{
    Catalogue, ModelId, ModelTable, ModelTableBuilder, ModelTableError, Resolution, Unlisted, is_provider_id,
};

/// The candidates as `provider/model`, or the one that nobody serves behind a `!`.
fn resolve(id: &str) -> Vec<String> {
    match catalogue().resolve(&ModelId::new(id).unwrap()) {
        Resolution::Candidates(candidates) => {
            candidates.iter().map(|candidate| format!("{}/{}", candidate.provider, candidate.model)).collect()
        }
        Resolution::Unroutable { provider, model } => vec![format!("!{}/{model}", provider.unwrap_or_default())],
    }
}

#[test]
fn an_id_stands_for_those_who_serve_it() {
    for (id, candidates) in [
        ("gpt-4o", &["openai/gpt-4o", "azure/gpt-4o"][..]),
        ("openai/gpt-4o", &["openai/gpt-4o"]),
        ("azure/gpt-4o", &["azure/gpt-4o"]),
        ("fast", &["openai/gpt-4o-mini", "azure/gpt-4o"]),
        ("meta-llama/llama-3", &["huggingface/meta-llama/llama-3"]),
        ("huggingface/meta-llama/llama-3", &["huggingface/meta-llama/llama-3"]),
        // A known provider before the first slash is that provider, whoever else has a model of this name.
        ("openrouter/openai/gpt-4o", &["openrouter/openai/gpt-4o"]),
        // A provider that takes models which are not listed.
        ("openai/model-of-tomorrow", &["openai/model-of-tomorrow"]),
        ("bedrock/x", &["bedrock/x"]),
        ("bedrock/a/b", &["bedrock/a/b"]),
    ] {
        assert_eq!(resolve(id), candidates, "{id}");
    }
}

#[test]
fn an_id_that_nobody_serves_still_says_what_was_meant() {
    for (id, meant) in [
        ("o1", "!/o1"),
        ("azure/o1", "!azure/o1"),
        ("bedrockz/x", "!bedrockz/x"),
        ("bedroc/x", "!bedroc/x"),
        ("Bedrock/x", "!/Bedrock/x"),
        ("group:small", "!/group:small"),
        ("fast/x", "!fast/x"),
    ] {
        assert_eq!(resolve(id), [meant], "{id}");
    }
}

#[test]
fn an_id_in_other_letters_stands_for_nothing() {
    for id in [
        "GPT-4o",
        "gpt-4O",
        "Fast",
        "Meta-Llama/Llama-3",
        "OpenAI/gpt-4o",
        "openai/GPT-4o",
        "openai/gpt-4O-mini",
        "azure/GPT-4o",
        "huggingface/meta-llama/Llama-3",
        // At a provider that takes what is not listed, a bare name of others counts, too.
        "bedrock/GPT-4o",
        "bedrock/Claude-Sonnet-4-5",
    ] {
        assert!(resolve(id).iter().all(|candidate| candidate.starts_with('!')), "{id}: {:?}", resolve(id));
    }
    assert_eq!(resolve("bedrock/gpt-4o"), ["bedrock/gpt-4o"]);
}

#[test]
fn what_is_listed_has_one_entry_for_each_name() {
    let table = catalogue();
    let ids: Vec<_> = table.models().iter().map(|entry| entry.id.as_str()).collect();
    let expected = [
        "gpt-4o",
        "gpt-4o-mini",
        "claude-sonnet-4-5",
        "meta-llama/llama-3",
        "gemini-2.5-flash",
        "fast",
        "openrouter/openai/gpt-4o",
    ];
    assert_eq!(ids, expected);
    for id in ids {
        assert!(table.has_model(id), "{id}");
    }
}

#[test]
fn a_declaration_that_could_be_misread_is_refused() {
    let refused = |declare: fn(&mut ModelTableBuilder) -> &mut ModelTableBuilder| {
        let mut builder = ModelTable::builder();
        builder.provider("openai", Unlisted::Refused).model("openai", "gpt-4o");
        declare(&mut builder);
        builder.build().unwrap_err()
    };
    let error = refused(|builder| builder.provider("Open AI", Unlisted::Refused));
    assert!(matches!(error, ModelTableError::Provider { .. }), "{error}");
    let error = refused(|builder| builder.model("azure", "gpt-4o"));
    assert!(matches!(error, ModelTableError::ProviderUnknown { .. }), "{error}");
    for model in ["", "*", "a b", "a/../b", "a//b"] {
        let mut builder = ModelTable::builder();
        let error = builder.provider("openai", Unlisted::Refused).model("openai", model).build().unwrap_err();
        assert!(matches!(error, ModelTableError::Model { .. }), "{error}");
    }
    let error = refused(|builder| builder.model("openai", "GPT-4o"));
    assert!(matches!(error, ModelTableError::Case { .. }), "{error}");
    let error = refused(|builder| builder.name("openai/x", [("openai", "gpt-4o")]));
    assert!(matches!(error, ModelTableError::NameIsQualified { .. }), "{error}");
    let error = refused(|builder| builder.name("x", [] as [(&str, &str); 0]));
    assert!(matches!(error, ModelTableError::NameIsEmpty { .. }), "{error}");
    let error = refused(|builder| builder.name("x", [("azure", "gpt-4o")]));
    assert!(error.to_string().contains("`x`") && error.to_string().contains("`azure`"), "{error}");
}

#[test]
fn a_providers_id_is_what_bindings_read_as_one() {
    for id in ["openai", "a", "0", "a.b_c-d", &"a".repeat(64)] {
        assert!(is_provider_id(id), "{id}");
    }
    for id in ["", "A", "-a", ".a", "a b", "a/b", "\u{e9}", &"a".repeat(65)] {
        assert!(!is_provider_id(id), "{id}");
    }
}
