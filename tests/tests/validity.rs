//! A decision holds where it says that it does: at every time of its interval, and for every request that
//! has the same values in the fields it names.

use cedargate_guest::{Decision, FIELDS, Fields, LoadError, PolicySet, Principal, decide};
use cedargate_tests::corpus::{self, Case};
use cedargate_tests::dice::Dice;
use cedargate_tests::rulebook::rulebook;
use serde_json::{Value, json};
use std::rc::Rc;

/// Times asked within each interval.
const TIMES: usize = 3;

/// The same bundle from a host that remembers for as long as a decision holds, and from one that does not.
fn sets(bundle: &str) -> [Rc<PolicySet>; 2] {
    let mut seeing: Value = serde_json::from_str(bundle).unwrap();
    seeing["sees_changes"] = true.into();
    let sets = [set(bundle), set(&seeing.to_string())];
    assert_eq!(sets[0].digest, sets[1].digest);
    sets
}

fn set(bundle: &str) -> Rc<PolicySet> {
    match cedargate_guest::load(bundle) {
        Ok(set) => Rc::new(set),
        Err(LoadError::Refused(report)) => panic!("{:?}", report.diagnostics),
        Err(error) => panic!("{error}"),
    }
}

fn same(a: &Decision, b: &Decision) -> bool {
    (a.outcome, a.deciding, &a.policies, &a.errors) == (b.outcome, b.deciding, &b.policies, &b.errors)
}

/// Asks one case at many times around its own, and with every field that was not read taken away.
fn walk(set: &Rc<PolicySet>, case: &Case, dice: &mut Dice) {
    let principal = Principal::prepare(Rc::clone(set), case.principal.get()).unwrap();
    let request = case.request.get();
    let own = corpus::millis(&case.at);
    for at in [own, own - 1, own + 1, own - 86_400_000 * 400, own + 86_400_000 * 400] {
        let Ok(decision) = decide(&principal, at, request, "") else { continue };
        let length = usize::try_from(decision.until - decision.since).unwrap();
        for _ in 0..TIMES {
            if length == 0 {
                break;
            }
            let then = decision.since + i64::try_from(dice.below(length)).unwrap();
            for then in [then, decision.until - 1] {
                let fresh = decide(&principal, then, request, "").unwrap();
                assert!(same(&decision, &fresh), "{}: {decision:?} at {at}, {fresh:?} at {then}", case.id);
            }
        }
        without_unread_fields(&principal, case, at, &decision);
    }
}

/// Takes away, and changes, what was not read: field by field, and all at once.
fn without_unread_fields(principal: &Principal, case: &Case, at: i64, decision: &Decision) {
    let whole: Value = serde_json::from_str(case.request.get()).unwrap();
    for (what, other) in with_other_unread_fields(&whole, decision) {
        let Ok(fresh) = decide(principal, at, &other.to_string(), "") else { continue };
        assert!(same(decision, &fresh), "{}: {what}: {decision:?}, {fresh:?}: {other}", case.id);
    }
}

/// Requests that differ from this one in fields that a decision does not name, with what differs.
fn with_other_unread_fields(whole: &Value, decision: &Decision) -> Vec<(String, Value)> {
    let read: Vec<&str> = decision.reads.places().map(|place| FIELDS[place as usize]).collect();
    let mut found = Vec::new();
    let mut least = whole.clone();
    for field in FIELDS.iter().filter(|field| !read.contains(field)) {
        // The token as a whole is there because of its fields.
        if *field == "current" {
            continue;
        }
        let mut less = whole.clone();
        if take(&mut less, field) {
            found.push((format!("without `{field}`"), less));
            take(&mut least, field);
        }
        // A field would make a token that is not there one that is.
        if let Some(value) = another(field).filter(|_| whole.get("current").is_some() || !read.contains(&"current")) {
            let mut other = whole.clone();
            put(&mut other, field, value);
            found.push((format!("with another `{field}`"), other));
        }
    }
    if !read.contains(&"current") && least["current"].as_object().is_some_and(serde_json::Map::is_empty) {
        take(&mut least, "current");
    }
    found.push(("without all that was not read".to_owned(), least));
    found
}

/// Takes a field away, and says whether it was there. Bindings without any are no bindings.
fn take(request: &mut Value, field: &str) -> bool {
    let (holder, name) = field.rsplit_once('.').unwrap_or(("", field));
    let Some(object) = inner(request, holder) else { return false };
    let taken = object.remove(name).is_some();
    let empty = object.is_empty();
    if empty && holder.ends_with("bindings") {
        take(request, holder);
    }
    taken
}

fn put(request: &mut Value, field: &str, value: Value) {
    let mut at = request;
    for part in field.split('.') {
        at = &mut at[part];
    }
    *at = value;
}

fn inner<'r>(request: &'r mut Value, path: &str) -> Option<&'r mut serde_json::Map<String, Value>> {
    let steps = path.split('.').filter(|step| !step.is_empty());
    steps.into_iter().try_fold(request, |at, step| at.get_mut(step))?.as_object_mut()
}

/// Another value for a field of the token as it is.
fn another(field: &str) -> Option<Value> {
    Some(match field.strip_prefix("current.")? {
        "id" | "name" => json!("tok-another"),
        "purpose" => json!("console"),
        "principal_type" => json!("robot"),
        "org_id" | "team_id" | "bindings.gateway_id" | "bindings.consumer_group" => json!("another"),
        "roles" => json!(["another"]),
        "not_before" | "expires_at" => json!("2031-01-01T00:00:00Z"),
        "bindings.models" => json!(["another/model"]),
        "bindings.providers" => json!(["another"]),
        "bindings.networks" => json!(["198.51.100.0/24"]),
        "bindings.scopes" => json!(["another"]),
        "budgets" => json!([{"unit": "another", "window": "ever", "limit": 9}]),
        "attributes" => json!({}),
        name => panic!("`current.{name}` has no other value here"),
    })
}

