//! Certificates: every problem by its own code, all at once, and the same verdict as the
//! TLS library's own verifier.

use std::time::SystemTime;

use mailfleet_model::tls::{CertificatePolicy, TlsPolicy};
use mailfleet_model::{Confidence, FactKind, Fault, FaultCode, Host, Leg};
use mailfleet_probe::tls::{Handshake, Trust, Wanted, handshake};
use rcgen::{BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, IsCa};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tls_authority::{Authority, HOST, Identity, Leaf, PATIENCE, config, self_signed, serve};

async fn shake(trust: &Trust, policy: &TlsPolicy, identity: &Identity) -> Handshake {
    let address = serve(config(identity)).await;
    let stream = TcpStream::connect(address).await.expect("connects");
    let host: Host = HOST.parse().expect("a host");
    let wanted = Wanted { host: &host, policy, leg: Leg::Imap, now: SystemTime::now() };
    timeout(PATIENCE, handshake(trust, &wanted, stream)).await.expect("in time")
}

fn codes(faults: &[Fault]) -> Vec<FaultCode> {
    faults.iter().map(|fault| fault.code).collect()
}

/// The verdict of the library's standard verifier on the same chain.
fn library_accepts(roots: &[CertificateDer<'static>], identity: &Identity) -> bool {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).expect("a root");
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(store.into(), provider)
        .build()
        .expect("a verifier");
    let name = ServerName::try_from(HOST).expect("a name");
    let (leaf, others) = identity.chain.split_first().expect("a leaf");
    verifier.verify_server_cert(leaf, others, &name, &[], UnixTime::now()).is_ok()
}

/// Checks a chain in strict and in insecure mode, and the library's verdict beside them.
#[track_caller]
fn judged(
    root: &Authority,
    identity: Identity,
    expect: &[FaultCode],
) -> impl Future<Output = Vec<Fault>> {
    let roots = vec![root.certificate.clone()];
    let expect = expect.to_vec();
    async move {
        let trust = Trust::only(roots.clone()).expect("roots");
        assert_eq!(library_accepts(&roots, &identity), expect.is_empty(), "the library's verdict");
        let strict = match shake(&trust, &TlsPolicy::default(), &identity).await {
            Handshake::Established { facts, warnings, .. } => {
                assert!(facts.verified);
                warnings
            }
            Handshake::Rejected { facts, faults } => {
                assert!(!facts.verified);
                assert!(faults.iter().all(Fault::is_blocking), "{faults:?}");
                assert_eq!(facts.chain.len(), identity.chain.len());
                faults
            }
            Handshake::Failed(failure) => panic!("no handshake: {failure:?}"),
        };
        assert_eq!(codes(&strict), expect, "{strict:#?}");
        let lax =
            TlsPolicy { certificates: CertificatePolicy::AllowInsecure, ..TlsPolicy::default() };
        match shake(&trust, &lax, &identity).await {
            Handshake::Established { warnings, .. } => {
                assert_eq!(codes(&warnings), expect);
                assert!(warnings.iter().all(|fault| !fault.is_blocking()));
            }
            other => panic!("insecure certificates are allowed: {other:?}"),
        }
        strict
    }
}

#[tokio::test]
async fn a_good_chain_is_accepted_with_and_without_an_intermediate() {
    let root = Authority::root("Example Root");
    judged(&root, root.issue(&Leaf::default()), &[]).await;
    let middle = root.below("Example Middle", (-10, 100));
    judged(&root, middle.issue(&Leaf::default()).with(&[&middle]), &[]).await;
}

#[tokio::test]
async fn facts_name_version_cipher_and_chain() {
    let root = Authority::root("Example Root");
    let trust = Trust::only([root.certificate.clone()]).expect("roots");
    let identity = root.issue(&Leaf::default());
    let Handshake::Established { facts, .. } =
        shake(&trust, &TlsPolicy::default(), &identity).await
    else {
        panic!("a good certificate")
    };
    assert_eq!(facts.version.as_deref(), Some("TLSv1.3"));
    assert_eq!(facts.cipher.as_deref(), Some("TLS_AES_256_GCM_SHA384"));
    assert_eq!(facts.server_name.as_deref(), Some(HOST));
    let leaf = &facts.chain[0];
    assert_eq!(
        (leaf.subject.as_str(), leaf.issuer.as_str()),
        ("CN=imap.example.test", "CN=Example Root")
    );
    assert_eq!((leaf.key.as_str(), leaf.signature.as_str()), ("EC P-256", "ecdsa-with-SHA256"));
    assert_eq!(leaf.names, [HOST]);
    assert_eq!((leaf.sha256.len(), leaf.spki_sha256.len()), (64, 64));
}

#[tokio::test]
async fn each_problem_has_its_own_code() {
    use FaultCode as C;
    let root = Authority::root("Example Root");
    let cases: Vec<(Leaf, &[C])> = vec![
        (Leaf { days: (-90, -2), ..Leaf::default() }, &[C::TlsCertExpired]),
        (Leaf { days: (2, 90), ..Leaf::default() }, &[C::TlsCertNotYetValid]),
        (Leaf { names: vec!["mail.elsewhere.test"], ..Leaf::default() }, &[C::TlsCertNameMismatch]),
        (Leaf { names: vec![], ..Leaf::default() }, &[C::TlsCertCnOnly]),
        (
            Leaf { names: vec![], common: "elsewhere.test", ..Leaf::default() },
            &[C::TlsCertNameMismatch, C::TlsCertCnOnly],
        ),
        (
            Leaf { is_ca: IsCa::Ca(BasicConstraints::Unconstrained), ..Leaf::default() },
            &[C::TlsCertMalformed],
        ),
        (
            Leaf { usages: vec![ExtendedKeyUsagePurpose::ClientAuth], ..Leaf::default() },
            &[C::TlsCertMalformed],
        ),
        (Leaf { extensions: vec![critical_nonsense()], ..Leaf::default() }, &[C::TlsCertMalformed]),
    ];
    for (leaf, expect) in cases {
        judged(&root, root.issue(&leaf), expect).await;
    }
}

fn critical_nonsense() -> CustomExtension {
    let mut extension =
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555, 1], vec![5, 0]);
    extension.set_criticality(true);
    extension
}

