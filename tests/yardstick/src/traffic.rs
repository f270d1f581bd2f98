//! Principals and requests, from a seed: for a generated set, or for the default one.
//!
//! No two requests have the same text, and each has a client address that is its own, since an address is read by
//! some policy of either set: so no request is answered from the memory of another one.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use cedargate::model::{Attributes, Bindings, Budget, Counter, Profile, Request, Target, Timestamp};

use crate::dice::Dice;
use crate::sets::{self, GeneratedSet, HOUR_MS, START};

/// How often of a hundred a token or a request names a value that the set has rules about.
const KNOWN_PERCENT: usize = 85;

/// How often of a hundred a request carries counters.
const COUNTED_PERCENT: usize = 25;

/// How often a request is made anew before one with a text that was there is taken.
const TRIES_MAX: usize = 64;

const PROVIDERS: [&str; 5] = ["openai", "anthropic", "azure", "google", "bedrock"];

const ACTIONS: [&str; 5] = ["chat.completions", "chat.completions", "responses", "messages", "embeddings"];

/// What is done with tokens, and read of them row by row.
const TOKEN_ACTIONS: [&str; 8] = [
    "tokens.create",
    "tokens.edit",
    "tokens.rotate",
    "tokens.revoke",
    "tokens.inspect",
    "tokens.list",
    "tokens.export",
    "events.read",
];

const TEAMS: [&str; 3] = ["frontend", "support", "research"];

const CONSUMER_GROUPS: [&str; 4] = ["web", "batch", "support", "exempt"];

/// Models of the default set, with the binding that admits each.
const MODELS: [(&str, &str); 6] = [
    ("gpt-4o", "gpt-4o"),
    ("gpt-4o-mini", "group:small"),
    ("gemini-2.5-flash", "group:small"),
    ("claude-haiku-4-5", "group:small"),
    ("claude-opus-4-6", "anthropic/*"),
    ("o3", "openai/o3"),
];

/// Whom the principals and requests are for.
#[derive(Clone, Copy, Debug)]
enum Audience {
    /// A generated set with so many teams, groups, gateways.
    Generated { values: usize },
    /// The default set, and any that extends it.
    Default,
    /// The default set, asked by integrations about tokens.
    Tokens,
}

/// A source of principals and requests.
#[derive(Clone, Debug)]
pub struct Traffic {
    audience: Audience,
    dice: Dice,
    principals: u64,
    seen: BTreeSet<String>,
}

impl Traffic {
    /// For a generated set.
    #[must_use]
    pub fn generated(set: &GeneratedSet, seed: u64) -> Self {
        Self::new(Audience::Generated { values: set.values() }, seed)
    }

    /// For the default set.
    #[must_use]
    pub fn default_set(seed: u64) -> Self {
        Self::new(Audience::Default, seed)
    }

    /// For the default set: integrations that see, make, change and rotate tokens.
    #[must_use]
    pub fn tokens(seed: u64) -> Self {
        Self::new(Audience::Tokens, seed)
    }

    fn new(audience: Audience, seed: u64) -> Self {
        Self { audience, dice: Dice::new(seed), principals: 0, seen: BTreeSet::new() }
    }

    /// A moment at which some of the set's time windows are open.
    pub fn moment(&mut self) -> Timestamp {
        let hours = match self.audience {
            Audience::Generated { values } => i64::try_from(values).unwrap_or(1),
            Audience::Default | Audience::Tokens => 24,
        };
        let span = usize::try_from(hours * HOUR_MS).unwrap_or(1);
        let offset = i64::try_from(self.dice.below(span)).unwrap_or(0);
        Timestamp::from_millis(START.as_millis() + offset)
    }

    /// A principal that was not there before.
    pub fn profile(&mut self) -> Profile {
        self.principals += 1;
        let mut profile = Profile::general(format!("tok-{}", self.principals));
        profile.org_id = Some("org-acme".to_owned());
        profile.expires_at = Some(Timestamp::from_millis(START.as_millis() + 10_000 * HOUR_MS));
        match self.audience {
            Audience::Generated { values } => self.generated_profile(&mut profile, values),
            Audience::Default => self.default_profile(&mut profile),
            Audience::Tokens => self.default_integration(&mut profile),
        }
        profile
    }

    fn generated_profile(&mut self, profile: &mut Profile, values: usize) {
        let dice = &mut self.dice;
        let home = dice.below(values);
        let name = if dice.chance(KNOWN_PERCENT) { format!("app-{}-", dice.below(values)) } else { "app-".to_owned() };
        profile.name = Some(format!("{name}n{}", self.principals));
        profile.team_id = Some(if dice.chance(KNOWN_PERCENT) { format!("t{home}") } else { "t-other".to_owned() });
        if dice.chance(KNOWN_PERCENT) {
            let customer = format!("c{}", dice.below(values));
            profile.attributes = Some(Attributes::from_iter([("customer", customer.into())]));
        }
        let bindings = &mut profile.bindings;
        bindings.models = Some(vec![format!("group:g{home}"), format!("m{home}-a"), format!("openai/m{home}-b")]);
        bindings.providers = dice.chance(70).then(|| owned(PROVIDERS.get(..4).unwrap_or_default()));
        bindings.consumer_group = dice.chance(30).then(|| dice.pick(&CONSUMER_GROUPS).to_owned());
        bindings.networks = dice.chance(30).then(|| owned(&["10.0.0.0/8"]));
        bindings.scopes = dice.chance(50).then(|| owned(&["chat"]));
    }

