//! Rows about where we come from: block lists, missing reverse names, refused addresses
//! and countries.
//!
//! A public list is ours to be delisted from (`EGRESS_REPUTATION`); a server's own rule
//! is for its administrator to change (`EGRESS_IP_BLOCKED`). Data only.

use FaultCode as C;
use mailfleet_model::FaultCode;

use super::{Moments as M, Row, row};

/// How servers refuse.
const REFUSED: &str = "block|ban|denied|deny|reject|not allowed|not accepted|not be accepted|not permitted|not authorized|not authorised|unauthorized|refuse|forbid|prohibit|restrict|blackhole|disallow|dropped|not welcome|no access|disabled|switched off|turned off|may not|must not|accepting|not currently|not accept|{refused}";

pub(super) const ROWS: &[Row] = &[
    row(M::ANY, &["country is blacklisted|country blacklisted|country is blocked|country blocked|country is banned"], C::EgressIpBlocked)
        .likely(&[C::GeoBlocked])
        .seen("imapsync FAQ.OnlineUI", "2 NO [ALERT] LOGIN DENIED -- COUNTRY IS BLACKLISTED"),
    row(M::ANY, &["<country|countries|abroad|overseas|foreign|outside japan|outside of japan|from outside|<geo|geoip|your region|your location|this location|geographic|{abroad}", REFUSED], C::GeoBlocked)
        .unless("timezone")
        .likely(&[C::EgressIpBlocked])
        .seen("Composed after Japanese hosts' notices on foreign access", "535 海外からのSMTP認証は制限されています"),
    row(
        M::ANY,
        &["spamhaus|barracudacentral|b.barracuda|spamcop|<sorbs|dnsbl|<rbl|rbl>|<dnsrbl|uceprotect|abuseat|<psbl|invaluement|mailspike|blocklist|block list|block-list|blacklist|black list|black-list|blackholed|<blocked using|listed in|listed at|listed on|listed by|is listed|are listed|on our list|senderscore|senderbase|sender score|poor reputation|bad reputation|low reputation|ip reputation|reputation of|<reputation|spam incident|incident de spam|spamming issues|spam source|source of spam|spammer|spams from|open proxy|trust score|low trust|as abusive|sperrliste|lista negra|lista nera|czarna list|czarnej list|liste de blocage|permanently deferred|black ip|bad sender ip|history of spam|liste noire|черн|черный список|黑名单|黑名單|ブラックリスト"],
        C::EgressReputation,
    )
    .unless("url|link|uribl|surbl|domain of sender|sender domain|dbl.spamhaus|<dbl>|your domain|message content|body")
    .likely(&[C::EgressIpBlocked])
    .seen("Postfix smtpd.c; Yahoo; iCloud; Exchange Online Protection", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"),
    row(
        M::ANY,
        &["reverse dns|reverse-dns|<rdns|<ptr>|ptr record|ptr lookup|reverse lookup|reverse host|reverse name|reverse address|reverse mapping|no reverse|name lookup failed|cannot find your hostname|cannot find your reverse|cannot resolve your|could not resolve your|unable to resolve your|hostname not found|no hostname|generic hostname|generic reverse|dynamic ip|dynamic address|dynamic host|dial-up|dialup|residential|client host rejected: cannot find|unresolvable|unverifyable|unverifiable|does not have a valid dns|fcrdns|forward-confirmed|forward confirmed|逆引き"],
        C::EgressReputation,
    )
    .unless("relaying|to relay|relay access|relay denied|helo|ehlo|sender|from domain|domain of")
    .likely(&[C::EgressIpBlocked])
    .seen("Sendmail; Postfix; GoDaddy", "450 4.7.1 Access denied. IP name lookup failed [192.0.2.1]"),
    row(
        M::ANY,
        &["<ip>|<ips>|ip address|ip-address|ipv4|ipv6|client host|your host|this host|<host|remote host|from your address|your network|this network|<network>|{address}|<client>", REFUSED],
        C::EgressIpBlocked,
    )
    .unless("relay|recipient address|sender address|helo|ehlo|password|mechanism|host not found|no such host|as a from|from address|send as|permissions|command|authenticated to send|was not authenticated|not authenticated")
    .likely(&[C::EgressReputation])
    .seen("Exchange Online Protection; Orange; composed in other languages", "550 5.7.606 Access denied, banned sending IP [192.0.2.1]."),
    row(M::ANY, &["bad ip|invalid ip|smtp server of your isp|your isp's|your provider's smtp|intrusion prevention|intrusion detection|dynamic screen|intrusion|fail2ban|bruteforce|brute force|brute-force|ip banned|address banned|ip blocked|you are banned|you have been banned|you are blocked|you have been blocked|banned for|blocked for abuse|blocked due to abuse|access from your|connections from your|connections will not be accepted|connection will not be accepted|not accepting connections from|not accept connections from|don't accept connections|do not accept connections|not allowed to connect|not permitted to connect|not authorized to connect|connection from this|no access from|connection not authorized|tcp wrappers|hosts.allow|hosts_access|acl denied|administratively denied|administrative prohibition|access from this|not whitelisted|not in whitelist|deny list|denylist|deny-list|ban list|banlist|list of permitted|permitted addresses|list of allowed|allowed addresses|allowlist|allow-list|allow list"], C::EgressIpBlocked)
        .unless("relay|sender|recipient|content|spam message|smtp auth")
        .likely(&[C::EgressReputation])
        .seen("jstedfast/MailKit#1073 (IceWarp)", "NO LOGOUT Intrusion prevention active for 192.0.2.1"),
    row(M::START.and(M::SUBMIT), &["from #addr|at #addr|server #addr|host #addr|ip #addr|ip: #addr|address #addr", REFUSED], C::EgressIpBlocked)
        .unless("relay|recipient|sender address|user|mailbox|account|helo|ehlo|spf|dkim|dmarc")
        .likely(&[C::EgressReputation])
        .seen("sisimai/p5-sisimai lib/Sisimai/Reason/Blocked.pm", "550 mail server at 192.0.2.1 is blocked"),
    row(M::START, &["policy|policies"], C::EgressIpBlocked)
        .likely(&[C::EgressReputation, C::GreetingRejected])
        .seen("IONOS postmaster help", "421 Reject due to policy violations"),
    row(M::ANY, &["delist|request removal|removal from this list|remove your ip|banned sender["], C::EgressIpBlocked)
        .likely(&[C::EgressReputation])
        .seen("Exchange Online Protection", "550 5.7.511 Access denied, banned sender[192.0.2.1]. To request removal forward this message to the desk"),
    row(M::START, &["access denied|access is denied|access not allowed|access restricted|permission denied|connection refused|connection rejected|connection denied|connection blocked|rejecting connection|rejected connection|refused connection|refusing connection|connection dropped|go away|not welcome|forbidden|unauthorized|acces refuse|zugriff verweigert|zugang verweigert|доступ запрещен|доступ ограничен|拒绝访问|访问被拒绝|連接被拒|アクセスが拒否|接続を拒否|アクセス制限|접근이 거부"], C::EgressIpBlocked)
        .unless("later|temporar|load|busy|too many")
        .likely(&[C::GreetingRejected, C::EgressReputation])
        .seen("Composed after the greetings of filtering gateways", "554 5.7.1 Connection refused"),
];
