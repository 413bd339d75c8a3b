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
const OFF: &str = "disabled|not been activated|not been switched|not been opened|利用しない|ご利用になれ|does not include|doesn't include|must activate|must enable|must turn on|must switch on|have to activate|have to enable|have to turn on|need to activate|need to enable|need to turn on|please activate|please enable|paid plan|paid subscription|paid account|free tier|free plan|needs a subscription|お使いいただけ|使えません|プラン|not part of|no longer includes|not enabled|isn't enabled|not been enabled|yet to enable|to enable|not enable|is off|turned off|switched off|not activated|not active|deactivated|not available|not allowed|not permitted|not open|not opened|not authorized|not subscribed|not provisioned|not included|not supported for|not configured for|not licensed|no permission|without permission|blocked for|denied for|restricted|closed for|has been closed|deaktiviert|nicht aktiviert|ausgeschaltet|nicht freigeschaltet|nicht freigegeben|nicht erlaubt|gesperrt|desactive|pas active|non active|deshabilitad|desactivad|no esta habilitad|no habilitad|desabilitad|desativad|nao habilitad|nao esta habilitad|disabilitat|disattivat|non abilitat|non attiv|отключен|выключен|запрещен|не включен|не разрешен|未开启|未開啟|没有开启|没有打开|未开通|未启用|未啟用|已关闭|已關閉|被禁用|已禁用|无权限|無權限|不允许|停用|無効|利用できません|ご利用いただけません|使用できません|許可されていません|有効になっていません|有効にしてください|オフ|사용하지 않|사용 안함|사용안함|되어있지 않|되어 있지 않|허용되지|사용할 수 없|비활성";

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
        &["application-specific|application specific|app-specific|app specific|app password|app-password|apppassword|application password|aplication password|app passcode|app-passwort|app passwort|anwendungsspezifisch|app-spezifisch|anwendungspasswort|mot de passe d'application|mot de passe application|mot de passe specifique|contrasena de aplicacion|contrasena de la aplicacion|contrasena especifica|senha de aplicativo|senha de app|senha especifica|password per l'app|password specifica|пароль приложени|пароля приложени|пароль для приложени|пароль для внешн|parol prilozheniya|parol dlya vneshn|授权码|授權碼|授权密码|authorization code|authorisation code|auth code|专用密码|專用密碼|应用密码|應用程式密碼|アプリパスワード|アプリ用パスワード|アプリ用のパスワード|ソフト用パスワード|ソフト用のパスワード|ソフト専用|app key|app-specific secret|アプリケーションパスワード|アプリ固有|専用パスワード|専用のパスワード|앱 비밀번호|애플리케이션 비밀번호|어플리케이션 비밀번호|weixin token|wechat token|client-specific password|client specific password|client password|device password|device-specific|third-party password|third party password|third-party client password|external password|mailbox password generated|invalidsecondfactor"],
        C::AuthAppPasswordRequired,
    )
    .unless("code is incorrect|code is wrong|code incorrect|code wrong|code error|code is invalid|code is not correct|授权码错误|错误的授权码|授权码不正确|授權碼錯誤|授权码无效|授权码有误|app password is incorrect|app password incorrect|invalid app password|incorrect app password|invalid application-specific|wrong app password|oauth")
    .seen("muquit/mailsend#79; YMFE/yapi#2219; lmanukyan/print-designer#5", "534 5.7.9 Application-specific password required. Learn more at"),
    row(M::ACCOUNT, &["two-factor|two factor|2-factor|2fa|two-step|2-step|two step|multi-factor|multifactor|multi factor|<mfa>|second factor|zwei-faktor|двухфакторн|двухэтапн|两步验证|二段階認証|2段階認証|二要素|2단계", "enabled|required|requires|must|turned on|active|is on|use|aktiviert|erforderlich|включен|требуется|开启|有効|必要|設定|사용"], C::AuthAppPasswordRequired)
        .unless("token")
        .likely(&[C::AuthPolicyBlocked, C::AuthWebLoginRequired])
        .seen("Composed after provider texts on two-step verification", "535 Two-factor authentication is enabled for this account"),
    row(
        M::ACCOUNT,
        &["web browser|webbrowser|your browser|a browser|im browser|uber den browser|mit dem browser|navigateur|navegador|через браузер|в браузере|веб-интерфейс|через веб|ブラウザ|浏览器|瀏覽器|网页登录|網頁登|웹브라우저|브라우저|weblogin|web login|web-login|webloginrequired|via the web|via web|on the web|from the web|through the web|through our web|our website|our web site|our site|webmail|web interface|web mail|웹메일|captcha|not a robot|не робот"],
        C::AuthWebLoginRequired,
    )
    .unless("requests|spam|invalid username or password|disabled in webmail|enable|incorrect|smtp only|webmail settings|service is closed|paid|free tier|free plan|subscription")
    .likely(&[C::AuthAppPasswordRequired, C::AuthAccountLocked])
    .seen("PHPMailer/PHPMailer#749; MailCore2 MCIMAPSession.cpp", "534-5.7.14 Please log in via your web browser and\n534 5.7.14 then try again."),
    row(
        M::ACCOUNT,
        &["verify your account|verify your identity|verify it's you|confirm your identity|confirm that it's you|confirm your account|verification required|needs verification|identity verification|unusual sign|unusual login|suspicious login|suspicious sign|suspicious activity|security challenge|security verification|security check|accept the terms|accept our terms|terms of service must|complete the sign|activate your account|konto bestatigen|identitat bestatigen|подтвердите|подозрительн|安全验证|验证身份|異地登录|异地登录|异常登录|本人確認|本人認証|不審なログイン"],
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
        M::ACCOUNT,
        &["meet the criteria|atendeu aos criterios|conditional access|security defaults|security default|access policy|client access rule|accesspolicy|policy of your organi|organization policy|organisation policy|company policy|access rule|sign-in rule|organisation's rule|organization's rule|blocked by policy|blocked by your admin|blocked by the admin|restricted by your admin|admin policy|administrator policy|aadsts53|aadsts50076|aadsts50079|aadsts50158|not from a trusted|untrusted device|device is not compliant|authentication policy|login policy|policy violation|by policy|allowednetworks"],
        C::AuthPolicyBlocked,
    )
    .unless("spam|content|message")
    .likely(&[C::AuthBasicDisabled, C::SmtpAuthDisabled, C::EgressIpBlocked])
    .seen("gophish/gophish#3220; nodemailer/nodemailer#1484", "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator."),
    row(M::AUTH.and(M::EHLO), &["mechanism|authentication type|auth type|authentication method|auth method|login method|authentication scheme", "unsupported|not supported|no such|not known|unrecognized|unrecognised|unknown|invalid|not available|too weak|not allowed|disabled|not enabled|not recognized|not implemented|no worthy|not offered|<no mechanism|isn't supported|nicht unterstutzt|не поддерживается|不支持|サポートされていません"], C::AuthMechanismUnsupported)
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
    row(M::ACCOUNT, &["<imap|<pop3|<pop>|<smtp", OFF], C::ProtocolDisabledForMailbox)
        .unless("insecure|plaintext|cleartext|without ssl|relay|mechanism|server is not available|temporarily|temporary|maintenance|your ip|<ip>|ip address|country|too many|connection not allowed|maximum|unrecognized|not authorized to send|no such|spamhaus|client host|海外|国外|境外|abroad|overseas|foreign")
        .seen("Courier imapd.C; Zimbra Pop3Handler.java; MailCore2", "* BYE IMAP access disabled for this account."),
    row(
        M::ACCOUNT,
        &["access rights to this service|service is not open|service not open|service is not enabled|service not enabled|service is disabled|service disabled|service has been disabled|service not activated|user has no permission|has no permission|not allowed to use this service|not authorized to use this service|no access to this service|not permitted to use this service|third-party client|third party client|external client|mail clients are not|client access is|remote access is|external access|protocol is not|protocol not|protocol access|access not enabled|access is not enabled|access is disabled|access has been disabled|access disabled|open smtp|open imap|open pop|smtp flag|enable smtp|enable imap|enable pop|turn on imap|turn on pop|开启smtp|开启imap|开启pop|开通smtp|服务未开启|服务未开通|服务没有开|未开启服务|客户端功能|外部メールソフト|メールソフトからの|メールソフトでの|외부메일"],
        C::ProtocolDisabledForMailbox,
    )
    .unless("password is|insecure|temporar|<ip>|ip address|country|too many|maximum")
    .likely(&[C::SmtpAuthDisabled, C::AuthAppPasswordRequired])
    .seen("NetEase SMTP; Yandex SMTP", "550 User has no permission"),
];