    fn default_profile(&mut self, profile: &mut Profile) {
        let dice = &mut self.dice;
        profile.name = Some(format!("app-n{}", self.principals));
        profile.team_id = dice.chance(60).then(|| dice.pick(&TEAMS).to_owned());
        let bindings = &mut profile.bindings;
        bindings.models =
            Some(MODELS.iter().filter(|_| dice.chance(70)).map(|(_, binding)| (*binding).to_owned()).collect());
        bindings.providers = dice.chance(60).then(|| owned(PROVIDERS.get(..4).unwrap_or_default()));
        bindings.consumer_group = dice.chance(50).then(|| dice.pick(&CONSUMER_GROUPS).to_owned());
        bindings.gateway_id = dice.chance(30).then(|| "gw-east".to_owned());
        bindings.networks = Some(owned(&["10.0.0.0/8", "2001:db8::/32"]));
        bindings.scopes = dice.chance(50).then(|| owned(&["chat"]));
    }

    /// An integration that is bound in some ways.
    fn default_integration(&mut self, profile: &mut Profile) {
        "integration".clone_into(&mut profile.purpose);
        let dice = &mut self.dice;
        profile.team_id = dice.chance(60).then(|| dice.pick(&TEAMS).to_owned());
        let bindings = &mut profile.bindings;
        bindings.consumer_group = dice.chance(20).then(|| dice.pick(&CONSUMER_GROUPS).to_owned());
        bindings.gateway_id = dice.chance(20).then(|| "gw-east".to_owned());
        bindings.models = dice.chance(50).then(|| models(dice));
        bindings.providers = dice.chance(30).then(|| owned(PROVIDERS.get(..3).unwrap_or_default()));
        bindings.networks = dice.chance(30).then(|| owned(&["10.0.0.0/8", "2001:db8::/32"]));
        let traffic = dice.chance(30).then(|| dice.pick(&["read", "chat", "full"]));
        bindings.scopes = Some(["tokens.*", "events.read"].into_iter().chain(traffic).map(str::to_owned).collect());
        profile.budgets = dice.chance(30).then(|| vec![Budget::new("usd", "month", 10)]);
    }

    /// A token that is asked about, mostly as its principal is bound.
    fn token(&mut self, of: &Profile) -> Target {
        let dice = &mut self.dice;
        let mut token = Target::default();
        token.id = Some(format!("tok-{}", dice.below(1_000)));
        token.purpose =
            Some(dice.pick(&["general", "general", "general", "integration", "gateway_runtime"]).to_owned());
        token.org_id = if dice.chance(95) { of.org_id.clone() } else { Some("org-other".to_owned()) };
        token.team_id = match &of.team_id {
            Some(own) if dice.chance(85) => Some(own.clone()),
            _ => dice.chance(50).then(|| dice.pick(&TEAMS).to_owned()),
        };
        let mut bindings = Bindings::default();
        bindings.gateway_id = of.bindings.gateway_id.clone().filter(|_| dice.chance(90));
        bindings.consumer_group = of.bindings.consumer_group.clone().filter(|_| dice.chance(90));
        bindings.models = dice
            .chance(70)
            .then(|| if dice.chance(70) { of.bindings.models.clone() } else { None }.unwrap_or_else(|| models(dice)));
        bindings.providers = dice.chance(60).then(|| vec![dice.pick(&PROVIDERS).to_owned()]);
        bindings.networks =
            dice.chance(60).then(|| owned(&[dice.pick(&["10.1.0.0/16", "::ffff:10.2.0.0/112", "0.0.0.0/0"])]));
        bindings.scopes = dice.chance(60).then(|| owned(&[dice.pick(&["read", "chat", "full", "tokens.list"])]));
        token.bindings = Some(bindings);
        token.budgets = dice.chance(60).then(|| {
            vec![Budget::new("usd", dice.pick(&["month", "day"]), u64::try_from(dice.below(12)).unwrap_or(0))]
        });
        token.expires_at = if dice.chance(70) { of.expires_at } else { None };
        token
    }

    /// A request about a token, or about a row of a list.
    fn draw_about_a_token(&mut self, of: &Profile) -> Request {
        let mut request = Request::new(self.dice.pick(&TOKEN_ACTIONS));
        let current = self.token(of);
        if request.action != "tokens.create" && self.dice.chance(95) {
            request.current = Some(current);
        }
        if request.action == "tokens.create" || (request.action == "tokens.edit" && self.dice.chance(70)) {
            let mut target = self.token(of);
            target.id = request.current.as_ref().and_then(|current| current.id.clone());
            request.target = Some(target);
        }
        request.client_ip = Some(self.client_ip());
        request
    }

