//! What each method of the port does, once for both databases.

pub(crate) mod advance;
pub(crate) mod batch;
pub(crate) mod counts;
pub(crate) mod group;
pub(crate) mod job;
pub(crate) mod published;
pub(crate) mod release;
pub(crate) mod retention;
pub(crate) mod submit;
pub(crate) mod sweep;
pub(crate) mod view;
