//! Measures what decisions cost, beside plain Cedar: in process, through the component, in batches, on two threads.

pub(crate) mod compare;
pub(crate) mod equality;
pub(crate) mod figure;
pub(crate) mod instances;
pub(crate) mod lap;
pub(crate) mod measure;
pub(crate) mod memory;
pub(crate) mod recorded;
pub(crate) mod row;
pub(crate) mod source;
pub(crate) mod subject;
pub(crate) mod table;
pub(crate) mod threads;
