//! Records accept exactly their form.

use cedargate::model::{Counter, ExpectedDecision, Profile, Record, Request, Timestamp};

const RECORD: &str = r#"{"v":1,"id":"r-17","at":"2026-04-23T14:45:00.9999+02:00","principal":{"id":"t"},"request":{"action":"a"},"expect":{"decision":"deny","status":403,"code":"c","policies":["p"]},"policy_set":"sha256:00"}"#;

#[test]
fn a_record_is_read() {
    let record = Record::from_line(RECORD).unwrap();
    assert_eq!(record.at().to_string(), "2026-04-23T12:45:00.999Z");
    assert_eq!(record.principal(), r#"{"id":"t"}"#);
    let expect = record.expect().unwrap();
    assert_eq!((expect.decision, expect.status), (ExpectedDecision::Deny, Some(403)));
    assert_eq!(record.policy_set(), Some("sha256:00"));
}

#[test]
fn what_is_not_a_record_is_refused() {
    for (from, to) in [
        ("\"v\":1", "\"v\":2"),
        ("\"v\":1", "\"v\":null"),
        ("\"v\":1", "\"w\":1"),
        ("\"id\":\"r-17\"", "\"id\":\"r-17\",\"id\":\"r-18\""),
        ("\"id\":\"r-17\"", "\"id\":null"),
        ("\"principal\":{\"id\":\"t\"}", "\"principal\":null"),
        ("\"principal\":{\"id\":\"t\"}", "\"principal\":[]"),
        ("2026-04-23T", "2026-04-23 at "),
        ("\"deny\"", "\"maybe\""),
        ("\"status\":403", "\"status\":null"),
        ("\"status\":403", "\"status\":403.5"),
        (
            "\"expect\":{\"decision\":\"deny\",\"status\":403,\"code\":\"c\",\"policies\":[\"p\"]}",
            "\"expect\":[\"deny\",403,\"c\",[]]",
        ),
        ("\"expect\":{\"decision\":\"deny\",\"status\":403,\"code\":\"c\",\"policies\":[\"p\"]}", "\"expect\":null"),
        ("\"policy_set\"", "\"policy-set\""),
    ] {
        let line = RECORD.replace(from, to);
        assert_ne!(line, RECORD);
        assert!(Record::from_line(&line).is_err(), "{line}");
    }
    for line in ["", "[]", "{}", "null", "[1,\"r\",\"2026-04-23T12:45:00Z\",{},{}]"] {
        assert!(Record::from_line(line).is_err(), "{line}");
    }
}

#[test]
fn profiles_and_requests_refuse_null_unknown_and_double_fields() {
    let profile = r#"{"id":"t","purpose":"general","principal_type":"api_token","status":"active"}"#;
    assert!(serde_json::from_str::<Profile>(profile).is_ok());
    for more in
        [r#""name":null"#, r#""nmae":"x""#, r#""id":"u""#, r#""bindings":null"#, r#""bindings":{"models":null}"#]
    {
        let text = profile.replace('}', &format!(",{more}}}"));
        assert!(serde_json::from_str::<Profile>(&text).is_err(), "{text}");
    }
    for text in [
        r#"{"action":"a","attributes":{"x":null}}"#,
        r#"{"action":"a","attributes":{"x":1,"x":2}}"#,
        r#"{"action":"a","attributes":{"x":1.5}}"#,
        r#"{"action":"a","rate":{"limit":1,"spent":-1,"requested":1}}"#,
        r#"{"action":"a","rate":{"limit":1,"spent":1}}"#,
    ] {
        assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
    }
    let text = r#"{"action":"a","attributes":{"x":[1,{"y":"z"}]},"rate":{"limit":1,"spent":0,"requested":1}}"#;
    let request: Request = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&request).unwrap(), text);
}

#[test]
fn counters_cannot_overflow() {
    assert!(!Counter::new(10, 9, 1).is_exhausted());
    assert!(Counter::new(10, 10, 1).is_exhausted());
    assert!(Counter::new(10, u64::MAX, 0).is_exhausted());
    assert!(!Counter::new(u64::MAX, 0, u64::MAX).is_exhausted());
}

#[test]
fn times_are_cut_to_milliseconds() {
    let time: Timestamp = "1969-12-31T23:59:59.9999Z".parse().unwrap();
    assert_eq!(time.as_millis(), -1);
    assert!("2026-04-23".parse::<Timestamp>().is_err());
}
