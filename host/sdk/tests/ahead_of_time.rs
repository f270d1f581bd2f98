//! Code that was compiled ahead.

use std::time::Duration;

use cedargate::model::{Profile, Request, Timestamp};
use cedargate::{BuildError, CodeCache, Component, EngineError, Pdp};

#[test]
fn code_that_was_compiled_ahead_decides_without_a_cache() {
    let code = cedargate::precompile(&Component::built_in(), None).unwrap().leak();
    let builder = Pdp::builder().deadline(Duration::from_secs(5)).cache_dir(CodeCache::disabled());
    #[expect(unsafe_code, reason = "the bytes come from the line above")]
    // SAFETY: the bytes are what `precompile` returned for the same component, unchanged.
    let pdp = unsafe { builder.precompiled(code) }.build().unwrap();
    let token = pdp.principal(&Profile::general("tok")).unwrap();
    assert!(pdp.decide(&token, &Request::new("models.list"), Timestamp::now()).is_allow());
}

#[test]
fn code_of_something_else_is_refused() {
    let builder = Pdp::builder().component(Component::from_bytes(b"\0asm\x0d\0\x01\0".to_vec()));
    #[expect(unsafe_code, reason = "bytes that are refused before anything of them runs")]
    // SAFETY: they are not an object file, which the engine sees before it uses them.
    let error = unsafe { builder.precompiled(b"not code") }.build().err().unwrap();
    assert!(matches!(error, BuildError::Engine(EngineError::Precompiled { .. })), "{error}");
}

#[test]
fn a_component_without_the_contract_is_refused() {
    let component = Component::from_bytes(b"\0asm\x0d\0\x01\0".to_vec());
    let error = Pdp::builder().component(component).cache_dir(CodeCache::disabled()).build().err().unwrap();
    assert!(matches!(error, BuildError::Engine(EngineError::Contract { .. })), "{error}");
}
