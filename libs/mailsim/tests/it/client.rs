//! A client that knows lines and nothing else, over plain TCP or TLS.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_mailsim::{Authority, Running};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Longer than anything here takes; a test that hits it has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection.
pub(crate) struct Client {
    stream: BufReader<Box<dyn Stream>>,
}

/// A TLS client configuration that trusts the simulator's root.
pub(crate) fn trusting() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(Authority::shared().unwrap().root_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl Client {
    pub(crate) fn over(stream: impl Stream + 'static) -> Self {
        Self { stream: BufReader::new(Box::new(stream)) }
    }

    /// Connects without TLS.
    pub(crate) async fn plain(server: &Running) -> Self {
        Self::over(TcpStream::connect(server.addr()).await.unwrap())
    }

    /// Connects with TLS and checks the certificate.
    pub(crate) async fn tls(server: &Running) -> Self {
        Self::try_tls(server).await.unwrap()
    }

    pub(crate) async fn try_tls(server: &Running) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(server.addr()).await?;
        Self::handshake(tcp, server.host()).await
    }

    async fn handshake(stream: impl Stream + 'static, host: &str) -> std::io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let connector = TlsConnector::from(Arc::new(trusting()));
        let handshake = connector.connect(name, stream);
        Ok(Self::over(timeout(LIMIT, handshake).await.unwrap()?))
    }

    /// Goes on with TLS after STARTTLS.
    pub(crate) async fn upgrade(self, host: &str) -> Self {
        Self::handshake(self.stream.into_inner(), host).await.unwrap()
    }

    /// Reads a line without its end; empty at the end of the connection.
    pub(crate) async fn line(&mut self) -> String {
        self.next().await.unwrap_or_default()
    }

    /// Reads a line without its end; none at the end of the connection.
    async fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        timeout(LIMIT, self.stream.read_until(b'\n', &mut line)).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&line);
        (!line.is_empty()).then(|| text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Reads until the server closes, and gives what came or how it ended.
    pub(crate) async fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut all = Vec::new();
        timeout(LIMIT, self.stream.read_to_end(&mut all)).await.unwrap()?;
        Ok(all)
    }

    pub(crate) async fn send(&mut self, line: &str) {
        self.raw(format!("{line}\r\n").as_bytes()).await;
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Sends bytes that the server may not want any more.
    pub(crate) async fn try_raw(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).await.is_ok() {
            let _ = self.stream.flush().await;
        }
    }

    /// Reads one byte.
    pub(crate) async fn byte(&mut self) -> u8 {
        self.stream.read_u8().await.unwrap()
    }

    /// Sends a line and reads one.
    pub(crate) async fn ask(&mut self, line: &str) -> String {
        self.send(line).await;
        self.line().await
    }

    /// Sends an IMAP command and reads up to its tagged answer.
    pub(crate) async fn imap(&mut self, command: &str) -> Vec<String> {
        self.send(command).await;
        let tag = format!("{} ", command.split(' ').next().unwrap());
        let mut lines = Vec::new();
        loop {
            let Some(line) = self.next().await else { panic!("closed after {lines:?}") };
            let last = line.starts_with(&tag);
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    /// Reads the lines of one SMTP reply.
    pub(crate) async fn reply(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line);
            if !more {
                return lines;
            }
        }
    }

    /// Sends an SMTP command and reads its reply.
    pub(crate) async fn smtp(&mut self, command: &str) -> Vec<String> {
        self.send(command).await;
        self.reply().await
    }
}
