//! An error with all its causes, for the one place that logs it.

use std::error::Error;
use std::fmt;

/// Most causes shown; a longer chain is a loop or a mistake.
const MAX_CAUSES: usize = 16;

/// Shows an error and its causes, separated by `: `.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(&'a (dyn Error + 'static));

/// Wraps an error so that it shows its causes too.
#[must_use]
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> Chain<'a> {
    Chain(error)
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let causes = std::iter::successors(self.0.source(), |&cause| cause.source());
        causes.take(MAX_CAUSES).try_for_each(|cause| write!(f, ": {cause}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot listen")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn every_cause_is_shown_once() {
        let error = Outer(std::io::Error::other("address in use"));
        assert_eq!(chain(&error).to_string(), "cannot listen: address in use");
    }
}
