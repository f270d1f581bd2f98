#!/usr/bin/env python3
"""Writes day.jsonl: the recorded requests of one day, each with the decision that it must get.

    python3 tests/records/make.py            # writes day.jsonl beside this file
    python3 tests/records/make.py --check    # exit 1 if the file differs from what would be written

The day is 2026-04-23. Three gateways serve the apps of six teams; hosted gateways report events, two
machine integrations and a handful of people work in the control plane. Most traffic is allowed. The rest
is what a real day brings: a model that a key may not use, a key used after its expiry, an old secret
whose grace period runs out at noon, a budget that is used up in the evening, a leaked key that is revoked
in the afternoon and goes on being tried.

Only the standard library is used, and the random seed is fixed: the same file comes out each time.

What is expected is computed by `decide`, which is written from the tables of the design (profiles,
bindings, scopes, outcomes in their order) in plain Python and knows nothing of the Cedar policies. Where
several rules of a class apply, the code is that of the rule whose name is the alphabetically first, which
is the alphabetically first code, except that what is wrong with the token itself comes before its
organization, and a token that is asked about (`current-...`) is named before the one it would become.
"""

import ipaddress
import json
import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

SEED = 20260423
REQUESTS = 4000
OUTPUT = Path(__file__).with_name("day.jsonl")
DAY = datetime(2026, 4, 23, tzinfo=timezone.utc)

CHAT = {"chat.completions", "completions", "responses", "messages"}
READ = {"models.list", "models.read"}
TAKES_MODEL = CHAT | {"embeddings", "images", "audio", "models.read"}
GATEWAY = TAKES_MODEL | READ
RUNTIME = {"events.write", "config.read"}
CONTROL = {
    "tokens.create", "tokens.list", "tokens.inspect", "tokens.edit", "tokens.rotate", "tokens.revoke",
    "tokens.export", "events.read", "audit.read", "usage.read", "config.read", "config.write",
}
BY_ROLE = {
    "admin": CONTROL,
    "manager": CONTROL - {"config.write"},
    "viewer": {
        "tokens.list", "tokens.inspect", "tokens.export", "events.read", "audit.read", "usage.read",
        "config.read",
    },
}
# What is asked of one token after the other, and what is asked of one.
ROWS = {"tokens.list", "tokens.export", "events.read", "usage.read"}
OF_A_TOKEN = {"tokens.edit", "tokens.rotate", "tokens.revoke", "tokens.inspect"}
TRAFFIC = {"read", "chat", "full"}
GRANTED = {"general", "integration", "gateway_runtime"}
GENERAL_SCOPES = {"read": READ, "chat": READ | CHAT, "full": GATEWAY}
SMALL_MODELS = {"claude-haiku-4-5", "gemini-2.5-flash", "gpt-4o-mini", "gpt-5.4-mini"}


# ---- The oracle: the design's tables, one function a table.


