//! What is remembered is what would be decided: the clock and the facts walk across boundaries and back, and a decision
//! point that remembers never differs from one that does not.

use cedargate::model::{Profile, Request, Timestamp};
use cedargate::{Decision, Pdp, Principal};
use cedargate_yardstick::sets::{GeneratedSet, START};
use cedargate_yardstick::traffic::Traffic;
use std::time::Duration;

const HOUR_MS: i64 = 3_600_000;

const PRINCIPALS: usize = 6;

const REQUESTS: usize = 8;

type Seen = (u16, Option<String>, Vec<String>, Vec<String>);

fn seen(decision: &Decision) -> Seen {
    assert_eq!(decision.fault(), None, "{decision:?}");
    let texts = |ids: &mut dyn Iterator<Item = &str>| ids.map(str::to_owned).collect();
    (
        decision.status(),
        decision.code().map(str::to_owned),
        texts(&mut decision.policies()),
        texts(&mut decision.errors()),
    )
}

/// Two decision points over one set: the second remembers nothing.
struct Pair {
    remembering: Pdp,
    forgetting: Pdp,
    compared: u64,
}

impl Pair {
    fn new(build: impl Fn() -> cedargate::PdpBuilder) -> Self {
        let build = || build().deadline(Duration::from_secs(1));
        let forgetting = build().remember(0).build().unwrap();
        Self { remembering: build().build().unwrap(), forgetting, compared: 0 }
    }

    fn compare(&mut self, principal: &Principal, request: &Request, at: Timestamp) {
        let (one, other) =
            (self.remembering.decide(principal, request, at), self.forgetting.decide(principal, request, at));
        assert_eq!(seen(&one), seen(&other), "{request:?} at {at}");
        let valid = one.valid();
        assert!(valid.is_empty() || valid.contains(&at), "{valid:?} is said at {at}");
        assert_eq!(valid, other.valid(), "{request:?} at {at}");
        self.compared += 1;
    }

    /// Walks over times, twice forth and back, with the facts of each request present and absent.
    fn walk(&mut self, profile: &Profile, requests: &[Request], times: &[i64]) {
        let principal = self.remembering.principal(profile).unwrap();
        for at in times.iter().chain(times.iter().rev()).chain(times).chain(times.iter().rev()) {
            let at = Timestamp::from_millis(*at);
            for request in requests {
                self.compare(&principal, request, at);
                let mut without = request.clone();
                (without.consumer_group, without.client_ip, without.gateway_id) = (None, None, None);
                self.compare(&principal, &without, at);
                let mut unknown = request.clone();
                (unknown.current, unknown.target) = (None, unknown.target.filter(|_| request.current.is_some()));
                self.compare(&principal, &unknown, at);
                let mut counted = without;
                (counted.budget, counted.rate) = (None, request.rate.clone());
                self.compare(&principal, &counted, at);
            }
        }
    }

    fn finish(self) {
        let remembered = self.remembering.metrics().remembered;
        println!("{} comparisons, {remembered} answered from memory", self.compared);
        assert!(remembered * 10 > self.compared, "only {remembered} of {} were remembered", self.compared);
    }
}

/// One millisecond before, at, and after.
fn around(boundaries: impl IntoIterator<Item = i64>) -> Vec<i64> {
    boundaries.into_iter().flat_map(|at| [at - 1, at, at + 1, at + 2]).collect()
}

#[test]
fn windows_of_generated_policies_are_walked_across() {
    let generated = GeneratedSet::new(200, 5);
    let bundle = generated.bundle().unwrap();
    let mut pair = Pair::new(|| Pdp::builder().bundle(bundle.clone()));
    let mut traffic = Traffic::generated(&generated, 9);
    for _ in 0..PRINCIPALS {
        let profile = traffic.profile();
        let requests: Vec<Request> = (0..REQUESTS).map(|_| traffic.request(&profile)).collect();
        let boundaries = (0..12).flat_map(|hour| {
            let from = START.as_millis() + hour * HOUR_MS;
            [from, from + 51 * 60_000]
        });
        pair.walk(&profile, &requests, &around(boundaries));
    }
    pair.finish();
}

#[test]
fn a_life_of_a_token_is_walked_across() {
    let mut pair = Pair::new(Pdp::builder);
    let mut traffic = Traffic::default_set(11);
    let start = START.as_millis();
    for number in 0..PRINCIPALS as i64 {
        let mut profile = traffic.profile();
        let boundaries = [start + 10 * HOUR_MS, start + 20 * HOUR_MS, start + 30 * HOUR_MS];
        profile.not_before = Some(Timestamp::from_millis(boundaries[0]));
        profile.expires_at = Some(Timestamp::from_millis(boundaries[2]));
        if number % 2 == 1 {
            "in_grace".clone_into(&mut profile.status);
            profile.grace_until = Some(Timestamp::from_millis(boundaries[1]));
        }
        let requests: Vec<Request> = (0..REQUESTS).map(|_| traffic.request(&profile)).collect();
        pair.walk(&profile, &requests, &around(boundaries));
    }
    pair.finish();
}

#[test]
fn tokens_that_are_asked_about_are_walked_across() {
    let mut pair = Pair::new(Pdp::builder);
    let mut traffic = Traffic::tokens(13);
    let start = START.as_millis();
    for _ in 0..PRINCIPALS {
        let mut profile = traffic.profile();
        let ends = start + 10 * HOUR_MS;
        profile.expires_at = Some(Timestamp::from_millis(ends));
        let requests: Vec<Request> = (0..4 * REQUESTS).map(|_| traffic.request(&profile)).collect();
        pair.walk(&profile, &requests, &around([start + 5 * HOUR_MS, ends]));
        // The same tokens in other hands: what is remembered of one is not said of another.
        let mut other = requests;
        for request in &mut other {
            for token in request.current.iter_mut().chain(&mut request.target) {
                (token.team_id, token.expires_at) = (Some("research".to_owned()), None);
            }
        }
        pair.walk(&profile, &other, &around([start + 5 * HOUR_MS, ends]));
    }
    pair.finish();
}
