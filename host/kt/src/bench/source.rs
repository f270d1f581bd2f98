//! Where the principals and requests of a measurement come from.

use std::collections::VecDeque;
use std::rc::Rc;

use cedargate::model::{Profile, Request, Timestamp};
use cedargate::{Pdp, Principal, ProfileError};
use cedargate_yardstick::sets::START;
use cedargate_yardstick::traffic::Traffic;

/// Principals that ask in turn.
pub(crate) const CALLERS: usize = 8;

/// Requests that one principal asks in a row, and the size of a batch.
pub(crate) const BLOCK: usize = 64;

/// Generated requests begin half an hour after the first time window does.
const LEAD_MS: i64 = 1_800_000;

/// A principal that asks.
pub(crate) struct Caller {
    pub(crate) profile: Profile,
    /// As the decision point that remembers knows it.
    pub(crate) principal: Principal,
    /// As the one that does not.
    pub(crate) forgotten: Principal,
}

/// A request of a principal, at a time.
pub(crate) struct Case {
    pub(crate) caller: Rc<Caller>,
    pub(crate) request: Request,
    pub(crate) at: Timestamp,
}

/// The recorded requests of one principal, none twice.
pub(crate) struct Recorded {
    pub(crate) profile: Profile,
    pub(crate) requests: VecDeque<(Request, Timestamp)>,
}

/// Where the requests come from.
pub(crate) enum Supply {
    /// They are generated, as many as are asked for.
    Generated(Traffic),
    /// They were recorded, and there are no more than that.
    Recorded(Vec<Recorded>),
}

/// Hands out requests that were not handed out before.
pub(crate) struct Source {
    callers: Vec<Rc<Caller>>,
    supply: Supply,
    clock_ms: i64,
    newcomers: usize,
}

impl Source {
    /// A source of requests for both decision points.
    pub(crate) fn new(mut supply: Supply, remembering: &Pdp, forgetting: &Pdp) -> Result<Self, ProfileError> {
        let profiles: Vec<Profile> = match &mut supply {
            Supply::Generated(traffic) => (0..CALLERS).map(|_| traffic.profile()).collect(),
            Supply::Recorded(recorded) => recorded.iter().map(|recorded| recorded.profile.clone()).collect(),
        };
        let mut callers = Vec::with_capacity(profiles.len());
        for profile in profiles {
            let principal = remembering.principal(&profile)?;
            let forgotten = forgetting.principal(&profile)?;
            callers.push(Rc::new(Caller { profile, principal, forgotten }));
        }
        Ok(Self { callers, supply, clock_ms: START.as_millis() + LEAD_MS, newcomers: 0 })
    }

    /// The next millisecond of the clock of generated requests.
    fn tick(&mut self) -> Timestamp {
        self.clock_ms += 1;
        Timestamp::from_millis(self.clock_ms)
    }

    /// How many requests are left; `None` where there is no end.
    pub(crate) fn left(&self) -> Option<usize> {
        match &self.supply {
            Supply::Generated(_) => None,
            Supply::Recorded(recorded) => Some(recorded.iter().map(|recorded| recorded.requests.len()).sum()),
        }
    }

    /// So many requests that were not handed out before, in blocks of one principal after the other; fewer where
    /// there are no more.
    pub(crate) fn draw(&mut self, count: usize) -> Vec<Case> {
        let mut cases: Vec<Case> = Vec::with_capacity(count);
        while cases.len() < count {
            let before = cases.len();
            for place in 0..self.callers.len() {
                let block = BLOCK.min(count.saturating_sub(cases.len()));
                cases.extend((0..block).map_while(|_| self.fresh(place)));
            }
            if cases.len() == before {
                break;
            }
        }
        cases
    }

    fn fresh(&mut self, place: usize) -> Option<Case> {
        let caller = Rc::clone(self.callers.get(place)?);
        let (request, at) = match &mut self.supply {
            Supply::Generated(traffic) => {
                let request = traffic.request(&caller.profile);
                (request, self.tick())
            }
            Supply::Recorded(recorded) => recorded.get_mut(place)?.requests.pop_front()?,
        };
        Some(Case { caller, request, at })
    }

    /// A principal that nobody has seen.
    pub(crate) fn newcomer(&mut self, like: &Case) -> (Profile, Request, Timestamp) {
        self.newcomers += 1;
        match &mut self.supply {
            Supply::Generated(traffic) => {
                let profile = traffic.profile();
                let request = traffic.request(&profile);
                (profile, request, self.tick())
            }
            Supply::Recorded(_) => {
                let mut profile = like.caller.profile.clone();
                profile.id = format!("{}-{}", profile.id, self.newcomers);
                (profile, like.request.clone(), like.at)
            }
        }
    }
}

/// A request without its counters.
pub(crate) fn uncounted(mut request: Request) -> Request {
    (request.budget, request.team_budget, request.rate, request.team_rate) = (None, None, None, None);
    request
}
