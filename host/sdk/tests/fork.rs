//! A forked process: nothing ticks in it, so a decision point of its parent denies, and one of its own decides.
//!
//! Without the harness, whose threads and locks a fork would tear.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use cedargate::model::{Profile, Request, Timestamp};
use cedargate::{Bundle, Fault, LoadError, Pdp, ProfileError};

fn main() {
    let pdp = Pdp::builder().deadline(Duration::from_secs(5)).build().unwrap();
    let token = pdp.principal(&Profile::general("tok")).unwrap();
    let request = Request::new("models.list");
    assert!(pdp.decide(&token, &request, Timestamp::now()).is_allow());

    #[expect(unsafe_code, reason = "a fork is what is tested")]
    // SAFETY: no other thread of this process holds a lock that the child needs: the clock takes none, and the
    // threads that load and make instances are idle or gone.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let failed = in_child(&pdp, &token, &request);
        #[expect(unsafe_code, reason = "the child must not run the parent's exit handlers")]
        // SAFETY: ends the process and touches nothing.
        unsafe {
            libc::_exit(failed)
        }
    }
    let mut status = 0;
    #[expect(unsafe_code, reason = "the standard library waits only for children that it made")]
    // SAFETY: `status` is valid for writing.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0), "the step that failed is in the second byte");
    assert!(pdp.decide(&token, &request, Timestamp::now()).is_allow());
}

/// The number of the first step that failed; zero where none did.
fn in_child(pdp: &Pdp, token: &cedargate::Principal, request: &Request) -> i32 {
    let decision = pdp.decide(token, request, Timestamp::now());
    if (decision.status(), decision.fault()) != (503, Some(Fault::Unavailable)) {
        return 1;
    }
    if !pdp.decide_many(token, std::slice::from_ref(request), Timestamp::now()).iter().all(|one| one.status() == 503) {
        return 2;
    }
    let refused = pdp.principal(&Profile::general("other"));
    if !matches!(refused, Err(ProfileError::Fault { fault: Fault::Unavailable, .. })) {
        return 3;
    }
    let refused = pdp.reload_blocking(Bundle::default_set());
    if !matches!(refused, Err(LoadError::Fault { fault: Fault::Unavailable, .. })) {
        return 4;
    }
    let Ok(own) = Pdp::builder().deadline(Duration::from_secs(5)).build() else { return 5 };
    let Ok(token) = own.principal(&Profile::general("tok")) else { return 6 };
    if own.decide(&token, request, Timestamp::now()).is_allow() { 0 } else { 7 }
}
