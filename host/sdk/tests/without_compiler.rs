//! A build without the compiler takes code that was compiled ahead, and nothing else.
#![cfg(not(feature = "compiler"))]

use cedargate::{BuildError, EngineError, Pdp};

#[test]
fn without_code_the_error_says_what_to_do() {
    let error = Pdp::builder().build().err().unwrap();
    assert!(matches!(error, BuildError::Engine(EngineError::NoCode)));
    assert!(error.to_string().contains("kt component compile"), "{error}");
}

#[test]
fn bytes_that_are_no_code_are_refused() {
    #[expect(unsafe_code, reason = "bytes that are refused before anything of them runs")]
    // SAFETY: they are not an object file, which the engine sees before it uses them.
    let error = unsafe { Pdp::builder().precompiled(b"not code") }.build().err().unwrap();
    assert!(matches!(error, BuildError::Engine(EngineError::Precompiled { .. })), "{error}");
}
