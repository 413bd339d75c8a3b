//! TLS of the listener, and certificates of callers.

use std::path::Path;

use mailfleet_api::v1;
use mailfleet_api::v1::job_service_client::JobServiceClient;
use mailfleet_gateway::{Config, Error, Server, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use crate::calls::as_tenant;
use crate::world::{CRM_READS, Ground, World, config, tenants};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

/// A certificate and its key, in PEM.
fn issued(by: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, by).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

/// Writes the files of a gateway that demands certificates of `clients`.
fn files(folder: &Path, server: &Authority, clients: &Authority) -> TlsFiles {
    let (certificate, key) = issued(server, "localhost");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    TlsFiles {
        certificate: write("gateway.pem", &certificate),
        key: write("gateway.key", &key),
        client_ca: Some(write("clients.pem", &clients.pem())),
    }
}

async fn connect(world: &World, tls: ClientTlsConfig) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Channel::from_shared(format!("https://localhost:{}", world.address.port()));
    endpoint.expect("an address").tls_config(tls)?.connect().await
}

async fn ask(channel: Channel) -> Result<(), tonic::Status> {
    let request = as_tenant(CRM_READS, v1::ListJobsRequest::default());
    JobServiceClient::new(channel).list_jobs(request).await.map(drop)
}

#[tokio::test]
async fn callers_show_a_certificate_and_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, clients, others) = (authority("server"), authority("clients"), authority("x"));
    let tls = Some(files(folder.path(), &server, &clients));
    let ground = Ground::new(Config { tls, ..config() }).await;
    let world = ground.gateway(tenants()).await;
    let trusting = || {
        let root = Certificate::from_pem(server.pem());
        ClientTlsConfig::new().ca_certificate(root).domain_name("localhost")
    };
    let (certificate, key) = issued(&clients, "crm");
    let good = trusting().identity(Identity::from_pem(certificate, key));
    ask(connect(&world, good.clone()).await.expect("it is let in")).await.expect("answered");
    let mut nobody = JobServiceClient::new(connect(&world, good).await.expect("it is let in"));
    let refused = nobody.list_jobs(v1::ListJobsRequest::default()).await.expect_err("no token");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);

    let (certificate, key) = issued(&others, "crm");
    let wrong = trusting().identity(Identity::from_pem(certificate, key));
    for tls in [trusting(), wrong] {
        // TLS 1.3 tells the client of the refusal only once it has something to say.
        let is_let_in = match connect(&world, tls).await {
            Ok(channel) => ask(channel).await.is_ok(),
            Err(_) => false,
        };
        assert!(!is_let_in);
    }
}

#[tokio::test]
async fn a_file_that_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, clients) = (authority("server"), authority("clients"));
    let mut files = files(folder.path(), &server, &clients);
    files.key = folder.path().join("nothing.key");
    let ground = Ground::new(Config { tls: Some(files), ..config() }).await;
    let running = ground.loops(tenants());
    let bound = Server::bind(std::sync::Arc::clone(running.gateway())).await;
    let error = bound.expect_err("there is no key");
    assert!(matches!(error, Error::TlsFile { .. }), "{error}");
    assert!(error.to_string().contains("nothing.key"), "{error}");
}