def instant(text):
    """Milliseconds since 1970 of an RFC 3339 time, finer parts cut off."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def integration_scope(scope):
    """The control-plane actions that one scope of an integration names."""
    if scope.endswith(".*"):
        return {action for action in CONTROL if action.split(".")[0] + ".*" == scope}
    return {scope} & CONTROL


def union(sets):
    return set().union(*sets)


def granted(principal):
    """The actions that the profile grants, before any binding narrows them."""
    profile = (principal["purpose"], principal["principal_type"])
    if profile in {("general", "api_token"), ("provider_passthrough", "provider_key")}:
        return GATEWAY
    if profile == ("gateway_runtime", "gateway_runtime"):
        return RUNTIME if "gateway_id" in principal.get("bindings", {}) else set()
    if profile == ("integration", "api_token"):
        return CONTROL
    if profile == ("console", "user"):
        return union(BY_ROLE.get(role, set()) for role in principal.get("roles", []))
    return set()


def identity(at, principal, request):
    """The codes of class 401."""
    status = principal["status"]
    codes = set()
    if status in {"revoked", "expired"}:
        codes.add("token_" + status)
    elif status not in {"active", "in_grace"}:
        codes.add("token_disabled")
    else:
        if "expires_at" in principal and at >= instant(principal["expires_at"]):
            codes.add("token_expired")
        if status == "in_grace":
            if "grace_until" not in principal or at >= instant(principal["grace_until"]):
                codes.add("token_expired")
        if "not_before" in principal and at < instant(principal["not_before"]):
            codes.add("token_not_yet_valid")
    if not codes and differs(principal, request, "org_id"):
        codes.add("org_mismatch")
    return codes


def differs(left, right, field):
    return field in left and field in right and left[field] != right[field]


def model_fits(name, provider, model):
    """Whether one entry of a list of models admits a model at a provider."""
    if name.startswith("group:"):
        return name == "group:small" and model in SMALL_MODELS
    if "/" not in name:
        return name == model
    wanted_provider, wanted_model = name.split("/", 1)
    return provider == wanted_provider and wanted_model in {"*", model}


def in_network(address, network):
    address = ipaddress.ip_address(address)
    address = getattr(address, "ipv4_mapped", None) or address
    return address in plain_network(network)


def plain_network(text):
    """A network, as IPv4 where it is one that is written as IPv6."""
    network = ipaddress.ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ipaddress.ip_network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


def bound(principal, request):
    """The codes of class 403 that follow from bindings and team."""
    bindings = principal.get("bindings", {})
    action = request["action"]
    codes = set()
    # In the control plane gateway and consumer group are places, except where a gateway's configuration is meant.
    if action not in CONTROL or action in {"config.read", "config.write"}:
        if "gateway_id" in bindings and request.get("gateway_id") != bindings["gateway_id"]:
            codes.add("gateway_mismatch")
    if differs(principal, request, "team_id"):
        codes.add("team_mismatch")
    if action not in CONTROL or action in RUNTIME:
        if "consumer_group" in bindings and request.get("consumer_group") != bindings["consumer_group"]:
            codes.add("consumer_group_mismatch")
    if action in TAKES_MODEL:
        provider, model = request.get("provider"), request["model"]
        if "providers" in bindings and provider not in bindings["providers"]:
            codes.add("provider_not_allowed")
        if "models" in bindings:
            if not any(model_fits(name, provider, model) for name in bindings["models"]):
                codes.add("model_not_allowed")
    if "networks" in bindings:
        client = request.get("client_ip")
        if client is None or not any(in_network(client, net) for net in bindings["networks"]):
            codes.add("network_not_allowed")
    return codes


def scoped(principal, action):
    """The code of class 403 that follows from scopes."""
    scopes = principal.get("bindings", {}).get("scopes")
    profile = (principal["purpose"], principal["principal_type"])
    if profile == ("general", "api_token") and action in GATEWAY and scopes is not None:
        if action not in union(GENERAL_SCOPES.get(scope, set()) for scope in scopes):
            return {"scope_not_allowed"}
    if profile == ("integration", "api_token") and action in CONTROL:
        if action not in union(integration_scope(scope) for scope in scopes or []):
            return {"scope_not_allowed"}
    return set()


def at_console(principal, *roles):
    """Whether this is somebody at the console with one of these roles."""
    return (principal["purpose"], principal["principal_type"]) == ("console", "user") and any(
        role in principal.get("roles", []) for role in roles
    )


def in_place(principal, given):
    """Whether a token lies in every place that its principal is bound to."""
    own, bindings = principal.get("bindings", {}), given.get("bindings", {})
    return at_console(principal, "admin") or (
        all(given.get(field) == principal[field] for field in ("org_id", "team_id") if field in principal)
        and all(bindings.get(field) == own[field] for field in ("gateway_id", "consumer_group") if field in own)
    )


def scope_names(scopes):
    """Scopes with all that they contain."""
    narrower = {"chat": {"read"}, "full": {"read", "chat"}}
    return union({scope} | integration_scope(scope) | narrower.get(scope, set()) for scope in scopes)


def may_pass_scopes(principal, given):
    own, scopes = principal.get("bindings", {}).get("scopes"), given.get("bindings", {}).get("scopes")
    owned, passed = scope_names(own or []), scope_names(scopes or [])
    if given.get("purpose") != "general":
        if principal["principal_type"] == "user":
            return "config.write" not in passed or at_console(principal, "admin")
        return principal["purpose"] != "integration" or passed <= owned
    if principal["principal_type"] != "api_token" or not owned & TRAFFIC:
        return True
    return "full" in owned if scopes is None else passed <= owned


def covers_model(own, entry):
    """Whether one entry of a list of models admits whatever another admits."""
    if own == entry or entry.startswith("group:"):
        return own == entry
    provider, model = entry.split("/", 1) if "/" in entry else (None, entry)
    return model != "*" and model_fits(own, provider, model)


def covers_network(own, entry):
    wide, narrow = (plain_network(text) for text in (own, entry))
    return wide.version == narrow.version and narrow.subnet_of(wide)


def covered(own, given, covers):
    """Whether a list lies within the same list of its principal: each entry in one of those."""
    if own is None:
        return True
    return given is not None and all(any(covers(one, entry) for one in own) for entry in given)


def covers_budget(own, entry):
    return all(own[field] == entry[field] for field in ("unit", "window")) and own["limit"] >= entry["limit"]


def may_pass_bounds(principal, given):
    """Whether what a token is bound to, and how long it lives, is within what binds the token that acts."""
    if principal["principal_type"] != "api_token":
        return True
    own, bindings = principal.get("bindings", {}), given.get("bindings", {})
    lists = {"models": covers_model, "providers": str.__eq__, "networks": covers_network}
    if not all(covered(own.get(field), bindings.get(field), covers) for field, covers in lists.items()):
        return False
    # All budgets of a token hold at once, so none of the principal's may be missing.
    budgets, passed = principal.get("budgets"), given.get("budgets")
    if not covered(budgets, passed, covers_budget):
        return False
    if not covered(passed, budgets or [], lambda passed, own: covers_budget(own, passed)):
        return False
    ends = principal.get("expires_at")
    return ends is None or ("expires_at" in given and instant(given["expires_at"]) <= instant(ends))


def may_pass(principal, given):
    """Whether a token has no power that this principal may not hand over."""
    purpose = given.get("purpose")
    return (
        (purpose is None or purpose in GRANTED)
        and (purpose != "gateway_runtime" or at_console(principal, "admin", "manager"))
        and (not given.get("roles") or at_console(principal, "admin"))
        and may_pass_scopes(principal, given)
        and may_pass_bounds(principal, given)
    )


def tokens(principal, request):
    """The codes of class 403 that follow from the tokens that a request is about."""
    action, current = request["action"], request.get("current")
    grants = action == "tokens.create" or (action == "tokens.edit" and "target" in request)
    codes = set()
    if current is None:
        if action in OF_A_TOKEN:
            codes.add("current_not_allowed")
    elif action in OF_A_TOKEN | ROWS and not in_place(principal, current):
        codes.add("current_not_allowed")
    elif action == "tokens.rotate" and not is_self(principal, current):
        if not may_pass(principal, current) or (principal["principal_type"] == "api_token" and "attributes" in current):
            codes.add("current_not_allowed")
    if principal["status"] == "in_grace" and (grants or action == "tokens.rotate"):
        codes.add("target_not_allowed")
    if grants and not may_grant(principal, action, request.get("target"), current or {}):
        codes.add("target_not_allowed")
    return codes


def is_self(principal, given):
    return given.get("id") == principal["id"]


def may_grant(principal, action, target, current):
    """Whether a token may become what it would be stored as."""
    if target is None or "purpose" not in target:
        return False
    if action == "tokens.edit" and (is_self(principal, target) or is_self(principal, current)):
        return False
    before = current.get("attributes") if action == "tokens.edit" else None
    if principal["principal_type"] == "api_token" and target.get("attributes") != before:
        return False
    return in_place(principal, target) and may_pass(principal, target)


def exhausted(request):
    """The codes of class 429."""
    codes = set()
    for field, code in (("budget", "insufficient_quota"), ("rate", "rate_limited")):
        for name in (field, "team_" + field):
            counter = request.get(name)
            if counter and counter["spent"] + counter["requested"] > counter["limit"]:
                codes.add(code)
    return codes


def decide(at, principal, request):
    """Status and code, in the order of the design's outcomes; a code of None is an allow."""
    action = request["action"]
    if action in TAKES_MODEL and "model" not in request:
        return 400, "request_invalid"
    codes = identity(at, principal, request)
    if codes:
        return 401, min(codes)
    codes = bound(principal, request) | scoped(principal, action) | tokens(principal, request)
    if codes:
        return 403, min(codes).replace("current", "target")
    if action not in granted(principal):
        return 403, "action_not_allowed"
    codes = exhausted(request)
    if codes:
        return 429, min(codes)
    return 200, None


