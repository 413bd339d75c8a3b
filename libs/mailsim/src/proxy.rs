//! A simulated SOCKS5 proxy (RFC 1928, RFC 1929): good, refusing, silent, lying.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// What a proxy does with those who come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// Lets everybody through.
    Open,
    /// Lets those through who know this user name and password.
    Login(&'static str, &'static str),
    /// Answers every request with this code.
    Reply(u8),
    /// Says nothing at all.
    Silent,
    /// Says nothing once it is asked to connect.
    SilentAfterRequest,
    /// Ends the connection once it is asked to connect.
    Closing,
    /// Says these bytes, whatever it is asked.
    Says(&'static [u8]),
    /// Lets everybody through, and names a bound address of this many letters.
    LongName(u8),
}

/// A proxy on loopback that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// A proxy on a free port that connects to mail servers from `exit`.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(manner: Manner, exit: IpAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let serve = async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (manner, seen) = (manner.clone(), Arc::clone(&seen));
                // A client that breaks off is the client's affair.
                clients.spawn(async move { drop(serve(client, manner, exit, &seen).await) });
            }
        };
        let task = AbortOnDropHandle::new(tokio::spawn(serve));
        Ok(Self { address, asked, _task: task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked to connect to, in order: `127.0.0.1:993`, or a name if it was one.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(
    mut client: TcpStream,
    manner: Manner,
    exit: IpAddr,
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    match &manner {
        Manner::Silent => return std::future::pending().await,
        Manner::Says(bytes) => {
            client.write_all(bytes).await?;
            // Until the client has had enough.
            return tokio::io::copy(&mut client, &mut tokio::io::sink()).await.map(drop);
        }
        _ => {}
    }
    if !let_in(&mut client, &manner).await? {
        return Ok(());
    }
    let target = requested(&mut client).await?;
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(target.clone());
    let refused = |code| [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    match manner {
        Manner::SilentAfterRequest => return std::future::pending().await,
        Manner::Closing => return Ok(()),
        Manner::Reply(code) => return client.write_all(&refused(code)).await,
        _ => {}
    }
    let Ok(target) = target.parse::<SocketAddr>() else {
        return client.write_all(&refused(8)).await;
    };
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(exit, 0))?;
    let Ok(mut server) = socket.connect(target).await else {
        return client.write_all(&refused(5)).await;
    };
    let bound = match manner {
        Manner::LongName(length) => {
            let name = "x".repeat(length.into());
            [&[5, 0, 0, 3, length], name.as_bytes(), &[0, 0]].concat()
        }
        _ => refused(0).to_vec(),
    };
    client.write_all(&bound).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The choice of a method, and the login.
async fn let_in(client: &mut TcpStream, manner: &Manner) -> io::Result<bool> {
    let [_, length] = read::<2>(client).await?;
    let mut offered = vec![0; length.into()];
    client.read_exact(&mut offered).await?;
    let method = if matches!(manner, Manner::Login(..)) { 2 } else { 0 };
    if !offered.contains(&method) {
        client.write_all(&[5, 0xFF]).await?;
        return Ok(false);
    }
    client.write_all(&[5, method]).await?;
    let Manner::Login(user, password) = manner else { return Ok(true) };
    client.read_u8().await?;
    let (told_user, told_password) = (text(client).await?, text(client).await?);
    let is_right = told_user == user.as_bytes() && told_password == password.as_bytes();
    client.write_all(&[1, u8::from(!is_right)]).await?;
    Ok(is_right)
}

/// Where to.
async fn requested(client: &mut TcpStream) -> io::Result<String> {
    let [_, _, _, kind] = read::<4>(client).await?;
    let host = match kind {
        1 => IpAddr::from(read::<4>(client).await?).to_string(),
        4 => format!("[{}]", IpAddr::from(read::<16>(client).await?)),
        _ => String::from_utf8_lossy(&text(client).await?).into_owned(),
    };
    Ok(format!("{host}:{}", client.read_u16().await?))
}

async fn read<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// A text with its length before it.
async fn text(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}
