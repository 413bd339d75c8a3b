//! Folders: what is theirs to hold, by attribute (RFC 6154) or, failing that, by name.
//!
//! Names are data in many languages, as mail programs and servers create them. Apart from
//! the session, since the report and the arrival leg ask the same question. A name never
//! overrules an attribute.

use async_imap::imap_proto::{MailboxListData, NameAttribute};
use mailfleet_model::leg::FolderRole;

use super::utf7;

/// Most folders that are kept.
const MAX_FOLDERS: usize = 10_000;
/// Longest folder name that is kept, in bytes as sent.
const MAX_NAME: usize = 1_000;

/// A folder of the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    /// The name as the server writes it, for commands.
    pub(crate) name: String,
    /// The name for people.
    pub(crate) decoded: String,
    /// The last part of the decoded name.
    leaf: String,
    /// What the server says it is for.
    pub(crate) role: Option<FolderRole>,
    /// Whether it can be opened.
    pub(crate) is_selectable: bool,
}

/// How a server writes folder names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameForm {
    /// RFC 3501.
    ModifiedUtf7,
    /// RFC 9051.
    Utf8,
}

/// Collects the answer to LIST.
#[derive(Debug)]
pub(crate) struct Listing {
    form: NameForm,
    folders: Vec<Folder>,
}

impl Listing {
    /// An empty list.
    pub(crate) fn new(form: NameForm) -> Self {
        Self { form, folders: Vec::new() }
    }

    /// Takes one folder. Names that could not be given back to the server as they came are
    /// left out.
    pub(crate) fn add(&mut self, data: &MailboxListData<'_>) {
        let name = data.name.as_ref();
        let is_usable = name.len() <= MAX_NAME && !name.contains(['\u{fffd}', '\0', '\r', '\n']);
        if is_usable && self.folders.len() < MAX_FOLDERS {
            self.folders.push(folder(name, data, self.form));
        }
    }

    /// The folders in the server's order.
    pub(crate) fn into_folders(self) -> Vec<Folder> {
        self.folders
    }
}

fn folder(name: &str, data: &MailboxListData<'_>, form: NameForm) -> Folder {
    let decoded = match form {
        NameForm::ModifiedUtf7 => utf7::decode(name),
        NameForm::Utf8 => name.to_owned(),
    };
    let delimiter = data.delimiter.as_deref().filter(|d| !d.is_empty());
    let leaf = delimiter.and_then(|d| decoded.rsplit(d).next()).unwrap_or(&decoded).to_owned();
    let mut role = name.eq_ignore_ascii_case("INBOX").then_some(FolderRole::Inbox);
    let mut is_selectable = true;
    for attribute in &data.name_attributes {
        match attribute {
            NameAttribute::NoSelect => is_selectable = false,
            NameAttribute::Extension(word) if word.eq_ignore_ascii_case("\\NonExistent") => {
                is_selectable = false;
            }
            other => role = role.or(role_of(other)),
        }
    }
    Folder { name: name.to_owned(), decoded, leaf, role, is_selectable }
}

fn role_of(attribute: &NameAttribute<'_>) -> Option<FolderRole> {
    match attribute {
        NameAttribute::All => Some(FolderRole::All),
        NameAttribute::Archive => Some(FolderRole::Archive),
        NameAttribute::Drafts => Some(FolderRole::Drafts),
        NameAttribute::Junk => Some(FolderRole::Junk),
        NameAttribute::Sent => Some(FolderRole::Sent),
        NameAttribute::Trash => Some(FolderRole::Trash),
        // XLIST's words, which some servers put into LIST.
        NameAttribute::Extension(word) if word.eq_ignore_ascii_case("\\AllMail") => {
            Some(FolderRole::All)
        }
        NameAttribute::Extension(word) if word.eq_ignore_ascii_case("\\Spam") => {
            Some(FolderRole::Junk)
        }
        _ => None,
    }
}

/// The folder for a role: by attribute, else by name, where names are known for it.
pub(crate) fn find_role(folders: &[Folder], role: FolderRole) -> Option<&Folder> {
    let mut selectable = folders.iter().filter(|folder| folder.is_selectable);
    if let Some(folder) = selectable.clone().find(|folder| folder.role == Some(role)) {
        return Some(folder);
    }
    let names = names_of(role);
    selectable.find(|folder| {
        let leaf = folder.leaf.trim().to_lowercase();
        folder.role.is_none() && names.contains(&leaf.as_str())
    })
}

/// Names that mail programs and servers give to a role's folder, lower case.
fn names_of(role: FolderRole) -> &'static [&'static str] {
    match role {
        FolderRole::Sent => SENT,
        FolderRole::Junk => JUNK,
        FolderRole::Trash => TRASH,
        FolderRole::Drafts | FolderRole::Inbox | FolderRole::All | FolderRole::Archive => &[],
    }
}