# ---- The day: who there is, and what they do.

GATEWAYS = ["gw-east", "gw-west", "gw-eu"]
TEAMS = {
    "frontend": "10.1.0.0/16", "search": "10.2.0.0/16", "support": "10.3.0.0/16",
    "research": "10.4.0.0/16", "platform": "10.5.0.0/16", "mobile": "10.6.0.0/16",
}
MODELS = {
    "openai": ["gpt-4o", "gpt-4o-mini", "gpt-5.4-mini", "gpt-4.1"],
    "azure": ["gpt-4o", "gpt-4o-mini"],
    "anthropic": ["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5"],
    "google": ["gemini-2.5-pro", "gemini-2.5-flash"],
    "mistral": ["codestral", "mistral-large"],
    "huggingface": ["meta-llama/llama-3", "qwen/qwen3-coder"],
}
EMBEDDINGS = ("openai", "text-embedding-3-small")
ORG = "org_acme"


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def hour(hours):
    return DAY + timedelta(hours=hours)


def token(name, team=None, purpose="general", kind="api_token", status="active", **more):
    """A profile as the store holds it; what is None is absent."""
    profile = {
        "id": "tok_" + name.replace("-", "_"), "name": name, "purpose": purpose, "principal_type": kind,
        "status": status, "org_id": ORG, "team_id": team, **more,
    }
    return {field: value for field, value in profile.items() if value is not None}


