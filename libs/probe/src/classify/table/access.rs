//! Rows about ways to log in that a provider wants or has closed: app passwords, the
//! web, tokens, policies, mechanisms, protocols that are switched off.
//!
//! Providers reuse codes here (534 5.7.9 is an app password at one, a weak mechanism at
//! another), so words are all there is. Data only.

use FaultCode as C;
use mailfleet_model::FaultCode;
use mailfleet_model::Protocol::Smtp;

use super::{Moments as M, Row, row};

/// How servers say that something is switched off.
const OFF: &str = "disabled|reserved for|only for|only available|available only|riservat|reserve aux|reservee aux|reservado a|not have imap|not have pop|not have smtp|has no imap|has no pop|has no smtp|not been activated|not been switched|not been opened|does not include|doesn't include|must activate|must enable|must turn on|must switch on|have to activate|have to enable|have to turn on|need to activate|need to enable|need to turn on|please activate|please enable|paid plan|paid subscription|paid account|free tier|free plan|needs a subscription|not part of|no longer includes|not enabled|isn't enabled|not been enabled|yet to enable|to enable|not enable|is off|turned off|switched off|not activated|not active|deactivated|not available|not allowed|not permitted|not open|not opened|not authorized|not subscribed|not provisioned|not included|not supported for|not configured for|not licensed|no permission|without permission|blocked for|denied for|restricted|closed for|has been closed|{off}";

