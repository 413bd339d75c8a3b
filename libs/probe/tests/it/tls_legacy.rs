//! Servers of the past, played by `openssl s_server`: old versions, old suites, weak keys,
//! no certificate, and a demand for one of ours.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::SystemTime;

use mailfleet_model::tls::{CertificatePolicy, TlsPolicy};
use mailfleet_model::{Confidence, Endpoint, FactKind, Fault, FaultCode, Host, Leg, Protocol};
use mailfleet_probe::dial::Route;
use mailfleet_probe::tls::{
    Explanation, Handshake, Trust, Wanted, explain, fault_of_read_error, handshake,
};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::tls_authority::PATIENCE;

/// A running `openssl s_server`, ended with the test.
struct OldServer {
    address: SocketAddr,
    _process: Child,
    _files: TempDir,
}

async fn openssl(directory: &Path, arguments: &str) {
    let status = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .expect("openssl is needed by these tests: apt-get install openssl");
    assert!(status.success(), "openssl {arguments}");
}

/// Starts a server with a self-signed RSA certificate of so many bits.
async fn serve(bits: u16, arguments: &str) -> OldServer {
    let files = tempfile::tempdir().expect("a directory");
    let request = format!(
        "req -x509 -newkey rsa:{bits} -nodes -keyout key.pem -out cert.pem -days 30 \
         -subj /CN=old.example.test -addext subjectAltName=DNS:old.example.test"
    );
    openssl(files.path(), &request).await;
    if arguments.contains("-dhparam") {
        openssl(
            files.path(),
            "genpkey -genparam -algorithm DH -pkeyopt group:modp_1536 -out dh.pem",
        )
        .await;
    }
    if arguments.contains("v1.pem") {
        openssl(files.path(), "req -new -key key.pem -subj /CN=old.example.test -out v1.csr").await;
        openssl(files.path(), "x509 -req -in v1.csr -signkey key.pem -days 30 -out v1.pem").await;
    }
    let mut process = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0"])
        .args(arguments.split_whitespace())
        .current_dir(files.path())
        // The end of its input would end the connection.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("openssl is needed by these tests: apt-get install openssl");
    let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let address = timeout(PATIENCE, async {
        while let Some(line) = lines.next_line().await.expect("its output") {
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                return address.parse().expect("an address");
            }
        }
        panic!("openssl s_server {arguments} did not start");
    });
    let address = address.await.expect("in time");
    // Whatever it prints later must not block it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    OldServer { address, _process: process, _files: files }
}

const HOST: &str = "old.example.test";
const CERTIFICATE: &str = "-cert cert.pem -key key.pem";

async fn shake(server: &OldServer, certificates: CertificatePolicy) -> Handshake {
    let trust = Trust::only([]).expect("no roots");
    let host: Host = HOST.parse().expect("a host");
    let policy = TlsPolicy { certificates, ..TlsPolicy::default() };
    let wanted = Wanted { host: &host, policy: &policy, leg: Leg::Imap, now: SystemTime::now() };
    let stream = TcpStream::connect(server.address).await.expect("connects");
    timeout(PATIENCE, handshake(&trust, &wanted, stream)).await.expect("in time")
}

async fn explained(server: &OldServer) -> Explanation {
    let failure = match shake(server, CertificatePolicy::Strict).await {
        Handshake::Failed(failure) => failure,
        other => panic!("no session is possible: {other:?}"),
    };
    let asked = Endpoint::parse(Protocol::Imap, &format!("{HOST}:{}", server.address.port()));
    let asked = asked.expect("an endpoint");
    let route = Route { address: server.address, egress: None };
    timeout(PATIENCE, explain(failure, &asked, Leg::Imap, route, PATIENCE)).await.expect("in time")
}

async fn check(arguments: &str, expect: FaultCode, fact: FactKind, value: &str) -> Fault {
    let server = serve(2048, arguments).await;
    let explanation = explained(&server).await;
    assert_eq!(explanation.suggestions, []);
    let [fault] = explanation.faults.as_slice() else { panic!("one fault: {explanation:?}") };
    assert_eq!(fault.code, expect, "{arguments}: {fault:?}");
    assert_eq!(fault.evidence.fact(fact), Some(value), "{arguments}");
    fault.clone()
}

