//! What each method of the port does, once for both databases.

pub(crate) mod advance;
pub(crate) mod batch;
pub(crate) mod batches;
pub(crate) mod causes;
pub(crate) mod census;
pub(crate) mod counts;
pub(crate) mod feed;
pub(crate) mod feed_view;
pub(crate) mod group;
pub(crate) mod items;
pub(crate) mod job;
pub(crate) mod notices;
pub(crate) mod occupancy;
pub(crate) mod published;
pub(crate) mod redrive;
pub(crate) mod release;
pub(crate) mod retention;
pub(crate) mod submit;
pub(crate) mod sweep;
pub(crate) mod tally;
pub(crate) mod upload;
pub(crate) mod view;
