//! Rows about TLS and about the wrong protocol: the server wants TLS before a login, has
//! none, was spoken to in TLS by mistake, or is no server of this kind.
//!
//! They stand first, since these texts also contain words of refused logins. Data only.

use FaultCode as C;
use mailfleet_model::FaultCode;
use mailfleet_model::Protocol::{Imap, Pop3};

use super::{Moments as M, Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        M::ANY,
        &["over a non-ssl|over a non-tls|ssl on a plain|wrong version number|wrong_version_number|tls handshake on a|client hello|clienthello|synchronization error|sync error"],
        C::TlsModeMismatchStarttls,
    )
    .likely(&[C::TlsModeMismatchImplicit])
    .seen("Haraka connection.js; Exim smtp_in.c", "501 SSL attempted over a non-SSL socket"),
    row(M::ANY, &["<tls 1.|<tls1.|<tlsv1|<ssl 3|<sslv3|older tls|old tls|tls version", "not supported|unsupported|no longer|deprecated|upgrade|too old|obsolete|at least|or newer|or higher|or greater|or above|or later|veraltet|nicht mehr"], C::TlsVersionUnsupported)
        .seen("Exchange Online", "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2."),
    row(
        M::ANY,
        &["plain http request|sent to https|sent to ssl|sent to tls|this is an ssl port|expects ssl|expects tls|requires implicit|plaintext on a tls|non-ssl request|ssl handshake expected"],
        C::TlsModeMismatchImplicit,
    )
    .likely(&[C::WrongProtocol])
    .seen("Composed after the words of web servers and proxies", "The plain HTTP request was sent to HTTPS port"),
    row(
        M::ANY,
        &["this is an imap server|this is a pop3 server|this is a pop server|this is an smtp server|not an smtp server|not a pop3 server|not an imap server|i can break rules|http request detected|<http/1.|non-smtp command|not smtp command|web browser requests"],
        C::WrongProtocol,
    )
    .seen("Cyrus imapd.c; Postfix postscreen", "521 5.7.0 Error: I can break rules, too. Goodbye."),
    row(M::ANY, &["+ok"], C::WrongProtocol)
        .on(Imap)
        .seen("python/cpython#152768", "invalid greeting: +OK POP3 server ready"),
    row(M::LOGIN, &["<bad unknown command|<bad command|bad invalid tag|bad missing command|bad error in imap|bad unrecognized|bad unrecognised|bad null command|bad tag"], C::WrongProtocol)
        .on(Pop3)
        .seen("ditesh/node-poplib#23", "PASS BAD Unknown command g67mb393707070wme"),
    row(
        M::ANY,
        &["starttls|stls|<tls>|ssl", "is required|required first|<required|must issue|must be issued|must use|must first|<first>|need to use|is needed|is mandatory|you must|please use|please enable|use starttls|is obligatory|requires|erforderlich|notwendig|zuerst|obligatoire|requis|obligatori|requerid|necessari|требуется|необходим|必要|必须|需要|使用してください|ご利用ください|でご利用|利用して"],
        C::AuthNeedsTls,
    )
    .unless("certificate|client cert|not available|unavailable|too many|too weak|version|smtp authentication|smtp auth|relay")
    .seen("Postfix smtpd.c; hMailServer; Courier", "530 5.7.0 Must issue a STARTTLS command first"),
    row(
        M::ANY,
        &["encryption|encrypted|secure connection|secure channel|secured connection|confidentiality|security layer|verschlusselung|verschlusselt|chiffre|cifrad|шифрован|защищен|暗号化|加密", "required|requires|needed|must|only|please|enable|erforderlich|notwendig|requis|obligatoire|requerid|necessari|требуется|необходим|только|必要|してください|必须|需要|请使用"],
        C::AuthNeedsTls,
    )
    .unless("not available|unavailable|too weak|certificate|not required|message must be")
    .seen("RFC 4954 §6; Postfix smtpd_sasl_proto.c; Cyrus", "504 5.5.4 Encryption required for requested authentication mechanism"),
    row(
        M::ANY,
        &["plaintext|plain text|plain-text|cleartext|clear text|clear-text|klartext|en clair|texto plano|открытым текстом|明文|平文|without ssl|without tls|without encryption|without a secure|insecure connection|insecure channel|non-secure|nonsecure|non secure|unsecure|unencrypted|not encrypted|not secure|unverschlusselt|sans chiffrement|sin cifrar|без шифрования|незащищенн|未加密|暗号化されていない", "disallow|not allow|not permitted|disabled|refus|denied|forbid|prohibit|reject|not accept|not supported|cannot|can't|not available|blocked|nicht erlaubt|nicht zulassig|nicht moglich|nicht gestattet|interdit|non autorise|no permitid|no se permite|запрещ|не разреш|{refused}|{unsupported}"],
        C::AuthNeedsTls,
    )
    .seen("Dovecot client-common-auth.c; Courier imapd.C; Yandex", "[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections."),
    row(M::ANY, &["under a layer|until ssl/tls|until tls|until ssl|until starttls|until stls|before tls|before starttls|after starttls|after entering tls|over tls only|over ssl only|only over tls|only over ssl|only via ssl|only via tls|ssl only|tls only|auth only over|not secure enough to send|only with tls|only with ssl|only after tls|nur uber ssl|nur uber tls|nur mit ssl|nur mit tls"], C::AuthNeedsTls)
        .seen("Cyrus imapd.c", "Login only available under a layer"),
    row(M::STARTTLS, &["not available|unavailable|not supported|not implemented|unrecognized|unrecognised|unknown command|not enabled|disabled|initializing|initialization|no certificate|not configured|not offered|not advertised|not recognized|not known|not allowed|not permitted"], C::StarttlsRejected)
        .unless("too many|rate")
        .likely(&[C::TlsNotOffered])
        .seen("Postfix smtpd.c; Courier; Stalwart; Cyrus pop3d.c", "454 4.7.0 TLS not available due to local problem"),
];
