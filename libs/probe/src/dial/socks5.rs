//! The client's half of SOCKS5 (RFC 1928), with user name and password (RFC 1929).
//!
//! In two halves, since their ends mean different things: until the proxy has let us in,
//! every failure is ours; after the request, the reply tells about the mail server too.
//! Mail servers are named by address only, the one that the target guard has looked at.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mailfleet_model::{Host, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Failure;

/// Version of the protocol (RFC 1928 section 3).
const VERSION: u8 = 5;
/// Version of the login (RFC 1929 section 2).
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
/// "If the selected METHOD is X'FF', none of the methods listed by the client are acceptable".
const NONE_OF_THEM: u8 = 0xFF;

/// A SOCKS5 proxy that connections may leave through. Its password is never printed.
///
/// The protocol sends the password in the clear: the way to the proxy is to be trusted.
#[derive(Debug)]
pub struct Socks5 {
    host: Host,
    port: u16,
    exit: IpAddr,
    login: Option<(String, Secret)>,
}

/// A user name or password that RFC 1929 cannot carry: each takes 1 to 255 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the user name and the password of a SOCKS5 proxy have 1 to 255 bytes")]
pub struct UnfitLogin;

/// What is wrong with a proxy: always ours, never the mail server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyTrouble {
    /// There is no connection to it.
    #[error("cannot be reached ({0})")]
    Unreachable(io::ErrorKind),
    /// It did not let us in, in time.
    #[error("does not answer")]
    Silent,
    /// It ended the connection without a reply.
    #[error("closes the connection")]
    Closed,
    /// It offers no way to log in that we are set up for.
    #[error("wants another way to log in")]
    OtherLogin,
    /// It does not take the user name and password.
    #[error("refuses the user name and password")]
    LoginRefused,
    /// What it says is no SOCKS5.
    #[error("does not speak SOCKS5")]
    Nonsense,
    /// It does not connect to the server, by this code (RFC 1928 section 6).
    #[error("refuses to connect (reply {0})")]
    Refused(u8),
}

impl From<io::Error> for ProxyTrouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => Self::Closed,
            kind => Self::Unreachable(kind),
        }
    }
}

impl Socks5 {
    /// A proxy that asks for no login. `exit` is the address that mail servers see.
    #[must_use]
    pub fn new(host: Host, port: u16, exit: IpAddr) -> Self {
        Self { host, port, exit, login: None }
    }

    /// The same proxy, with a login.
    ///
    /// # Errors
    /// [`UnfitLogin`] if the protocol cannot carry it.
    pub fn with_login(self, user: String, password: Secret) -> Result<Self, UnfitLogin> {
        let fits = |bytes: &[u8]| u8::try_from(bytes.len()).is_ok_and(|length| 0 < length);
        if !fits(user.as_bytes()) || !fits(password.expose()) {
            return Err(UnfitLogin);
        }
        Ok(Self { login: Some((user, password)), ..self })
    }

    /// The address that mail servers see.
    #[must_use]
    pub fn exit(&self) -> IpAddr {
        self.exit
    }

    /// Shows that the proxy lets us in. Connects to nothing behind it.
    ///
    /// # Errors
    /// What is wrong with it; after `limit`, that it is silent.
    pub async fn prove(&self, limit: Duration) -> Result<(), ProxyTrouble> {
        timeout(limit, self.enter()).await.unwrap_or(Err(ProxyTrouble::Silent)).map(drop)
    }