#[tokio::test]
async fn all_problems_are_named_at_once() {
    use FaultCode as C;
    let root = Authority::root("Example Root");
    let stranger = Authority::root("Somebody Else");
    let leaf = Leaf { names: vec!["other.test"], days: (-90, -2), ..Leaf::default() };
    let identity = stranger.issue(&leaf).with(&[&stranger]);
    let expect = [C::TlsCertExpired, C::TlsCertNameMismatch, C::TlsCertUnknownCa];
    let faults = judged(&root, identity, &expect).await;
    assert_eq!(faults[1].evidence.fact(FactKind::CertificateNames), Some("other.test"));
    assert_eq!(faults[0].evidence.fact(FactKind::CertificateIssuer), Some("CN=Somebody Else"));
    assert!(faults[0].evidence.fact(FactKind::NotAfter).is_some_and(|date| date.ends_with('Z')));
    assert_eq!(faults[2].confidence, Confidence::Certain);
}

#[tokio::test]
async fn self_signed_is_told_with_or_without_the_mark_of_an_authority() {
    let root = Authority::root("Example Root");
    for is_ca in [IsCa::ExplicitNoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let identity = self_signed(&Leaf { is_ca, ..Leaf::default() });
        judged(&root, identity, &[FaultCode::TlsCertSelfSigned]).await;
    }
}

#[tokio::test]
async fn a_self_signed_certificate_stays_so_beside_a_root_of_the_same_name() {
    let root = Authority::root(HOST);
    for is_ca in [IsCa::ExplicitNoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let identity = self_signed(&Leaf { is_ca, ..Leaf::default() });
        judged(&root, identity, &[FaultCode::TlsCertSelfSigned]).await;
    }
}

