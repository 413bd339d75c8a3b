//! Rows about the state of an account or mailbox: in use, locked, expired, not allowed,
//! full, asking for an ID, not to be opened.
//!
//! Most servers hide these behind a generic refusal; where they speak, their words
//! overlap with those about addresses and recipients, hence the exclusions. Data only.

use FaultCode as C;
use mailfleet_model::FaultCode;
use mailfleet_model::Protocol::Imap;

use super::{Moments as M, Row, row};

/// Another session holds the mailbox.
pub(super) const IN_USE: &str = "maildrop already|maildrop is locked|maildrop locked|maildrop is already|maildrop in use|already in use|mailbox in use|mailbox is in use|is in use|currently in use|mailbox is locked by|mailbox locked by|<locked by another|<locked by|used by another|another pop3|another pop|another session|another process|other session|unable to lock|cannot lock|can't lock|could not lock|failed to lock|<lock maildrop|<lock mailbox|<lock the mailbox|get a lock|acquire lock|mailbox is busy|mailbox busy|maildrop busy|mailbox lock|inbox is locked|postfach wird bereits|bereits geoffnet|ящик занят|ящик используется|邮箱正在使用|被占用|使用中|in gebruik|en cours d'utilisation|deja utilisee|deja ouverte|en uso|em uso|<in uso>|w uzyciu|pouzivan|уже открыт|уже используется|사용 중|사용중";

