//! Configurations, good and bad: every mistake has its place and its cure.

use std::path::Path;
use std::sync::Arc;

use cedargate_gateway::config::{Config, ConfigError, Dialect, Route};
use cedargate_gateway::{Options, start};
use cedargate_tokens::{Clock, Skew, SqliteOptions, SqliteStore, Store};

use crate::world::text;

fn mistakes(text: &str) -> String {
    match Config::parse(text, "gateway.toml", Path::new("")).and_then(|config| config.keys()) {
        Ok(keys) => panic!("nothing is wrong: {keys:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_whole_configuration_is_read() {
    let text = r#"
gateway_id = "gw-east"
org_id = "acme"
policies = "policies"
store = "/var/lib/cedargate/store.db"

[[listeners]]
address = "127.0.0.1:41002"
consumer_group = "web"
trusted_proxies = ["10.0.0.0/8", "192.168.1.7"]
routes = [{ path_prefix = "/v1/embeddings", consumer_group = "batch" }]

[[listeners]]
address = "[::1]:41004"

[[listeners.routes]]
path_prefix = "/v1/messages"
consumer_group = "agents"

[admin]
address = "127.0.0.1:9000"

[providers.openai]
dialect = "openai"
base_url = "https://api.openai.com/v1"
pass_through = ["sk-"]

[providers.anthropic]
dialect = "anthropic"
base_url = "https://api.anthropic.com"
any_model = true

[[models]]
id = "openai/gpt-4o"
upstream = "gpt-4o-2024-11-20"
groups = ["large"]
max_output_tokens = 16384
price = { input = 2.5, output = 10.0, cached_input = 1.25 }

[aliases]
smart = ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"]

[teams.frontend]
models = ["gpt-4o", "group:large", "anthropic/*"]
providers = ["openai"]
budgets = ["25.50usd/month", "600requests/minute"]

[limits]
body_bytes = 1048576

[timeouts]
first_byte_ms = 120000
"#;
    let config = Config::parse(text, "gateway.toml", Path::new("/etc/cedargate")).unwrap();
    assert_eq!((config.gateway_id.as_str(), config.listeners.len()), ("gw-east", 2));
    assert_eq!(config.policies.as_deref(), Some(Path::new("/etc/cedargate/policies")));
    assert_eq!(config.store.as_deref(), Some(Path::new("/var/lib/cedargate/store.db")));
    assert_eq!(config.providers["anthropic"].dialect, Dialect::Anthropic);
    assert_eq!(config.models[0].id(), "openai/gpt-4o");
    assert_eq!(config.teams["frontend"].budgets.len(), 2);
    assert_eq!(config.limits.body_bytes, 1 << 20);
    assert_eq!(config.timeouts.first_byte.as_secs(), 120);
    assert_eq!(config.listeners[0].trusted_proxies.len(), 2);
    let routes = |listener: usize| {
        let of_one = |route: &Route| (route.path_prefix.to_string(), route.consumer_group.clone());
        config.listeners[listener].routes.iter().map(of_one).collect::<Vec<_>>()
    };
    assert_eq!(routes(0), [("/v1/embeddings".to_owned(), "batch".to_owned())]);
    assert_eq!(routes(1), [("/v1/messages".to_owned(), "agents".to_owned())]);
}

#[test]
fn nothing_at_all_is_a_configuration_with_the_built_in_provider() {
    let config = Config::parse("", "gateway.toml", Path::new("")).unwrap();
    assert!(config.listeners[0].address.ip().is_loopback() && config.admin.unwrap().ip().is_loopback());
    assert_eq!(config.providers["echo"].dialect, Dialect::Echo);
}

#[test]
fn a_mistake_shows_file_line_column_and_cure() {
    let text = "gateway_id = \"gw\"\n\n[[models]]\nid = \"opnai/gpt-4o\"\n\n[providers.openai]\ndialect = \"openai\"\nbase_url = \"https://a.com/v1\"\n";
    let expected = "error[config]: there is no provider `opnai`\n  --> gateway.toml:4:6\n  |\n4 | id = \"opnai/gpt-4o\"\n  |      ^^^^^^^^^^^^^^\n  = help: add it as `[providers.opnai]`, or name one of `openai`";
    assert_eq!(mistakes(text), expected);
}

#[test]
fn of_a_long_line_the_place_of_the_mistake_is_shown() {
    let teams: String = (0..1_000).map(|n| format!("t{n} = {{}}, ")).collect();
    let said = mistakes(&format!("teams = {{ {teams}red = {{ budgets = [\"many\"] }} }}"));
    assert!(said.len() < 1_000, "{} bytes", said.len());
    let lines: Vec<_> = said.lines().collect();
    let caret = lines[4].find('^').unwrap();
    assert!(lines[3][caret..].starts_with("\"many\""), "{said}");
    let long = mistakes(&format!("gateway_id = 7 {}", "x".repeat(100_000)));
    assert!(long.len() < 1_000, "{} bytes", long.len());
}

#[test]
fn every_mistake_is_found_and_said_once() {
    let provider = "[providers.openai]\ndialect = \"openai\"\nbase_url = \"https://a.com/v1\"\n";
    let model = "[[models]]\nid = \"openai/gpt-4o\"\n";
    let cases = [
        ("gatway_id = \"x\"", "unknown field `gatway_id`"),
        ("gateway_id = \"x\"\ngateway_id = \"y\"", "duplicate key"),
        ("gateway_id = \" x\"", "cannot be an id"),
        ("[[listeners]]\naddress = \"localhost\"", "not an address"),
        ("[[listeners]]\naddress = \"127.0.0.1:1\"\n[[listeners]]\naddress = \"127.0.0.1:1\"", "stands twice"),
        ("[[listeners]]\naddress = \"127.0.0.1:41003\"", "stands twice"),
        ("[[listeners]]\naddress = \"127.0.0.1:1\"\ntrusted_proxies = [\"10/8\"]", "not a network"),
        ("[[listeners]]\naddress = \"127.0.0.1:1\"\nroutes = [{ path_prefix = \"/v1/chat\" }]", "missing field"),
        (
            "[[listeners]]\naddress = \"127.0.0.1:1\"\n[[listeners.routes]]\npath_prefix = \"/v1/chats\"\n\
             consumer_group = \"web\"",
            "`/v1/chats` cannot be a path prefix",
        ),
        (
            "[[listeners]]\naddress = \"127.0.0.1:1\"\n[[listeners.routes]]\npath_prefix = \"/v1/models/gpt-4o\"\n\
             consumer_group = \"web\"",
            "none from the model's name on",
        ),
        (
            "[[listeners]]\naddress = \"127.0.0.1:1\"\n[[listeners.routes]]\npath_prefix = \"/v1\"\n\
             consumer_group = \"web \"",
            "cannot be an id",
        ),
        (
            "[[listeners]]\naddress = \"127.0.0.1:1\"\n[[listeners.routes]]\nhost = \"a.example\"\n\
             consumer_group = \"web\"",
            "unknown field `host`",
        ),
        (
            "[[listeners]]\naddress = \"127.0.0.1:1\"\nroutes = [{ path_prefix = \"/v1\", consumer_group = \"a\" }, \
             { path_prefix = \"/v1\", consumer_group = \"b\" }]",
            "`/v1` stands twice",
        ),
        ("[providers.OpenAI]\ndialect = \"openai\"\nbase_url = \"https://a.com\"", "cannot be the id of a provider"),
        ("[providers.a]\ndialect = \"opnai\"\nbase_url = \"https://a.com\"", "not a dialect"),
        ("[providers.a]\ndialect = \"openai\"", "has no `base_url`"),
        ("[providers.a]\ndialect = \"openai\"\nbase_url = \"a.com\"", "neither with `https://`"),
        ("[providers.a]\ndialect = \"openai\"\nbase_url = \"https://a.com?x=1\"", "a query or a fragment"),
        ("[providers.a]\ndialect = \"openai\"\nbase_url = \"https://u:hunter2@a.com\"", "a user's name or a password"),
        ("[providers.a]\ndialect = \"echo\"\nbase_url = \"https://a.com\"", "has no URL"),
        ("[providers.a]\ndialect = \"echo\"\npass_through = [\"kt_\"]", "cannot be how a provider's keys begin"),
        ("[providers.a]\ndialect = \"echo\"\nkey_env = \"CEDARGATE_TEST_NOT_SET\"", "the variable is not set"),
        ("[providers.a]\ndialect = \"echo\"\nallow_headers = [\"X-Api-Key\"]", "write lower-case letters"),
        ("[providers.a]\ndialect = \"echo\"\nallow_headers = [\"x-api-key\"]", "it is always removed"),
        ("[providers.a]\ndialect = \"echo\"\nallow_headers = [\"host\"]", "the gateway sets it itself"),
        ("[providers.a]\ndialect = \"echo\"\nallow_body_fields = [\"top_p\"]", "`top_p` is no field that is refused"),
        ("[limits]\nbody_bytes = 1", "out of range"),
        ("[timeouts]\nidle_ms = 0", "out of range"),
        ("[teams.red]\nbudgets = [\"many\"]", "not a budget"),
        ("[teams.red]\nbudgets = [\"1usd/day\", \"2usd/day\"]", "counted twice"),
        ("[teams.red]\nmodels = [\"*\"]", "names no models"),
        ("[teams.red]\nproviders = [\"nobody\"]", "there is no provider `nobody`"),
        ("[teams.red]\n[teams.RED]", "differs from"),
    ];
    for (text, expected) in cases {
        let said = mistakes(text);
        assert!(said.contains(expected), "{text}\n\n{said}");
        assert!(said.contains("--> gateway.toml:"), "{said}");
        assert_eq!(said.matches("error[config]").count(), 1, "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    for (models, expected) in [
        ("[[models]]\nid = \"openai/gpt-4o\"", "stands twice"),
        ("[[models]]\nid = \"openai/GPT-4o\"", "only by case"),
        ("[[models]]\nid = \"gpt-4o\"", "cannot be the id of a model"),
        ("[[models]]\nid = \"openai/*\"", "cannot be the id of a model"),
        ("[[models]]\nid = \"openai/x\"\nprice = { input = -1.0, output = 1.0 }", "a price is no number"),
        ("[aliases]\nfast = []", "stands for nothing"),
        ("[aliases]\nfast = [\"openai/never\"]", "there is no model"),
        ("[aliases]\n\"GPT-4O\" = [\"openai/gpt-4o\"]", "only by case"),
    ] {
        let text = format!("{provider}{model}{models}\n");
        let said = mistakes(&text);
        assert!(said.contains(expected), "{models}\n\n{said}");
    }
    let two = format!("{provider}[[models]]\nid = \"a/b\"\n[[models]]\nid = \"c\"\n");
    assert_eq!(mistakes(&two).matches("error[config]").count(), 2);
}

#[test]
fn a_key_that_was_pasted_in_the_wrong_place_is_not_shown() {
    for text in [
        "[providers.a]\ndialect = \"openai\"\nbase_url = \"https://a.com\"\napi_key = \"sk-very-secret\"",
        "[providers.a]\ndialect = \"openai\"\nbase_url = \"https://a.com\"\nkey_env = \"sk-very-secret\"",
        "[providers.a]\ndialect = \"openai\"\nbase_url = \"https://a.com\"\nkey_file = [\"sk-very-secret\"]",
        "[providers.a]\ndialect = \"openai\"\nbase_url = \"https://a.com\"\nany_model = \"sk-very-secret\" # key",
        "[providers]\na = { dialect = \"openai\", key = \"sk-very-secret\" }",
    ] {
        let said = mistakes(text);
        assert!(!said.contains("very-secret"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_read_by_who_needs_them() {
    let folder = tempfile::tempdir().unwrap();
    let text = text(
        "[providers.a]\ndialect = \"openai\"\nbase_url = \"https://a.com\"\nkey_env = \"CEDARGATE_TEST_NOT_SET\"\n\
         [providers.b]\ndialect = \"anthropic\"\nbase_url = \"https://b.com\"\nkey_file = \"b.key\"\n\
         [providers.c]\ndialect = \"azure\"\nbase_url = \"https://c.com\"\n",
    );
    let config = Config::parse(&text, "gateway.toml", folder.path()).unwrap_or_else(|error| panic!("{error}"));
    let said = config.keys().unwrap_err().to_string();
    assert_eq!(said.matches("error[config]").count(), 2, "{said}");
    assert!(said.contains("the key of provider `a`: the variable is not set"), "{said}");
    assert!(said.contains("key_env = ***") && said.contains("set the variable, or name another"), "{said}");
    assert!(said.contains("the key of provider `b`") && said.contains("write the key into the file"), "{said}");

    // A gateway without its keys does not start: it would be told by every client.
    let store = SqliteStore::open(folder.path().join("store.db"), SqliteOptions::default()).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let clock = Arc::new(Clock::start(&*store, Skew::Refuse).await.unwrap());
    let refused = start(Options::new(config, store, clock)).await.err().unwrap().to_string();
    assert_eq!(refused, said);

    let of_file = text.replace("key_env = \"CEDARGATE_TEST_NOT_SET\"\n", "");
    let config = Config::parse(&of_file, "gateway.toml", folder.path()).unwrap();
    let key = folder.path().join("b.key");
    for (content, expected) in [
        ("", "it is empty"),
        ("\n", "it is empty"),
        ("two words", "something else than visible ASCII"),
        (&"x".repeat(100_000), "longer than 8 KiB"),
    ] {
        std::fs::write(&key, content).unwrap();
        let said = config.keys().unwrap_err().to_string();
        assert!(said.contains(expected) && !said.contains("two words"), "{said}");
    }
    std::fs::write(&key, "sk-ant-very-secret\n").unwrap();
    let keys = config.keys().unwrap();
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["b"]);
    assert!(!format!("{keys:?} {config:?}").contains("very-secret"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nowhere/gateway.toml")).unwrap_err();
    assert!(matches!(error, ConfigError::Io { .. }));
    assert!(error.to_string().contains("/nowhere/gateway.toml"));
}

#[test]
fn the_example_is_in_order_and_says_the_defaults() {
    let text = include_str!("../../examples/gateway.toml");
    let config = Config::parse(text, "gateway.toml", Path::new("")).unwrap_or_else(|error| panic!("{error}"));
    let default = Config::default();
    assert_eq!((config.limits, config.timeouts), (default.limits, default.timeouts));
    assert_eq!((config.listeners[0].address, config.admin), (default.listeners[0].address, default.admin));
}
