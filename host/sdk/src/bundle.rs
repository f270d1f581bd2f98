//! A bundle: the texts of one policy set.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::folder;
use crate::layout::{self, Kind};
use crate::limits::Limits;
use crate::lock::{self, LockMismatch};
use crate::settings::Settings;

/// Bytes of all files of a bundle, where no limit says otherwise.
pub(crate) const BUNDLE_BYTES_MAX: u64 = 16 << 20;

include!(concat!(env!("OUT_DIR"), "/default_set.rs"));

/// The texts of one policy set: schema, policies, static entities, template links and settings.
///
/// Cheap to clone. Whether the policies are right is said when it is loaded.
///
/// ```
/// use cedargate::Bundle;
///
/// let bundle = Bundle::default_set();
/// assert!(bundle.files().any(|(name, _)| name == "schema.cedarschema"));
/// ```
#[derive(Clone)]
pub struct Bundle {
    files: Arc<BTreeMap<String, String>>,
    settings: Arc<Settings>,
    limits: Limits,
}

impl Bundle {
    /// The policies that come with this crate.
    #[must_use]
    pub fn default_set() -> Self {
        let files = DEFAULT_SET.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Self {
            files: Arc::new(files),
            settings: Arc::new(Settings::of_default_set(DEFAULT_SET)),
            limits: Limits::default(),
        }
    }

    /// Reads a folder: `schema.cedarschema`, every `*.cedar` at any depth, `entities.json`, `*.links.json` and
    /// `bundle.toml`. Other files and hidden ones are not part of it.
    ///
    /// Where the folder holds a `policies.lock`, its files must be those that the lock names: a half-copied folder
    /// is a valid and more permissive set.
    ///
    /// # Errors
    ///
    /// [`BundleError`] where a file cannot be read or does not belong in a bundle, where there is no policy, and
    /// where the lock does not fit.
    pub fn from_dir(path: impl AsRef<Path>) -> Result<Self, BundleError> {
        let (files, lock) = folder::read(path.as_ref(), BUNDLE_BYTES_MAX)?;
        if let Some(text) = lock {
            lock::check(&text, &files)?;
        }
        Self::new(files)
    }

    /// As [`from_dir`](Self::from_dir), where the folder holds a `policies.lock`: for servers, which nobody tells
    /// whether a folder is whole.
    ///
    /// # Errors
    ///
    /// [`BundleError`] as [`from_dir`](Self::from_dir), and [`BundleError::NoLock`] where there is none.
    pub fn from_locked_dir(path: impl AsRef<Path>) -> Result<Self, BundleError> {
        let (files, lock) = folder::read(path.as_ref(), BUNDLE_BYTES_MAX)?;
        lock::check(&lock.ok_or(BundleError::NoLock)?, &files)?;
        Self::new(files)
    }

    /// A bundle of files in memory, laid out like a folder. A `policies.lock` among them is honoured.
    ///
    /// # Errors
    ///
    /// [`BundleError`] as [`from_dir`](Self::from_dir), and [`BundleError::Name`] where a name is not one of a
    /// bundle's files.
    pub fn from_files(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, BundleError> {
        let mut kept = BTreeMap::new();
        let mut lock = None;
        let mut bytes = 0_u64;
        for (name, text) in files {
            bytes = bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
            if bytes > BUNDLE_BYTES_MAX {
                return Err(BundleError::TooLarge { limit: BUNDLE_BYTES_MAX });
            }
            if name == layout::LOCK {
                lock = Some(text);
            } else if layout::kind(&name).is_none() || kept.contains_key(&name) {
                return Err(BundleError::Name { name });
            } else {
                kept.insert(name, text);
            }
        }
        if let Some(text) = lock {
            lock::check(&text, &kept)?;
        }
        Self::new(kept)
    }

    fn new(files: BTreeMap<String, String>) -> Result<Self, BundleError> {
        if !files.keys().any(|name| layout::kind(name) == Some(Kind::Policy)) {
            return Err(BundleError::NoPolicy);
        }
        if !files.contains_key(layout::SCHEMA) {
            return Err(BundleError::NoSchema);
        }
        let settings = Settings::read(files.get(layout::SETTINGS).map(String::as_str))?;
        Ok(Self { files: Arc::new(files), settings: Arc::new(settings), limits: Limits::default() })
    }

    /// The same bundle with limits of the host's, which win over those of `bundle.toml`.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits.or(&self.limits);
        self
    }

