//! Asks a server that refused us what it would speak instead.
//!
//! A connection for each version, newest first, one after the other and four at most;
//! the first that is answered with a choice ends it. The server sees a hello and then
//! the end of the connection: no key is agreed on and nothing is logged in to.

use std::io;
use std::time::Duration;

use mailfleet_model::{Endpoint, Host, Security};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::dialogue;
use super::hello::{Choice, Reader, Reply, Version, client_hello};
use crate::dial::Route;

/// Time for one connection.
const PER_CONNECTION: Duration = Duration::from_secs(4);
/// The versions that are asked for. The first hello tells nearly always: a server answers
/// with the newest version that it shares. Old ones exist that refuse a newer hello.
const VERSIONS: [Version; 4] = [Version::Tls12, Version::Tls11, Version::Tls10, Version::Ssl3];

/// What the server answered to our hellos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Survey {
    /// The newest version that it agrees to, and the suite that it took.
    Chosen(Choice),
    /// None of them.
    Nothing,
}

/// Asks the server, until the deadline at most.
pub(super) async fn survey(asked: &Endpoint, route: &Route, deadline: Instant) -> Survey {
    for version in VERSIONS {
        let until = deadline.min(Instant::now() + PER_CONNECTION);
        match timeout_at(until, ask(asked, route, version)).await {
            Ok(Ok(Some(Reply::Chosen(choice)))) => return Survey::Chosen(choice),
            // A refusal, an early end or silence: an older hello may fare better.
            Ok(Ok(Some(Reply::Alert(_) | Reply::NotTls) | None) | Err(_)) | Err(_) => {}
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    Survey::Nothing
}

async fn ask(asked: &Endpoint, route: &Route, version: Version) -> io::Result<Option<Reply>> {
    let mut stream = route.redial(PER_CONNECTION).await?;
    if asked.security == Security::Starttls {
        dialogue::start_tls(&mut stream, asked.protocol).await?;
    }
    exchange(&mut stream, &asked.host, version).await
}

/// Sends a hello and reads until the answer is clear; `None` if the server just ends.
async fn exchange(
    stream: &mut TcpStream,
    host: &Host,
    version: Version,
) -> io::Result<Option<Reply>> {
    stream.write_all(&client_hello(version, host, rand::random())).await?;
    let mut reader = Reader::default();
    let mut buffer = [0; 4096];
    loop {
        let read = match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return Ok(reader.finish()),
            Ok(read) => read,
        };
        if let Some(reply) = reader.push(buffer.get(..read).unwrap_or_default()) {
            return Ok(Some(reply));
        }
    }
}
