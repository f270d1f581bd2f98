//! Hosts without a compiler.

use cedargate::{BuildError, CodeCache, EngineError, Pdp};

#[cfg(feature = "compiler")]
#[test]
fn code_that_was_compiled_ahead_decides_without_a_cache() {
    use cedargate::model::{Profile, Request, Timestamp};
    use std::time::Duration;

    let code = cedargate::precompile(&cedargate::Component::built_in(), None).unwrap().leak();
    let builder = Pdp::builder().deadline(Duration::from_secs(5)).cache_dir(CodeCache::disabled());
    #[expect(unsafe_code, reason = "the bytes come from the line above")]
    // SAFETY: the bytes are what `precompile` returned for the same component, unchanged.
    let pdp = unsafe { builder.precompiled(code) }.build().unwrap();
    let token = pdp.principal(&Profile::general("tok")).unwrap();
    assert!(pdp.decide(&token, &Request::new("models.list"), Timestamp::now()).is_allow());
}

#[cfg(feature = "compiler")]
#[test]
fn code_of_something_else_is_refused() {
    let builder = Pdp::builder().component(cedargate::Component::from_bytes(b"\0asm\x0d\0\x01\0".to_vec()));
    #[expect(unsafe_code, reason = "bytes that are refused before anything of them runs")]
    // SAFETY: they are not an object file, which the engine sees before it uses them.
    let error = unsafe { builder.precompiled(b"not code") }.build().err().unwrap();
    assert!(matches!(error, BuildError::Engine(EngineError::Precompiled { .. })), "{error}");
}

#[cfg(feature = "compiler")]
#[test]
fn a_component_without_the_contract_is_refused() {
    let component = cedargate::Component::from_bytes(b"\0asm\x0d\0\x01\0".to_vec());
    let error = Pdp::builder().component(component).cache_dir(CodeCache::disabled()).build().err().unwrap();
    assert!(matches!(error, BuildError::Engine(EngineError::Contract { .. })), "{error}");
}

#[cfg(not(feature = "compiler"))]
#[test]
fn without_a_compiler_and_without_code_the_error_says_what_to_do() {
    let error = Pdp::builder().cache_dir(CodeCache::disabled()).build().err().unwrap();
    assert!(matches!(error, BuildError::Engine(EngineError::NoCode)));
    assert!(error.to_string().contains("kt component compile"), "{error}");
}