class Client:
    """Somebody who sends requests: a profile, how busy it is, and what it does by itself."""

    def __init__(self, profile, weight, uses=(), group=None, gateway=None, mistakes=0.08, actions=None):
        self.profile = profile
        self.weight = weight
        self.uses = list(uses)
        self.group = group
        self.gateway = gateway
        self.mistakes = mistakes
        self.actions = actions or ["chat.completions"] * 6 + ["responses"] * 2 + ["messages"] + ["models.list"]
        self.events = []

    def at(self, moment):
        """The profile with the state that the presented secret has at a moment."""
        profile = dict(self.profile)
        for since, changes in self.events:
            if moment >= since:
                profile.update(changes)
        return profile

    def then(self, hours, **changes):
        self.events.append((hour(hours), changes))
        return self


def pairs(*names):
    return [tuple(name.split("/", 1)) for name in names]


def everything():
    return [(provider, model) for provider, models in MODELS.items() for model in models]


def apps():
    """The tokens of the teams' applications."""
    b = dict
    small = pairs("openai/gpt-4o-mini", "azure/gpt-4o-mini", "anthropic/claude-haiku-4-5", "google/gemini-2.5-flash")
    both = pairs("openai/gpt-4o", "openai/gpt-4o-mini")
    return [
        Client(token("frontend-only", "frontend", bindings=b(models=["gpt-4o", "gpt-4o-mini"], providers=["openai"], consumer_group="web"), expires_at="2026-05-15T14:00:00Z"), 14, both, "web"),
        Client(token("storefront-chat", "frontend", bindings=b(models=["group:small"], consumer_group="web", gateway_id="gw-east")), 12, small, "web", "gw-east"),
        Client(token("design-preview", "frontend", bindings=b(models=["openai/gpt-4o"]), expires_at="2026-04-23T18:00:00+02:00"), 3, pairs("openai/gpt-4o")),
        Client(token("search-rerank", "search", bindings=b(providers=["openai", "azure"], scopes=["full"])), 10, both + pairs("azure/gpt-4o"), actions=["embeddings"] * 5 + ["chat.completions"] * 3),
        Client(token("search-index", "search", bindings=b(models=["openai/*"], networks=["10.2.0.0/16"])), 8, both, actions=["embeddings"] * 4 + ["responses"]),
        Client(token("search-dashboard", "search", bindings=b(scopes=["read"])), 3, everything(), actions=["models.list"] * 3 + ["models.read"]),
        Client(token("support-copilot", "support", bindings=b(models=["anthropic/*", "gpt-4o"], consumer_group="support", scopes=["chat"])), 12, pairs("anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5", "azure/gpt-4o"), "support", actions=["messages"] * 6 + ["chat.completions"]),
        Client(token("support-nightly", "support", bindings=b(models=["claude-haiku-4-5"]), not_before="2026-04-23T01:00:00Z", expires_at="2026-04-23T05:00:00Z"), 4, pairs("anthropic/claude-haiku-4-5"), actions=["messages"]),
        Client(token("support-macros", "support", bindings=b(models=["mistral/*"], gateway_id="gw-eu")), 4, pairs("mistral/mistral-large"), gateway="gw-eu"),
        Client(token("research-notebook", "research"), 9, everything(), mistakes=0.01),
        Client(token("research-llama", "research", bindings=b(models=["huggingface/meta-llama/llama-3", "huggingface/qwen/qwen3-coder"])), 6, pairs("huggingface/meta-llama/llama-3", "huggingface/qwen/qwen3-coder")),
        Client(token("research-eval", "research", bindings=b(providers=["anthropic", "google"])), 7, pairs("anthropic/claude-opus-4-5", "google/gemini-2.5-pro")),
        Client(token("platform-bot", "platform", bindings=b(networks=["10.5.0.0/16", "2001:db8:5::/48"])), 6, everything()),
        Client(token("platform-smoke", "platform", bindings=b(models=["group:small"], scopes=["chat"])), 5, small),
        Client(token("platform-prototype", "platform", bindings=b(models=[])), 1, both, actions=["models.list"] * 2 + ["chat.completions"]),
        Client(token("mobile-ios", "mobile", bindings=b(models=["gpt-4o-mini", "claude-haiku-4-5"], consumer_group="mobile")), 11, pairs("openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"), "mobile"),
        Client(token("mobile-android", "mobile", bindings=b(models=["gpt-4o-mini"], consumer_group="mobile", gateway_id="gw-west")), 11, pairs("openai/gpt-4o-mini", "azure/gpt-4o-mini"), "mobile", "gw-west"),
        Client(token("mobile-beta", "mobile", bindings=b(models=["gpt-5.4-mini"])), 3, pairs("openai/gpt-5.4-mini")).then(14.5, status="disabled"),
        Client(token("internal-tools"), 6, everything(), mistakes=0.01),
        Client(token("partner-acme", bindings=b(models=["gpt-4o"], networks=["203.0.113.0/24"]), expires_at="2026-07-22T00:00:00Z"), 4, pairs("openai/gpt-4o")),
        Client(token("leaked-demo", bindings=b(models=["openai/*"])), 5, both).then(15.25, status="revoked"),
        Client(token("next-quarter", "frontend", not_before="2026-04-23T22:00:00Z"), 1, both),
        Client(token("last-quarter", "frontend", status="expired", expires_at="2026-03-31T00:00:00Z"), 1, both),
        Client(token("jane-vscode", "frontend"), 5, everything(), actions=["responses"] * 5 + ["models.list"]),
        Client(token("omar-vscode", "search"), 5, everything(), actions=["messages"] * 5 + ["models.list"]),
        Client(token("kim-jetbrains", "research", bindings=b(models=["group:small", "anthropic/claude-sonnet-4-5"])), 4, small + pairs("anthropic/claude-sonnet-4-5")),
        # Two rotations: the old secret of each is a client of its own until it is given up.
        Client(token("billing-summaries", "platform", bindings=b(models=["gpt-4.1"])), 5, pairs("openai/gpt-4.1")),
        Client(token("billing-summaries", "platform", bindings=b(models=["gpt-4.1"]), status="in_grace", grace_until="2026-04-23T12:00:00Z"), 3, pairs("openai/gpt-4.1")),
        Client(token("ticket-router", "support", bindings=b(consumer_group="support")), 5, everything(), "support"),
        Client(token("ticket-router", "support", bindings=b(consumer_group="support"), status="in_grace", grace_until="2026-04-24T10:30:00+02:00"), 3, everything(), "support"),
    ]


