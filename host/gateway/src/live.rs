//! What a configuration comes to at work. A reload replaces it whole.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use cedargate::Bundle;
use cedargate_http::catalogue::{Candidate, ModelTable, ModelTableError, Unlisted};
use cedargate_http::client_ip::TrustedProxies;
use cedargate_http::extract;
use cedargate_http::facts::Facts;
use cedargate_http::route::{PathPrefix, Route};
use cedargate_tokens::{Allowance, Catalogue};
use http::HeaderMap;

use crate::certificates::{CertificateError, Shown};
use crate::config::{self, Config, ConfigError, Listener, Model, Provider, ProviderKey};
use crate::pass_through::Prefixes;
use crate::policies;
use crate::upstream::Upstream;

/// Why a configuration cannot be put to work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The models cannot be told apart.
    #[error("the models of the configuration: {0}")]
    Models(#[from] ModelTableError),
    /// Certificates cannot be used.
    #[error("certificates cannot be used: {0}")]
    Certificates(#[from] CertificateError),
    /// The configuration names a credential that is not there.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// What a configuration comes to that holds certificates, their keys and connections.
#[derive(Clone)]
pub(crate) struct Secured {
    /// Connections to providers.
    pub(crate) upstream: Arc<Upstream>,
    /// What listeners show.
    pub(crate) shown: Arc<Shown>,
}

impl Secured {
    /// Reads the files that the configuration names.
    pub(crate) fn read(config: &Config, listeners: &[Listener]) -> Result<Self, LiveError> {
        let shown = Shown::read(listeners, config.admin_tls.as_ref(), config.control_tls.as_ref())?;
        Ok(Self { upstream: Arc::new(Upstream::new(config)?), shown: Arc::new(shown) })
    }
}

/// A configuration at work.
pub(crate) struct Live {
    pub(crate) config: Config,
    pub(crate) catalogue: ModelTable,
    pub(crate) limits: extract::Limits,
    pub(crate) secured: Secured,
    pub(crate) prefixes: Prefixes,
    /// What tokens may be bound to.
    pub(crate) bindable: Arc<Catalogue>,
    models: HashMap<String, HashMap<String, Model>>,
    /// The gateway's own keys at providers, by their ids.
    pub(crate) keys: BTreeMap<String, ProviderKey>,
    /// Proxies that are believed before the control plane.
    pub(crate) control_trusted: TrustedProxies,
    places: Vec<Place>,
}

/// What is known of a request by the listener that it came to, and by its route.
pub(crate) struct Place {
    pub(crate) trusted: TrustedProxies,
    pub(crate) connections_per_peer: u32,
    /// The longest prefix first.
    routes: Vec<(PathPrefix, Facts<'static>)>,
    facts: Facts<'static>,
}

impl Live {
    /// Puts a configuration to work for these listeners, with its keys and under this bundle.
    pub(crate) fn new(
        config: Config,
        keys: BTreeMap<String, ProviderKey>,
        listeners: &[Listener],
        bundle: &Bundle,
        secured: Secured,
    ) -> Result<Self, LiveError> {
        let mut table = ModelTable::builder();
        for (id, provider) in &config.providers {
            table.provider(id, if provider.any_model { Unlisted::Admitted } else { Unlisted::Refused });
            for field in &provider.body_fields {
                table.field(id, *field);
            }
        }
        let mut models: HashMap<String, HashMap<String, Model>> = HashMap::new();
        for model in &config.models {
            table.model(&model.provider, &model.name);
            models.entry(model.provider.clone()).or_default().insert(model.name.clone(), model.clone());
        }
        for (name, candidates) in &config.aliases {
            table.name(name, candidates.iter().cloned());
        }
        let bytes = usize::try_from(config.limits.body_bytes).unwrap_or(usize::MAX);
        Ok(Self {
            catalogue: table.build()?,
            limits: extract::Limits { json_bytes: bytes, multipart_bytes: bytes },
            secured,
            prefixes: Prefixes::of(&config),
            bindable: Arc::new(policies::catalogue(&config, bundle)),
            models,
            keys,
            control_trusted: TrustedProxies::new(config.control_proxies.iter().copied()),
            places: listeners.iter().map(|listener| Place::new(&config, listener)).collect(),
            config,
        })
    }

    /// The listener of this number.
    pub(crate) fn place(&self, listener: usize) -> Option<&Place> {
        self.places.get(listener)
    }

    /// What the configuration says of a candidate; nothing where its provider takes models that it does not name.
    pub(crate) fn model(&self, candidate: &Candidate) -> Option<&Model> {
        self.models.get(&*candidate.provider)?.get(&*candidate.model)
    }

    /// Whether the configuration names a model of a provider.
    pub(crate) fn is_listed(&self, provider: &str, model: &str) -> bool {
        self.models.get(provider).is_some_and(|models| models.contains_key(model))
    }

    /// The provider of a candidate.
    pub(crate) fn provider(&self, id: &str) -> Option<&Provider> {
        self.config.providers.get(id)
    }

    /// The gateway's own key at a provider.
    pub(crate) fn key(&self, provider: &str) -> Option<&ProviderKey> {
        self.keys.get(provider)
    }

    /// What a team may spend.
    pub(crate) fn allowances(&self, team: &str) -> &[Allowance] {
        self.config.teams.get(team).map_or(&[], |team| &team.budgets)
    }
}

impl Place {
    fn new(config: &Config, listener: &Listener) -> Self {
        let facts = |consumer_group: Option<&str>| Facts {
            gateway_id: Some(config.gateway_id.clone().into()),
            consumer_group: consumer_group.map(|group| group.to_owned().into()),
            org_id: config.org_id.clone().map(Into::into),
            ..Facts::default()
        };
        let of_route = |route: &config::Route| (route.path_prefix.clone(), facts(Some(&route.consumer_group)));
        let mut routes: Vec<_> = listener.routes.iter().map(of_route).collect();
        routes.sort_by_key(|(prefix, _)| Reverse(prefix.as_str().len()));
        Self {
            trusted: TrustedProxies::new(listener.trusted_proxies.iter().copied()),
            connections_per_peer: listener.connections_per_peer,
            routes,
            facts: facts(listener.consumer_group.as_deref()),
        }
    }

    /// Whom a secret that nobody knows is held against: the client, or the proxy that says nothing sensible of it.
    pub(crate) fn guesser(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.trusted.client_ip(peer, headers).unwrap_or(peer)
    }

    /// What is known of a request that took this route.
    pub(crate) fn facts(&self, route: &Route) -> &Facts<'static> {
        let of_route = self.routes.iter().find(|(prefix, _)| prefix.holds(route));
        of_route.map_or(&self.facts, |(_, facts)| facts)
    }
}