    /// A request of a principal of this source, with a text that was not there before.
    pub fn request(&mut self, of: &Profile) -> Request {
        let mut request = self.draw(of);
        for _ in 0..TRIES_MAX {
            // A text that cannot be written is none that was seen.
            if self.seen.insert(serde_json::to_string(&request).unwrap_or_default()) {
                break;
            }
            request = self.draw(of);
        }
        request
    }

    fn draw(&mut self, of: &Profile) -> Request {
        if matches!(self.audience, Audience::Tokens) {
            return self.draw_about_a_token(of);
        }
        let mut request = Request::new(self.dice.pick(&ACTIONS));
        if self.dice.chance(5) {
            "models.list".clone_into(&mut request.action);
        }
        let (provider, model) = self.model(of);
        request.provider = Some(provider);
        request.model = Some(model);
        request.gateway_id = self.gateway(of);
        request.consumer_group = match &of.bindings.consumer_group {
            Some(bound) if self.dice.chance(95) => Some(bound.clone()),
            _ => self.dice.chance(50).then(|| self.dice.pick(&CONSUMER_GROUPS).to_owned()),
        };
        request.client_ip = Some(self.client_ip());
        request.org_id = if self.dice.chance(50) { of.org_id.clone() } else { None };
        request.team_id = if self.dice.chance(20) { of.team_id.clone() } else { None };
        if self.dice.chance(COUNTED_PERCENT) {
            let (budget, rate) = self.counters();
            request.budget = Some(budget);
            request.rate = Some(rate);
        }
        request
    }

    /// A budget and a rate that are seldom exhausted, and never twice the same in a row.
    pub fn counters(&mut self) -> (Counter, Counter) {
        let mut below = |n: usize| u64::try_from(self.dice.below(n)).unwrap_or(0);
        (Counter::new(1_000_000, below(999_000), 1 + below(2_000)), Counter::new(60, below(62), 1))
    }

    fn model(&mut self, of: &Profile) -> (String, String) {
        let dice = &mut self.dice;
        let offered = PROVIDERS.get(..if dice.chance(90) { 4 } else { 5 }).unwrap_or_default();
        let provider = dice.pick(offered).to_owned();
        if !dice.chance(KNOWN_PERCENT) {
            return (provider, format!("x{}", dice.below(1_000)));
        }
        let bound = of.bindings.models.as_deref().unwrap_or_default();
        match self.audience {
            Audience::Generated { .. } => {
                let home = bound.first().and_then(|group| group.strip_prefix("group:g")).unwrap_or_default();
                if dice.chance(50) {
                    (provider, format!("m{home}-a"))
                } else {
                    ("openai".to_owned(), format!("m{home}-b"))
                }
            }
            Audience::Default | Audience::Tokens => {
                let admitted: Vec<_> =
                    MODELS.into_iter().filter(|(_, binding)| bound.iter().any(|bound| bound == binding)).collect();
                let (model, binding) = dice.pick(&admitted);
                let named = binding.split_once('/').map(|(provider, _)| provider.to_owned());
                (named.unwrap_or(provider), if model.is_empty() { "gpt-4o" } else { model }.to_owned())
            }
        }
    }

    fn gateway(&mut self, of: &Profile) -> Option<String> {
        match (&of.bindings.gateway_id, self.audience) {
            (Some(bound), _) if self.dice.chance(95) => Some(bound.clone()),
            (_, Audience::Generated { values }) if self.dice.chance(KNOWN_PERCENT) => {
                Some(format!("gw-{}", self.dice.below(values)))
            }
            _ => self.dice.chance(50).then(|| "gw-other".to_owned()),
        }
    }

    fn client_ip(&mut self) -> String {
        let dice = &mut self.dice;
        if dice.chance(KNOWN_PERCENT) {
            let network = match self.audience {
                Audience::Generated { values } => sets::network(dice.below(values)),
                Audience::Default | Audience::Tokens => sets::network(dice.below(0x1000)),
            };
            let host = u32::try_from(dice.below(0x1000)).unwrap_or(0);
            return Ipv4Addr::from_bits(network.to_bits() | host).to_string();
        }
        let host = u32::try_from(dice.roll() & 0xffff_ffff).unwrap_or(0);
        let v4 = Ipv4Addr::from_bits(u32::from_be_bytes([172, 0, 0, 0]) | (host & 0x00ff_ffff));
        match dice.below(3) {
            0 => v4.to_string(),
            // As a dual-stack listener reports a client.
            1 => v4.to_ipv6_mapped().to_string(),
            _ => Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(host)).to_string(),
        }
    }
}

fn models(dice: &mut Dice) -> Vec<String> {
    MODELS.iter().filter(|_| dice.chance(60)).map(|(_, binding)| (*binding).to_owned()).collect()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
