//! The folders that an account is born with: names, attributes, separators.
//!
//! Data only. Names are ours to choose where no transcript gives them; the localised ones are
//! those that Outlook and Thunderbird create. Special-use attributes: RFC 6154 §2.

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Use {
    /// Where mail arrives.
    Inbox,
    /// Copies of what was sent.
    Sent,
    /// Unfinished mail.
    Drafts,
    /// Deleted mail.
    Trash,
    /// Suspected spam.
    Junk,
    /// Everything.
    All,
}

/// A set of folders.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Default,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Layout {
    /// English names with special-use attributes.
    #[default]
    SpecialUse,
    /// English names without attributes, as Cyrus gives them by default.
    Plain,
    /// INBOX alone.
    InboxOnly,
    /// Japanese names without attributes, on the wire in modified UTF-7.
    Japanese,
    /// German names without attributes.
    German,
    /// Gmail's labels, with All Mail.
    Gmail,
    /// Everything below INBOX, separated by dots.
    Courier,
}

/// One folder of a layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Born {
    pub(crate) name: &'static str,
    pub(crate) purpose: Use,
    /// Beside `\HasNoChildren`.
    pub(crate) attribute: &'static str,
}

const fn born(name: &'static str, purpose: Use, attribute: &'static str) -> Born {
    Born { name, purpose, attribute }
}

const INBOX: Born = born("INBOX", Use::Inbox, "");

const SPECIAL_USE: &[Born] = &[
    born("Drafts", Use::Drafts, "\\Drafts"),
    born("Junk", Use::Junk, "\\Junk"),
    born("Trash", Use::Trash, "\\Trash"),
    born("Sent", Use::Sent, "\\Sent"),
    INBOX,
];

const PLAIN: &[Born] = &[
    INBOX,
    born("Drafts", Use::Drafts, ""),
    born("Sent", Use::Sent, ""),
    born("Spam", Use::Junk, ""),
    born("Trash", Use::Trash, ""),
];

const JAPANESE: &[Born] = &[
    INBOX,
    born("下書き", Use::Drafts, ""),
    born("送信済みアイテム", Use::Sent, ""),
    born("迷惑メール", Use::Junk, ""),
    born("ゴミ箱", Use::Trash, ""),
];

const GERMAN: &[Born] = &[
    INBOX,
    born("Entwürfe", Use::Drafts, ""),
    born("Gesendete Elemente", Use::Sent, ""),
    born("Junk-E-Mail", Use::Junk, ""),
    born("Gelöschte Elemente", Use::Trash, ""),
];

const GMAIL: &[Born] = &[
    INBOX,
    born("[Gmail]/All Mail", Use::All, "\\All"),
    born("[Gmail]/Drafts", Use::Drafts, "\\Drafts"),
    born("[Gmail]/Sent Mail", Use::Sent, "\\Sent"),
    born("[Gmail]/Spam", Use::Junk, "\\Junk"),
    born("[Gmail]/Trash", Use::Trash, "\\Trash"),
];

const COURIER: &[Born] = &[
    INBOX,
    born("INBOX.Drafts", Use::Drafts, ""),
    born("INBOX.Sent", Use::Sent, ""),
    born("INBOX.Trash", Use::Trash, ""),
];

impl Layout {
    pub(crate) fn folders(self) -> &'static [Born] {
        match self {
            Self::SpecialUse => SPECIAL_USE,
            Self::Plain => PLAIN,
            Self::InboxOnly => &[INBOX],
            Self::Japanese => JAPANESE,
            Self::German => GERMAN,
            Self::Gmail => GMAIL,
            Self::Courier => COURIER,
        }
    }

    pub(crate) fn separator(self) -> char {
        match self {
            Self::Courier => '.',
            _ => '/',
        }
    }
}