    /// Names and texts, sorted by name.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// What `policies.lock` holds for these files.
    #[must_use]
    pub fn lock_text(&self) -> String {
        lock::text(&self.files)
    }

    /// The limits that are not the component's defaults.
    pub(crate) fn limits(&self) -> Limits {
        self.limits.clone().or(self.settings.limits())
    }

    /// The bundle as the contract's JSON text.
    pub(crate) fn to_text(&self) -> Result<String, BundleError> {
        let of = |kind: Kind| {
            self.files()
                .filter(move |(name, _)| layout::kind(name) == Some(kind))
                .map(|(name, text)| File { name, text })
        };
        let text = Text {
            v: 1,
            kind: "profile",
            schema: of(Kind::Schema).next(),
            policies: of(Kind::Policy).collect(),
            entities: of(Kind::Entities).next(),
            links: of(Kind::Links).collect(),
            settings: &self.settings,
            sees_changes: true,
            limits: self.limits(),
        };
        serde_json::to_string(&text).map_err(|error| BundleError::Text { cause: error.to_string() })
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("files", &self.files.keys()).field("limits", &self.limits).finish()
    }
}

/// Writes the `policies.lock` of a folder and returns its path.
///
/// # Errors
///
/// [`BundleError`] where the folder is not a bundle, whatever lock it holds now, or the file cannot be written.
pub fn write_lock(folder: impl AsRef<Path>) -> Result<PathBuf, BundleError> {
    let folder = folder.as_ref();
    let (files, _) = folder::read(folder, BUNDLE_BYTES_MAX)?;
    let bundle = Bundle::new(files)?;
    folder::write_whole(folder, layout::LOCK, &bundle.lock_text())
}

#[derive(Serialize)]
struct Text<'a> {
    v: u8,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<File<'a>>,
    policies: Vec<File<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entities: Option<File<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<File<'a>>,
    settings: &'a Settings,
    /// What is remembered here goes with the set, and a changed profile is another principal.
    sees_changes: bool,
    limits: Limits,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    text: &'a str,
}

/// Why a folder or a list of files is not a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file or folder cannot be read or written.
    #[error("cannot {action} `{}`: {cause}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file is not UTF-8.
    #[error("`{file}` is not UTF-8: save it as UTF-8")]
    NotUtf8 {
        /// The file.
        file: String,
    },
    /// A symbolic link points out of the folder.
    #[error("`{file}` is a link out of the folder: copy what it points to into the folder")]
    LinkOutside {
        /// The link.
        file: String,
    },
    /// A file is neither a regular file nor a folder.
    #[error("`{file}` is not a regular file: remove it")]
    SpecialFile {
        /// The file.
        file: String,
    },
    /// Folders lie too deep in each other, or there are too many files.
    #[error("the folder is deeper or holds more files than a bundle may: {detail}")]
    TooMany {
        /// What there is too much of.
        detail: String,
    },
    /// The files are too large together.
    #[error("the bundle is larger than {limit} bytes: split the set, and move what is no policy out of it")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// There is no policy: such a set would deny everything, and most likely the folder is the wrong one.
    #[error("no policy: a bundle holds at least one `.cedar` file")]
    NoPolicy,
    /// There is no schema.
    #[error("no schema: a bundle holds `schema.cedarschema`")]
    NoSchema,
    /// A file in memory has a name that no file of a bundle has, or that another one has.
    #[error("`{name}` is not the name of a bundle's file, or stands twice")]
    Name {
        /// The name.
        name: String,
    },
    /// `bundle.toml` cannot be read.
    #[error("`bundle.toml`: {detail}")]
    Settings {
        /// What is wrong, with line and column where they are known.
        detail: String,
    },
    /// There is no `policies.lock`, where one is asked for.
    #[error(
        "no `policies.lock`, without which a half-copied folder is a valid and more permissive set: where the folder \
         is whole, write it with `kt policy lock`"
    )]
    NoLock,
    /// `policies.lock` cannot be read.
    #[error("`policies.lock`, line {line}: {detail}: write it again with `kt policy lock`")]
    LockInvalid {
        /// The line, from 1 on.
        line: usize,
        /// What is wrong.
        detail: &'static str,
    },
    /// The files are not those that `policies.lock` names.
    #[error(transparent)]
    LockMismatch(#[from] LockMismatch),
    /// The bundle cannot be written as JSON.
    #[error("the bundle cannot be written as JSON: {cause}")]
    Text {
        /// What is wrong.
        cause: String,
    },
}