#[tokio::test]
async fn old_versions_are_named() {
    for (version, expect) in [("-tls1_1", "TLS 1.1"), ("-tls1", "TLS 1.0")] {
        let arguments = format!("{CERTIFICATE} {version} -cipher ALL:@SECLEVEL=0");
        let code = FaultCode::TlsVersionUnsupported;
        let fault = check(&arguments, code, FactKind::TlsVersion, expect).await;
        assert!(fault.evidence.fact(FactKind::Cipher).is_some());
        assert_eq!(fault.confidence, Confidence::Certain);
    }
}

#[tokio::test]
async fn old_suites_are_named() {
    for (suite, expect) in [
        ("AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"),
        ("ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
        ("DHE-RSA-AES128-GCM-SHA256", "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    ] {
        let arguments = format!("{CERTIFICATE} -tls1_2 -cipher {suite}");
        let code = FaultCode::TlsCipherOrKeyWeak;
        let fault = check(&arguments, code, FactKind::Cipher, expect).await;
        assert_eq!(fault.evidence.tls_alert, Some(40));
    }
}

#[tokio::test]
async fn a_small_group_is_measured() {
    let arguments =
        format!("{CERTIFICATE} -tls1_2 -cipher DHE-RSA-AES128-SHA:@SECLEVEL=0 -dhparam dh.pem");
    let note = "The Diffie-Hellman group has 1536 bits.";
    check(&arguments, FaultCode::TlsCipherOrKeyWeak, FactKind::Note, note).await;
}

#[tokio::test]
async fn signatures_with_sha1_only_are_likely_the_reason() {
    let arguments = format!("{CERTIFICATE} -tls1_2 -sigalgs RSA+SHA1 -cipher ALL:@SECLEVEL=0");
    let code = FaultCode::TlsCipherOrKeyWeak;
    let fault = check(&arguments, code, FactKind::TlsVersion, "TLS 1.2").await;
    assert_eq!(fault.confidence, Confidence::Likely);
}

#[tokio::test]
async fn a_server_without_a_certificate_is_told() {
    let arguments = "-nocert -tls1_2 -cipher ADH:@SECLEVEL=0";
    let note = "The server has no certificate.";
    check(arguments, FaultCode::TlsHandshakeFailed, FactKind::Note, note).await;
}

#[tokio::test]
async fn a_demand_for_our_certificate_is_told_in_both_versions() {
    let server =
        serve(2048, &format!("{CERTIFICATE} -tls1_2 -Verify 1 -verify_return_error")).await;
    let codes: Vec<_> = explained(&server).await.faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, [FaultCode::TlsClientCertRequired]);

    let server =
        serve(2048, &format!("{CERTIFICATE} -tls1_3 -Verify 1 -verify_return_error")).await;
    let Handshake::Established { mut stream, .. } =
        shake(&server, CertificatePolicy::AllowInsecure).await
    else {
        panic!("TLS 1.3 says so only after the handshake")
    };
    let mut buffer = [0; 16];
    let read = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("in time");
    let fault = fault_of_read_error(&read.expect_err("an alert"), Leg::Imap).expect("of TLS");
    assert_eq!(fault.code, FaultCode::TlsClientCertRequired);
    assert_eq!(fault.evidence.tls_alert, Some(116));
}

#[tokio::test]
async fn weak_and_ancient_certificates_are_named_and_may_be_allowed() {
    use FaultCode as C;
    for (bits, certificate, expect) in [
        (1024, "-cert cert.pem", vec![C::TlsCertSelfSigned, C::TlsCipherOrKeyWeak]),
        (2048, "-cert v1.pem", vec![C::TlsCertSelfSigned, C::TlsCertCnOnly, C::TlsCertMalformed]),
    ] {
        let server =
            serve(bits, &format!("{certificate} -key key.pem -cipher ALL:@SECLEVEL=0")).await;
        let codes = |faults: &[Fault]| faults.iter().map(|fault| fault.code).collect::<Vec<_>>();
        match shake(&server, CertificatePolicy::Strict).await {
            Handshake::Rejected { faults, .. } => assert_eq!(codes(&faults), expect),
            other => panic!("{certificate} must be refused: {other:?}"),
        }
        match shake(&server, CertificatePolicy::AllowInsecure).await {
            Handshake::Established { warnings, .. } => assert_eq!(codes(&warnings), expect),
            other => panic!("{certificate} is allowed: {other:?}"),
        }
    }
}
