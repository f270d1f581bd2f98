//! A system that forbids executable memory, as systemd's `MemoryDenyWriteExecute=yes` does.
//!
//! Without the harness: what is forbidden to a process stays forbidden to it.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use cedargate::{BuildError, CodeCache, Component, EngineError, Pdp, PdpBuilder};

/// A component that holds one function, `nop`, and so has code to load. It does not keep the contract.
const NOP: &[u8] = b"\0asm\x0d\0\x01\0\x01\x18\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";

fn main() {
    let component = Component::from_bytes(NOP);
    let ahead = cedargate::precompile(&component, None).unwrap().leak();
    // Where the target folder can be written to by others, nothing is kept, and the second start compiles too.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("executable-memory");
    let kept = || Pdp::builder().component(component.clone()).cache_dir(CodeCache::folder(folder.clone()));
    let compiled = || Pdp::builder().component(component.clone()).cache_dir(CodeCache::disabled());
    #[expect(unsafe_code, reason = "the bytes come from the line above")]
    // SAFETY: the bytes are what `precompile` returned for the same component, unchanged.
    let ahead = || unsafe { compiled().precompiled(ahead) };

    for allowed in [kept(), compiled(), ahead()] {
        assert!(matches!(refusal(allowed), EngineError::Contract { .. }));
    }
    if !forbid() {
        eprintln!("not tested: this kernel cannot forbid executable memory (Linux 6.3 or newer can)");
        return;
    }
    for forbidden in [kept(), compiled(), ahead()] {
        let error = refusal(forbidden);
        assert!(matches!(error, EngineError::ExecutableMemory { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("`MemoryDenyWriteExecute=no`") && text.contains("`execmem`"), "{text}");
    }
}

fn refusal(builder: PdpBuilder) -> EngineError {
    match builder.build().err().unwrap() {
        BuildError::Engine(error) => error,
        other => panic!("{other}"),
    }
}

/// From now on, no memory of this process becomes executable. False where the kernel does not know how.
fn forbid() -> bool {
    let (refuse, unused) = (libc::c_ulong::from(libc::PR_MDWE_REFUSE_EXEC_GAIN), libc::c_ulong::MIN);
    #[expect(unsafe_code, reason = "the standard library cannot forbid it")]
    // SAFETY: takes numbers only.
    unsafe {
        libc::prctl(libc::PR_SET_MDWE, refuse, unused, unused, unused) == 0
    }
}
