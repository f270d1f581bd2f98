//! Models, the names that stand for several of them, and the teams that use them.

use std::collections::BTreeMap;
use std::ops::Range;

use cedargate_http::catalogue::is_provider_id;
use cedargate_tokens::Allowance;
use toml::Spanned;

use super::Checker;
use crate::config::ids::{is_model, is_scope};
use crate::config::raw::{RawModel, RawPrice, RawTeam, Text};
use crate::config::{Model, Price, Provider, Team};

/// Dollars for a million tokens, or for a million requests, above which a price is a mistake.
const PRICE_MAX: f64 = 1e9;

impl Checker<'_, '_> {
    pub(super) fn models(&mut self, raw: Vec<RawModel>, providers: &BTreeMap<String, Provider>) -> Vec<Model> {
        let mut models: Vec<Model> = Vec::new();
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for RawModel { id, upstream, groups, max_output_tokens, price } in raw {
            let Some((provider, name)) = self.model_id(&id, providers) else { continue };
            self.duplicate(&id, &mut seen, id.get_ref());
            self.case(&id, &mut names, &name);
            let groups = groups.iter().filter_map(|group| self.name(group)).collect();
            if let Some(upstream) = upstream.as_ref().filter(|upstream| !is_model(upstream.get_ref())) {
                self.finder.at(upstream.span(), "this cannot be a model's name", "write the name as the provider does");
            }
            let max_output_tokens = max_output_tokens.map(|tokens| self.between(&tokens, 1, 1 << 32));
            let price = price.map(|price| self.price(&price));
            let upstream = upstream.map(Spanned::into_inner);
            models.push(Model { provider, name, upstream, groups, max_output_tokens, price });
        }
        models
    }

    pub(super) fn model_id(&mut self, id: &Text, providers: &BTreeMap<String, Provider>) -> Option<(String, String)> {
        let parts = id.get_ref().split_once('/').filter(|(provider, name)| is_provider_id(provider) && is_model(name));
        let Some((provider, name)) = parts else {
            self.finder.at(
                id.span(),
                format!("`{}` cannot be the id of a model", id.get_ref().escape_debug()),
                "write `PROVIDER/NAME`, for example `openai/gpt-4o`",
            );
            return None;
        };
        self.known_provider(id.span(), provider, providers);
        Some((provider.to_owned(), name.to_owned()))
    }

    pub(super) fn known_provider(&mut self, span: Range<usize>, id: &str, providers: &BTreeMap<String, Provider>) {
        if !providers.contains_key(id) {
            let known: Vec<_> = providers.keys().map(|id| format!("`{id}`")).collect();
            let help = match known.is_empty() {
                true => format!("add it as `[providers.{id}]`"),
                false => format!("add it as `[providers.{id}]`, or name one of {}", known.join(", ")),
            };
            self.finder.at(span, format!("there is no provider `{id}`"), help);
        }
    }

    pub(super) fn duplicate(&mut self, at: &Text, seen: &mut BTreeMap<String, String>, id: &str) {
        if let Some(other) = seen.insert(id.to_lowercase(), id.to_owned())
            && other == id
        {
            self.finder.at(at.span(), format!("`{id}` stands twice"), "keep one of them");
        }
    }

    pub(super) fn case(&mut self, at: &Text, seen: &mut BTreeMap<String, String>, id: &str) {
        if let Some(other) = seen.insert(id.to_lowercase(), id.to_owned())
            && other != id
        {
            self.finder.at(
                at.span(),
                format!("`{id}` differs from `{other}` only by case"),
                "write both alike; where the provider's name differs, say it in `upstream`",
            );
        }
    }

