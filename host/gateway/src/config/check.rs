//! From the text to a configuration in which everything holds together.

mod bounds;
mod listeners;
mod models;
mod providers;
mod tls;

use std::net::SocketAddr;
use std::path::Path;

use cedargate_tokens::Period;
use ipnet::IpNet;

use super::ids::is_name;
use super::problem::{ConfigError, Finder};
use super::raw::{RawAdmin, RawConfig, RawControl, Text};
use super::{Config, DEFAULT_ADMIN, DEFAULT_GATEWAY_ID, ListenerTls};

/// Reads and checks a text.
pub(super) fn read(text: &str, file: &str, folder: &Path) -> Result<Config, ConfigError> {
    let mut finder = Finder::new(file, text);
    let raw: RawConfig = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            finder.parse(error.span(), error.message());
            return Err(finder.into_error());
        }
    };
    let mut config = Checker { finder: &mut finder, folder }.config(raw);
    config.says_nothing = text.parse().is_ok_and(|table: toml::Table| is_blank(&table));
    if finder.is_empty() { Ok(config) } else { Err(finder.into_error()) }
}

/// Whether tables are all that there is, with nothing in them.
fn is_blank(table: &toml::Table) -> bool {
    table.values().all(|value| value.as_table().is_some_and(is_blank))
}

struct Checker<'f, 'a> {
    finder: &'f mut Finder<'a>,
    folder: &'f Path,
}

impl Checker<'_, '_> {
    fn config(mut self, raw: RawConfig) -> Config {
        let RawConfig {
            gateway_id,
            org_id,
            policies,
            shadow,
            unlocked,
            store,
            record,
            listeners,
            admin,
            mut control,
            tokens,
            events,
            audit,
            providers,
            models,
            aliases,
            teams,
            limits,
            timeouts,
        } = raw;
        let default = Config::default();
        let gateway_id = gateway_id.and_then(|id| self.name(&id)).unwrap_or_else(|| DEFAULT_GATEWAY_ID.to_owned());
        let org_id = org_id.and_then(|id| self.name(&id));
        let (admin, admin_tls) = self.admin(admin);
        let control_tls = control.as_mut().and_then(|control| control.tls.take()).map(|tls| self.listener_tls(tls));
        let (control, control_proxies) = self.control(control);
        let token_life_max = tokens.expires_in_max.and_then(|period| self.period(&period));
        let events = self.events(&events);
        let listeners =
            if listeners.is_empty() { default.listeners } else { self.listeners(listeners, &[admin, control]) };
        let (providers, models) = if providers.is_empty() && models.is_empty() {
            (default.providers, default.models)
        } else {
            let providers = self.providers(providers);
            let models = self.models(models, &providers);
            (providers, models)
        };
        let aliases = self.aliases(aliases, &models, &providers);
        let teams = self.teams(teams, &providers);
        let path = |path: Option<String>| path.map(|path| self.folder.join(path));
        let syslog = path(audit.syslog);
        let (policies, shadow, store, record) = (path(policies), path(shadow), path(store), path(record));
        let limits = self.limits(&limits);
        let timeouts = self.timeouts(&timeouts);
        Config {
            says_nothing: default.says_nothing,
            gateway_id,
            org_id,
            listeners,
            admin,
            admin_tls,
            control,
            control_tls,
            control_proxies,
            token_life_max,
            events,
            providers,
            models,
            aliases,
            teams,
            limits,
            timeouts,
            policies,
            shadow,
            unlocked,
            store,
            record,
            syslog,
        }
    }

    fn name(&mut self, text: &Text) -> Option<String> {
        let name = text.get_ref();
        if is_name(name) {
            return Some(name.clone());
        }
        self.finder.at(
            text.span(),
            format!("`{}` cannot be an id", name.escape_debug()),
            "write 1 to 256 bytes without control characters and without blanks at the ends",
        );
        None
    }

    fn admin(&mut self, raw: Option<RawAdmin>) -> (Option<SocketAddr>, Option<ListenerTls>) {
        let Some(RawAdmin { address, enabled, tls }) = raw else { return (Some(DEFAULT_ADMIN), None) };
        let address = address.map_or(Some(DEFAULT_ADMIN), |text| self.address(&text));
        let tls = tls.map(|tls| self.listener_tls(tls));
        if enabled == Some(false) { (None, None) } else { (address, tls) }
    }

    fn control(&mut self, raw: Option<RawControl>) -> (Option<SocketAddr>, Vec<IpNet>) {
        let Some(RawControl { address, trusted_proxies, tls: _ }) = raw else { return (None, Vec::new()) };
        (self.address(&address), trusted_proxies.iter().filter_map(|network| self.network(network)).collect())
    }

    fn period(&mut self, text: &Text) -> Option<Period> {
        match text.get_ref().parse() {
            Ok(period) => Some(period),
            Err(error) => {
                self.finder.at(text.span(), format!("{error}"), "write for example `90d`");
                None
            }
        }
    }
}