pub(super) const ROWS: &[Row] = &[
    row(M::AUTH.and(M::OPEN), &[IN_USE], C::MailboxUnavailable)
        .likely(&[C::TooManyConnections])
        .seen("RFC 1939 §4; Cyrus pop3d.c; Qpopper", "-ERR Unable to lock maildrop: Mailbox is locked by POP server"),
    row(M::OPEN, &["<mailbox|<maildrop|<folder|<inbox|<mail file|<mail store|<spool|postfach|<boite|<buzon|<caixa|<casella|ящик|邮箱|信箱|メールボックス|메일함", "<locked|<busy|gesperrt|verrouill|bloquead|bloccat|заблокирован|被锁|锁定|鎖定|ロック|잠김|잠겨|잠금"], C::MailboxUnavailable)
        .unless("<account|<user>|<user |suspended|administrator")
        .likely(&[C::TooManyConnections])
        .seen("RFC 5530 §3 (INUSE); UW-IMAP", "NO [INUSE] Mailbox is locked"),
    row(M::AUTH.and(M::OPEN), &["unsafe login"], C::ClientIdRequired)
        .likely(&[C::AuthWebLoginRequired])
        .seen("joeyates/imap-backup#217", "RUBY0005 NO EXAMINE Unsafe Login. Please contact kefu@188.com for help"),
    row(M::AUTH.and(M::OPEN), &["send id command|id command first|issue an id|imap id required|client id required|identify your client|unidentified client"], C::ClientIdRequired)
        .on(Imap)
        .seen("Composed after Coremail's demand for RFC 2971", "NO please send ID command first"),
    row(
        M::ACCOUNT,
        &["<credential|<passwd|<passphrase|<account|{password}|{account}", "expire|{expired}|past its|validity|lapsed|valid any more|valid anymore|<andern|wijzig|zunachst|initial password|default password|temporary password|erstpasswort|startpasswort|初期パスワード|仮パスワード|初始密码|默认密码|임시 비밀번호|must be changed|must change|needs to be changed|has to be changed|be renewed|needs renewal|is older than|is too old|change your password|reset your password|update your password|password reset|password change|must be reset|needs to be reset|too simple|too weak|too short|weak password|is weak|not strong|transition is needed|transition needed|geandert werden|muss geandert|сменить|смените|修改密码|更改密码|修改您的密码|変更して|変更が必要|変更をお願い|変更を行|변경|debe cambiar|deve ser alterad|compromised|leaked"],
        C::AuthPasswordExpired,
    )
    .unless("停用|续费|token|certificate|mechanism|incorrect|if you|forgot|invalid username|code has expired|message")
    .likely(&[C::AuthAccountLocked])
    .seen("Dovecot; Zimbra Pop3Handler.java; MailCore/mailcore2#1517", "authentication rejected: your password is too simple"),
    row(
        M::ACCOUNT.and(M::DATA),
        &["<account|<user>|<users>|<user |<login|<mailbox|<logon|<your access|<email|<e-mail|<mail account|<outgoing|<sending|<your |<customer|{account}", "<locked|locked out|lockout|suspended|<disabled|<blocked|deactivated|inactivated|<frozen|<banned|<revoked|withdrawn|terminated|<inactive|is closed|been closed|closed state|account closed|on hold|canceled|cancelled|not active|restricted|deleted|unblock|unlock|<dormant|<barred|<hibernat|{locked}"],
        C::AuthAccountLocked,
    )
    .unless("<ip>|<ips>|ip address|client host|<host|network|country|abroad|overseas|foreign|<outside|{abroad}|spamhaus|blacklist|dnsbl|<imap|<pop3|<pop>|smtpclient|message was blocked|message has been blocked|message blocked|content|virus|recipient|maildrop|mailbox has been deleted|mailbox was deleted|mailbox is locked by|authentication is disabled|authentication disabled|basic auth|attachment|mechanism|command")
    .likely(&[C::ProtocolDisabledForMailbox, C::AuthWebLoginRequired])
    .seen("Dovecot [CONTACTADMIN]; Zoho; NetEase", "[CONTACTADMIN] Login disabled for this user"),
    row(M::AUTH, &["{account}|<account|<mailbox|<user |<login|{sending}", "{abuse}|abuse|fraud|misuse|misused|phishing|hacked|stolen|hijack"], C::AuthAccountLocked)
        .unless("<ip>|<ips>|ip address|{address}|<host")
        .likely(&[C::AuthWebLoginRequired, C::AuthPasswordExpired])
        .seen("Composed after hosters' notices on abused accounts", "-ERR Zugang wegen Missbrauchs abgeklemmt, Support kontaktieren"),
    row(M::ACCOUNT.and(M::DATA), &["account_disabled|user_disabled|account_locked|account_suspended|accountdisabled|accountlocked|err.user.suspend|err.login.user|user.suspend|user suspend|logindisabled for|login disabled|logins disabled|logins are disabled|login is disabled|account expired|over due|overdue|unpaid|payment required|subscription|unusual sending activity|unusual activity|email outgoing|outgoing blocked|outgoing disabled|aadsts50053|aadsts50057|spam abuse detected|banned sender|bad outbound sender|nicht freigeschaltet|kundencenter"], C::AuthAccountLocked)
        .unless("ip banned|sending ip")
        .likely(&[C::ProtocolDisabledForMailbox])
        .seen("cachethq/cachet#3052; Exchange Online", "550 5.4.6 Unusual sending activity detected."),
    row(M::AUTH.and(M::OPEN), &["not authorized to|not authorised to|not allowed to|no right to|no rights to|may not|cannot act|not permitted to|no permission to|not have permission to|n't have permission to|no access to", "impersonat|act as|this operation|that operation|mail database|mailbox of|access this mailbox|access that mailbox|access mailbox|shared mailbox|proxy|on behalf|other user|another user|login as|log in as|authorize as"], C::AuthAuthorizationFailed)
        .likely(&[C::AccountMismatch])
        .seen("Cyrus; Zimbra; composed after RFC 5530 §3", "NO not authorized to act as this user"),
    row(M::AUTH.and(M::OPEN), &["authorization failed|authorization failure|authorisation failed|authorization denied|authorization id|authzid"], C::AuthAuthorizationFailed)
        .unless("password|credential|invalid user|temporar")
        .likely(&[C::AuthInvalidCredentials, C::AccountMismatch])
        .seen("RFC 5530 §3", "NO authorization failed for the requested identity"),
    row(M::AUTH, &["full email|full e-mail|full mail address|complete email|entire email|whole email|email address as|e-mail address as|mail address as|user@domain|fully qualified user|fully-qualified user|username must|user name must|domain\\\\|missing domain|without domain|include the domain|including the domain|contain the domain|contains the domain|with the domain|vollstandige e-mail|vollstandige email|ganze e-mail|adresse complete|adresse email complete|direccion completa|полный адрес|完整的邮箱|完整邮箱|メールアドレス全体|全体を入力|@以降|@以下|ドメインを含|ドメイン名を含|ドメインまで"], C::AuthUsernameFormat)
        .unless("password|passwort|mot de passe|contrasena|парол|密码|パスワード")
        .likely(&[C::AuthInvalidCredentials])
        .seen("Composed after hosting providers' texts", "535 Please use your full email address to log in"),
    row(M::OPEN.and(M::AUTH), &["unable to open|cannot open|can't open|could not open|couldn't open|failed to open|error opening|opening mailbox|unable to access|failed to fetch|cannot read|could not read|mailbox does not exist|mailbox doesn't exist|mailbox not found|no such mailbox|unknown mailbox|mailbox unknown|nonexistent mailbox|non-existent|mailbox has an invalid|invalid format|corrupt|inbox not|no mailbox|mailbox is not|mailbox not|mailbox has been deleted|mailbox was deleted|maildir|home directory|no home|chdir|permission denied|mailbox inaccess|inaccessible|mailbox unavailable|mailstore|mail store|no inbox|not migrated|being moved|being migrated|mailbox was moved|wurde nicht gefunden|postfach konnte nicht|ящик не найден|邮箱不存在|メールボックスが存在しません|メールボックスを開け"], C::MailboxUnavailable)
        .unless("user unknown|unknown user|password|temporary authentication|again later")
        .likely(&[C::AuthInvalidCredentials])
        .seen("Courier imapd.C; Cyrus imap_err.et; hMailServer", "NO Unable to open this mailbox."),
    row(M::OPEN.and(M::AUTH), &["over quota|overquota|quota exceeded|exceeded quota|exceeds quota|exceeded your quota|quota limit|out of quota|<quota|mailbox full|mailbox is full|mail box full|disk quota|storage limit|storage is full|storage full|not enough space|postfach voll|postfach ist voll|speicherplatz|boite pleine|boite aux lettres pleine|buzon lleno|caixa cheia|casella piena|переполнен|容量|已满|空间不足|満杯|いっぱい|용량"], C::QuotaExceeded)
        .unless("bandwidth|rate|resource|traffic|sending")
        .seen("Cyrus imap_err.et; Dovecot", "Over quota"),
];
