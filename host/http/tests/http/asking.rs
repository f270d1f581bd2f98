//! Requests for tests, and the catalogue that they are read against.

use cedargate_http::catalogue::{ModelTable, Unlisted};
use cedargate_http::extract::{Asked, Envelope, Limits};
use cedargate_http::reply::Refusal;
use http::Request;
use http::request::Parts;

pub fn catalogue() -> ModelTable {
    let mut builder = ModelTable::builder();
    builder.provider("openai", Unlisted::Admitted).model("openai", "gpt-4o").model("openai", "gpt-4o-mini");
    builder.provider("azure", Unlisted::Refused).model("azure", "gpt-4o");
    builder.provider("anthropic", Unlisted::Refused).model("anthropic", "claude-sonnet-4-5");
    builder.provider("bedrock", Unlisted::Admitted);
    builder.provider("huggingface", Unlisted::Refused).model("huggingface", "meta-llama/llama-3");
    builder.provider("google", Unlisted::Refused).model("google", "gemini-2.5-flash");
    builder.provider("openrouter", Unlisted::Refused).model("openrouter", "openai/gpt-4o");
    builder.name("fast", [("openai", "gpt-4o-mini"), ("azure", "gpt-4o")]);
    builder.build().unwrap()
}

pub fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

pub fn read(parts: &Parts, body: &[u8]) -> Result<Asked, Refusal> {
    Envelope::open(parts, &Limits::default())?.read(body, &catalogue())
}

/// A JSON body to a path.
pub fn post(uri: &str, body: &str) -> Result<Asked, Refusal> {
    read(&parts("POST", uri, &[("content-type", "application/json")]), body.as_bytes())
}
