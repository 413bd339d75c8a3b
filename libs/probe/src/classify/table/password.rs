//! Rows about wrong credentials, and about refusals that list several causes at once.
//!
//! The two ends of the table: a text that names several causes is settled before any of
//! them is taken at its word, and a plain wrong password is what remains when nothing
//! more special fitted. Refusals that say no more than "failed" have no row: the codes
//! decide. Data only.

use FaultCode as C;
use mailfleet_model::FaultCode;

use super::{Moments as M, Row, row};

/// How servers name a wrong credential.
const CREDENTIAL: &str = "invalid credentials|invalid login|invalid user|invalid password|incorrect password|incorrect username|incorrect user|wrong password|wrong username|bad password|bad username|password is incorrect|password incorrect|password is wrong|password error|username or password|user name or password|login or password|user or password|not accepted|login fail|authentication fail|authentication error|credentials|密码错误|密碼錯誤|密码不正确|用户名或密码|账号或密码|неверный|неправильн|パスワード|benutzername oder|mot de passe";

pub(super) const SEVERAL_CAUSES: &[Row] = &[
    row(
        M::AUTH,
        &[CREDENTIAL, "<or>|<oder>|<ou>|<или>|或者|或是|または|もしくは|<and/or>|, service|、", "is disabled|are disabled|not enabled|not open|is off|not activated|is locked|account locked|been locked|is blocked|frequency limit|frequency limited|is busy|access denied|imap access|pop access|imap is|pop3 is|smtp is|pop3 disabled|pop disabled|imap disabled|smtp disabled|deaktiviert|gesperrt|отключен|заблокирован|未开启|未开通|被锁|频率|disabled in|制限|無効"],
        C::AuthRejectedUnspecified,
    )
    .ambiguous(&[C::AuthInvalidCredentials, C::ProtocolDisabledForMailbox, C::AuthAppPasswordRequired, C::LoginRateLimited, C::AuthAccountLocked])
    .seen("Foundry376/Mailspring#904; QQ Mail", "2 NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials or IMAP is disabled sc=ebI8JB0ug4Y1_290737_53p"),
];

/// What a refusal of user name and password together may also mean.
const ALSO: &[C] = &[
    C::AuthUsernameFormat,
    C::AuthAppPasswordRequired,
    C::ProtocolDisabledForMailbox,
    C::AuthSsoOnly,
];

