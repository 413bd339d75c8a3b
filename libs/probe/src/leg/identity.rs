//! How legs introduce themselves, and what an operator may switch off.

/// How we introduce ourselves to mail servers.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Name in EHLO: a host name of ours, or `None` for the address literal of the
    /// connection (RFC 5321 section 4.1.3).
    pub ehlo_name: Option<String>,
    /// `name` in IMAP ID (RFC 2971).
    pub name: String,
    /// `version` in IMAP ID.
    pub version: String,
    /// `support-url` in IMAP ID.
    pub support_url: Option<String>,
}

/// Rules of the product that an operator may switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether Courier-IMAP is refused (`SERVER_SOFTWARE_UNSUPPORTED`) or only named.
    pub courier: CourierRule,
}

/// What is made of Courier-IMAP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CourierRule {
    /// A blocking fault: replies cannot be recorded there.
    #[default]
    Refuse,
    /// A warning.
    Warn,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            ehlo_name: None,
            name: "mailfleet".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            support_url: None,
        }
    }
}
