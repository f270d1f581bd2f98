//! Which credential a request presents: one, in a header, and never a guess.

use cedargate_http::credential::{CREDENTIAL_BYTES_MAX, Credential, Source, conceal, present};
use cedargate_http::reply::Refusal;
use http::Request;

fn read(uri: &str, headers: &[(&str, &str)]) -> Result<Credential, Refusal> {
    let mut request = Request::builder().uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    present(&request.body(()).unwrap().into_parts().0)
}

fn secret(headers: &[(&str, &str)]) -> Result<(String, Source), Refusal> {
    read("/v1/models", headers).map(|credential| (credential.expose().to_owned(), credential.source()))
}

#[test]
fn each_of_the_four_headers_is_read() {
    for (name, value, source) in [
        ("authorization", "Bearer kt_live_a", Source::Authorization),
        ("authorization", "bearer kt_live_a", Source::Authorization),
        ("authorization", "BEARER  kt_live_a", Source::Authorization),
        ("x-api-key", "kt_live_a", Source::XApiKey),
        ("api-key", "kt_live_a", Source::ApiKey),
        ("x-goog-api-key", "kt_live_a", Source::XGoogApiKey),
    ] {
        assert_eq!(secret(&[(name, value)]), Ok(("kt_live_a".to_owned(), source)), "{name}: {value}");
    }
}

#[test]
fn the_same_credential_twice_is_one_and_its_first_place_counts() {
    let all = [("x-goog-api-key", "k"), ("api-key", "k"), ("x-api-key", "k"), ("authorization", "Bearer k")];
    assert_eq!(secret(&all), Ok(("k".to_owned(), Source::Authorization)));
    assert_eq!(secret(&all[..3]), Ok(("k".to_owned(), Source::XApiKey)));
    assert_eq!(secret(&all[..2]), Ok(("k".to_owned(), Source::ApiKey)));
}

#[test]
fn two_different_credentials_are_a_conflict() {
    let headers = [("authorization", "Bearer a"), ("x-api-key", "b"), ("api-key", "c"), ("x-goog-api-key", "d")];
    for (at, first) in headers.iter().enumerate() {
        for second in headers.iter().skip(at + 1) {
            assert_eq!(secret(&[*first, *second]), Err(Refusal::TokenConflict), "{first:?} {second:?}");
            assert_eq!(secret(&[*second, *first]), Err(Refusal::TokenConflict), "{second:?} {first:?}");
        }
    }
}

#[test]
fn no_credential_is_missing() {
    assert_eq!(secret(&[]), Err(Refusal::TokenMissing));
    assert_eq!(secret(&[("x-auth-token", "a"), ("cookie", "session=a")]), Err(Refusal::TokenMissing));
}

#[test]
fn what_cannot_be_one_credential_is_malformed() {
    let long = format!("Bearer {}", "a".repeat(CREDENTIAL_BYTES_MAX + 1));
    for headers in [
        &[("authorization", "Bearer a"), ("authorization", "Bearer a")][..],
        &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
        &[("x-api-key", "a"), ("x-api-key", "a")],
        &[("authorization", "Bearer a, Bearer b")],
        &[("authorization", "Bearer a,b")],
        &[("authorization", "Bearer a b")],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Bearer\ta")],
        &[("authorization", "Bearera")],
        &[("authorization", "Basic a2V5OnNlY3JldA==")],
        &[("authorization", "kt_live_a")],
        &[("authorization", "")],
        &[("authorization", "Bearer \u{e9}")],
        &[("authorization", "Bearer \"a\"")],
        &[("authorization", "Bearer a;b")],
        &[("authorization", &long)],
        &[("x-api-key", "")],
        &[("x-api-key", "a,b")],
        &[("x-api-key", "a b")],
        &[("x-api-key", "Bearer a")],
        &[("api-key", "a\tb")],
        // A header that cannot be read is not passed over for one that can.
        &[("authorization", "Basic a2V5"), ("x-api-key", "a")],
        &[("authorization", "Bearer a"), ("x-api-key", "")],
    ] {
        assert_eq!(secret(headers), Err(Refusal::TokenMalformed), "{headers:?}");
    }
    let longest = format!("Bearer {}", "a".repeat(CREDENTIAL_BYTES_MAX));
    assert!(secret(&[("authorization", &longest)]).is_ok());
}