def machines():
    """Hosted gateways, integrations and passed-through provider keys."""
    runtime = ["events.write"] * 8 + ["config.read"]
    clients = [
        Client(token(name + "-runtime", purpose="gateway_runtime", kind="gateway_runtime", bindings={"gateway_id": name}), 7, gateway=name, actions=runtime, mistakes=0.02)
        for name in GATEWAYS
    ]
    clients += [
        Client(token("ci-pipeline-prod", purpose="integration", bindings={"scopes": ["tokens.*", "events.read"]}), 5, actions=["tokens.list", "tokens.create", "tokens.edit", "tokens.revoke", "events.read"]),
        Client(token("finance-export", "platform", purpose="integration", bindings={"scopes": ["usage.read", "audit.read"], "networks": ["10.5.0.0/16"]}), 4, actions=["usage.read"] * 3 + ["audit.read"]),
        Client(token("forgotten-bot", purpose="integration"), 1, actions=["tokens.list"]),
    ]
    for fingerprint, provider in (("a3f1c09e", "openai"), ("77b02d4c", "anthropic")):
        key = {"id": "sha256:" + fingerprint, "purpose": "provider_passthrough", "principal_type": "provider_key", "status": "active", "bindings": {"providers": [provider]}}
        clients.append(Client(key, 3, [(provider, model) for model in MODELS[provider]]))
    return clients


