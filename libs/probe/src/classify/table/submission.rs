//! Rows about handing over a message: HELO, sender, relay, login missing, recipient,
//! greylisting, size, quota, content.
//!
//! In two parts. The first stands before the network rows, since relay and HELO refusals
//! name our address too; the second after them, since block lists are named in answers
//! to any command. Data only.

use FaultCode as C;
use mailfleet_model::FaultCode;
use mailfleet_model::Protocol::Smtp;

use super::{Moments as M, Row, row};

pub(super) const BEFORE_NETWORK: &[Row] = &[
    row(M::SUBMIT.and(M::START), &["<helo|<ehlo", "invalid|reject|denied|syntactic|first|require|need|argument|not |bad |error|refus|forged|does not|must|mismatch|malformed|unknown|ungultig|no helo|say"], C::HeloRejected)
        .on(Smtp)
        .seen("Exim; Postfix; hMailServer; Haraka", "501 Syntactically invalid HELO argument(s)"),
    row(M::START, &["invalid domain name|invalid domain address|domain name required|hostname required|invalid hostname|bad hostname|invalid host name|need fully-qualified|need fully qualified"], C::HeloRejected)
        .on(Smtp)
        .seen("OpenSMTPD/OpenSMTPD#1054", "501 5.5.4 Invalid command arguments: Invalid domain name"),
    row(M::SUBMIT, &["resolver.rst|restricted to authenticated senders|authenticated senders only|only accepts mail from authenticated|accepts messages only from|sender not authenticated for group|delivery restriction|notauthorized; not authorized"], C::RecipientRejected)
        .seen("Exchange; sisimai/p5-sisimai set-of-emails", "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required"),
    row(M::SUBMIT, &["greylist|graylist|grey list|gray list|grey-list|gray-list|greylisting|postgrey|early retry|graue liste|灰名单|再送|liste grise|lista gris|lista cinza|lista grigia|szara lista|szarej list|grijze lijst|gralist|graliste|グレイリスト|グレーリスト|грейлист|серый список|серого списка"], C::Greylisted)
        .seen("schweikert/postgrey#86; Postfix", "4.2.0 <ppl@nayarit.be>: Recipient address rejected: Greylisted for 300 seconds"),
    row(M::SUBMIT, &["relaying disallowed"], C::SenderRejected)
        .likely(&[C::RelayDenied])
        .seen("Zoho SMTP", "553 Relaying disallowed as user@example.com"),
    row(
        M::SUBMIT,
        &["relay|weiterleit|relais|retransm|reenvio|reencaminh|inoltro|przekazywan|preposlan|пересылк|ретрансляц|릴레이|중계", "denied|denies|insecure|not configured|not permitted|not allowed|unable|prohibited|disallow|refus|cannot|can't|reject|forbid|not local|do not|don't|no relay|not relay|not authorized|restricted|permission|blocked|deny|{refused}"],
        C::RelayDenied,
    )
    .likely(&[C::AuthRequired])
    .seen("Postfix smtpd_check.c; Exim; Sendmail; Exchange", "554 5.7.1 <x@other.example>: Relay access denied"),
    row(M::SUBMIT, &["rcpthosts|not a gateway|not in my list of allowed|no such domain here|domain not hosted|not hosted here|not a local domain|not local to this|we do not deliver|non-local recipient|not an open relay|open relay|пересылка запрещена|转发|轉發|中継"], C::RelayDenied)
        .likely(&[C::AuthRequired])
        .seen("qmail smtpd.c", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
    row(
        M::SUBMIT,
        &["authentication required|authentication is required|authentication needed|authorization required|authentication first|must authenticate|must be authenticated|must login|must log in|must first|authenticate first|authenticate before|auth first|<auth command first|send auth|need to auth|please auth|not authenticated|unauthenticated senders|unauthenticated user|unauthenticated mail|client was not authenticated|requires authentication|require authentication|smtp authentication|smtp auth required|smtp-auth|login first|log in first|login before|logged in first|not logged in|have logged in|logged in users|sign in first|signed in|anonymous user|anonymous client|authenticated users only|identifiez|authentifizieren|authentisierung|autenticarse|авторизуйтесь|先认证|需要认证"],
        C::AuthRequired,
    )
    .unless("dkim|dmarc|spf|recipient's|domain authentication|authenticated email|sender authentication")
    .likely(&[C::RelayDenied])
    .seen("RFC 4954 §6; SendGrid; Yandex; Exchange", "530 5.7.1 Client was not authenticated"),
];

pub(super) const ROWS: &[Row] = &[
    row(M::SUBMIT, &["{login}", "{required}"], C::AuthRequired)
        .unless("dkim|dmarc|spf|{unknown}")
        .likely(&[C::RelayDenied])
        .seen("Composed in the words of other languages", "530 送信するには認証が必要です"),
    row(M::SUBMIT, &["sender domain|domain of sender|domain of the sender|sender's domain|dbl.spamhaus|<dbl>", "block|listed|blacklist|reject|refus|reputation"], C::SenderRejected)
        .unless("not found|does not")
        .likely(&[C::EgressReputation])
        .seen("Composed after Postfix with the Spamhaus DBL", "554 5.7.1 Service unavailable; Sender domain [b.test] blocked using dbl.spamhaus.org"),
    row(M::SUBMIT, &["message|<mail|<email|<size|letter|content|data|attach|nachricht|mensaje|mensagem|messaggio|письм|сообщени|邮件|郵件|信件|メール|メッセージ|메일|메시지", "too large|too big|size limit|maximum size|max size|size exceed|exceeds size|exceeds fixed|exceeds maximum|exceeds the maximum|exceeds administrative|exceeds global|exceeds local|exceeds file system|exceeds the size|over the size|larger than|bigger than|too long|<length of|maximum message size|message size|{too_big}"], C::MessageTooLarge)
        .unless("line too long|header|too many|quota|subject")
        .seen("Postfix smtpd.c; Exim; RFC 1870", "552 5.3.4 Message size exceeds fixed limit"),
    row(M::SUBMIT, &["smtputf8|internationalized|internationalised|non-ascii|non ascii|utf-8 address|utf8 address"], C::Smtputf8Required)
        .seen("Postfix; RFC 6531 §3.5", "553 5.6.7 SMTPUTF8 support is required, but was not offered"),
    row(M::SUBMIT, &["insufficient system|system storage|system resources|space shortage|server disk|no space left|queue disk|queue file|out of memory|could not load|failed to load|deferred because|no mdb"], C::ServerUnavailable)
        .seen("Exim smtp_in.c; Postfix", "452 4.3.1 Insufficient system storage"),
    row(M::SUBMIT, &["over quota|overquota|quota exceed|exceeded quota|exceeds quota|exceeded storage|out of quota|<quota|mailbox full|mailbox is full|mail box full|mailbox has exceeded|disk quota|storage allocation|exceeded storage|out of storage|storage limit|insufficient storage|not enough space|not enough storage|no space|mailbox limit|full mailbox|inbox is full|inbox full|too full|<full>|postfach voll|postfach ist voll|speicherplatz|boite pleine|boite aux lettres pleine|saturee|buzon lleno|buzon esta lleno|llena|caixa cheia|caixa postal cheia|casella piena|переполнен|容量|已满|已滿|空间不足|空間不足|満杯|いっぱい|용량"], C::QuotaExceeded)
        .unless("bandwidth|sending|rate")
        .likely(&[C::RecipientRejected])
        .seen("iCloud; Postfix; qmail", "552 5.2.2 <user@example.com>: user is over quota"),
    row(M::SUBMIT, &["storage|<space>|disk space|mailbox|mail data|messages on the server", "would exceed|used up|exhausted|run out|not enough|insufficient|no more|no free|limit exceeded|space limit|over its|over their|too much|too many"], C::QuotaExceeded)
        .unless("system|server disk|sending|rate|recipients|daily")
        .likely(&[C::RecipientRejected])
        .seen("sisimai/p5-sisimai lib/Sisimai/Reason/MailboxFull.pm", "452 The user's space has been used up"),
    row(M::SUBMIT, &["sendasdenied|send as this sender|send as|send-as|sendas|send from this|send from the|send mail from|send messages from|send email from|sending from|not owned by|not owned|do not own|does not own|not your address|not your own|use your own|own address|authorization user|auth user|authenticated user|authenticated as|login user|must be same as|must match|must equal|must be the same|does not match|doesn't match|mismatch|not match|not belong|from header|from address|from field|envelope from|envelope sender|return path|return-path|mail from must|<mail from>|on behalf of|impersonat|spoof|identity"], C::SenderRejected)
        .unless("recipient|spam|dmarc|dkim|spf|virus|rcpt")
        .seen("Exchange; Postfix; QQ Mail; Yandex; Proton Bridge", "553 5.7.1 Sender address rejected: not owned by auth user."),
    row(M::SUBMIT, &["<sender|originator|absender|expediteur|remitente|remetente|mittente|отправител|发件人|發件人|寄件者|寄件人|差出人|送信者|送信元|发信人|보내는|발신자", "reject|not allowed|denied|not permitted|invalid|unverified|not verified|does not exist|doesn't exist|verify|refus|not authorized|not authorised|not accepted|unknown|unresolv|not found|no mx|must be|must resolve|domain|malformed|bad |disallow|forbid|unauthorized|blocked|listed|ungultig|nicht|недопустим|не |不匹配|不一致|必须|不正|許可|違|異な|一致|않|{refused}|{unknown}"], C::SenderRejected)
        .unless("recipient|spam|virus|bulk|reputation|spf|dkim|dmarc")
        .seen("Postfix smtpd_check.c; Exim; 1&1", "550 5.1.8 <a@b.test>: Sender address rejected: Domain not found"),
    row(M::MAIL, &["invalid dns|dns mx|a/aaaa|no mx|mx record|does not resolve|not resolve|unresolvable|domain does not exist|domain not found|unrouteable|unroutable|mailbox unavailable|address rejected|bad address|invalid address|syntax|user unknown|unknown user|mailbox not found|not local|not exist|authorized"], C::SenderRejected)
        .unless("ip address")
        .likely(&[C::AuthRequired])
        .seen("nodemailer/nodemailer#510", "550-Requested action not taken: mailbox unavailable\n550 invalid DNS MX or A/AAAA resource record"),
    row(M::SUBMIT, &["spf|dkim|dmarc|sender policy|arc seal|unauthenticated email|authenticate your domain"], C::MessageRejectedContent)
        .likely(&[C::SenderRejected])
        .seen("Gmail; Exchange Online (RFC 7372)", "550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM."),
    row(M::DATA, &["spam|virus|malware|infected|phish|<bulk|junk|unsolicited|policy|content|suspicious|suspicion|blocked because|was blocked|been blocked|message rejected|message refused|mail rejected|rejected for|rejected as|rejected by|not accepted for|attachment|looks like|uribl|surbl|url|unacceptable|prohibited|forbidden|rejected due to|rejected because|duplicate|heuristics|bayes|banned|abgelehnt|verdacht|inhalt|рассылк|спам|вирус|подозрени|垃圾|病毒|内容|违规|スパム|迷惑|ウイルス|ウィルス|스팸|바이러스|rfc 5322|rfc5322|rfc 2822|header|non-compliant|not compliant"], C::MessageRejectedContent)
        .likely(&[C::EgressReputation, C::SenderRejected])
        .seen("Gmail; Yandex; Yahoo; rspamd; SpamAssassin", "554 5.7.1 [2] Message rejected under suspicion of SPAM"),
    row(M::RCPT, &["spam|policy|reputation|content filter|mail rejected"], C::RecipientRejected)
        .unless("unknown|no such")
        .likely(&[C::MessageRejectedContent, C::EgressReputation])
        .seen("Composed after filtering gateways' texts", "550 Rejected by local spam policy"),
    row(M::RCPT.and(M::DATA), &["<recipient|<user>|<user |<mailbox|<address|<account|<rcpt|<alias|<inbox|<person|<domain|<mailing list|empfanger|benutzer|adresse|postfach|destinataire|utilisateur|boite|destinatario|usuario|buzon|destinatario|caixa|destinatario|utente|casella|получател|пользовател|адрес|ящик|收件人|用户|用戶|邮箱|信箱|地址|宛先|受信者|ユーザ|メールアドレス|아이디|사용자|수신", "unknown|not found|does not exist|doesn't exist|doesn't have a|not exist|no such|invalid|no longer|unavailable|reject|blocked|inactive|disabled|unrouteable|unroutable|undeliverable|not local|not known|not listed|denied|suspended|not accept|refus|not allowed|restricted|verification failed|verify failed|failed|not valid|bad |does not like|must contain|expansion|no valid|closed|deactivated|expired|discontinued|moved|not available|ungultig|invalide|禁用|停用|無効|заблокирован|отключен|{unknown}|{refused}"], C::RecipientRejected)
        .seen("Postfix; Stalwart; iCloud; NTT docomo", "550 5.1.1 <nosuch@example.com>: Recipient address rejected: User unknown in virtual mailbox table"),
    row(M::RCPT, &["no such|user unknown|unknown user|does not exist|not our customer|no mailbox here|who are you trying|invalid recipient|bad destination|address unknown|unbekannt|nobody here"], C::RecipientRejected)
        .seen("Exim; qmail; Sendmail", "550 Not our customer"),
];
