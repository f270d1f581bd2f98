//! Why a decision point cannot be built or a policy set cannot be loaded.

use std::io;

use crate::bundle::BundleError;
use crate::diagnostics::Diagnostics;
use crate::fault::Fault;

/// Why a [`Pdp`](crate::Pdp) cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The component cannot be compiled or linked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The first policy set cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Why the component cannot be compiled, linked or run on this machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine does not run here.
    #[error("the engine cannot be set up: {cause}")]
    Engine {
        /// What the engine said.
        cause: String,
    },
    /// This build has no compiler, and no code that was compiled ahead was passed.
    #[error("this build has no compiler: pass code made by `kt component compile`, or enable the feature `compiler`")]
    NoCode,
    /// The component does not compile.
    #[error("the component does not compile: {cause}")]
    Compile {
        /// What the compiler said.
        cause: String,
    },
    /// The code that was compiled ahead does not fit this version of the crate or this machine.
    #[error("the precompiled code does not fit: {cause}. Make it again with this version's `kt component compile`")]
    Precompiled {
        /// What does not fit.
        cause: String,
    },
    /// The system forbids memory that is executable.
    #[error(
        "the system forbids executable memory: allow it to this process (systemd `MemoryDenyWriteExecute=no`, \
         SELinux `execmem`): {cause}"
    )]
    ExecutableMemory {
        /// What the system said.
        cause: String,
    },
    /// The component does not keep the contract: it imports something, or does not export `cedargate:authz@0.1.x`.
    #[error("the component does not keep the contract `cedargate:authz@0.1`: {cause}")]
    Contract {
        /// What is missing or too much.
        cause: String,
    },
    /// A thread of the SDK cannot be made.
    #[error("a thread cannot be made: {cause}")]
    Thread {
        /// What the system said.
        cause: io::Error,
    },
}

impl EngineError {
    pub(crate) fn engine(error: wasmtime::Error) -> Self {
        Self::or_forbidden(error, |cause| Self::Engine { cause })
    }

    #[cfg(feature = "compiler")]
    pub(crate) fn compile(error: wasmtime::Error) -> Self {
        Self::or_forbidden(error, |cause| Self::Compile { cause })
    }

    pub(crate) fn precompiled(error: wasmtime::Error) -> Self {
        Self::or_forbidden(error, |cause| Self::Precompiled { cause })
    }

    pub(crate) fn contract(error: wasmtime::Error) -> Self {
        Self::Contract { cause: format!("{error:#}") }
    }

    pub(crate) fn thread(cause: io::Error) -> Self {
        Self::Thread { cause }
    }

    /// Making memory executable is the only step that a system refuses by permission.
    fn or_forbidden(error: wasmtime::Error, otherwise: impl FnOnce(String) -> Self) -> Self {
        let cause = format!("{error:#}");
        let forbidden = error.chain().any(|error| {
            let system = error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::PermissionDenied);
            let number = error
                .downcast_ref::<rustix::io::Errno>()
                .is_some_and(|e| matches!(*e, rustix::io::Errno::ACCESS | rustix::io::Errno::PERM));
            system || number
        });
        if forbidden { Self::ExecutableMemory { cause } } else { otherwise(cause) }
    }
}

/// Why a policy set cannot be loaded. The set that was in force stays in force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bundle has errors. Show them to the author of the policies.
    #[error("the policy set has errors\n{0}")]
    Refused(Diagnostics),
    /// The bundle cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The component could not finish within its limits of time, memory, stack or reply.
    #[error("the policy set could not be loaded: {fault} ({cause})")]
    Fault {
        /// The kind of the cause.
        fault: Fault,
        /// What is known of it.
        cause: String,
    },
    /// The component does not speak this version of the contract.
    #[error("the component does not keep the contract `cedargate:authz@0.1`: {cause}")]
    Contract {
        /// What does not fit.
        cause: String,
    },
}

/// Why a profile is not a principal. Deny with 503 and mend the token's record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The text is not a profile: an unknown field, a `null`, a wrong type.
    #[error("not a profile: {0}")]
    Malformed(String),
    /// A value of the profile cannot be used: a limit, a binding that cannot be read, an undeclared attribute.
    #[error("the profile cannot be used: {0}")]
    Invalid(String),
    /// The component could not answer. The profile may be right.
    #[error("the profile could not be checked: {fault} ({cause})")]
    Fault {
        /// The kind of the cause.
        fault: Fault,
        /// What is known of it.
        cause: String,
    },
}