def people():
    """Users at the console."""
    reads = ["tokens.list"] * 3 + ["tokens.inspect", "usage.read", "audit.read", "events.read", "config.read"]
    writes = ["tokens.create", "tokens.edit", "tokens.rotate", "tokens.revoke"]

    def user(name, *roles, team=None):
        profile = token(name, team, purpose="console", kind="user", roles=list(roles))
        return {**profile, "id": "usr_" + name}

    return [
        Client(user("ann", "admin"), 4, actions=reads + writes + ["config.write"]),
        Client(user("bob", "manager", team="frontend"), 4, actions=reads + writes),
        Client(user("cho", "manager", "viewer"), 3, actions=reads + writes, mistakes=0.1),
        Client(user("dee", "viewer"), 3, actions=reads, mistakes=0.1),
        Client(user("eli"), 1, actions=["tokens.list"]),
    ]


def address(rng, profile, stray):
    """Where a request comes from: the first network of its token, its team's, or the world."""
    networks = profile.get("bindings", {}).get("networks") or [TEAMS.get(profile.get("team_id"), "198.51.100.0/24")]
    network = ipaddress.ip_network("192.0.2.0/24" if stray else rng.choice(networks))
    host = str(network[rng.randrange(1, min(network.num_addresses, 65536) - 1)])
    return "::ffff:" + host if network.version == 4 and rng.random() < 0.1 else host


def target(rng, profile, mistake):
    """The profile that somebody asks to have granted."""
    team = profile.get("team_id") or rng.choice(list(TEAMS))
    number = rng.randrange(100, 1000)
    wanted = {"id": f"tok_{number}", "name": f"{team}-{number}", "purpose": "general", "principal_type": "api_token", "org_id": ORG, "team_id": team, "bindings": {"models": [rng.choice(["gpt-4o", "gpt-4o-mini", "anthropic/*", "group:small"])]}, "expires_at": "2026-07-22T00:00:00Z"}
    if rng.random() < 0.3:
        wanted.update(purpose="integration", bindings={"scopes": [rng.choice(["tokens.list", "tokens.*", "events.read"])]})
    if mistake:
        kind = rng.randrange(4)
        if kind == 0:
            wanted["id"] = profile["id"]
        elif kind == 1:
            wanted["org_id"] = "org_zenith"
        elif kind == 2:
            wanted.update(purpose="integration", bindings={"scopes": ["config.write"]})
        else:
            wanted.update(purpose="console", principal_type="user", roles=["admin"])
    return wanted


