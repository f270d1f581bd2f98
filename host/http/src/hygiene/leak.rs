//! Secrets in texts where none belongs, plain or encoded as clients encode them.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;
use percent_encoding::percent_decode;

/// How tokens of this gateway begin.
pub(crate) const OWN_PREFIX: &str = "kt_";

/// Digits behind the last `_` of a word that begins like a token and is taken for one, mistyped and cut ones included:
/// a whole one has 59, of which 43 are secret.
const OWN_DIGITS_MIN: usize = 40;

/// Characters of the shortest token of this gateway, `kt_a_` before its digits: no shorter text holds one.
const OWN_BYTES_MIN: usize = 5 + OWN_DIGITS_MIN;

/// Bytes of the shortest secret that is looked for: shorter ones stand in other texts by chance, and are no secrets.
const SECRET_BYTES_MIN: usize = 8;

/// How many encodings are taken off, one in the other: `Basic` credentials in a parameter are two.
const ENCODINGS_MAX: usize = 3;

/// Base64 with or without padding, cut anywhere.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether a text holds a secret, or a token of this gateway: plain, percent-encoded or in base64.
pub(crate) fn holds(text: &[u8], secret: &str) -> bool {
    let secret = if secret.len() < SECRET_BYTES_MIN { "" } else { secret };
    looked_into(text, secret.as_bytes(), ENCODINGS_MAX)
}

fn looked_into(text: &[u8], secret: &[u8], encodings: usize) -> bool {
    if !secret.is_empty() && memmem::find(text, secret).is_some() || holds_own(text) {
        return true;
    }
    let Some(encodings) = encodings.checked_sub(1) else { return false };
    if memchr::memchr(b'%', text).is_some() {
        let decoded: Vec<u8> = percent_decode(text).collect();
        if decoded != text && looked_into(&decoded, secret, encodings) {
            return true;
        }
    }
    // Three bytes are four letters.
    let shortest = if secret.is_empty() { OWN_BYTES_MIN } else { secret.len().min(OWN_BYTES_MIN) };
    let shortest = shortest.saturating_mul(4) / 3;
    let runs = text.split(|byte| !is_base64(*byte)).filter(|run| run.len() >= shortest);
    runs.into_iter().any(|run| decodings(run).any(|decoded| looked_into(&decoded, secret, encodings)))
}

/// Whether a word of a text looks like a token of this gateway.
pub(crate) fn holds_own(text: &[u8]) -> bool {
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    memmem::find_iter(text, OWN_PREFIX).any(|at| {
        let word = text.get(at..).unwrap_or_default();
        let length = word.iter().take_while(|byte| is_of_word(byte)).count();
        let digits = word.iter().take(length).rev().take_while(|byte| **byte != b'_').count();
        digits >= OWN_DIGITS_MIN
    })
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// What a run of letters decodes to, wherever in it the encoded text begins. Both alphabets are read.
fn decodings(run: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let standard: Vec<u8> = run
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    (0..4).filter_map(move |start| {
        let rest = standard.get(start..)?;
        // A single letter at the end is no byte.
        let length = if rest.len() % 4 == 1 { rest.len().saturating_sub(1) } else { rest.len() };
        LENIENT.decode(rest.get(..length)?).ok()
    })
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

    use super::*;

    const SECRET: &str = "sk-Another~System?0123456789";

    fn own() -> String {
        format!("kt_live_{}", "aB3dE".repeat(12).split_at(59).0)
    }

    #[test]
    fn a_secret_is_found_plain_and_encoded() {
        let own = own();
        for secret in [SECRET, own.as_str()] {
            let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let mut texts = vec![
                secret.to_owned(),
                format!("a, {secret}; b"),
                format!("session={secret}"),
                percent.clone(),
                percent.replace('%', "%25"),
                BASE64_URL_SAFE_NO_PAD.encode(BASE64_STANDARD.encode(secret)),
                BASE64_STANDARD.encode(secret).replace('=', "%3D").replace('A', "%41"),
            ];
            for before in ["", "u", "us", "user:", "token:x"] {
                for after in ["", ":", "::", ":pass"] {
                    let text = format!("{before}{secret}{after}");
                    texts.push(format!("Basic {}", BASE64_STANDARD.encode(&text)));
                    texts.push(format!("x-{}", BASE64_STANDARD_NO_PAD.encode(&text)));
                    texts.push(format!("a=b; c={}.sig", BASE64_URL_SAFE_NO_PAD.encode(&text)));
                }
            }
            for text in texts {
                assert!(holds(text.as_bytes(), secret), "{text}");
            }
        }
        assert!(holds(own.as_bytes(), SECRET), "another token of the gateway is none of a provider's business");
        assert!(holds(format!("x{own}").as_bytes(), SECRET) && holds(own.replace("3dE_", "").as_bytes(), SECRET));
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in [
            "",
            "kt_",
            "kt_live_KEY",
            "kt_configuration_of_the_client",
            "OpenAI/Python 1.40.0",
            "application/json; charset=utf-8",
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW0123456789012345678901234567890",
            "prompt-caching-2024-07-31,computer-use-2024-10-22,fine-grained-tool-streaming-2025-05-14",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "%%%25%2",
            "====",
        ] {
            assert!(!holds(text.as_bytes(), SECRET), "{text}");
        }
    }
}