    pub(super) fn price(&mut self, raw: &Spanned<RawPrice>) -> Price {
        let RawPrice { input, output, cached_input, request } = raw.get_ref();
        let price = Price {
            input: *input,
            output: *output,
            cached_input: cached_input.unwrap_or(*input),
            request: request.unwrap_or(0.0),
        };
        let all = [price.input, price.output, price.cached_input, price.request];
        if !all.iter().all(|dollars| (0.0..=PRICE_MAX).contains(dollars)) {
            self.finder.at(
                raw.span(),
                "a price is no number between 0 and 1,000,000,000",
                "write dollars for a million tokens, for example `{ input = 2.5, output = 10.0 }`",
            );
        }
        price
    }

    pub(super) fn aliases(
        &mut self,
        raw: BTreeMap<Text, Vec<Text>>,
        models: &[Model],
        providers: &BTreeMap<String, Provider>,
    ) -> BTreeMap<String, Vec<(String, String)>> {
        let mut aliases = BTreeMap::new();
        let mut seen: BTreeMap<_, _> =
            models.iter().map(|model| (model.name.to_lowercase(), model.name.clone())).collect();
        for (name, of) in raw {
            if !is_model(name.get_ref()) || name.get_ref().contains('/') {
                let help = "write a name that a model could have, without `/`";
                self.finder.at(name.span(), format!("`{}` cannot be an alias", name.get_ref().escape_debug()), help);
                continue;
            }
            self.case(&name, &mut seen, name.get_ref());
            if of.is_empty() {
                let help = "name the models that it stands for, in the order in which they are tried";
                self.finder.at(name.span(), format!("`{}` stands for nothing", name.get_ref()), help);
            }
            let mut candidates = Vec::new();
            for id in &of {
                let Some((provider, model)) = self.model_id(id, providers) else { continue };
                let is_known = models.iter().any(|known| known.provider == provider && known.name == model);
                if !is_known && !providers.get(&provider).is_none_or(|provider| provider.any_model) {
                    let help = "add it under `[[models]]`, or write `any_model = true` at its provider";
                    self.finder.at(id.span(), format!("there is no model `{}`", id.get_ref()), help);
                }
                candidates.push((provider, model));
            }
            aliases.insert(name.into_inner(), candidates);
        }
        aliases
    }

    pub(super) fn teams(
        &mut self,
        raw: BTreeMap<Text, RawTeam>,
        providers: &BTreeMap<String, Provider>,
    ) -> BTreeMap<String, Team> {
        let mut teams = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for (id, RawTeam { models, providers: of_team, budgets }) in raw {
            let Some(name) = self.name(&id) else { continue };
            self.case(&id, &mut seen, &name);
            for scope in models.iter().flatten().filter(|scope| !is_scope(scope.get_ref())) {
                self.finder.at(
                    scope.span(),
                    format!("`{}` names no models", scope.get_ref().escape_debug()),
                    "write `gpt-4o`, `openai/gpt-4o`, `openai/*` or `group:small`",
                );
            }
            for provider in of_team.iter().flatten() {
                self.known_provider(provider.span(), provider.get_ref(), providers);
            }
            let texts = |list: Vec<Text>| list.into_iter().map(Spanned::into_inner).collect::<Vec<_>>();
            let team =
                Team { models: models.map(texts), providers: of_team.map(texts), budgets: self.budgets(&budgets) };
            teams.insert(name, team);
        }
        teams
    }

    pub(super) fn budgets(&mut self, texts: &[Text]) -> Vec<Allowance> {
        let mut budgets: Vec<Allowance> = Vec::new();
        for text in texts {
            match text.get_ref().parse::<Allowance>() {
                Ok(budget) => {
                    if budgets.iter().any(|other| other.unit == budget.unit && other.window == budget.window) {
                        self.finder.at(text.span(), "this is counted twice", "keep one budget of a unit and a window");
                    }
                    budgets.push(budget);
                }
                Err(error) => {
                    let help = "for example `25.50usd/month`, `1000000tokens/day` or `60requests/minute`";
                    self.finder.at(text.span(), error.to_string(), help);
                }
            }
        }
        budgets
    }
}
