//! The decision of cedargate: Cedar policies over typed facts.
//!
//! Everything here is pure and runs natively too; built for `wasm32-unknown-unknown`, the module at the end of
//! this file exports it through the contract in `wit/`. The way of a request:
//!
//! - a bundle's text becomes a set: [`load`] through [`gate`], [`annotation`], [`reads`], [`probe`];
//! - a profile's text becomes a prepared principal: [`profile`], [`facts`], [`principal`];
//! - a request's text becomes a decision: [`profile`], [`facts`], [`decide`], [`text`];
//! - beside it stand [`general`], which asks Cedar alone, and [`image`], which hands a set to another instance.

pub mod abi;
pub mod analysis;
pub mod annotation;
pub mod attributes;
pub mod bundle;
pub mod code;
pub mod compile;
pub mod decide;
pub mod diagnostic;
pub mod evaluate;
pub mod facts;
pub mod gate;
pub mod general;
pub mod hierarchy;
pub mod id;
pub mod image;
pub mod import;
pub mod index;
pub mod kind;
pub mod limits;
pub mod load;
pub mod memory;
pub mod names;
pub mod network;
pub mod plain;
pub mod plan;
pub mod principal;
pub mod probe;
pub mod profile;
pub mod reach;
pub mod reads;
pub mod rules;
pub mod schema_gate;
pub mod set;
pub mod shape;
pub mod statics;
pub mod strict;
pub mod text;
pub mod time;
pub mod token;
pub mod val;
pub mod value;
pub mod vocabulary;
pub mod windows;

/// The exports of the component. Nothing is decided here.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, missing_docs, reason = "generated glue of the component model")]
mod component {
    use crate::decide::decide;
    use crate::image::ImageError;
    use crate::load::LoadError as Refused;
    use crate::profile::InputError;
    use crate::text;
    use std::rc::Rc;

    wit_bindgen::generate!({ path: "wit", world: "plugin", generate_all });

    use exports::cedargate::authz::authz::{
        AuthorizeError, DecideError, Decision, Guest, GuestPolicySet, GuestPrincipal, LoadError, PolicySet,
        PrepareError, Principal, RestoreError,
    };

    struct Plugin;

    struct Set(Rc<crate::set::PolicySet>);

    struct Prepared(crate::principal::Principal);

    impl Guest for Plugin {
        type PolicySet = Set;
        type Principal = Prepared;

        fn abi() -> String {
            crate::abi::abi()
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
            let set = crate::image::restore(&image).map_err(|error| match error {
                ImageError::Foreign => RestoreError::ImageForeign(error.to_string()),
                ImageError::Short | ImageError::Changed => RestoreError::ImageInvalid(error.to_string()),
            })?;
            Ok(PolicySet::new(Self(Rc::new(set))))
        }

        fn image(&self) -> Vec<u8> {
            crate::image::image(&self.0)
        }

        fn info(&self) -> String {
            self.0.info()
        }

        fn prepare(&self, profile: String) -> Result<Principal, PrepareError> {
            match crate::principal::Principal::prepare(Rc::clone(&self.0), &profile) {
                Ok(principal) => Ok(Principal::new(Prepared(principal))),
                Err(InputError::Malformed(text)) => Err(PrepareError::Malformed(text)),
                Err(InputError::Invalid(text)) => Err(PrepareError::ProfileInvalid(text)),
            }
        }

        fn authorize(&self, call: String) -> Result<String, AuthorizeError> {
            match crate::general::authorize(&self.0, &call) {
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
