//! Forms with files: what two parsers would read in two ways reaches no provider, what clients write reaches it as it is.

use http::{Method, StatusCode};

use crate::client::Reply;
use crate::provider::{self, Provider};
use crate::world::World;

const BOUNDARY: &str = "------------------------d74496d66958873e";

async fn send(world: &World, secret: &str, body: &str) -> Reply {
    let (bearer, kind) = (format!("Bearer {secret}"), format!("multipart/form-data; boundary={BOUNDARY}"));
    let headers = [("authorization", bearer.as_str()), ("content-type", kind.as_str())];
    world.client.send(world.client.request(Method::POST, "/v1/audio/transcriptions", &headers, body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_with_a_hidden_model_reaches_no_provider() {
    let provider = Provider::saying(provider::json("200 OK", r#"{"text":"hi"}"#)).await;
    let world = World::with(&provider::tables(&provider)).await;
    let secret = world.secret("forms").await;
    let field = |name: &str, value: &str| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = |content: &str| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
             Content-Type: audio/wav\r\n\r\n{content}\r\n"
        )
    };
    let (model, end) = (field("model", "m"), format!("--{BOUNDARY}--\r\n"));
    let hidden = |line_end: &str, behind: &str| {
        let other = field("model", "o1").replace("\r\n", line_end);
        file(&format!("x{line_end}{}", other.replacen(BOUNDARY, &format!("{BOUNDARY}{behind}"), 1)))
    };
    for body in [
        hidden("\n", ""),
        hidden("\r", ""),
        hidden("\n", " \t"),
        hidden("\r\n", "x"),
        hidden("\n", "--"),
        field("prompt", &format!("a\n--{BOUNDARY}")),
        field("mod%65l", "o1"),
        field("_charset_", "utf-7"),
        field("model ", "o1"),
        field("model", "o1"),
        field("model", "m").replace("name=\"model\"", "name=\"x\"; name*=utf-8''model"),
        field("prompt", "a").replace("\r\n\r\n", "\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"),
    ] {
        for whole in [format!("{model}{body}{end}"), format!("{body}{model}{end}")] {
            let reply = send(&world, &secret, &whole).await;
            assert_eq!((reply.status, reply.code()), (StatusCode::BAD_REQUEST, "request_invalid"), "{whole}");
        }
    }
    for around in [format!("x\r\n{model}{end}"), format!("{model}{end}{model}{end}"), format!("{model}{end}x")] {
        assert_eq!(send(&world, &secret, &around).await.status, StatusCode::BAD_REQUEST, "{around}");
    }
    assert!(provider.requests().is_empty());

    let plain = format!("{model}{}{}{end}", file("RIFF\n--\r\n\r\n-"), field("timestamp_granularities[]", "word"));
    let reply = send(&world, &secret, &plain).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(provider.requests()[0].body, plain);
}
