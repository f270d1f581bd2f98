//! Multipart forms are read strictly: whatever another parser could read otherwise is refused.

use crate::asking::{parts, read};
use cedargate_http::extract::{Asked, PARTS_MAX};
use cedargate_http::reply::{Invalid, Refusal};

const URI: &str = "/v1/audio/transcriptions";
const FILE: &str = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n\u{0}\u{1}\r\n";
const MODEL: &str = "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o\r\n";
const END: &str = "--B--\r\n";

fn form(body: &str) -> Result<Asked, Refusal> {
    read(&parts("POST", URI, &[("content-type", "multipart/form-data; boundary=B")]), body.as_bytes())
}

fn field(name: &str, value: &str) -> String {
    format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

#[test]
fn the_model_is_a_field() {
    for body in [
        format!("{FILE}{MODEL}{END}"),
        format!("{MODEL}{FILE}{END}"),
        format!("{MODEL}{FILE}--B--"),
        format!("{}{FILE}{END}", MODEL.replace("Content-Disposition: form-data", "content-disposition:form-data")),
        format!("{FILE}{MODEL}{}{END}", field("timestamp_granularities[]", "word").repeat(2)),
    ] {
        assert_eq!(form(&body).unwrap().model().unwrap().as_str(), "gpt-4o", "{body}");
    }
    let asked = form(&format!("{MODEL}{}{}{END}", field("stream", "true"), field("n", "2"))).unwrap();
    assert_eq!((asked.stream(), asked.choices()), (true, 2));
    let quoted = parts("POST", URI, &[("content-type", "multipart/form-data; boundary=\"B\"")]);
    assert!(read(&quoted, format!("{MODEL}{END}").as_bytes()).is_ok());
}

#[test]
fn a_file_need_not_be_utf8() {
    let mut body = FILE.trim_end_matches("\u{0}\u{1}\r\n").as_bytes().to_vec();
    body.extend_from_slice(b"\xff\xfe\r\n");
    body.extend_from_slice(format!("{MODEL}{END}").as_bytes());
    let multipart = parts("POST", URI, &[("content-type", "multipart/form-data; boundary=B")]);
    assert!(read(&multipart, &body).is_ok());
}

#[test]
fn two_models_are_one_too_many() {
    let again = field("model", "o1");
    assert_eq!(form(&format!("{MODEL}{again}{END}")), Err(Refusal::RequestInvalid(Invalid::KeyRepeated)));
    for name in ["Model", "MODEL", "model[]", "model[0]", "model.x"] {
        let refused = Err(Refusal::RequestInvalid(Invalid::KeyDisguised));
        assert_eq!(form(&format!("{MODEL}{}{END}", field(name, "o1"))), refused, "{name}");
    }
    for name in ["models", "deployment", "provider", "engine"] {
        let refused = Err(Refusal::RequestInvalid(Invalid::KeyReroutes));
        assert_eq!(form(&format!("{MODEL}{}{END}", field(name, "o1"))), refused, "{name}");
    }
    let as_file = MODEL.replace("name=\"model\"", "name=\"model\"; filename=\"m\"");
    assert_eq!(form(&format!("{as_file}{END}")), Err(Refusal::RequestInvalid(Invalid::KeyDisguised)));
    let in_query =
        parts("POST", "/v1/audio/transcriptions?model=o1", &[("content-type", "multipart/form-data; boundary=B")]);
    let body = format!("{MODEL}{END}");
    assert_eq!(read(&in_query, body.as_bytes()), Err(Refusal::RequestInvalid(Invalid::ModelConflict)));
}

#[test]
fn what_parsers_read_in_two_ways_is_refused() {
    let disposition = |text: &str| MODEL.replace("form-data; name=\"model\"", text);
    for body in [
        format!("preamble\r\n{MODEL}{END}"),
        format!("\r\n{MODEL}{END}"),
        format!("{MODEL}{END}epilogue"),
        format!("{MODEL}{END}{MODEL}"),
        MODEL.to_owned(),
        format!("{MODEL}--B"),
        format!("{MODEL}--B-"),
        format!("{MODEL}--B \r\n"),
        format!("{MODEL}--BB--\r\n"),
        format!("{}{END}", MODEL.replace("\r\n", "\n")),
        format!("{}{END}", disposition("form-data; name=model")),
        format!("{}{END}", disposition("form-data; name=\"model\"; name=\"x\"")),
        format!("{}{END}", disposition("form-data; name*=utf-8''model; name=\"x\"")),
        format!("{}{END}", disposition("form-data; name=\"mo\\del\"")),
        format!("{}{END}", disposition("form-data; name=\"model")),
        format!("{}{END}", disposition("form-data")),
        format!("{}{END}", disposition("form-data; Name=\"model\"")),
        format!("{}{END}", disposition("attachment; name=\"model\"")),
        format!("{}{END}", disposition("form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"model\"")),
        format!("{}{END}", disposition("form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64")),
        format!("{}{END}", disposition("form-data; name=\"model\"\r\n folded: x")),
        format!("{}{END}", disposition("form-data; name=\"model\"\r\nnothing")),
        format!("{}{END}", field("model", &"a".repeat(600))),
        format!("{}{END}", field("x", "1").repeat(PARTS_MAX + 1)),
        format!("--B\r\n{}\r\n\r\nx\r\n{END}", "a: b\r\n".repeat(1_000)),
    ] {
        assert_eq!(form(&body), Err(Refusal::RequestInvalid(Invalid::Form)), "{body}");
    }
    for body in ["--B--\r\n", &format!("{FILE}{END}")] {
        assert_eq!(form(body), Err(Refusal::RequestInvalid(Invalid::ModelMissing)), "{body}");
    }
    for boundary in ["", "\"\"", "B; boundary=C", "B B", "\"B,\"", &"b".repeat(71)] {
        let parts = parts("POST", URI, &[("content-type", &format!("multipart/form-data; boundary={boundary}"))]);
        assert_eq!(read(&parts, MODEL.as_bytes()), Err(Refusal::MediaTypeUnsupported), "{boundary}");
    }
}

#[test]
fn only_endpoints_with_files_read_forms() {
    for (uri, read_forms, read_json) in [
        ("/v1/audio/translations", true, false),
        ("/v1/images/variations", true, false),
        ("/v1/images/edits", true, true),
        ("/v1/images/generations", false, true),
        ("/v1/audio/speech", false, true),
        ("/v1/chat/completions", false, true),
    ] {
        let multipart = parts("POST", uri, &[("content-type", "multipart/form-data; boundary=B")]);
        assert_eq!(read(&multipart, format!("{MODEL}{END}").as_bytes()).is_ok(), read_forms, "{uri}");
        let json = parts("POST", uri, &[("content-type", "application/json")]);
        assert_eq!(read(&json, br#"{"model":"gpt-4o"}"#).is_ok(), read_json, "{uri}");
    }
}
