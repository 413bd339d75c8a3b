//! Many sessions at once. The memory of ten thousand is measured by the benchmark program; here
//! a smaller number shows that nothing is kept per session that should not be.

use mailfleet_mailsim::{Fault, Server, Step, Tls};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::client::LIMIT;

/// Sessions; two file descriptors each, within the usual soft limit of 1,024.
const SESSIONS: usize = 400;

/// Resident memory of this process in bytes, from the kernel.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test]
async fn idle_plaintext_sessions_are_small() {
    let server = Server::imap().tls(Tls::None).at(Step::Noop, Fault::Silent);
    let server = server.with(|s| s.history = 0).start().await.unwrap();
    let before = resident();
    let mut clients = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let mut tcp = TcpStream::connect(server.addr()).await.unwrap();
        assert_eq!(tcp.read_u8().await.unwrap(), b'*');
        clients.push(tcp);
    }
    assert_eq!(server.recorder().sessions().current, SESSIONS as u64);
    let each = resident().saturating_sub(before) / SESSIONS;
    // Server and client side together, in this process.
    assert!(each < 16 * 1024, "{each} bytes per session");
    drop(clients);
    assert!(server.recorder().wait_until(LIMIT, |r| r.sessions().current == 0).await);
    server.shutdown().await.unwrap();
}