pub(super) const ROWS: &[Row] = &[
    row(
        M::AUTH,
        &["wrong password|bad password|incorrect password|password is incorrect|password incorrect|password is wrong|password wrong|password error|password mismatch|password does not match|password doesn't match|password not match|passwords do not match|password invalid|invalid password|password is invalid|password not correct|password is not correct|err.login.passerr|authorized code is|authorization code|passwort falsch|falsches passwort|passwort ist falsch|passwort ungultig|kennwort falsch|mauvais mot de passe|mot de passe incorrect|mot de passe invalide|mot de passe errone|contrasena incorrecta|contrasena invalida|clave incorrecta|senha incorreta|senha invalida|password errata|password non corretta|неверный пароль|неправильный пароль|пароль неверен|密码错误|密碼錯誤|密码不正确|密碼不正確|密码有误|不符|不对|授权码错误|错误的授权码|错误的密码|授权码不正确|授权码无效|パスワードが違|パスワードが間違|パスワードが正しくありません|パスワードが不正|비밀번호가 일치하지|비밀번호가 틀|비밀번호 오류"],
        C::AuthInvalidCredentials,
    )
    .unless("user name or|username or|user or |login or |email or |e-mail or |name or ")
    .likely(&[C::AuthAppPasswordRequired, C::AuthUsernameFormat])
    .seen("NetEase; QQ Mail; composed in other languages", "login login error password error"),
    row(
        M::AUTH,
        &["no such user|nonexistent user|unknown user|user unknown|user not found|no such account|unknown account|account not found|account does not exist|user does not exist|user doesn't exist|invalid user|unknown login|unknown username|username not found|username unknown|no such mailbox|mailbox not found|mailbox does not exist|mailbox doesn't exist|not a valid user|not a local user|benutzer unbekannt|benutzer existiert nicht|utilisateur inconnu|compte inconnu|usuario no existe|usuario desconocido|usuario inexistente|usuario nao existe|utente sconosciuto|utente inesistente|пользователь не найден|нет такого пользователя|用户不存在|用戶不存在|账号不存在|帐号不存在|ユーザが存在しません|ユーザーが存在しません|アカウントが存在しません|존재하지 않는"],
        C::AuthInvalidCredentials,
    )
    .unless("password|passwort|mot de passe|contrasena|senha|парол|密码|パスワード")
    .likely(&[C::AuthUsernameFormat])
    .seen("ProtonMail/gluon internal/backend/errors.go; Cyrus pop3d.c", "no such user"),
    row(M::AUTH, &["<account|<user|<mailbox|<login|{account}", "not exist|n't exist|no longer exist|{unknown}"], C::AuthInvalidCredentials)
        .unless("{password}|<server|<host|{unavailable}")
        .likely(&[C::AuthUsernameFormat])
        .seen("A POP3 server's source", "-ERR Account no longer exists"),
    row(
        M::AUTH,
        &["full email|full e-mail|complete email|full address|email address as|e-mail address as|user@domain|vollstandige e-mail|полный адрес|完整的邮箱"],
        C::AuthInvalidCredentials,
    )
    .likely(&[C::AuthUsernameFormat])
    .seen("hMailServer IMAPCommandLogin.cpp", "NO Invalid user name or password. Please use full email address as user name."),
    row(
        M::AUTH,
        &["credential|{password}|ログイン情報|登录信息|logindaten|dane logowania|prihlasovaci|datos de acceso|dados de acesso|dati di accesso|로그인 정보|passwd|passphrase|<secret|<name|your details|login details|sign-in details|<user|username|login data|logon|login name|authentication data|account name|authentication information|auth data|anmeldedaten|zugangsdaten|benutzer|passwort|kennwort|identifiant|mot de passe|code d'authentification|usuario|contrasena|credenciales|credenciais|senha|credenziali|utente|логин|парол|учетные данные|имя пользовател|данные|用户|用戶|账号|帳號|帐号|密码|密碼|认证信息|ユーザ|パスワード|アカウント|認証情報|아이디|비밀번호|계정|인증|hasło|heslo|jmeno|kullanıcı|sifre|parola|anvandarnamn|losenord|gebruikersnaam|wachtwoord|adgangskode|brugernavn|passord|brukernavn|salasana|kayttaja|jelszo|felhasznalo|utilizator|κωδικ|συνθηματικ|χρηστη|користувач|облікові|mat khau|รหัสผ่าน|ชื่อผู้ใช้|kata sandi|nama pengguna|tên đăng nhập|mật khẩu|потребителск|lozink|korisnic|geslo|uporabnisk|parool|kasutaja|slaptazod|vartotoj|lietotaj|lykilord|pasahitz|contrasenya|usuari|पासवर्ड|پسورد|گذرواژه|رمز عبور|كلمة المرور|كلمة السر|סיסמה", "invalid|incorrect|wrong|<bad |unknown|could not find|couldn't find|unable to find|no match|don't recogni|do not recogni|not known|not accepted|not valid|not correct|mismatch|not match|doesn't match|don't match|do not match|rejected|failed|failure|unsuccessful|denied|error|not recognized|not recognised|not found|unable to verify|could not be verified|{wrong}"],
        C::AuthInvalidCredentials,
    )
    .likely(ALSO)
    .seen("Gmail; Exim; Exchange; Free.fr; composed in other languages", "535 5.7.8 Username and Password not accepted. Learn more at"),
];
