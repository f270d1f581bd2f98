//! Everything that needs Cedar itself: reading its values, lowering its conditions, checking a schema, and deciding
//! the plain way. Nothing outside of this room imports Cedar.

pub(crate) mod compile;
pub(crate) mod entities;
pub(crate) mod full;
pub(crate) mod general;
pub(crate) mod import;
pub(crate) mod lower;
pub(crate) mod oracle;
pub(crate) mod policies;
pub(crate) mod schema;
pub(crate) mod schema_check;
pub(crate) mod statics;
pub(crate) mod types;
pub(crate) mod uid;
pub(crate) mod value;
