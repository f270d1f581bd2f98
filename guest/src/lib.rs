//! The decision of cedargate: Cedar policies over typed facts.
//!
//! Everything here is pure and runs natively too; built for `wasm32-unknown-unknown`, the module at the end of
//! this file exports it through the contract in `wit/`. The rooms, in the order in which a bundle and then a request
//! comes through them:
//!
//! - `contract`: the texts that go in and out;
//! - `load`: from a bundle's text to a set, with the guards that stand before Cedar's parsers;
//! - `cedar`: all that needs Cedar itself;
//! - `facts`: from a profile and a request to the entities and the context that policies read;
//! - `program`: the compiled policies;
//! - `decide`: a decision, and what is remembered of it.

mod cedar;
mod contract;
mod decide;
mod facts;
mod load;
mod program;

pub use cedar::general::authorize;
pub use contract::abi::{CEDAR_LANGUAGE, CONTRACT, abi};
pub use contract::limits::Limits;
pub use contract::profile::InputError;
pub use contract::reads::{FIELDS, Fields};
pub use contract::text::text;
pub use contract::time::Millis;
pub use decide::policy_set::PolicySet;
pub use decide::principal::Principal;
pub use decide::{Decision, decide, decide_plainly};
pub use load::image::{image, restore};
pub use load::policy_depth::check as check_depth;
pub use load::{LoadError, load};

/// The exports of the component. Nothing is decided here.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, missing_docs, reason = "generated glue of the component model")]
mod component {
    use crate::contract::profile::InputError;
    use crate::contract::text;
    use crate::decide::decide;
    use crate::load::LoadError as Refused;
    use crate::load::image::ImageError;
    use std::rc::Rc;

    wit_bindgen::generate!({ path: "wit", world: "plugin", generate_all });

    use exports::cedargate::authz::authz::{
        AuthorizeError, DecideError, Decision, Guest, GuestPolicySet, GuestPrincipal, LoadError, PolicySet,
        PrepareError, Principal, RestoreError,
    };

    struct Plugin;

    struct Set(Rc<crate::decide::policy_set::PolicySet>);

    struct Prepared(crate::decide::principal::Principal);

    impl Guest for Plugin {
        type PolicySet = Set;
        type Principal = Prepared;

        fn abi() -> String {
            crate::contract::abi::abi()
        }
    }

    impl GuestPolicySet for Set {
        fn load(bundle: String) -> Result<PolicySet, LoadError> {
            match crate::load::load(&bundle) {
                Ok(set) => Ok(PolicySet::new(Self(Rc::new(set)))),
                Err(Refused::Malformed(text)) => Err(LoadError::Malformed(text)),
                Err(Refused::Refused(report)) => {
                    Err(LoadError::Refused(serde_json::to_string(&report).unwrap_or_default()))
                }
            }
        }

        fn restore(image: Vec<u8>) -> Result<PolicySet, RestoreError> {
            let set = crate::load::image::restore(&image).map_err(|error| match error {
                ImageError::Foreign => RestoreError::ImageForeign(error.to_string()),
                ImageError::Short | ImageError::Changed => RestoreError::ImageInvalid(error.to_string()),
            })?;
            Ok(PolicySet::new(Self(Rc::new(set))))
        }

        fn image(&self) -> Vec<u8> {
            crate::load::image::image(&self.0)
        }

        fn info(&self) -> String {
            self.0.info()
        }

        fn prepare(&self, profile: String) -> Result<Principal, PrepareError> {
            match crate::decide::principal::Principal::prepare(Rc::clone(&self.0), &profile) {
                Ok(principal) => Ok(Principal::new(Prepared(principal))),
                Err(InputError::Malformed(text)) => Err(PrepareError::Malformed(text)),
                Err(InputError::Invalid(text)) => Err(PrepareError::ProfileInvalid(text)),
            }
        }

        fn authorize(&self, call: String) -> Result<String, AuthorizeError> {
            match crate::cedar::general::authorize(&self.0, &call) {
                Ok(answer) if answer.len() > self.0.limits().load_reply_bytes => {
                    Err(AuthorizeError::ReplyTooLarge("the answer is larger than `load_reply_bytes`".into()))
                }
                Ok(answer) => Ok(answer),
                Err(InputError::Malformed(text)) => Err(AuthorizeError::Malformed(text)),
                Err(InputError::Invalid(text)) => Err(AuthorizeError::RequestInvalid(text)),
            }
        }
    }

    impl GuestPrincipal for Prepared {
        fn decide(&self, at: i64, request: String, counters: String) -> Result<Decision, DecideError> {
            self.one(at, &request, &counters)
        }

        fn decide_many(
            &self,
            at: i64,
            requests: Vec<String>,
            counters: Vec<String>,
        ) -> Vec<Result<Decision, DecideError>> {
            let batch = self.0.set.limits().batch;
            let wrong = if requests.len() > batch {
                Some(format!("the batch has {} requests, the limit is {batch}", requests.len()))
            } else if !counters.is_empty() && counters.len() != requests.len() {
                Some("the batch has another number of counters than of requests".to_owned())
            } else {
                None
            };
            if let Some(why) = wrong {
                return requests.iter().map(|_| Err(DecideError::Malformed(why.clone()))).collect();
            }
            let mut counters = counters.iter();
            requests.iter().map(|request| self.one(at, request, counters.next().map_or("", String::as_str))).collect()
        }

        fn decide_text(&self, at: i64, request: String, counters: String) -> String {
            text::text(&self.0.set, at, &decide(&self.0, at, &request, &counters))
        }
    }

    impl Prepared {
        fn one(&self, at: i64, request: &str, counters: &str) -> Result<Decision, DecideError> {
            match decide(&self.0, at, request, counters) {
                Ok(decision) if !text::fits(&self.0.set, &decision) => {
                    Err(DecideError::ReplyTooLarge("the decision is larger than `reply_bytes`".into()))
                }
                Ok(decision) => Ok(numbers(decision)),
                Err(InputError::Malformed(text)) => Err(DecideError::Malformed(text)),
                Err(InputError::Invalid(text)) => Err(DecideError::RequestInvalid(text)),
            }
        }
    }

    fn numbers(decision: crate::decide::Decision) -> Decision {
        let effect = u32::from(decision.is_allow());
        let crate::decide::Decision { outcome, deciding, policies, errors, messages: _, since, until, reads } =
            decision;
        Decision { effect, outcome: outcome as u32, deciding, policies, errors, since, until, reads: reads.to_places() }
    }

    export!(Plugin);
}
