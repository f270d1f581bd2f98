//! Providers: their dialects, places and keys.

use std::collections::BTreeMap;

use cedargate_http::catalogue::is_provider_id;
use cedargate_http::extract::{ROUTING_FIELDS, routing_field};
use cedargate_http::hygiene::Passing;
use http::Uri;
use toml::Spanned;

use super::Checker;
use super::tls::RawReach;
use crate::config::raw::{RawProvider, Text};
use crate::config::{Dialect, KeptKey, Provider};

/// Prefixes that mark the gateway's own secrets, which are never passed through.
const OWN_PREFIX: &str = "kt_";

impl Checker<'_, '_> {
    pub(super) fn providers(&mut self, raw: BTreeMap<Text, Spanned<RawProvider>>) -> BTreeMap<String, Provider> {
        let mut providers = BTreeMap::new();
        let mut prefixes: BTreeMap<String, String> = BTreeMap::new();
        for (id, raw) in raw {
            if !is_provider_id(id.get_ref()) {
                self.finder.at(
                    id.span(),
                    format!("`{}` cannot be the id of a provider", id.get_ref().escape_debug()),
                    "write lower-case letters, digits, `.`, `_` and `-`, 64 at most, and begin with a letter or digit",
                );
                continue;
            }
            let provider = self.provider(raw, &id, &mut prefixes);
            if let Some(provider) = provider {
                providers.insert(id.into_inner(), provider);
            }
        }
        providers
    }

    pub(super) fn provider(
        &mut self,
        raw: Spanned<RawProvider>,
        id: &Text,
        prefixes: &mut BTreeMap<String, String>,
    ) -> Option<Provider> {
        let RawProvider {
            dialect,
            base_url,
            key_env,
            key_file,
            any_model,
            pass_through,
            ca_file,
            cert_file,
            cert_key_file,
            proxy,
            proxy_auth_env,
            proxy_auth_file,
            allow_headers,
            allow_body_fields,
        } = raw.into_inner();
        let Some(known) = Dialect::from_name(dialect.get_ref()) else {
            let names: Vec<_> = Dialect::NAMES.iter().map(|(name, _)| format!("`{name}`")).collect();
            self.finder.at(
                dialect.span(),
                format!("`{}` is not a dialect", dialect.get_ref().escape_debug()),
                format!("write one of {}", names.join(", ")),
            );
            return None;
        };
        let base_url = self.base_url(base_url, known, id);
        let reach = RawReach { ca_file, cert_file, cert_key_file, proxy, proxy_auth_env, proxy_auth_file };
        let reach = self.reach(reach, base_url.as_ref());
        let key = match (key_env, key_file) {
            (Some(_), Some(file)) => {
                self.finder.at(file.span(), "two keys", "keep one of `key_env` and `key_file`");
                None
            }
            (Some(name), None) => {
                let place = self.finder.place(&name.span());
                Some(KeptKey::in_env(name.into_inner(), place))
            }
            (None, Some(file)) => {
                let place = self.finder.place(&file.span());
                Some(KeptKey::in_file(self.folder.join(file.get_ref()), place))
            }
            (None, None) => None,
        };
        for prefix in &pass_through {
            self.prefix(prefix, id.get_ref(), prefixes);
        }
        let pass_through = pass_through.into_iter().map(Spanned::into_inner).collect();
        let passing = self.passing(known, &allow_headers);
        let body_fields = allow_body_fields.iter().filter_map(|field| self.body_field(field)).collect();
        Some(Provider { dialect: known, base_url, key, any_model, pass_through, passing, body_fields, reach })
    }

    /// The headers that pass: those of the dialect, and those that are said.
    fn passing(&mut self, dialect: Dialect, names: &[Text]) -> Passing {
        let mut passing = dialect.passing();
        for name in names {
            if let Err(cause) = passing.add(name.get_ref()) {
                let message = format!("the header `{}` cannot pass: {cause}", name.get_ref().escape_debug());
                self.finder.at(name.span(), message, "remove it, or write for example `openai-project` or `x-trace-*`");
            }
        }
        passing
    }

    fn body_field(&mut self, text: &Text) -> Option<&'static str> {
        let field = routing_field(text.get_ref());
        if field.is_none() {
            self.finder.at(
                text.span(),
                format!("`{}` is no field that is refused", text.get_ref().escape_debug()),
                format!("remove it: it passes; refused are {}", ROUTING_FIELDS.join(", ")),
            );
        }
        field
    }

    pub(super) fn prefix(&mut self, prefix: &Text, provider: &str, prefixes: &mut BTreeMap<String, String>) {
        let text = prefix.get_ref();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.starts_with(OWN_PREFIX) {
            self.finder.at(
                prefix.span(),
                "this cannot be how a provider's keys begin",
                "write visible ASCII characters, for example `sk-`; `kt_` marks the gateway's own tokens",
            );
        } else if let Some(other) = prefixes.insert(text.clone(), provider.to_owned()) {
            self.finder.at(
                prefix.span(),
                format!("keys of `{other}` begin so too"),
                "write more of the key's beginning: a key belongs to the provider with the longest match",
            );
        }
    }

    pub(super) fn base_url(&mut self, text: Option<Text>, dialect: Dialect, id: &Text) -> Option<Uri> {
        match (text, dialect) {
            (None, Dialect::Echo) => None,
            (Some(text), Dialect::Echo) => {
                self.finder.at(text.span(), "the built-in provider has no URL", "remove `base_url`");
                None
            }
            (None, _) => {
                self.finder.at(
                    id.span(),
                    format!("provider `{}` has no `base_url`", id.get_ref()),
                    "add it, for example `base_url = \"https://api.openai.com/v1\"`",
                );
                None
            }
            (Some(text), _) => match url(text.get_ref()) {
                Ok(url) => Some(url),
                Err(cause) => {
                    let help = "write scheme, host and path, for example `https://api.openai.com/v1`";
                    self.finder.at(text.span(), format!("this is not a base URL: {cause}"), help);
                    None
                }
            },
        }
    }
}

/// A URL that paths can be added to.
fn url(text: &str) -> Result<Uri, &'static str> {
    let url: Uri = text.parse().map_err(|_| "it cannot be read")?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err("it begins neither with `https://` nor with `http://`");
    }
    let authority = url.authority().ok_or("it has no host")?;
    if authority.host().is_empty() {
        return Err("it has no host");
    }
    if authority.as_str().contains('@') {
        return Err("it holds a user's name or a password: say the key with `key_env` or `key_file`");
    }
    if url.query().is_some() || text.contains('#') {
        return Err("it holds a query or a fragment");
    }
    Ok(url)
}
