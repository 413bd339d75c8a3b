//! What a request may hold, what it may not, and that nothing is told about secrets.

use std::time::Duration;

use mailfleet_model::{Credential, TestMail};

use super::*;
use crate::v1::{endpoint, login};

const PASSWORD: &str = "correct horse battery";

fn password(text: &str) -> Option<login::Credential> {
    Some(login::Credential::Password(text.as_bytes().to_vec()))
}

fn leg(protocol: endpoint::Protocol, host: &str) -> v1::LegSettings {
    let endpoint =
        v1::Endpoint { protocol: protocol.into(), host: host.to_owned(), ..Default::default() };
    v1::LegSettings { endpoint: Some(endpoint), login: None }
}

fn good() -> v1::ValidateRequest {
    v1::ValidateRequest {
        address: "taro@Example.com".to_owned(),
        incoming: vec![leg(endpoint::Protocol::Imap, "IMAP.example.com")],
        outgoing: Some(leg(endpoint::Protocol::Smtp, "smtp.example.com")),
        login: Some(v1::Login { credential: password(PASSWORD), ..Default::default() }),
        ..Default::default()
    }
}

fn parsed(request: v1::ValidateRequest) -> Request {
    parse(request, &["en", "ja"]).expect("the request is right")
}

/// The bad fields of the request, after `change`.
#[track_caller]
fn check(change: impl FnOnce(&mut v1::ValidateRequest), expect: &[&str]) {
    let mut request = good();
    change(&mut request);
    let violations = match parse(request, &["en", "ja"]) {
        Ok(_) => Violations::default(),
        Err(violations) => violations,
    };
    let fields: Vec<&str> = violations.as_slice().iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, expect, "{violations}");
    assert!(!violations.to_string().contains(PASSWORD));
}

fn imap(request: &mut v1::ValidateRequest) -> &mut v1::Endpoint {
    request.incoming[0].endpoint.get_or_insert_default()
}

#[test]
fn what_is_left_out_gets_its_published_default() {
    let request = parsed(good());
    let validation = &request.validation;
    assert_eq!(validation.incoming[0].endpoint.to_string(), "imap.example.com:993/tls");
    assert_eq!(validation.incoming[0].login.username, "taro@example.com");
    let outgoing = validation.outgoing.as_ref().expect("there is an outgoing leg");
    assert_eq!(outgoing.endpoint.to_string(), "smtp.example.com:465/tls");
    assert!(outgoing.login.same_as(&validation.incoming[0].login));
    assert_eq!(validation.test_mail, TestMail::Envelope);
    assert_eq!(validation.budget, Duration::from_secs(60));
    assert_eq!(validation.arrival_timeout, Duration::from_secs(120));
    assert_eq!(validation.tls, TlsPolicy::default());
    assert_eq!(request.language, None);
    assert!(!request.cancel_on_disconnect);
}

#[test]
fn a_leg_overrides_the_shared_login_wholly_or_in_part() {
    let mut request = good();
    request.login.get_or_insert_default().username = "shared".to_owned();
    request.incoming[0].login =
        Some(v1::Login { username: r"CORP\taro".to_owned(), credential: None });
    let token = Some(login::Credential::AccessToken("ya29.x".to_owned()));
    request.outgoing.get_or_insert_default().login =
        Some(v1::Login { username: String::new(), credential: token });
    let validation = parsed(request).validation;
    let incoming = &validation.incoming[0].login;
    let outgoing = &validation.outgoing.expect("there is an outgoing leg").login;
    assert_eq!(incoming.username, r"CORP\taro");
    assert_eq!(incoming.credential.secret().expose(), PASSWORD.as_bytes());
    assert_eq!(outgoing.username, "shared");
    assert!(matches!(&*outgoing.credential, Credential::AccessToken(t) if t.expose() == b"ya29.x"));
}

#[test]
fn passwords_are_neither_trimmed_nor_need_they_be_text() {
    let mut request = good();
    let bytes = b" p\xe4ss ".to_vec();
    request.login.get_or_insert_default().credential =
        Some(login::Credential::Password(bytes.clone()));
    let validation = parsed(request).validation;
    assert_eq!(validation.incoming[0].login.credential.secret().expose(), bytes);
}

