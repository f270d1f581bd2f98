//! From an HTTP request to the facts of a decision, and from a denial to an HTTP response.
//!
//! A proxy takes these steps for each request; [`layer::AuthorizeLayer`] takes them for a `tower` stack:
//!
//! 1. [`reply::Caller`] notes in which dialect to answer.
//! 2. [`credential::present`] reads the one credential, and the host looks up its principal.
//! 3. [`extract::Envelope::open`] reads route, query and headers; the host then reads the body up to
//!    [`Envelope::body_bytes_max`](extract::Envelope::body_bytes_max) and
//!    [`Envelope::read`](extract::Envelope::read) makes it what is [`Asked`](extract::Asked).
//! 4. [`facts::Facts`] adds what the host knows, and [`admit::admit`] asks the policies.
//! 5. [`hygiene::strip`] takes from the headers what no provider may see; or [`reply::reply`] denies.
//!
//! ```
//! use cedargate_http::catalogue::{ModelTable, Unlisted};
//! use cedargate_http::extract::{Envelope, Limits};
//! use cedargate_http::{credential, facts::Facts};
//! use http::Request;
//!
//! let mut models = ModelTable::builder();
//! models.provider("openai", Unlisted::Refused).model("openai", "gpt-4o");
//! let models = models.build()?;
//!
//! let request = Request::post("/v1/chat/completions")
//!     .header("authorization", "Bearer kt_live_example")
//!     .header("content-type", "application/json");
//! let (parts, body) = request.body(r#"{"model":"gpt-4o","messages":[]}"#)?.into_parts();
//!
//! let credential = credential::present(&parts)?;
//! assert_eq!(credential.expose(), "kt_live_example");
//! let asked = Envelope::open(&parts, &Limits::default())?.read(body.as_bytes(), &models)?;
//! let facts = Facts { gateway_id: Some("gw-east".into()), ..Facts::default() };
//! for (candidate, request) in facts.requests(&asked) {
//!     assert_eq!(request.action, "chat.completions");
//!     assert_eq!(candidate.map(|candidate| candidate.provider), Some("openai".into()));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here admits a request: a [`Permit`](cedargate::Permit) comes from a decision of the component. What is
//! ambiguous is refused before a decision is asked for.

pub mod admit;
pub mod catalogue;
pub mod client_ip;
pub mod credential;
pub mod discovery;
pub mod escape;
pub mod extract;
pub mod facts;
pub mod hygiene;
pub mod layer;
pub mod models;
pub mod reply;
pub mod route;
