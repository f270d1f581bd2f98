//! The addresses that a gateway listens at, by who comes there.

use std::fmt;

/// Who is listened to at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Clients of models.
    Clients,
    /// Who asks for health and metrics.
    Admin,
    /// Who manages tokens over HTTP.
    Control,
}

impl Door {
    /// How another address is chosen.
    pub(crate) const fn cure(self) -> &'static str {
        match self {
            Self::Clients => "with `--listen`, or in the configuration under `listeners`",
            Self::Admin => "with `--admin`, or in the configuration under `admin`",
            Self::Control => "in the configuration under `control`",
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clients => "clients",
            Self::Admin => "health and metrics",
            Self::Control => "the management of tokens",
        })
    }
}
