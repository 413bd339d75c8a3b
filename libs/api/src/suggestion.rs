//! Suggested settings on the wire.

use mailfleet_model::{Leg, Suggestion};

use crate::{endpoint, enums, leg, v1};

/// To the wire.
pub(crate) fn to_wire(suggestion: &Suggestion) -> v1::SuggestedSetting {
    v1::SuggestedSetting {
        leg: enums::number(suggestion.leg),
        endpoint: suggestion.endpoint.as_ref().map(endpoint::to_wire),
        reason: enums::number(suggestion.reason),
        proof: enums::number(suggestion.proof),
        help_url: suggestion.help_url.clone().unwrap_or_default(),
    }
}

/// From the wire; `None` for a reason or proof that this build does not know, since a
/// suggestion without its reason is no help.
pub(crate) fn from_wire(suggestion: v1::SuggestedSetting) -> Option<Suggestion> {
    Some(Suggestion {
        leg: enums::known(suggestion.leg).unwrap_or(Leg::System),
        endpoint: suggestion.endpoint.as_ref().and_then(endpoint::from_wire),
        reason: enums::known(suggestion.reason)?,
        proof: enums::known(suggestion.proof)?,
        help_url: leg::some_text(suggestion.help_url),
    })
}
