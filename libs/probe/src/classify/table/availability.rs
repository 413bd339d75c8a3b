//! Rows about a server in trouble: backends that do not answer, shutdowns, maintenance,
//! overload.
//!
//! At the login these mean that nothing was decided about the credential
//! (`AUTH_TEMPORARY_FAILURE`); elsewhere `fit` turns them into `SERVER_UNAVAILABLE`.
//! Data only.

use FaultCode as C;
use mailfleet_model::FaultCode;
use mailfleet_model::Protocol::Imap;

use super::{Moments as M, Row, row};

pub(super) const ROWS: &[Row] = &[
    row(M::ANY, &["autologout|auto-logout|auto logout|idle for too long|idle too long|idle timeout|inactivity|no activity|session timed out|session timeout|connection timed out|timeout waiting|timed out waiting|command timeout|read timeout"], C::ServerUnavailable)
        .unless("blocked due|account|recipient|backend|upstream|auth")
        .likely(&[C::ConnectionClosedEarly])
        .seen("jstedfast/MailKit#938", "* BYE Autologout; idle for too long"),
    row(M::ANY, &["shutting down|shutdown|going down|being restarted|restarting|is restarting|starting up|closing connection|closing transmission|closing channel|closing control|connection closed|server closing|maintenance|during upgrade|being upgraded|read-only|read only|being migrated|migration|{maintenance}"], C::ServerUnavailable)
        .unless("too many|blocked|denied|mailbox is under|auth")
        .seen("Zimbra; thunderbird-android fixtures; RFC 5321 §3.8", "x NO [ALERT] Service is shutting down"),
    row(
        M::AUTH,
        &["temporary|temporarily|transient|{for_now}", "auth|login|log in|logon|sasl|password|credential|problem|fail|error|unavailable|{login}|{unavailable}|not available|reject|local|lookup|anmeld|nicht|ошибк|недоступ|echec|erreur|indispon|fallo|falha|errore|失败|失敗|错误|無法|无法|不可|エラー|できません|오류|없습"],
        C::AuthTemporaryFailure,
    )
    .unless("locked|blocked|suspended|gesperrt|заблокирован|password reset")
    .seen("Dovecot; Postfix smtpd_sasl_glue.c; RFC 4954 §6", "[UNAVAILABLE] Temporary authentication failure."),
    row(M::AUTH, &["auth|login|sasl|credential|password|mailbox server|mail server|mailstore|mail store|user database|user lookup|account lookup|directory|ldap|database|<sql|passdb|userdb|<pam>|radius|kerberos|backend|proxy|upstream", "failed to connect|connect to|can't contact|cannot contact|could not contact|unable to contact|cannot reach|unable to reach|be reached|be contacted|connection lost|lost connection|server unavailable|server not available|server is not|server down|service unavailable|service not available|service is unavailable|service is not available|backend|not responding|not reachable|unreachable|unable to authenticate at|at present|at this time|cannot connect|can't connect|could not connect|unable to connect|connection failed|connection refused|connect failed|timed out|timeout|internal error|internal server|internal failure|generic failure|system problem|system error|server error|error processing|unable to process|cannot process|could not be processed|lookup failed|lookup failure|database error|currently unavailable|is unavailable|unavailable|not working|overload"], C::AuthTemporaryFailure)
        .unless("reason unavailable|mechanism|invalid password|wrong password|invalid credentials|invalid login|incorrect|bad password|logon failure")
        .likely(&[C::ServerUnavailable])
        .seen("Exim smtp_in.c; Dovecot; Cyrus saslauthd", "435 Unable to authenticate at present"),
    row(M::ANY, &["internal error|internal server error|internal failure|system error|server error|system problem|system failure|system busy|server busy|server is busy|system is busy|too busy|overload|overloaded|load average|high load|load too high|server load|out of memory|out of resources|insufficient resources|insufficient system|no resources|resource shortage|configuration error|configuration problem|config error|misconfigur|local problem|local error|software error|unexpected error|unexpected failure|unknown error|backend error|backend unavailable|backend failure|no backend|no server available|no servers available|backend connection|backend down|database error|disk error|i/o error|io error|file system|cannot fork|fork failed|can't fork|server(s) unavailable|server unavailable|servers unavailable|service unavailable|service not available|service is not available|service temporarily|service is unavailable|not available at|temporarily unavailable|temporary unavailable|currently unavailable|temporarily disabled|temporarily out|temporary problem|temporary failure|temporary error|temporary system|temporary server|temporary local|temporary lookup|tempfail|transient|一時的|{unavailable}"], C::AuthTemporaryFailure)
        .unless("recipient|client host|reason unavailable|mailbox unavailable|user unknown|password|blocked|lookup of sender|sender address|denied")
        .likely(&[C::ServerUnavailable, C::TooManyConnections])
        .seen("Dovecot mail-error.h; Cyrus imap_err.et; Postfix", "Internal error occurred. Refer to server log for more information."),
    row(M::OPEN, &["unavailable|not available|logged out|disconnected|connection lost|lost connection"], C::ServerUnavailable)
        .on(Imap)
        .unless("mailbox|folder|inbox|account")
        .likely(&[C::MailboxUnavailable])
        .seen("Composed after proxies in front of IMAP servers", "NO Lost connection to the storage"),
];

/// Hints of a temporary state that courtesy also adds to plain refusals: asked last.
pub(super) const VAGUE: &[Row] = &[
    row(M::ACCOUNT, &["try again later|try later|please try later|please retry|retry later|come back later|later try|try again in|try again|spater erneut|spater noch|erneut versuchen|reessayer|reessayez|ulterieurement|mas tarde|mais tarde|piu tardi|probeer het later|plus tard|pozniej|pozdeji|senare|senere|myohemmin|kesobb|sonra tekrar|mai tarziu|пізніше|попробуйте позже|повторите попытку|позже|稍后|稍後|しばらく|時間をおいて|後ほど|나중에|잠시 후"], C::AuthTemporaryFailure)
        .unless("check your|incorrect|invalid|wrong|denied|reject|relay|recipient|greylist|authentication failed|login failed|unknown")
        .likely(&[C::LoginRateLimited, C::ServerUnavailable, C::TooManyConnections])
        .seen("Courier; NetEase; composed in other languages", "NO Please try again later"),
];
