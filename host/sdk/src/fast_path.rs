//! How a decision is made quickly, and why the quick way says what Cedar says. For the engineer who must trust it;
//! there is nothing to call here.
//!
//! # What is done once
//!
//! **When a set is loaded**, in an instance that is thrown away: Cedar parses every policy and validates it strictly
//! against the schema. Then each condition is compiled to a graph of nodes in which the same expression stands once,
//! entity ids and strings become numbers, and constants are folded. Every construct of the language has a compiled
//! form, so a set either is compiled whole or, should Cedar ever grow a construct that this version does not know,
//! decides by Cedar's own evaluator (`full_scans` in [`MetricsSnapshot`](crate::MetricsSnapshot) counts that). The
//! image that further instances restore is this compiled form: they parse and validate nothing.
//!
//! **When a principal is prepared**: its profile becomes an entity with attributes and ancestors, in the same numbers.
//!
//! # Which policies are looked at
//!
//! A condition is a conjunction: principal, action and resource of the scope, then every `when` and `unless`. Cedar
//! evaluates it from left to right and stops at the first conjunct that is false. So a policy may be left out exactly
//! where it is *false without error*: one conjunct is false, and no conjunct to its left can err. Which expressions
//! can err is decided by form alone: arithmetic, negation, `getTag`, `offset`, `durationSince`, `toDate`, and
//! attributes of entities other than the variables; everything else cannot, since strict validation has shown that
//! each optional attribute is asked for with `has` before it is read.
//!
//! Three steps use this rule:
//!
//! - *Actions.* Conjuncts that depend on the action alone are evaluated once for each action of the schema. An action
//!   that the schema does not know is the declared `(unknown)`.
//! - *Index.* A conjunct that compares what a principal or a request *is* with a constant (`==`, `in`, `contains` of a
//!   literal set, `isInRange`) puts its policy into the bucket of that constant. Of several such conjuncts the one
//!   with the smallest bucket is chosen. A request opens the buckets of its own values: those of its model with all
//!   ancestors, its gateway, its address, and so on. A policy with a window in time is found by the time. The rest is
//!   looked at for every request.
//! - *Principal.* After a principal has come back a few times, the policies that are left are looked at, some at a
//!   time, and those that are false for it whatever it asks are dropped. The first decisions never pay for this.
//!
//! What is left is evaluated whole; there is no early end, since an error after a satisfied forbid still counts.
//!
//! # What is remembered
//!
//! **In an instance**: for a request's text, what of a decision cannot change while principal and text are the same:
//! the policies that are satisfied whatever the counters are, and of the others the conjuncts that depend on counters.
//! Those are evaluated every time. It is used between the two boundaries around the time at which it was found, where
//! no comparison with the time can have another result; where the time is used in any other way, the conjuncts that
//! depend on it are evaluated every time, too. What errs, and what mixes counters with other facts of the request in
//! one conjunct, is not remembered.
//!
//! **In this crate**: whole decisions, in the interval that the component declared. It ends at the next moment at
//! which a comparison of the time with a constant, or with a value of the principal, may change; it is empty where the
//! time is used in any other way or a policy erred. The set's `max_cache_ms` bounds what a decision says of itself to
//! caches elsewhere, which see no revocation; here, a changed profile is another principal, so what was decided holds
//! until the next such moment. A `max_cache_ms` of zero switches this memory off. Requests with counters are never
//! remembered here.
//!
//! Keys are whole texts and never their hashes. Tables have a fixed number of places for each key, and one principal
//! has a part of them, so that neither chosen requests nor a busy neighbour can do more than make entries be
//! forgotten. A reload swaps the whole set and with it everything that was remembered; a changed profile is another
//! principal. So the very next decision uses what is new.
//!
//! # What shows it
//!
//! The suite compares every decision of the quick way with Cedar's own evaluator over generated sets that overlap,
//! err and use every part of the language, with sets that were loaded and sets that were restored, for requests that
//! are new, remembered, and remembered with other counters and times; walks clock and facts across every boundary; and
//! compares with plain `cedar-policy` over facts that were built independently.