#[test]
fn every_bad_field_is_named_at_once() {
    check(
        |request| {
            request.request_id = "7".to_owned();
            request.address = "taro".to_owned();
            imap(request).host = "imap example".to_owned();
            imap(request).port = 70_000;
            imap(request).security = 9;
            request.outgoing.get_or_insert_default().endpoint = None;
            request.login.get_or_insert_default().credential = password("");
            request.budget = Some(prost_types::Duration { seconds: 301, nanos: 0 });
            request.arrival_timeout = Some(prost_types::Duration { seconds: -1, nanos: 0 });
            request.language = "fr".to_owned();
            request.trusted_certificates = vec!["no pem".to_owned()];
        },
        &[
            "request_id",
            "address",
            "login.password",
            "incoming[0].endpoint.host",
            "incoming[0].endpoint.port",
            "incoming[0].endpoint.security",
            "outgoing.endpoint",
            "trusted_certificates[0]",
            "budget",
            "arrival_timeout",
            "language",
        ],
    );
}

#[test]
fn each_direction_takes_its_own_protocols_once() {
    check(|r| imap(r).protocol = 0, &["incoming[0].endpoint.protocol"]);
    check(|r| imap(r).protocol = 3, &["incoming[0].endpoint.protocol"]);
    check(|r| r.incoming.push(r.incoming[0].clone()), &["incoming[1].endpoint.protocol"]);
    check(|r| r.incoming.push(leg(endpoint::Protocol::Pop3, "pop.example.com")), &[]);
    check(
        |r| r.outgoing = Some(leg(endpoint::Protocol::Imap, "h.test")),
        &["outgoing.endpoint.protocol"],
    );
    check(
        |r| {
            r.incoming.clear();
            r.outgoing = None;
        },
        &["incoming"],
    );
}

#[test]
fn commands_cannot_be_smuggled_in() {
    check(|r| r.address = "taro@example.com\r\nQUIT".to_owned(), &["address"]);
    check(|r| imap(r).host = "imap.example.com\r\n".to_owned(), &["incoming[0].endpoint.host"]);
    check(|r| r.login.get_or_insert_default().username = "a\0b".to_owned(), &["login.username"]);
    check(|r| r.login.get_or_insert_default().credential = password("a\r\nb"), &["login.password"]);
    let token = || Some(login::Credential::AccessToken("a\u{1}auth=b".to_owned()));
    check(|r| r.login.get_or_insert_default().credential = token(), &["login.access_token"]);
}

#[test]
fn a_secret_is_needed_for_every_leg() {
    check(|r| r.login = None, &["incoming[0].login.credential", "outgoing.login.credential"]);
}

#[test]
fn a_test_mail_needs_where_to_and_how() {
    let mail =
        |mode: Mode, to: &str| Some(v1::TestMail { mode: mode.into(), recipient: to.to_owned() });
    check(|r| r.test_mail = mail(Mode::ToRecipient, ""), &["test_mail.recipient"]);
    check(|r| r.test_mail = mail(Mode::ToRecipient, "x"), &["test_mail.recipient"]);
    check(|r| r.test_mail = mail(Mode::ToSelf, "a@b.test"), &["test_mail.recipient"]);
    check(
        |r| r.test_mail = Some(v1::TestMail { mode: 9, ..Default::default() }),
        &["test_mail.mode"],
    );
    check(
        |r| {
            r.test_mail = mail(Mode::ToSelf, "");
            r.outgoing = None;
        },
        &["test_mail.mode"],
    );
    let mut request = good();
    request.test_mail = mail(Mode::ToRecipient, "hanako@example.net");
    let expect = TestMail::To("hanako@example.net".parse().expect("an address"));
    assert_eq!(parsed(request).validation.test_mail, expect);
}

#[test]
fn pem_becomes_der_and_is_bounded() {
    let pem = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
    let mut request = good();
    request.trusted_certificates = vec![pem.repeat(2), pem.to_owned()];
    assert_eq!(parsed(request).validation.tls.extra_roots, vec![vec![1, 2, 3]; 3]);
    check(|r| r.trusted_certificates = vec![pem.repeat(101)], &["trusted_certificates"]);
    check(|r| r.trusted_certificates = vec!["x".repeat(1 << 21)], &["trusted_certificates"]);
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    check(|r| r.trusted_certificates = vec![broken.to_owned()], &["trusted_certificates[0]"]);
}

#[test]
fn a_submission_names_its_bad_fields_from_the_top() {
    let bad = v1::ValidateRequest {
        address: String::new(),
        cancel_on_disconnect: true,
        ..v1::ValidateRequest::default()
    };
    let submit =
        |validation| parse_submission(v1::SubmitValidationRequest { validation }, &["en", "ja"]);
    let bad = submit(Some(bad)).expect_err("everything is wrong");
    let fields: Vec<&str> = bad.as_slice().iter().map(|v| v.field.as_str()).collect();
    let expect = ["cancel_on_disconnect", "address", "incoming"];
    assert_eq!(fields, expect.map(|field| format!("validation.{field}")));
    assert!(submit(None).is_err());
    assert!(submit(Some(good())).is_ok());
}