    /// Connects to a mail server through the proxy.
    ///
    /// Half of the time is for the proxy itself, so that its silence is not taken for the
    /// mail server's.
    pub(super) async fn connect(
        &self,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<TcpStream, Failure> {
        let half = limit.mul_f32(0.5);
        let entered = timeout(half, self.enter()).await.unwrap_or(Err(ProxyTrouble::Silent));
        let mut stream = entered.map_err(Failure::Exit)?;
        let code = match timeout(limit.saturating_sub(half), request(&mut stream, address)).await {
            Ok(reply) => reply.map_err(Failure::Exit)?,
            Err(_) => return Err(Failure::TimedOut),
        };
        // RFC 1928 section 6.
        match code {
            0 => Ok(stream),
            3 | 4 => Err(Failure::Unreachable),
            5 => Err(Failure::Refused),
            6 => Err(Failure::TimedOut),
            other => Err(Failure::Exit(ProxyTrouble::Refused(other))),
        }
    }

    /// Connects to the proxy, agrees on a method, and logs in.
    async fn enter(&self) -> Result<TcpStream, ProxyTrouble> {
        let unreachable = |error: io::Error| ProxyTrouble::Unreachable(error.kind());
        let mut stream = self.reach().await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let method = if self.login.is_some() { USER_AND_PASSWORD } else { NO_LOGIN };
        stream.write_all(&[VERSION, 1, method]).await?;
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).await?;
        match answer {
            [VERSION, chosen] if chosen == method => {}
            [VERSION, NONE_OF_THEM] => return Err(ProxyTrouble::OtherLogin),
            _ => return Err(ProxyTrouble::Nonsense),
        }
        if let Some((user, password)) = &self.login {
            log_in(&mut stream, user.as_bytes(), password.expose()).await?;
        }
        Ok(stream)
    }

    async fn reach(&self) -> io::Result<TcpStream> {
        let name = match &self.host {
            Host::Ip(ip) => return TcpStream::connect((*ip, self.port)).await,
            Host::Name(name) => name,
        };
        let found: Vec<SocketAddr> = lookup_host((name.as_str(), self.port)).await?.collect();
        TcpStream::connect(found.as_slice()).await
    }
}

impl fmt::Display for Socks5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

async fn log_in(stream: &mut TcpStream, user: &[u8], password: &[u8]) -> Result<(), ProxyTrouble> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).map_err(|_| ProxyTrouble::LoginRefused);
    let (users, passwords) = (length(user)?, length(password)?);
    // Full size at once: a buffer that grows leaves copies behind.
    let mut packet = Zeroizing::new(Vec::with_capacity(3 + 2 * usize::from(u8::MAX)));
    packet.extend_from_slice(&[LOGIN_VERSION, users]);
    packet.extend_from_slice(user);
    packet.push(passwords);
    packet.extend_from_slice(password);
    stream.write_all(&packet).await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    match answer {
        [LOGIN_VERSION, 0] => Ok(()),
        [LOGIN_VERSION, _] => Err(ProxyTrouble::LoginRefused),
        _ => Err(ProxyTrouble::Nonsense),
    }
}

/// Asks for a connection, and returns the reply's code. Reads not one byte more than the
/// reply, since the mail server may speak first.
async fn request(stream: &mut TcpStream, address: SocketAddr) -> Result<u8, ProxyTrouble> {
    const CONNECT: u8 = 1;
    const V4: u8 = 1;
    const NAME: u8 = 3;
    const V6: u8 = 4;
    let mut packet = vec![VERSION, CONNECT, 0];
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            packet.push(V4);
            packet.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            packet.push(V6);
            packet.extend_from_slice(&ip.octets());
        }
    }
    packet.extend_from_slice(&address.port().to_be_bytes());
    stream.write_all(&packet).await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [VERSION, code, 0, kind] = head else { return Err(ProxyTrouble::Nonsense) };
    if code != 0 {
        return Ok(code);
    }
    // The address that the proxy is bound to: many say nothing true here.
    let length = match kind {
        V4 => 4,
        V6 => 16,
        NAME => usize::from(stream.read_u8().await?),
        _ => return Err(ProxyTrouble::Nonsense),
    };
    let mut bound = vec![0; length.saturating_add(2)];
    stream.read_exact(&mut bound).await?;
    Ok(code)
}
