//! Fuzz targets for TLS: a server's first answer, its certificates, and what is not TLS.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailfleet_model::tls::{CertificatePolicy, TlsFacts};
use mailfleet_model::{Host, Leg};
use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::hello::reply::Reader;
use super::trust::Trust;
use super::verifier::{Anchors, Recorder};
use super::{alert, failure, modes};

/// The moment at which certificates are judged: fixed, so that a finding stays one.
const NOW: Duration = Duration::from_secs(1_795_000_000);
const HOST: &str = "mail.example.test";

/// The reader of ServerHello and alerts; the first byte says how the stream is cut.
pub(crate) fn hello(bytes: &[u8]) {
    let (piece, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let mut reader = Reader::default();
    for part in bytes.chunks(usize::from(*piece).saturating_add(1)) {
        if reader.push(part).is_some() {
            return;
        }
    }
    let _ = reader.finish();
}

/// What a server says where TLS was expected.
pub(crate) fn first_bytes(bytes: &[u8]) {
    let _ = modes::speaks(bytes);
    assert!(!modes::readable(bytes).unwrap_or_default().chars().any(char::is_control));
    let _ = failure::is_tls_record(bytes);
    for number in bytes.iter().take(8) {
        let _ = (alert::name(*number), alert::meaning(*number), alert::code(*number, true));
    }
}

/// A chain of certificates, each behind two bytes of its length.
pub(crate) fn certificate(bytes: &[u8]) {
    let chain = chain(bytes);
    let Some((leaf, others)) = chain.split_first() else { return };
    let now = SystemTime::UNIX_EPOCH + NOW;
    // The last one is trusted in turn, so that paths are built too.
    let roots: Vec<Vec<u8>> = others.last().map(|root| root.to_vec()).into_iter().collect();
    let trust = Trust::only([]).expect("no root is no error");
    let host: Host = HOST.parse().expect("a host");
    let recorder = Recorder::new(Anchors::new(&trust, &roots), host, now);
    let name = ServerName::try_from(HOST).expect("a name");
    let seen = UnixTime::since_unix_epoch(NOW);
    let verdict = recorder.verify_server_cert(leaf, others, &name, &[], seen);
    assert!(verdict.is_ok(), "the handshake goes on, whatever the certificate");
    let record = Arc::clone(&recorder).take();
    let facts = TlsFacts { chain: record.chain.clone(), ..TlsFacts::default() };
    for problem in &record.problems {
        let _ = problem.fault(Leg::Imap, &facts, CertificatePolicy::Strict);
    }
    for certificate in &record.chain {
        let texts = certificate.names.iter().chain([&certificate.subject, &certificate.issuer]);
        assert!(texts.clone().all(|text| !text.chars().any(char::is_control)));
    }
}

fn chain(mut bytes: &[u8]) -> Vec<CertificateDer<'static>> {
    let mut chain = Vec::new();
    while let Some(([high, low], rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (der, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        chain.push(CertificateDer::from(der.to_vec()));
        bytes = rest;
    }
    chain
}