/// Thunderbird, Outlook, Apple Mail, Exchange, Gmail, Coremail, QQ, GMX, Yandex, Mail.ru,
/// Yahoo! JAPAN and the usual webmail programs in their languages.
const SENT: &[&str] = &[
    "sent",
    "sent items",
    "sent messages",
    "sent mail",
    "sent-mail",
    "sentmail",
    "sent email",
    "sent objects",
    "outbox.sent",
    "送信済み",
    "送信済みアイテム",
    "送信済みメール",
    "送信済みトレイ",
    "送信メール",
    "送信箱",
    "已发送",
    "已发送邮件",
    "已发邮件",
    "已发送信件",
    "寄件備份",
    "寄件備份匣",
    "已傳送",
    "已寄出",
    "보낸 메일함",
    "보낸편지함",
    "보낸 편지함",
    "gesendet",
    "gesendete objekte",
    "gesendete elemente",
    "gesendete nachrichten",
    "отправленные",
    "отправленное",
    "надіслані",
    "відправлені",
    "envoyés",
    "éléments envoyés",
    "messages envoyés",
    "courrier envoyé",
    "envoyé",
    "enviados",
    "elementos enviados",
    "mensajes enviados",
    "correo enviado",
    "enviadas",
    "itens enviados",
    "mensagens enviadas",
    "enviats",
    "inviati",
    "posta inviata",
    "elementi inviati",
    "messaggi inviati",
    "inviata",
    "verzonden",
    "verzonden items",
    "verzonden objecten",
    "verstuurd",
    "wysłane",
    "elementy wysłane",
    "odeslané",
    "odeslaná pošta",
    "odoslané",
    "skickat",
    "skickade objekt",
    "sendt",
    "sendte elementer",
    "sendt post",
    "lähetetyt",
    "gönderilmiş öğeler",
    "gönderilenler",
    "gönderilmiş postalar",
    "elküldött",
    "elküldött elemek",
    "trimise",
    "mesaje trimise",
    "poslano",
    "απεσταλμένα",
    "đã gửi",
    "thư đã gửi",
    "ส่งแล้ว",
    "terkirim",
    "הודעות שנשלחו",
    "العناصر المرسلة",
];

const JUNK: &[&str] = &[
    "junk",
    "spam",
    "junk e-mail",
    "junk email",
    "junk mail",
    "bulk mail",
    "bulk",
    "spamverdacht",
    "迷惑メール",
    "迷惑メールフォルダ",
    "スパム",
    "垃圾邮件",
    "垃圾箱",
    "垃圾郵件",
    "스팸 메일함",
    "스팸메일함",
    "junk-e-mail",
    "unerwünscht",
    "спам",
    "нежелательная почта",
    "courrier indésirable",
    "indésirables",
    "pourriel",
    "correo no deseado",
    "no deseado",
    "lixo eletrônico",
    "lixo eletrónico",
    "posta indesiderata",
    "ongewenste e-mail",
    "ongewenst",
    "wiadomości-śmieci",
    "nevyžádaná pošta",
    "skräppost",
    "søppelpost",
    "uønsket e-mail",
    "roskaposti",
    "önemsiz e-posta",
    "istenmeyen",
];

const TRASH: &[&str] = &[
    "trash",
    "deleted items",
    "deleted messages",
    "deleted",
    "bin",
    "wastebasket",
    "ゴミ箱",
    "ごみ箱",
    "削除済みアイテム",
    "削除済みメール",
    "已删除",
    "已删除邮件",
    "垃圾桶",
    "刪除的郵件",
    "휴지통",
    "지운 편지함",
    "papierkorb",
    "gelöscht",
    "gelöschte objekte",
    "gelöschte elemente",
    "корзина",
    "удаленные",
    "удалённые",
    "corbeille",
    "éléments supprimés",
    "papelera",
    "elementos eliminados",
    "lixeira",
    "itens excluídos",
    "cestino",
    "posta eliminata",
    "prullenbak",
    "verwijderde items",
    "kosz",
    "elementy usunięte",
    "koš",
    "papperskorgen",
    "papirkurv",
    "roskakori",
    "çöp kutusu",
    "silinmiş öğeler",
];

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn listed(rows: &[(&str, &[NameAttribute<'static>])]) -> Vec<Folder> {
        let mut listing = Listing::new(NameForm::ModifiedUtf7);
        for (name, attributes) in rows {
            listing.add(&MailboxListData {
                name_attributes: attributes.to_vec(),
                delimiter: Some(Cow::Borrowed("/")),
                name: Cow::Borrowed(name),
            });
        }
        listing.into_folders()
    }

    #[track_caller]
    fn check_sent(rows: &[(&str, &[NameAttribute<'static>])], expect: Option<&str>) {
        let folders = listed(rows);
        let sent = find_role(&folders, FolderRole::Sent);
        assert_eq!(sent.map(|folder| folder.decoded.as_str()), expect);
    }

    #[test]
    fn the_attribute_wins_over_every_name() {
        check_sent(&[("Sent", &[]), ("Out", &[NameAttribute::Sent])], Some("Out"));
        let away = &[NameAttribute::Sent, NameAttribute::NoSelect];
        check_sent(&[("Gone", away), ("INBOX/Sent Items", &[])], Some("INBOX/Sent Items"));
        check_sent(&[("Sent", &[NameAttribute::Drafts])], None);
    }

    #[test]
    fn localised_names_are_known() {
        for name in [
            "送信済みアイテム",
            "送信済みメール",
            "已发送",
            "Gesendet",
            "Отправленные",
            "Envoyés",
            "ENVIADOS",
        ] {
            let wire = utf7::tests::encode(name);
            check_sent(&[("INBOX", &[]), (&wire, &[])], Some(name));
        }
        check_sent(&[("Presents", &[]), ("Sentinel", &[])], None);
    }

    #[test]
    fn the_known_names_are_in_lower_case_and_belong_to_one_role() {
        let all: Vec<&str> = [SENT, JUNK, TRASH].concat();
        let mut seen = std::collections::BTreeSet::new();
        for name in all {
            assert_eq!(name.to_lowercase(), name);
            assert!(seen.insert(name), "{name}");
        }
    }

    #[test]
    fn names_that_cannot_be_given_back_are_left_out() {
        assert!(listed(&[("bad\u{fffd}", &[])]).is_empty());
        let inbox = listed(&[("inbox", &[])]);
        assert_eq!(inbox.first().and_then(|folder| folder.role), Some(FolderRole::Inbox));
    }
}
