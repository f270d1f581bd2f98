use std::fs;

use cedargate_tokens::{Malformed, PRESENTED_BYTES_MAX, Prefix, Presented, Rotation, SECRET_PATTERN, Secret, Selector};
use proptest::prelude::*;
use regex::Regex;

use crate::stage::Stage;

fn secret() -> Secret {
    Secret::generate(&Prefix::default()).unwrap()
}

#[test]
fn debug_and_display_show_the_public_part_only() {
    let secret = secret();
    let hidden = &secret.expose()[secret.public_part().len()..];
    assert!(hidden.len() >= 43);
    for shown in [format!("{secret}"), format!("{secret:?}"), format!("{:#?}", Some(&secret))] {
        assert!(shown.contains(secret.public_part()));
        assert!(!shown.contains(hidden), "{shown}");
    }
    let presented = Presented::parse(secret.expose()).unwrap();
    assert!(!format!("{presented:?} {:?}", presented.hash()).contains(hidden));
    let foreign = Secret::parse("sk-ant-api03-a-key-of-a-provider").unwrap();
    assert!(!format!("{foreign} {foreign:?}").contains("a-key-of"));
}

#[test]
fn two_secrets_are_never_the_same() {
    let secrets: std::collections::HashSet<_> = (0..1_000).map(|_| secret().expose().to_owned()).collect();
    assert_eq!(secrets.len(), 1_000);
}

#[test]
fn scanners_find_secrets_in_the_middle_of_a_text() {
    let pattern = Regex::new(SECRET_PATTERN).unwrap();
    let secret = secret();
    let text = format!("export OPENAI_API_KEY=\"{}\" # kt_live_short kt_ak_prod_a1b2c3d4", secret.expose());
    let found: Vec<_> = pattern.find_iter(&text).map(|found| found.as_str()).collect();
    assert_eq!(found, [secret.expose()]);
}

proptest! {
    #[test]
    fn a_secret_with_one_other_character_is_malformed(place in 0_usize..67, letter in "[!-~]") {
        let secret = secret();
        let text = secret.expose();
        let mut changed = text.to_owned();
        changed.replace_range(place..=place, &letter);
        let parsed = Presented::parse(&changed);
        if changed == text {
            prop_assert!(parsed.is_ok());
        } else if changed.starts_with("kt_") {
            // A changed environment is noticed by the checksum, too.
            prop_assert!(matches!(parsed, Err(Malformed::Pattern | Malformed::Checksum)));
        } else {
            prop_assert!(!parsed.unwrap().is_ours());
        }
    }

    #[test]
    fn what_is_cut_or_longer_is_malformed(end in 3_usize..67, more in "[0-9A-Za-z]{1,8}") {
        let secret = secret();
        prop_assert!(Presented::parse(&secret.expose()[..end]).is_err());
        let longer = format!("{}{more}", secret.expose());
        prop_assert!(Presented::parse(&longer).is_err());
    }

    #[test]
    fn nothing_that_is_presented_makes_it_panic(text in ".{0,200}") {
        let parsed = Presented::parse(&text);
        prop_assert_eq!(parsed.is_ok(), !text.is_empty() && !text.starts_with("kt_") && text.bytes().all(|b| b.is_ascii_graphic()));
    }

    #[test]
    fn what_parses_matches_the_pattern(label in "(ak_|gk_)?", env in "[a-z][a-z0-9]{0,18}") {
        let secret = secret();
        let text = format!("kt_{label}{env}_{}", &secret.expose()["kt_live_".len()..]);
        let is_one = Regex::new(SECRET_PATTERN).unwrap().is_match(&text);
        let wrong_checksum = Presented::parse(&text).err() == Some(Malformed::Checksum);
        // Only the checksum is wrong where the prefix is another one; `ak` and `gk` are no environments.
        prop_assert_eq!(wrong_checksum, is_one && env != "live" && env != "ak" && env != "gk" || is_one && !label.is_empty() && env == "live");
    }
}

#[test]
fn a_text_without_end_is_not_looked_at() {
    assert_eq!(Presented::parse(&"a".repeat(PRESENTED_BYTES_MAX + 1)).err(), Some(Malformed::TooLong));
    assert_eq!(Presented::parse("sk-a b").err(), Some(Malformed::Character));
    assert_eq!(Presented::parse("sk-ä").err(), Some(Malformed::Character));
}

#[tokio::test]
async fn no_secret_is_in_the_database() {
    let stage = Stage::new().await;
    let mut secrets = vec![stage.create("app").await];
    let app = Selector::Name("app".to_owned());
    secrets.push(stage.tokens.rotate(&app, &Rotation::default()).await.unwrap().secret.expose().to_owned());
    let text = "gw_sk_a-key-of-another-system";
    let known = cedargate_tokens::KnownSecret::Secret(Secret::parse(text).unwrap());
    let new = cedargate_tokens::NewToken::new("old", cedargate_tokens::Grant::general());
    stage.tokens.import(new, &known).await.unwrap();
    secrets.push(text.to_owned());
    stage.tokens.revoke(&app, None).await.unwrap();
    let mut files = 0;
    for entry in fs::read_dir(stage.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        files += 1;
        for secret in &secrets {
            // Neither the whole of it nor the part that nobody may know.
            let hidden = &secret.as_bytes()[secret.len() - 20..];
            let found = bytes.windows(hidden.len()).any(|window| window == hidden);
            assert!(!found, "{} holds a secret", path.display());
        }
    }
    assert!(files >= 3, "the database and what is kept beside it");
}
