//! Whose address counts: the peer's, or what trusted proxies say, counted from the right.

use std::net::IpAddr;

use cedargate_http::client_ip::TrustedProxies;
use cedargate_http::reply::{Invalid, Refusal};
use http::HeaderMap;

fn client(trusted: &[&str], peer: &str, lists: &[&str]) -> Result<String, Refusal> {
    let trusted = TrustedProxies::new(trusted.iter().map(|network| network.parse().unwrap()));
    let mut headers = HeaderMap::new();
    for list in lists {
        headers.append("x-forwarded-for", http::HeaderValue::from_bytes(list.as_bytes()).unwrap());
    }
    trusted.client_ip(peer.parse::<IpAddr>().unwrap(), &headers).map(|address| address.to_string())
}

#[test]
fn the_last_address_that_is_no_proxy_is_the_client() {
    let trusted = ["10.0.0.0/8", "fd00::/8"];
    for (peer, lists, expected) in [
        // Nobody in front: what the client writes is no evidence.
        ("203.0.113.7", &["192.0.2.1"][..], "203.0.113.7"),
        ("203.0.113.7", &["garbage"], "203.0.113.7"),
        ("10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", &["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", &["198.51.100.9", "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", &["198.51.100.9, 192.0.2.1, 10.1.1.1, 10.2.2.2"], "192.0.2.1"),
        ("10.0.0.1", &["198.51.100.9, 192.0.2.1", "10.1.1.1"], "192.0.2.1"),
        ("10.0.0.1", &["10.3.3.3, 10.1.1.1"], "10.3.3.3"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", &["192.0.2.1:4711"], "192.0.2.1"),
        ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
        // A dual-stack listener reports IPv4 so.
        ("::ffff:203.0.113.7", &[], "203.0.113.7"),
        ("::ffff:10.0.0.1", &["::ffff:192.0.2.1"], "192.0.2.1"),
        ("::ffff:10.0.0.1", &["192.0.2.1, ::ffff:10.1.1.1"], "192.0.2.1"),
    ] {
        assert_eq!(client(&trusted, peer, lists).as_deref(), Ok(expected), "{peer} {lists:?}");
    }
    assert_eq!(client(&[], "10.0.0.1", &["192.0.2.1"]).as_deref(), Ok("10.0.0.1"));
}

#[test]
fn a_list_that_cannot_be_read_denies() {
    let long = vec!["192.0.2.1"; 65].join(",");
    for list in [
        "",
        ",",
        "192.0.2.1,",
        ",192.0.2.1",
        "unknown",
        "192.0.2.1, unknown",
        "unknown, 192.0.2.1",
        "192.0.2",
        "192.0.2.1/32",
        "192.0.2.256",
        "fe80::1%eth0",
        "[fe80::1%2]:80",
        "0x7f.1",
        "localhost",
        "192.0.2.1 198.51.100.9",
        "\u{e9}",
        "192.0.2.01",
        &long,
    ] {
        let refused = Err(Refusal::RequestInvalid(Invalid::ClientAddress));
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[list]), refused, "{list}");
    }
}