def as_it_is(rng, profile, target):
    """The token that somebody asks about; None where the recorder did not know it."""
    kind = rng.random()
    if kind < 0.03:
        return None
    if kind < 0.07:
        return {"id": f"tok_{rng.randrange(100, 1000)}"}
    if kind < 0.1:
        return {field: value for field, value in profile.items() if field not in {"status", "grace_until"}}
    team = rng.choice(list(TEAMS)) if rng.random() < 0.3 else profile.get("team_id") or rng.choice(list(TEAMS))
    number = rng.randrange(100, 1000)
    found = {"id": f"tok_{number}", "name": f"{team}-{number}", "purpose": "general", "principal_type": "api_token", "org_id": ORG, "team_id": team, "bindings": {"models": [rng.choice(["gpt-4o", "claude-haiku-4-5", "openai/*"])], "consumer_group": "web"}, "budgets": [{"unit": "requests", "window": "minute", "limit": 60}]}
    kind = rng.random()
    if kind < 0.2:
        scopes = rng.choice([["tokens.list"], ["tokens.*", "events.read"], ["usage.read"], ["config.*"]])
        found.update(purpose="integration", bindings={"scopes": scopes})
    elif kind < 0.3:
        found.update(purpose="gateway_runtime", principal_type="gateway_runtime", bindings={"gateway_id": rng.choice(GATEWAYS)})
    elif kind < 0.35:
        found.update(purpose=rng.choice(["console", "provider_passthrough"]), roles=["viewer"])
    elif kind < 0.45:
        found.update(org_id="org_zenith")
    elif kind < 0.5:
        del found["team_id"]
    if target is not None and rng.random() < 0.8:
        found["id"] = target.get("id")
    return found


def asked_about(rng, profile, request):
    """The same request with the token that it is about, as it is."""
    if request["action"] not in OF_A_TOKEN | ROWS or (request["action"] in ROWS and rng.random() < 0.4):
        return request
    if request["action"] in {"events.read", "usage.read"} and rng.random() < 0.1:
        return {**request, "current": {}}
    if request["action"] == "tokens.edit" and rng.random() < 0.3:
        request = {field: value for field, value in request.items() if field != "target"}
    current = as_it_is(rng, profile, request.get("target"))
    return request if current is None else {**request, "current": current}


def counters(rng, moment, profile):
    """Counters of the requests that are counted; budgets run out towards the end of the day."""
    found = {}
    if profile["purpose"] not in {"general", "provider_passthrough"}:
        return found
    share = (moment - DAY) / timedelta(days=1)
    midnight = "2026-04-24T00:00:00Z"
    if rng.random() < 0.35:
        spent = int(50_000 * share * rng.uniform(0.85, 1.15))
        found["budget"] = {"limit": 50_000, "spent": spent, "requested": rng.randrange(20, 900), "resets_at": midnight}
    if "team_id" in profile and rng.random() < 0.2:
        spent = int(2_000_000 * share * rng.uniform(0.8, 1.0))
        found["team_budget"] = {"limit": 2_000_000, "spent": spent, "requested": rng.randrange(20, 900), "resets_at": midnight}
    if rng.random() < 0.35:
        spent = 60 if rng.random() < 0.04 else rng.randrange(0, 58)
        found["rate"] = {"limit": 60, "spent": spent, "requested": 1, "resets_at": stamp(moment + timedelta(seconds=30))}
    if "team_id" in profile and rng.random() < 0.1:
        spent = 600 if rng.random() < 0.03 else rng.randrange(0, 590)
        found["team_rate"] = {"limit": 600, "spent": spent, "requested": 1}
    return found


