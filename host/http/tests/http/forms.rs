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
    for name in ["models", "deployment", "provider", "engine", "service_tier", "organization"] {
        let refused = Err(Refusal::RequestInvalid(Invalid::KeyReroutes(name)));
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

/// A part with this head and this content, and a model behind it.
fn part(head: &str, content: &str) -> String {
    format!("--B\r\n{head}\r\n\r\n{content}\r\n{MODEL}{END}")
}

const FILE_HEAD: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"";

#[test]
fn a_boundary_hides_in_no_part() {
    let hidden = "Content-Disposition: form-data; name=\"model\"";
    for line_end in ["\n", "\r", "\r\n", "\n\r", "", " ", "\u{b}", "\u{c}", "\u{2028}", "\u{85}", "x"] {
        for behind in ["", " ", "\t", "--", "-", "X", "x y", "\0", "\u{a0}"] {
            for next in ["\n", "\r", "\r\n"] {
                let blank = next.repeat(2);
                let content = format!("a{line_end}--B{behind}{next}{hidden}{blank}o1");
                for end in ["", "\n--B--", "\n--B--\r\n"] {
                    assert!(form(&part(FILE_HEAD, &format!("{content}{end}"))).is_err(), "{content:?}{end:?}");
                    let prompt = "Content-Disposition: form-data; name=\"prompt\"";
                    assert!(form(&part(prompt, &format!("{content}{end}"))).is_err(), "{content:?}{end:?}");
                }
            }
        }
    }
    for content in ["--B", "\n--B", "a--B--b", "--\"B\"\r\nx", "x\n--\"B\"", "\r\n\r\n--B"] {
        let refused = Err(Refusal::RequestInvalid(Invalid::Form));
        assert_eq!(form(&part(FILE_HEAD, content)), refused, "{content:?}");
        let in_the_head = format!("{FILE_HEAD}\r\nContent-Type: {content}");
        assert_eq!(form(&part(&in_the_head, "x")), refused, "{content:?}");
        assert_eq!(form(&format!("{MODEL}--B\r\n{FILE_HEAD}\r\n\r\n{content}\r\n{END}")), refused, "{content:?}");
    }
    // What only looks like one is content.
    for content in ["-B", "--b", "--", "\r\n--", "\n--A\n", "B", "\n-- B", "\u{0}\r\n-", "- -B"] {
        assert!(form(&part(FILE_HEAD, content)).is_ok(), "{content:?}");
    }
}

#[test]
fn a_field_has_a_plain_name() {
    for name in [
        "mod%65l",
        "%6dodel",
        "=?utf-8?q?model?=",
        "=?utf-8?b?bW9kZWw=?=",
        "model ",
        " model",
        "mo\tdel",
        "&#109;odel",
        "m\u{f6}del",
        "mod\u{200b}el",
        "\u{ff4d}odel",
        "model\0",
        "model\u{7f}",
        "model;",
        "model=",
        "'model'",
        "<model>",
        "model,",
        "$model",
        "model'",
        "",
        " ",
        "_charset_",
        "_CHARSET_",
        "\\u006dodel",
        "mod\\el",
        "model\\",
    ] {
        let refused = Err(Refusal::RequestInvalid(Invalid::Form));
        assert_eq!(form(&format!("{MODEL}{}{END}", field(name, "o1"))), refused, "{name:?}");
        assert_eq!(form(&format!("{}{END}", field(name, "o1"))), refused, "{name:?}");
    }
    for name in
        ["[model]", "[model][]", ".model", "model[", "model]", "model..", "MODEL[x]", "max.tokens", "max-tokens"]
    {
        let refused = Err(Refusal::RequestInvalid(Invalid::KeyDisguised));
        assert_eq!(form(&format!("{MODEL}{}{END}", field(name, "7"))), refused, "{name:?}");
    }
    for name in ["timestamp_granularities[]", "chunking_strategy[type]", "include[]", "image[0].url", "x-y", "Prompt"] {
        assert!(form(&format!("{MODEL}{}{END}", field(name, "7"))).is_ok(), "{name:?}");
    }
}

#[test]
fn a_field_that_is_read_is_plain_text_in_utf8() {
    let with = |lines: &str, value: &str| {
        form(&format!("--B\r\nContent-Disposition: form-data; name=\"model\"\r\n{lines}\r\n\r\n{value}\r\n{END}"))
    };
    for lines in [
        "Content-Type: text/plain",
        "Content-Type: text/plain; charset=utf-8",
        "content-type: Text/Plain;charset=\"UTF-8\"",
        "Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit",
        "Content-Length: 6",
        "MIME-Version: 1.0",
    ] {
        assert!(with(lines, "gpt-4o").is_ok(), "{lines:?}");
    }
    for kind in [
        "text/plain; charset=utf-7",
        "text/plain; charset=utf-16",
        "text/plain; charset=utf-16le",
        "text/plain; charset=iso-8859-1",
        "text/plain; charset=us-ascii",
        "text/plain; charset=ibm037",
        "text/plain; charset=\"utf-8",
        "text/plain; charset*=utf-8''utf-7",
        "text/plain; charset=utf-8; charset=utf-7",
        "text/plain; format=flowed",
        "text/plain; charset",
        "text/html",
        "application/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "text/plain, text/html",
        "*/*",
        "",
    ] {
        let refused = Err(Refusal::MediaTypeUnsupported);
        assert_eq!(with(&format!("Content-Type: {kind}"), "gpt-4o"), refused, "{kind:?}");
    }
    for lines in [
        "Content-Type: text/plain\r\nContent-Type: text/plain; charset=utf-7",
        "Content-Type: multipart/mixed; boundary=C",
        "Content-Type: message/rfc822",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Transfer-Encoding: 8bit, base64",
        "Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: base64",
        "Content-Length: 5",
        "Content-Length: 06 ",
        "Content-Length: x",
        "Content-Encoding: gzip",
        "Transfer-Encoding: chunked",
        "X-Anything: 1",
        "content-disposition: form-data; name=\"prompt\"",
        "CONTENT-DISPOSITION: form-data; name=\"prompt\"",
        "Content-Disposition : form-data; name=\"prompt\"",
        "Content-Type: text/plain\n\nx",
        "Content-Type: text/plain\rContent-Length: 6",
        "Content-Type: text/plain\tx",
        " Content-Type: text/plain",
        "Content-Type",
    ] {
        assert_eq!(with(lines, "gpt-4o"), Err(Refusal::RequestInvalid(Invalid::Form)), "{lines:?}");
    }
    for value in [
        "gpt-4o\n",
        "\ngpt-4o",
        " gpt-4o",
        "gpt-4o\0",
        "g\u{200b}pt-4o",
        "\u{feff}gpt-4o",
        "gpt-4o\r",
        "",
        "%67pt-4o",
        "\"gpt-4o\"",
    ] {
        assert!(with("Content-Type: text/plain", value).is_err(), "{value:?}");
    }
}

#[test]
fn a_disposition_says_one_name() {
    for disposition in [
        "form-data; name*=utf-8''model",
        "form-data; name*0=\"mo\"; name*1=\"del\"",
        "form-data; name=\"x\"; name*=utf-8''model",
        "form-data; name=\"x\"; name=\"model\"",
        "form-data; NAME=\"model\"",
        "form-data; name =\"model\"",
        "form-data; name= \"model\"",
        "form-data; name='model'",
        "form-data; name=\"model\";",
        "form-data; name=\"model\" x",
        "form-data; name=\"model\", form-data; name=\"x\"",
        "form-data, name=\"model\"",
        "Form-Data; name=\"model\"",
        "form-data\t; name=\"model\"",
        "form-datax; name=\"model\"",
        "file; name=\"model\"",
        "form-data; name=\"x\\\"; name=\"model\"",
        "form-data; filename=\"a; name=model\"; name=\"file\"",
        "form-data; name=\"file\"; filename=\"a;name = model\"",
        "form-data; name=\"file\"; filename=\"a;name*=utf-8''model\"",
        "form-data; name=\"file\"; filename=\"a\"; filename=\"b\"",
        "form-data; name=\"file\"; filename*=utf-8''a",
        "form-data; name=\"file\"; filename=\"a\u{2028}Content-Disposition: x\"",
        "form-data; name=\"file\"; filename=\"a\u{85}b\"",
        "form-data; name=\"file\"; size=\"1\"",
    ] {
        let refused = Err(Refusal::RequestInvalid(Invalid::Form));
        assert_eq!(form(&part(&format!("Content-Disposition: {disposition}"), "o1")), refused, "{disposition}");
    }
}

#[test]
fn what_well_behaved_clients_write_is_read() {
    for (client, boundary, body) in [
        (
            "curl",
            "------------------------kG8cWNDn0PLrUkjOGyHTcA",
            "--{B}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o\r\n--{B}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.wav\"\r\nContent-Type: audio/x-wav\r\n\r\nRIFF--\r\n\r\n--{B}--\r\n",
        ),
        (
            "undici, and with it the SDK of OpenAI for Node.js",
            "----formdata-undici-066154321787",
            "--{B}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o\r\n--{B}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22b.wav\"\r\nContent-Type: application/octet-stream\r\n\r\n\u{0}\u{1}\r\n--{B}--\r\n",
        ),
        (
            "httpx, and with it the SDK of OpenAI for Python",
            "b1e8d5c4f2a34f0ab6f5d1a5b3c2d1e0",
            "--{B}\r\nContent-Disposition: form-data; name=\"timestamp_granularities[]\"\r\n\r\nword\r\n--{B}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o\r\n--{B}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\u{fc}ber.wav\"\r\nContent-Type: audio/x-wav\r\n\r\nx\r\n--{B}--\r\n",
        ),
        (
            "aiohttp",
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "--{B}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o\r\n--{B}--\r\n",
        ),
        (
            "Spring",
            "ZbVC4dJx5n0OKb3KzMfyfVnUVHTj2QHOJ-vC",
            "--{B}\r\nContent-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: 6\r\n\r\ngpt-4o\r\n--{B}--\r\n",
        ),
        (
            "Dart",
            "dart-http-boundary-+G_.Fq5sBMl",
            "--{B}\r\ncontent-disposition: form-data; name=\"model\"\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-transfer-encoding: binary\r\n\r\ngpt-4o\r\n--{B}--\r\n",
        ),
    ] {
        let kind = format!("multipart/form-data; boundary={boundary}");
        let asked = read(&parts("POST", URI, &[("content-type", &kind)]), body.replace("{B}", boundary).as_bytes());
        assert_eq!(asked.unwrap().model().unwrap().as_str(), "gpt-4o", "{client}");
    }
}

#[test]
fn a_boundary_is_the_same_for_every_reader() {
    let with = |kind: &str, boundary: &str| {
        let body = format!("{MODEL}{END}").replace("--B", &format!("--{boundary}"));
        read(&parts("POST", URI, &[("content-type", kind)]), body.as_bytes()).is_ok()
    };
    // Python's standard library writes this one.
    assert!(with(
        "multipart/form-data; boundary=\"===============7330845974216740156==\"",
        "===============7330845974216740156=="
    ));
    assert!(with("multipart/form-data;boundary=B", "B"));
    for kind in [
        "multipart/form-data; boundary=B=C",
        "multipart/form-data; boundary=B/C",
        "multipart/form-data; boundary=B:C",
        "multipart/form-data; boundary='B'",
        "multipart/form-data; Boundary=B",
        "multipart/form-data; boundary =B",
        "multipart/form-data; boundary= B",
        "multipart/form-data; boundary*=utf-8''B",
        "multipart/form-data; charset=utf-8; boundary=B",
        "multipart/form-data; boundary=B; charset=utf-16",
        "multipart/form-data, boundary=B",
        "multipart/mixed; boundary=B",
        "multipart/form-data; boundary=\"B",
        "multipart/form-data; boundary=B\"",
        "multipart/form-data; boundary=\"B\\C\"",
    ] {
        for boundary in ["B", "B=C", "B/C", "B:C", "'B'", "BC"] {
            assert!(!with(kind, boundary), "{kind}: {boundary}");
        }
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
