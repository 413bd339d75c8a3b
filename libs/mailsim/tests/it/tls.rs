//! Certificates, versions and modes, as a strict client sees them.

use mailfleet_mailsim::{
    Authority, Certificate, ClientCertificate, Fault, OldTls, Running, Server, Step, Tls, Versions,
};
use rustls::{AlertDescription, CertificateError, Error};

use crate::client::Client;

async fn start(certificate: Certificate) -> Running {
    Server::imap().certificate(certificate).start().await.unwrap()
}

async fn trouble(server: &Running) -> Error {
    let error = Client::try_tls(server).await.err().expect("the handshake must fail");
    error.get_ref().unwrap().downcast_ref::<Error>().unwrap().clone()
}

#[tokio::test]
async fn good_certificates_are_good() {
    for case in [Certificate::Good, Certificate::WithIntermediate, Certificate::ExpiringSoon] {
        let server = start(case).await;
        assert!(Client::tls(&server).await.line().await.starts_with("* OK"), "{case}");
        server.shutdown().await.unwrap();
    }
    let server = Server::imap().listen([127, 0, 0, 8]).start().await.unwrap();
    assert_eq!(server.host(), "127.0.0.8");
    assert!(Client::tls(&server).await.line().await.starts_with("* OK"));
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn each_bad_certificate_fails_in_its_own_way() {
    use CertificateError as E;
    for (case, fits) in [
        (Certificate::Expired, (|e| matches!(e, E::ExpiredContext { .. })) as fn(&E) -> bool),
        (Certificate::NotYetValid, |e| matches!(e, E::NotValidYetContext { .. })),
        (Certificate::WrongName, |e| matches!(e, E::NotValidForNameContext { .. })),
        (
            Certificate::CommonNameOnly,
            |e| matches!(e, E::NotValidForNameContext { presented, .. } if presented.is_empty()),
        ),
        (Certificate::SelfSigned, |e| *e == E::UnknownIssuer),
        (Certificate::SelfSignedCa, |e| format!("{e:?}").contains("CaUsedAsEndEntity")),
        (Certificate::UnknownAuthority, |e| *e == E::UnknownIssuer),
        (Certificate::MissingIntermediate, |e| *e == E::UnknownIssuer),
        (Certificate::ClientAuthOnly, |e| matches!(e, E::InvalidPurposeContext { .. })),
        (Certificate::EverythingWrong, |e| matches!(e, E::ExpiredContext { .. })),
    ] {
        let server = start(case).await;
        match trouble(&server).await {
            Error::InvalidCertificate(error) => assert!(fits(&error), "{case}: {error:?}"),
            other => panic!("{case}: {other:?}"),
        }
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn old_servers_answer_a_modern_client_with_an_alert() {
    for (old, alert) in [
        (OldTls::Tls11, AlertDescription::ProtocolVersion),
        (OldTls::Tls10, AlertDescription::ProtocolVersion),
        (OldTls::Ssl3, AlertDescription::ProtocolVersion),
        (OldTls::Ciphers, AlertDescription::HandshakeFailure),
    ] {
        let server = Server::imap().versions(Versions::Legacy(old)).start().await.unwrap();
        assert_eq!(trouble(&server).await, Error::AlertReceived(alert), "{old:?}");
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn tls_1_2_and_client_certificates() {
    let server = Server::imap().versions(Versions::Tls12).start().await.unwrap();
    let mut c = Client::tls(&server).await;
    c.line().await;
    assert!(server.recorder().lines().contains("TLSv1_2"));
    server.shutdown().await.unwrap();

    let server = Server::imap().with(|s| s.client_certificate = ClientCertificate::Required);
    let server = server.start().await.unwrap();
    // With TLS 1.3 the client learns of it when it first reads.
    let mut c = Client::tls(&server).await;
    let error = c.rest().await.unwrap_err().to_string();
    assert!(error.contains("CertificateRequired"), "{error}");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_wrong_mode_for_the_port_shows_in_the_first_bytes() {
    let plain = Server::imap().tls(Tls::None).start().await.unwrap();
    assert!(matches!(trouble(&plain).await, Error::InvalidMessage(_)));
    plain.shutdown().await.unwrap();
    let banner = Fault::Raw(b"220 plain\r\n".to_vec());
    let tls = Server::smtp().at(Step::Tls, banner).start().await.unwrap();
    assert_eq!(Client::plain(&tls).await.line().await, "220 plain");
    tls.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_handshake_can_be_cut_off_or_never_answered() {
    let server = Server::imap().at(Step::Tls, Fault::Close).start().await.unwrap();
    let error = Client::try_tls(&server).await.err().unwrap();
    let kinds = [std::io::ErrorKind::UnexpectedEof, std::io::ErrorKind::ConnectionReset];
    assert!(kinds.contains(&error.kind()), "{error}");
    server.shutdown().await.unwrap();
}

#[test]
fn the_root_is_given_as_pem() {
    let pem = Authority::shared().unwrap().root_pem();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
}