def blunder(rng, request, profile):
    """Turns a request into one that is likely to be denied."""
    kind = rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 6])
    if kind == 0 and "model" in request:
        request["provider"], request["model"] = rng.choice(everything())
    elif kind == 1:
        request["gateway_id"] = rng.choice(GATEWAYS)
    elif kind == 2:
        request["consumer_group"] = rng.choice(["web", "mobile", "support", "batch"])
    elif kind == 3 and "team_id" in profile:
        request["team_id"] = rng.choice(list(TEAMS))
    elif kind == 4:
        request["action"] = rng.choice(["tokens.list", "config.write", "events.write", "models.list", "chat", "files.list"])
    elif kind == 5 and rng.random() < 0.5:
        request["org_id"] = "org_zenith"
    elif "model" in request:
        del request[rng.choice(["model", "provider"])]


def one(rng, moment, client):
    """One request of a client at a moment."""
    profile = client.at(moment)
    mistake = rng.random() < client.mistakes
    request = {"action": rng.choice(client.actions)}
    if request["action"] in TAKES_MODEL:
        provider, model = EMBEDDINGS if request["action"] == "embeddings" else rng.choice(client.uses)
        request.update(provider=provider, model=model)
    if client.gateway or profile["purpose"] in {"general", "provider_passthrough"}:
        request["gateway_id"] = client.gateway or rng.choice(GATEWAYS)
    if client.group or rng.random() < 0.1:
        request["consumer_group"] = client.group or "batch"
    request["client_ip"] = address(rng, profile, mistake and rng.random() < 0.3)
    if rng.random() < 0.3:
        request["org_id"] = ORG
    if "team_id" in profile and rng.random() < 0.3:
        request["team_id"] = profile["team_id"]
    if request["action"] in {"tokens.create", "tokens.edit"}:
        request["target"] = target(rng, profile, rng.random() < 0.25)
    request.update(counters(rng, moment, profile))
    if mistake:
        blunder(rng, request, profile)
    return profile, request


def moments(rng):
    """The times of the day's requests: quiet at night, busy in the afternoon."""
    hours = rng.choices(range(24), weights=[2, 2, 2, 2, 2, 3, 4, 6, 9, 11, 12, 12, 10, 11, 13, 13, 12, 10, 8, 6, 5, 4, 3, 2], k=REQUESTS)
    return sorted(hour(h) + timedelta(milliseconds=rng.randrange(3_600_000)) for h in hours)


def written(moment, number):
    """A time as a recorder writes it: most in UTC, a gateway in Europe in its own."""
    if number % 9 == 4:
        there = moment.astimezone(timezone(timedelta(hours=2)))
        return there.strftime("%Y-%m-%dT%H:%M:%S.") + f"{there.microsecond // 1000:03d}+02:00"
    return stamp(moment)


def day():
    """The whole day as lines of text."""
    rng = random.Random(SEED)
    # Apart, so that what tokens are like changes no other record.
    of_tokens = random.Random(SEED + 1)
    clients = apps() + machines() + people()
    weights = [client.weight for client in clients]
    for number, moment in enumerate(moments(rng), start=1):
        profile, request = one(rng, moment, rng.choices(clients, weights=weights)[0])
        request = asked_about(of_tokens, profile, request)
        at = written(moment, number)
        status, code = decide(instant(at), profile, request)
        expect = {"decision": "deny" if code else "allow", "status": status}
        if code:
            expect["code"] = code
        record = {"v": 1, "id": f"r-{number:04d}", "at": at, "principal": profile, "request": request, "expect": expect}
        yield json.dumps(record, separators=(",", ":")) + "\n"


def main():
    text = "".join(day())
    if sys.argv[1:] == ["--check"]:
        if not OUTPUT.exists() or OUTPUT.read_text(encoding="utf-8") != text:
            sys.exit(f"{OUTPUT.name} differs from what this script writes: run it without --check")
    else:
        OUTPUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
