//! Keyed fingerprints: equality without the thing itself.
//!
//! Each is an HMAC-SHA-256 under a key of the deployment, made by the gateway. Rows and
//! messages may hold them; they are pseudonyms, so logs do not.

use std::fmt;

/// The fingerprints differ only in what they stand for.
macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 32]);

        /// Shows the first four bytes: enough to tell two apart in a failed test.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let [a, b, c, d, ..] = self.0;
                write!(f, concat!(stringify!($name), "({:02x}{:02x}{:02x}{:02x}…)"), a, b, c, d)
            }
        }
    )*};
}

tags! {
    /// A mailbox: its address, over all tenants. What the per-mailbox connection cap
    /// counts by.
    MailboxTag;
    /// A user name with its secret at whatever server. What the attempt budget counts by,
    /// together with the limit group.
    LoginTag;
    /// All settings of a validation, secrets included. Two that are equal may share a run.
    SettingsTag;
    /// The body of a request, secrets included. Tells a repeated request from another one
    /// that reuses its id.
    RequestTag;
}
