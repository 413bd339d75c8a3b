//! Rows about too much of something: sessions, logins, commands, mails.
//!
//! Servers give permanent codes to these temporary states (550 at QQ Mail, 535 at
//! Exmail), so words decide. `LOGIN_RATE_LIMITED` stands here for every rate; what it is
//! called at another moment is decided by `fit`. Data only.

use FaultCode as C;
use mailfleet_model::FaultCode;
use mailfleet_model::Protocol::Pop3;

use super::{Moments as M, Row, row};

/// What must not stand beside a limit on sessions: then it is a rate.
const RATES: &str = "rate|attempt|per minute|per hour|per second|per day|failed|bad login|invalid|recipients|tls sessions|frequency|bandwidth|messages|mails|too quickly|too fast";

pub(super) const ROWS: &[Row] = &[
    row(M::ANY, &["too many", "invalid|unrecognized|unrecognised|unknown|nonmail|non-mail|syntax|protocol|junk|bad commands|unimplemented", "command|errors|error"], C::ProtocolError)
        .unless("login|auth|password|user")
        .likely(&[C::LoginRateLimited])
        .seen("Dovecot imap-login; Exim smtp_in.c", "* BYE Too many invalid IMAP commands."),
    row(M::LOGIN, &["login-delay|login delay|minimum interval between|minimum time between|logged in too recently|log in too soon|logging in too soon|too soon after|minutes between|seconds between|already checked mail|last login was|mail checked too|check mail too|can only check mail|only check your mail"], C::LoginDelay)
        .on(Pop3)
        .seen("RFC 2449 §8.1.1", "[LOGIN-DELAY] minimum time between mail checks violation"),
    row(M::LOGIN, &["nur alle|slechts eenmaal|toutes les|solo cada|sólo cada|apenas a cada|solo ogni|tylko co|pouze jednou|не чаще|раз в|間隔|分に1回|分に一回|分钟一次|分钟内只能|분마다|분에 한", "minut|sekund|second|segund|seconde|минут|секунд|分|秒|분|초"], C::LoginDelay)
        .on(Pop3)
        .likely(&[C::LoginRateLimited])
        .seen("Composed after German providers' rules on POP3", "-ERR Abruf nur alle 15 Minuten erlaubt"),
    row(
        M::ANY,
        &["too many|to many|maximum number of|maximum of|max number of|maximum|<max |max. |limit on|exceeded the number|number of", "simultaneous|concurrent|connection|session|open connections|logged in|clients|logins from|imap processes|pop processes|instances|parallel", "too many|to many|exceed|reached|limit|maximum allowed|is allowed|are allowed|already|maximum|<max|only"],
        C::TooManyConnections,
    )
    .unless(RATES)
    .seen("Dovecot mail-storage-service; Cyrus imap_err.et; Exim daemon.c; Gmail", "[LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=4)"),
    row(M::ANY, &["connection limit|connections limit|connection count|session limit|sessions limit|thread limit|concurrency limit|limit of connections|limit for connections|limit of concurrent|limit of simultaneous|concurrent connection|simultaneous connection|simultaneous session|concurrent session|connection slot|session slot|process quota|process limit|sessions in use|connections in use|simultaneous login|concurrent login|mail_max_userip|exceeded connection|connections exceeded|connections per|connections from your|open sessions|open connections", "exceed|reach|limit|too many|maximum|at most|the most|permit|allowed|full|over|mail_max|in use|used up|exhausted|no more|no free"], C::TooManyConnections)
        .unless(RATES)
        .seen("Exchange Online; Zimbra; Stalwart", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded"),
    row(M::LOGIN, &["{attempt}", "{exceeded}"], C::LoginRateLimited)
        .unless("{locked}")
        .likely(&[C::AuthAccountLocked])
        .seen("Composed in the words of other languages", "454 Nombre de tentatives de connexion dépassé"),
    row(
        M::ANY,
        &["{exceeded}|bereits|hochstens|nicht mehr als", "{connection}"],
        C::TooManyConnections,
    )
    .unless("频率|頻率|頻度|frequen|attempt|versuche|tentativ|intento|попыт|per minute|試行|회수")
    .likely(&[C::LoginRateLimited])
    .seen("Orange; composed in the words of other languages", "421 mwinf5c79 ME Trop de connexions, veuillez verifier votre configuration."),
    row(M::SUBMIT, &["<rcpt|<rcpts|recipients>", "out of|maximum|threshold|achieved|reached|too many|limit|exceed|numbers"], C::SendLimitReached)
        .unless("invalid|unknown|relay|size|mailbox|no such|multiple recipients not")
        .seen("Aliyun and Sina, their lists of errors", "451 out of allow RCPT numbers."),
    row(M::SUBMIT, &["quota|limit|sending|<sent|outgoing|messages|emails|mails|volume|recipients", "sent too much|sent too many|too much mail|daily|hourly|per day|per hour|per minute|<day>|24 hours|sending quota|sending limit|send limit|sending rate|message rate|message limit|mail limit|send quota|outgoing limit|submission quota|rate limit|outbound limit|monthly|per month"], C::SendLimitReached)
        .unless("size|storage|mailbox full|mail data")
        .seen("gophish/gophish#1604; Exchange Online; Zoho", "550 5.4.5 Daily user sending quota exceeded"),
    row(M::SUBMIT, &["{sending}|<mails|emails|courriels|邮件|メール", "{period}"], C::SendLimitReached)
        .seen("Composed in the words of other languages", "550 5.7.1 Zu viele Nachrichten heute"),
    row(M::SUBMIT, &["{period}", "{exceeded}"], C::SendLimitReached)
        .unless("{too_big}|size|bytes")
        .likely(&[C::QuotaExceeded])
        .seen("Composed in the words of other languages", "451 Das Limit von 500 Empfängern pro Stunde ist erreicht"),
    row(M::SUBMIT, &["{sending}", "{exceeded}"], C::SendLimitReached)
        .unless("{too_big}|grosse|taille|tamano|tamanho|dimension|groot|velikost|rozmiar|size|サイズ|大小|容量|quota|speicher|bytes|empfanger|destinat|{connection}")
        .likely(&[C::QuotaExceeded])
        .seen("Composed in the words of other languages", "450 4.7.1 送信可能な通数の上限を超えました"),
    row(
        M::ANY,
        &["rate limit|rate-limit|ratelimit|rate limited|rate exceed|throttl|unusual rate|unexpected volume|unexpected rate|connection rate|command rate|message rate|sending rate|slow down|slower|backoff time|back off|too frequent|too often|too quickly|too fast|too rapidly|at a rate|frequency limit|frequency is limited|frequency exceed|connection frequency|login frequency|freq limit|bandwidth limit|command or bandwidth|exceeded command|exceeded bandwidth|traffic limit|request limit|requests limit|usage limit|how many messages|limits for how many|resource limit|sending too|excessive|try again in a few|submission quota|unsolicitedratelimit|flood"],
        C::LoginRateLimited,
    )
    .unless("internal server error|internal error|system error")
    .seen("imapsync FAQ.Office365; QQ Mail; Sendmail; Stalwart", "BAD Request is throttled. Suggested Backoff Time: 178755 milliseconds"),
    row(
        M::ANY,
        &["too many|too much|too numerous|multiple|repeated|several|exceeded|excess|<max>|maximum", "login attempt|logon attempt|login fail|logon fail|failed login|failed logon|bad login|bad auth|auth attempt|authentication attempt|auth commands|authentication fail|auth fail|failed auth|failed attempt|failures|attempts|password attempt|wrong password|bad password|incorrect password|invalid login|requests|commands|messages|mails|<mail>|emails|recipients|login requests|logins|errors|tls sessions|new sessions|times|tries|retries|helo|transactions|deliveries"],
        C::LoginRateLimited,
    )
    .unless("on the server|mail data|locked|suspended|disabled|is over|size|multiple recipients not|hops|received headers|multiple addresses|address list")
    .seen("Gmail; Yahoo; Postfix smtpd.c; Apache James", "454-4.7.0 Too many login attempts, please try again later."),
    row(M::ANY, &["too many times|failed too many|too many failed|too many unsuccessful|again too soon"], C::LoginRateLimited)
        .unless("suspended|disabled")
        .likely(&[C::AuthAccountLocked])
        .seen("Apache James HumanReadableText.java; composed after lock-out texts", "Login failed too many times, temporarily locked"),
    row(
        M::ANY,
        &["zu viele|zuviele|zu oft|zu haufig|zu schnell|zu rasch|fehlversuch|trop de|trop souvent|trop rapide|trop frequen|demasiad|muitas tentativas|muitos|excesso de|limite excedid|limite de envio|limite de mensa|limite de men|limite d'envoi|limite di invio|sendelimit|versandlimit|лимит|troppi tentativi|troppe|слишком много|слишком часто|превышен|频率|頻率|频繁|頻繁|过于频繁|次数过多|次數過多|次数超|超过限制|超出限制|发送量|发送数量|发信量|过快|太频繁|尝试次数|回数|頻度|試行回数|送信制限|送信数|送信通数|短時間|続いたため|連続して失敗|繰り返し失敗|過剰|너무 많|횟수|빈번|과도"],
        C::LoginRateLimited,
    )
    .unless("容量|speicher|quota|size|zu gross|trop gros|{locked}")
    .likely(&[C::TooManyConnections, C::AuthAccountLocked])
    .seen("Composed in the words of other languages", "535 登录过于频繁，请稍后再试"),
    row(M::SUBMIT, &["exceed|reached|over|limit|quota", "sending|outgoing|your limit|message limit|messages|daily|allowed number|emails you|send quota|tenant threshold|threshold|max defers and failures"], C::SendLimitReached)
        .unless("size|storage|mailbox|over quota|disk|bytes|too large|too big|score|spam|content")
        .likely(&[])
        .seen("cPanel/Exim; Exchange Online", "550 5.7.705 Access denied, tenant has exceeded threshold"),
    row(M::ANY, &["temporarily deferred due|temporarily rejected due to|deferring connection|deferred due to user complaints|[tss04]|[ts01]|[ts03]|[gl01]|server busy. please|resources temporarily|try to reconnect later"], C::LoginRateLimited)
        .unless("unresolvable|from domain")
        .likely(&[C::EgressReputation])
        .seen("sisimai/p5-sisimai set-of-emails", "421 4.7.0 [TS01] Messages from 192.0.2.25 temporarily deferred due to user complaints - 4.16.55.1"),
];