#[test]
fn a_key_in_the_query_is_refused_in_every_spelling() {
    for query in [
        "key=a",
        "KEY=a",
        "api_key=a",
        "api-key=a",
        "apikey=a",
        "Api_Key=a",
        "api%5Fkey=a",
        "%61pi_key=a",
        "%6b%65%79=a",
        "%256bey=a",
        "%25256bey=a",
        "%2525252525256bey=a",
        "access_token=a",
        "access-token=a",
        "token=a",
        "x-api-key=a",
        "x-goog-api-key=a",
        "subscription-key=a",
        "authorization=Bearer%20a",
        "beta=true&key=a",
        "beta=true;key=a",
        "key",
        "key=",
        "key[]=a",
        "+key=a",
        "beta=kt_live_a",
        "beta=%6bt_live_a",
        "beta=+kt_live_a",
    ] {
        let uri = format!("/v1/models?{query}");
        assert_eq!(read(&uri, &[]).map(|_| ()), Err(Refusal::TokenMalformed), "{query}");
        let with_header = read(&uri, &[("authorization", "Bearer a")]);
        assert_eq!(with_header.map(|_| ()), Err(Refusal::TokenMalformed), "{query} beside a header");
    }
}

#[test]
fn a_key_before_the_host_is_refused() {
    for uri in ["http://kt_live_a@localhost/v1/models", "http://user:a@localhost/v1/models"] {
        assert_eq!(read(uri, &[("authorization", "Bearer a")]).map(|_| ()), Err(Refusal::TokenMalformed), "{uri}");
    }
    assert!(read("http://localhost:8080/v1/models", &[("authorization", "Bearer a")]).is_ok());
}

#[test]
fn other_queries_are_no_keys() {
    for query in ["beta=true", "limit=1000", "api-version=2024-10-21", "alt=sse", "", "after_id=gpt-4o", "monkey=a"] {
        assert!(read(&format!("/v1/models?{query}"), &[("authorization", "Bearer a")]).is_ok(), "{query}");
    }
}

#[test]
fn a_credential_is_never_shown() {
    let credential = read("/v1/models", &[("authorization", "Bearer kt_live_hidden")]).unwrap();
    assert_eq!(credential.to_string(), "[masked]");
    for shown in [format!("{credential:?}"), format!("{credential:#?}"), format!("{credential}")] {
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

#[test]
fn a_request_does_not_show_its_credentials() {
    let mut request = Request::get("/v1/models").header("authorization", "Bearer hidden").header("x-api-key", "hidden");
    request = request.header("api-key", "hidden").header("x-goog-api-key", "hidden").header("cookie", "hidden");
    let mut parts = request.header("accept", "seen").body(()).unwrap().into_parts().0;
    conceal(&mut parts.headers);
    let shown = format!("{parts:?}");
    assert!(shown.contains("seen") && !shown.contains("hidden"), "{shown}");
}

#[test]
fn a_query_holds_no_credential_under_any_name() {
    let secret = "sk-presented-0123456789";
    let own = format!("kt_live_{}", "0aB".repeat(20).split_at(59).0);
    for value in [
        secret.to_owned(),
        format!("Bearer+{secret}"),
        secret.replace('-', "%2D"),
        secret.replace('-', "%252D"),
        "c2stcHJlc2VudGVkLTAxMjM0NTY3ODk=".to_owned(),
        format!("a,{own}"),
        format!("Bearer%20{own}"),
    ] {
        for query in [format!("x={value}"), format!("a=b&user={value}&c=d"), value.clone()] {
            let request =
                Request::get(format!("/v1/models?{query}")).header("authorization", format!("Bearer {secret}"));
            let seen = present(&request.body(()).unwrap().into_parts().0).map(|_| ());
            assert_eq!(seen, Err(Refusal::TokenMalformed), "{query}");
        }
    }
}