#[tokio::test]
async fn a_missing_intermediate_is_likely_and_certain_once_it_is_known() {
    let root = Authority::root("Example Root");
    let middle = root.below("Example Issuing CA", (-10, 100));
    let alone = middle.issue(&Leaf::default());
    let faults = judged(&root, alone, &[FaultCode::TlsCertChainIncomplete]).await;
    assert_eq!(faults[0].confidence, Confidence::Likely);
    assert_eq!(faults[0].alternatives, [FaultCode::TlsCertUnknownCa]);

    let trust = Trust::only([root.certificate.clone()]).expect("roots");
    let whole = middle.issue(&Leaf::default()).with(&[&middle]);
    let seen = shake(&trust, &TlsPolicy::default(), &whole).await;
    assert!(matches!(seen, Handshake::Established { .. }));
    let alone = middle.issue(&Leaf::default());
    match shake(&trust, &TlsPolicy::default(), &alone).await {
        Handshake::Rejected { faults, .. } => {
            assert_eq!(codes(&faults), [FaultCode::TlsCertChainIncomplete]);
            assert_eq!(faults[0].confidence, Confidence::Certain);
        }
        other => panic!("an incomplete chain: {other:?}"),
    }
}

#[tokio::test]
async fn a_lone_certificate_of_a_stranger_is_an_unknown_authority() {
    let root = Authority::root("Contract CA");
    let stranger = Authority::root("Unknown CA");
    let faults =
        judged(&root, stranger.issue(&Leaf::default()), &[FaultCode::TlsCertUnknownCa]).await;
    assert_eq!(faults[0].confidence, Confidence::Ambiguous);
    assert_eq!(faults[0].alternatives, [FaultCode::TlsCertChainIncomplete]);
}

#[tokio::test]
async fn an_expired_intermediate_is_named_as_the_one_that_expired() {
    let root = Authority::root("Example Root");
    let middle = root.below("Example Middle", (-90, -2));
    let identity = middle.issue(&Leaf::default()).with(&[&middle]);
    let faults = judged(&root, identity, &[FaultCode::TlsCertExpired]).await;
    assert_eq!(faults[0].evidence.fact(FactKind::CertificateNames), Some("CN=Example Middle"));
    assert_eq!(
        faults[0].evidence.fact(FactKind::Note),
        Some("The intermediate certificate has expired.")
    );
}

#[tokio::test]
async fn roots_and_pins_of_the_policy_are_trusted_for_this_connection() {
    let trust = Trust::only([]).expect("no roots");
    let root = Authority::root("Company Root");
    let good = root.issue(&Leaf::default());
    let pinned =
        self_signed(&Leaf { is_ca: IsCa::Ca(BasicConstraints::Unconstrained), ..Leaf::default() });
    let policy = TlsPolicy {
        extra_roots: vec![
            root.certificate.to_vec(),
            pinned.der().to_vec(),
            b"no certificate".to_vec(),
        ],
        ..TlsPolicy::default()
    };
    for identity in [&good, &pinned] {
        match shake(&trust, &policy, identity).await {
            Handshake::Established { facts, warnings, .. } => {
                assert!(facts.verified);
                assert_eq!(codes(&warnings), []);
            }
            other => panic!("trusted by the policy: {other:?}"),
        }
        let without = shake(&trust, &TlsPolicy::default(), identity).await;
        assert!(matches!(without, Handshake::Rejected { .. }));
    }
}

#[tokio::test]
async fn a_pin_does_not_excuse_another_name_or_the_date() {
    let trust = Trust::only([]).expect("no roots");
    for (leaf, expect) in [
        (Leaf { names: vec!["other.test"], ..Leaf::default() }, FaultCode::TlsCertNameMismatch),
        (Leaf { days: (-90, -2), ..Leaf::default() }, FaultCode::TlsCertExpired),
    ] {
        let identity = self_signed(&leaf);
        let policy =
            TlsPolicy { extra_roots: vec![identity.der().to_vec()], ..TlsPolicy::default() };
        match shake(&trust, &policy, &identity).await {
            Handshake::Rejected { faults, .. } => assert_eq!(codes(&faults), [expect]),
            other => panic!("{expect} is not excused: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_certificate_that_ends_within_two_weeks_is_a_warning() {
    let root = Authority::root("Example Root");
    let trust = Trust::only([root.certificate.clone()]).expect("roots");
    for (days, expect) in [(13, vec![FaultCode::TlsCertExpiresSoon]), (15, vec![])] {
        let identity = root.issue(&Leaf { days: (-60, days), ..Leaf::default() });
        match shake(&trust, &TlsPolicy::default(), &identity).await {
            Handshake::Established { warnings, .. } => {
                assert_eq!(codes(&warnings), expect);
                assert!(warnings.iter().all(|fault| !fault.is_blocking()));
            }
            other => panic!("still valid: {other:?}"),
        }
    }
}