pub(super) const ROWS: &[Row] = &[
    row(M::ANY, &["smtpclientauthentication|smtp_auth_disabled|smtp client authentication|authenticated smtp|<smtp auth|smtp authentication", "disabled|not enabled|turned off|switched off|not allowed|not permitted|not available|not activated|off for"], C::SmtpAuthDisabled)
        .on(Smtp)
        .unless("without|turn on smtp auth|is required")
        .seen("simonrob/email-oauth2-proxy#193", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information."),
    row(M::ANY, &["username/password|user name and password access|password access|password sign|basic auth|basicauth|legacy auth|less secure app|less secure sign|password auth|password-based|password based|password login|login with password|password sign-in|passwort-anmeldung", "disabled|not supported|no longer|blocked|deprecated|turned off|switched off|phased out|discontinued|ended|not allowed|not permitted|not enabled|retired|removed|denied|deaktiviert|nicht mehr"], C::AuthBasicDisabled)
        .likely(&[C::SmtpAuthDisabled, C::AuthAppPasswordRequired])
        .seen("nodemailer/nodemailer#1714", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."),
    row(M::ANY, &["oauth|modern authentication|xoauth2|open authorization", "is required|only|must|please use|required for|use oauth|need to use|instead"], C::AuthBasicDisabled)
        .unless("expired|invalid|token")
        .likely(&[C::AuthMechanismUnsupported])
        .seen("Composed after provider notices on the end of passwords", "535 5.7.8 Please use OAuth to sign in"),
    row(
        M::ACCOUNT,
        &["application-specific|application specific|app-specific|app specific|app password|app-password|apppassword|application password|aplication password|app passcode|app-passwort|app passwort|anwendungsspezifisch|app-spezifisch|anwendungspasswort|mot de passe d'application|mot de passe application|mot de passe specifique|contrasena de aplicacion|contrasena de la aplicacion|contrasena especifica|senha de aplicativo|senha de app|senha especifica|password per l'app|password specifica|пароль приложени|пароля приложени|пароль для приложени|пароль для внешн|зовнішніх програм|пароль додатк|parol prilozheniya|parol dlya vneshn|授权码|授權碼|授权密码|authorization code|authorisation code|auth code|专用密码|專用密碼|应用密码|應用程式密碼|アプリパスワード|アプリ用パスワード|アプリ用のパスワード|ソフト用パスワード|ソフト用のパスワード|ソフト専用|app key|app-specific secret|アプリケーションパスワード|アプリ固有|専用パスワード|専用のパスワード|앱 비밀번호|애플리케이션 비밀번호|어플리케이션 비밀번호|weixin token|wechat token|client-specific password|client specific password|client password|device password|device-specific|third-party password|third party password|third-party client password|external password|mailbox password generated|invalidsecondfactor"],
        C::AuthAppPasswordRequired,
    )
    .unless("code is incorrect|code is wrong|code incorrect|code wrong|code error|code is invalid|code is not correct|授权码错误|错误的授权码|授权码不正确|授權碼錯誤|授权码无效|授权码有误|app password is incorrect|app password incorrect|invalid app password|incorrect app password|invalid application-specific|wrong app password|oauth")
    .seen("muquit/mailsend#79; YMFE/yapi#2219; lmanukyan/print-designer#5", "534 5.7.9 Application-specific password required. Learn more at"),
    row(M::ACCOUNT, &["{password}|<pin>|<code>", "instead of|rather than|<statt |anstatt|anstelle|au lieu|en lugar|en vez de|em vez|invece|zamiast|misto |вместо|замість|ではなく|の代わり|而不是|而非|대신|아닌 "], C::AuthAppPasswordRequired)
        .likely(&[C::AuthInvalidCredentials, C::AuthBasicDisabled])
        .seen("Composed after T-Online's and mail.ru's help pages", "NO Bitte verwenden Sie das E-Mail-Passwort statt Ihres Login-Passworts"),
    row(M::ACCOUNT, &["normal password|regular password|account password|main password|usual password|ordinary password|primary password|webmail password|web password|login password|everyday password|own password|standard password", "can't|cannot|can not|not be|not work|doesn't|does not|no longer|instead|not accepted|not allowed|not your|separate|different|don't|do not"], C::AuthAppPasswordRequired)
        .unless("incorrect|not match|doesn't match|mismatch|wrong")
        .likely(&[C::AuthInvalidCredentials, C::AuthBasicDisabled])
        .seen("Composed after Fastmail's and Yahoo's help pages", "NO Your normal password can't be used here"),
    row(M::ACCOUNT, &["two-factor|two factor|2-factor|2fa|two-step|2-step|two step|multi-factor|multifactor|multi factor|<mfa>|second factor|zwei-faktor|двухфакторн|двухэтапн|两步验证|二段階認証|2段階認証|二要素|2단계", "enabled|required|requires|must|turned on|active|is on|use|aktiviert|erforderlich|включен|требуется|开启|有効|必要|設定|사용"], C::AuthAppPasswordRequired)
        .unless("token")
        .likely(&[C::AuthPolicyBlocked, C::AuthWebLoginRequired])
        .seen("Composed after provider texts on two-step verification", "535 Two-factor authentication is enabled for this account"),
    row(
        M::ACCOUNT,
        &["web browser|webbrowser|your browser|a browser|im browser|uber den browser|mit dem browser|navigateur|navegador|через браузер|в браузере|веб-интерфейс|через веб|ブラウザ|浏览器|网页登录|网页版|网页端|网页邮箱|web版|webメール|ウェブメール|ウェブ画面|przegladark|prohlizec|strone www|sito web|网站登录|브라우저|weblogin|web login|web-login|webloginrequired|via the web|via web|on the web|from the web|through the web|through our web|our website|our web site|our site|webmail|web interface|web mail|웹메일|captcha|not a robot|не робот"],
        C::AuthWebLoginRequired,
    )
    .unless("未开启|未开通|没有开启|requests|spam|password change|change it|forgot|change your password|invalid username or password|disabled in webmail|enable|incorrect|smtp only|webmail settings|service is closed|paid|free tier|free plan|subscription")
    .likely(&[C::AuthAppPasswordRequired, C::AuthAccountLocked])
    .seen("PHPMailer/PHPMailer#749; MailCore2 MCIMAPSession.cpp", "534-5.7.14 Please log in via your web browser and\n534 5.7.14 then try again."),
    row(
        M::ACCOUNT,
        &["verify your account|verify your identity|verify it's you|confirm it's you|something unusual|confirm your identity|confirm that it's you|confirm your account|verification required|needs verification|identity verification|unusual sign|unusual login|suspicious login|suspicious sign|suspicious activity|security challenge|security verification|security check|accept the terms|accept our terms|terms of service must|complete the sign|activate your account|konto bestatigen|identitat bestatigen|подтвердите|подозрительн|安全验证|验证身份|异地登录|异常登录|登录异常|登录环境异常|登录行为异常|本人確認|本人認証|不審なログイン"],
        C::AuthWebLoginRequired,
    )
    .likely(&[C::AuthAccountLocked])
    .seen("Composed after Gmail, Yahoo and Mail.ru help pages", "NO [ALERT] Suspicious login prevented, please verify your identity"),
    row(M::AUTH, &["insufficient_scope|invalid_scope|insufficient scope|missing scope|scope is missing|lacks scope|lack of scope|required scope|permission scope|aadsts65001|aadsts90094"], C::OauthScopeMissing)
        .likely(&[C::OauthConsentBlocked, C::OauthTokenRejected])
        .seen("RFC 6750 §3.1; Composed after Microsoft sign-in errors", "NO [AUTHENTICATIONFAILED] insufficient_scope"),
    row(M::ANY, &["token|oauth|bearer", "expired|invalid|revoked|malformed|not valid|rejected|refused|could not be validated|not be verified|verification failed|unauthorized|incorrect|abgelaufen|ungultig|истек|недействит|过期|过时|无效|無效|期限切れ|無効"], C::OauthTokenRejected)
        .unless("weixin|password")
        .likely(&[C::OauthScopeMissing, C::AccountMismatch])
        .seen("Stalwart crates/smtp/src/inbound/auth.rs", "535 5.7.8 OAuth token expired."),
    row(M::AUTH, &["authentication failed|authenticate failed|authentication failure|authentication unsuccessful|login failed|invalid credentials|not accepted"], C::OauthTokenRejected)
        .after_token()
        .unless("temporary|temporarily|disabled|too many|not enabled|criteria|conditional|security default|locked|suspended|user credentials were")
        .likely(&[C::OauthScopeMissing, C::AccountMismatch, C::ProtocolDisabledForMailbox, C::AuthPolicyBlocked])
        .seen("MicrosoftDocs/office-developer-exchange-docs#87", "NO AUTHENTICATE failed."),
    row(M::ANY, &["authenticated but not connected"], C::AuthenticatedNotConnected)
        .likely(&[C::AuthInvalidCredentials, C::AccountMismatch, C::TooManyConnections])
        .seen("mscdex/node-imap#523", "A3 BAD User is authenticated but not connected."),
    row(
        M::AUTH.and(M::OPEN).and(M::MAIL),
        &["meet the criteria|atendeu aos criterios|conditional access|security defaults|security default|access policy|client access rule|accesspolicy|policy of your organi|organization policy|organisation policy|company policy|access rule|sign-in rule|organisation's rule|organization's rule|blocked by policy|blocked by your admin|blocked by the admin|restricted by your admin|admin policy|administrator policy|aadsts53|aadsts50076|aadsts50079|aadsts50158|not from a trusted|untrusted device|device is not compliant|authentication policy|login policy|policy violation|by policy|allowednetworks"],
        C::AuthPolicyBlocked,
    )
    .unless("spam|content|message")
    .likely(&[C::AuthBasicDisabled, C::SmtpAuthDisabled, C::EgressIpBlocked])
    .seen("gophish/gophish#3220; nodemailer/nodemailer#1484", "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator."),
    row(M::AUTH.and(M::EHLO), &["mechanism|<sasl|<mech>|authentication type|auth type|authentication method|auth method|login method|authentication scheme", "unsupported|not supported|no such|not known|unrecognized|unrecognised|unknown|invalid|not available|too weak|not allowed|disabled|not enabled|not recognized|not implemented|no worthy|not offered|<no mechanism|isn't supported|{unsupported}"], C::AuthMechanismUnsupported)
        .likely(&[C::AuthNotOfferedOnPort, C::SmtpAuthDisabled])
        .seen("RFC 4954 §4; Exim; Exchange; Kerio", "504 5.7.4 Unrecognized authentication type"),
    row(M::AUTH, &["<auth>|auth command|authentication|authenticate|<login command|<user command|<pass command", "not advertised|not enabled|not implemented|command not|not supported|unsupported|not available|unavailable|not offered|not allowed|disabled|unrecognized|unrecognised|unknown command|not recognized|nicht verfugbar|no support"], C::AuthMechanismUnsupported)
        .unless("temporar|reason unavailable|mailbox|account|user|pop3 auth|password|try again|later|server unavailable|service|backend|database|ldap|for you|your ip|this ip|host|present")
        .likely(&[C::AuthNotOfferedOnPort, C::SmtpAuthDisabled])
        .seen("Postfix smtpd_sasl_proto.c; Exim smtp_in.c; Stalwart", "503 5.5.1 Error: authentication not enabled"),
    row(M::AUTH, &["command not recognized|command unrecognized|command unrecognised|unrecognized command|unrecognised command|unknown command|command unknown|not implemented|command not supported|unsupported command|invalid command|syntax error, command|syntax error"], C::AuthMechanismUnsupported)
        .unless("too many")
        .likely(&[C::AuthNotOfferedOnPort, C::WrongProtocol])
        .seen("RFC 5321 §4.2.4; OpenSMTPD", "500 5.5.1 Invalid command: Command unrecognized"),
    row(M::ACCOUNT, &["<imap|<pop3|<pop>|<smtp|<protocol>", OFF], C::ProtocolDisabledForMailbox)
        .unless("insecure|plaintext|cleartext|without ssl|relay|mechanism|server is not available|temporarily|temporary|maintenance|your ip|<ip>|ip address|country|too many|{connection}|connection not allowed|maximum|unrecognized|not authorized to send|no such|spamhaus|client host|{abroad}|abroad|overseas|foreign|{for_now}")
        .likely(&[C::AuthPolicyBlocked])
        .seen("Courier imapd.C; Zimbra Pop3Handler.java; MailCore2", "* BYE IMAP access disabled for this account."),
    row(M::ACCOUNT, &["第三方客户端|第三方软件|客户端收发|客户端登录|客户端登陆|외부 메일|외부 프로그램|外部アプリ|外部のメール|外部メール|сторонн|почтовых программ|programmes tiers|logiciels tiers|drittanbieter|externer zugriff|externe programme|applicazioni esterne|client esterni|clientes externos|programas externos|externe programma|zewnetrzn|externi program|externich program|利用設定|アクセス設定|接続設定|受信設定|接続許可|アクセス許可", "{off}|{refused}"], C::ProtocolDisabledForMailbox)
        .unless("<ip>|{abroad}")
        .likely(&[C::AuthAppPasswordRequired])
        .seen("Composed after Tencent's and docomo's settings pages", "NO 管理员已禁止使用第三方客户端收发邮件"),
    row(
        M::ACCOUNT,
        &["access rights to this service|service is not open|service not open|service is not enabled|service not enabled|service is disabled|service disabled|service has been disabled|service not activated|user has no permission|has no permission|not allowed to use this service|not authorized to use this service|no access to this service|not permitted to use this service|third-party client|third party client|external client|mail clients are not|client access is|remote access is|external access|protocol is not|protocol not|protocol access|access not enabled|access is not enabled|access is disabled|access has been disabled|access disabled|open smtp|open imap|open pop|smtp flag|enable smtp|enable imap|enable pop|turn on imap|turn on pop|开启smtp|开启imap|开启pop|开通smtp|服务未开启|服务未开通|服务没有开|未开启服务|客户端功能|外部メールソフト|メールソフトからの|メールソフトでの|외부메일"],
        C::ProtocolDisabledForMailbox,
    )
    .unless("password is|insecure|temporar|<ip>|ip address|country|too many|maximum")
    .likely(&[C::SmtpAuthDisabled, C::AuthAppPasswordRequired])
    .seen("NetEase SMTP; Yandex SMTP", "550 User has no permission"),
];
