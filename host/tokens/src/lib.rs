//! API tokens: their secrets, their life cycle, and the store that keeps them.
//!
//! A token has a stable id and one or more secrets. Only the SHA-256 of a secret is kept. What a token may do is
//! decided by the policies from its profile; this crate says which profile a presented secret stands for.
//!
//! Nothing on the hot path waits for the database: [`Directory`] answers from memory, [`Recorder`] writes later, and
//! [`Ledger`] reserves from what it has leased.

mod audit;
mod catalogue;
mod clock;
mod describe;
mod directory;
mod hex;
mod ledger;
mod operations;
mod period;
mod record;
mod secret;
mod store;
mod token;

pub use audit::{AuditEntry, ChainHash, ChainHashError, SYSLOG_SOCKET, Sealed, Tampered, Verified, Witness, syslog};
pub use catalogue::{Catalogue, NotInCatalogue};
pub use clock::{CLOCK_BEHIND_MAX, Clock, ClockError, Skew};
pub use directory::{Availability, Directory, DirectoryOptions, Entry, Lookup};
pub use ledger::{Hold, Ledger, NotReserved};
pub use operations::{
    Actor, ActorError, BULK_MAX, Choice, Created, Draft, Edit, GRACE_DEFAULT, GRACE_MAX, KnownSecret, NewToken,
    PROFILE_BYTES_MAX, Plan, ProfileCheck, REPEAT_AFTER, Rotated, Rotation, Rules, Selector, TEXT_BYTES_MAX, TRIES_MAX,
    TokenError, TokenFilter, TokenFilterError, Tokens, UnknownFilter, Update, csv_cell, csv_header, csv_row,
};
pub use period::{Period, PeriodError};
pub use record::{
    Batch, BudgetKey, CountKey, Counted, Event, EventFilter, EventFilterError, Owner, Recorder, RecorderOptions,
    Retention, Shadow, UNLISTED, UsageCount, Verdict,
};
pub use secret::{
    EnvSegment, EnvSegmentError, GenerateError, Malformed, PRESENTED_BYTES_MAX, Prefix, Presented, SECRET_PATTERN,
    Secret, SecretHash, SecretHashError, mask_secrets,
};
pub use store::{
    Ask, BudgetStore, Change, ChangeSet, Checked, Granted, IfReplaced, Lineage, Lost, RecordStore, Replacement,
    Restored, RowSeal, SecretsPage, Settlement, SqliteOptions, SqliteStore, Store, StoreError, StoredRow, StoredSecret,
    TokenPage, TokenStore, Work, is_file_of_store, is_same_file, restore,
};
pub use token::{
    Allowance, AllowanceError, AllowanceKind, Grant, Label, SECRETS_LIVE_MAX, SecretVersion, Status, Token, Unit,
    UnknownLabel, UnknownStatus, Window,
};