#[test]
fn the_default_policies_say_how_long_they_hold() {
    let dice = &mut Dice::new(1);
    for set in sets(&corpus::bundle(None)) {
        for file in corpus::case_files() {
            for case in corpus::cases(&file) {
                walk(&set, &case, dice);
            }
        }
    }
}

/// Policies that use the time in every way, among them ways that make a decision hold for now only.
const TIMED: &str = r#"
@id("a") permit(principal, action, resource) when { context.at < datetime("2026-04-23T12:45:00Z") };
@id("b") permit(principal, action, resource) when { datetime("2026-04-23T12:45:00.001Z") <= context.at };
@id("c") forbid(principal, action, resource) when { context.at == datetime("2026-04-23T12:45:00Z") };
@id("d") forbid(principal, action, resource) when { principal has expires_at && context.at > principal.expires_at };
@id("e") forbid(principal, action, resource) when { context has gateway && context.gateway == Gateway::"gw-west" && context.at >= datetime("2026-04-23") };
@id("f") @status("429") forbid(principal, action, resource)
  when { principal.purpose == "integration" && context.at.toTime() < duration("12h") };
"#;

#[test]
fn boundaries_are_found_in_every_comparison() {
    let mut bundle: Value = serde_json::from_str(&corpus::bundle(None)).unwrap();
    bundle["policies"] = json!([{"name": "timed.cedar", "text": TIMED}]);
    let dice = &mut Dice::new(2);
    for set in sets(&bundle.to_string()) {
        for file in corpus::case_files() {
            for case in corpus::cases(&file) {
                walk(&set, &case, dice);
            }
        }
    }
    let set = set(&bundle.to_string());
    let start = corpus::millis("2026-04-23T12:44:59.990Z");
    let profile = r#"{"id":"t","purpose":"general","principal_type":"api_token","status":"active","expires_at":"2026-04-23T12:45:00.005Z"}"#;
    let principal = Principal::prepare(Rc::clone(&set), profile).unwrap();
    let request = r#"{"action":"models.list"}"#;
    for at in start..start + 30 {
        let decision = decide(&principal, at, request, "").unwrap();
        for then in decision.since..decision.until.min(at + 40) {
            assert!(same(&decision, &decide(&principal, then, request, "").unwrap()), "{at} and {then}");
        }
    }
}

#[test]
fn a_use_of_time_that_is_no_comparison_holds_for_now_only() {
    let mut bundle: Value = serde_json::from_str(&corpus::bundle(None)).unwrap();
    bundle["policies"] =
        json!([{"name": "timed.cedar", "text": TIMED.replace("principal.purpose == \"integration\" && ", "")}]);
    let set = set(&bundle.to_string());
    let profile = r#"{"id":"t","purpose":"general","principal_type":"api_token","status":"active"}"#;
    let principal = Principal::prepare(set, profile).unwrap();
    let decision = decide(&principal, 7, r#"{"action":"models.list"}"#, "").unwrap();
    assert!(decision.until <= 7, "{decision:?}");
}

#[test]
fn only_a_host_that_sees_changes_may_remember_until_the_next_boundary() {
    let request = r#"{"action":"models.list"}"#;
    let profile = r#"{"id":"t","purpose":"general","principal_type":"api_token","status":"active","expires_at":"2026-04-23T12:45:00Z"}"#;
    let (expiry, day) = (corpus::millis("2026-04-23T12:45:00Z"), 86_400_000);
    let [cut, whole] = sets(&corpus::bundle(None)).map(|set| Principal::prepare(set, profile).unwrap());
    let until = |principal: &Principal, at: i64| decide(principal, at, request, "").unwrap().until;
    assert_eq!((until(&cut, expiry - day), until(&whole, expiry - day)), (expiry - day + 1_000, expiry));
    assert_eq!((until(&cut, expiry - 9), until(&whole, expiry - 9)), (expiry, expiry));
    // Nothing changes any more.
    assert_eq!((until(&cut, expiry), until(&whole, expiry)), (expiry + 1_000, 1 << 53));
    let at = expiry - day;
    let text = |principal: &Principal| cedargate_guest::text(&principal.set, at, &decide(principal, at, request, ""));
    assert_eq!(text(&cut), text(&whole), "a text says the same wherever it goes");
}

/// Generated sets whose decisions are asked again with other unread fields.
const RULEBOOKS: u64 = 120;

#[test]
fn generated_policies_say_all_that_they_read() {
    let (mut compared, mut about_tokens) = (0_u64, 0_u64);
    for seed in 0..RULEBOOKS {
        let book = rulebook(seed);
        let set = set(&book.bundle);
        for profile in &book.profiles {
            let principal = Principal::prepare(Rc::clone(&set), profile).unwrap();
            for (request, counters) in &book.requests {
                let whole: Value = serde_json::from_str(request).unwrap();
                let at = book.times[0];
                let Ok(decision) = decide(&principal, at, request, counters) else { continue };
                about_tokens += u64::from(decision.reads.and(Fields::current()) != Fields::default());
                for (what, other) in with_other_unread_fields(&whole, &decision) {
                    let Ok(fresh) = decide(&principal, at, &other.to_string(), counters) else { continue };
                    assert!(
                        same(&decision, &fresh),
                        "seed {seed}: {what}: {profile}\n{request}\n{decision:?}, {fresh:?}"
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(about_tokens * 20 > RULEBOOKS * 24, "only {about_tokens} decisions read the token as it is");
    assert!(compared > 10 * RULEBOOKS, "only {compared} were compared");
}
