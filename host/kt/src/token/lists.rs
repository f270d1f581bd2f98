//! Lists as they are typed: `gpt-4o,gpt-4o-mini`.

use anyhow::bail;

/// The entries of a list. `option` is the one that it was typed for.
pub(crate) fn entries(option: &str, typed: &[String]) -> anyhow::Result<Vec<String>> {
    let entries: Vec<String> = typed.iter().flat_map(|typed| typed.split(',')).map(|e| e.trim().to_owned()).collect();
    if entries.iter().any(String::is_empty) {
        // An empty variable in a script means neither that everything is allowed nor that nothing is.
        bail!("`{option}` has an empty entry: leave the option out where nothing is to be restricted");
    }
    Ok(entries)
}

/// [`entries`] of an option that may be absent.
pub(crate) fn optional(option: &str, typed: &[String]) -> anyhow::Result<Option<Vec<String>>> {
    if typed.is_empty() { Ok(None) } else { entries(option, typed).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_and_an_empty_one_is_refused() {
        let typed = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(entries("--x", &typed(&["a, b", "c"])).unwrap(), ["a", "b", "c"]);
        assert_eq!(optional("--x", &[]).unwrap(), None);
        for wrong in [&[""][..], &["a,"], &[",a"]] {
            assert!(entries("--x", &typed(wrong)).is_err());
        }
    }
}
