//! Threads with little stack decide like any other. An overflow outside the component would abort this process.

use std::thread;
use std::time::Duration;

use cedargate::model::{Profile, Request, Timestamp};
use cedargate::{Bundle, Pdp};

#[test]
fn small_threads_decide() {
    let pdp = Pdp::builder().deadline(Duration::from_secs(5)).build().unwrap();
    for stack_bytes in [64 << 10, 256 << 10, 512 << 10] {
        let pdp = pdp.clone();
        let thread = thread::Builder::new().stack_size(stack_bytes).spawn(move || {
            let token = pdp.principal(&Profile::general("tok")).unwrap();
            let request = Request::new("models.list");
            let one = pdp.decide(&token, &request, Timestamp::now()).is_allow();
            let many = pdp.decide_many(&token, &[request], Timestamp::now());
            let reloaded = pdp.reload_blocking(Bundle::default_set()).is_ok();
            one && reloaded && many.iter().all(cedargate::Decision::is_allow)
        });
        assert!(thread.unwrap().join().unwrap(), "{stack_bytes} bytes of stack");
    }
}

#[test]
fn a_small_thread_builds() {
    let thread = thread::Builder::new().stack_size(64 << 10).spawn(|| Pdp::builder().build().is_ok());
    assert!(thread.unwrap().join().unwrap());
}
