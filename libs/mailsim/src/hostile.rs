//! Performs the faults that end a session, whatever its protocol.
//!
//! Endless things are sent in chunks and wait for the client to read, so that the simulator
//! itself never holds more than one chunk. Every one of them has a total after which it stops.

use tokio::io::AsyncWriteExt as _;

use crate::fault::Fault;
use crate::server::Protocol;
use crate::session::{Ended, Session};
use crate::wire::Wire;

/// Bytes written at a time.
const CHUNK: usize = 16 * 1024;

impl Session {
    /// Performs a fault that no session survives, and says how it ended.
    pub(crate) async fn suffer(&mut self, fault: &Fault, rule: String) -> Ended {
        let outcome = match fault {
            Fault::Close => Ok(()),
            Fault::Reset => self.reset(),
            Fault::Silent => return self.ignore().await,
            Fault::Flood { line, bytes } => {
                let mut line = line.clone().into_bytes();
                line.extend_from_slice(b"\r\n");
                self.pour(b"", &line, *bytes).await
            }
            Fault::EndlessLine { bytes } => {
                let head: &[u8] = match self.host.spec.protocol {
                    Protocol::Imap => b"* OK ",
                    Protocol::Pop3 => b"+OK ",
                    Protocol::Smtp => b"220-",
                };
                self.pour(head, b"A", *bytes).await
            }
            Fault::Garbage { bytes } => {
                let all: Vec<u8> = (0..=u8::MAX).collect();
                self.pour(b"", &all, *bytes).await
            }
            Fault::EndlessLiteral { announced, bytes } => {
                let head = format!("* LIST () \"/\" {{{announced}}}\r\n");
                match self.pour(head.as_bytes(), b"x", *bytes).await {
                    Ok(()) => return self.ignore().await,
                    failed => failed,
                }
            }
            Fault::Nesting { depth } => {
                let head = b"* 1 FETCH (BODYSTRUCTURE ";
                match self.pour(head, b"(", u64::from(*depth)).await {
                    Ok(()) => {
                        self.out.extend_from_slice(b"\r\n");
                        let sent = self.flush().await;
                        return match sent {
                            Ok(()) => self.ignore().await,
                            Err(ended) => ended,
                        };
                    }
                    failed => failed,
                }
            }
            Fault::Reply(_)
            | Fault::Raw(_)
            | Fault::Delay(_)
            | Fault::Drip(_)
            | Fault::Inject(_)
            | Fault::StripStarttls(_)
            | Fault::Preauth
            | Fault::ByeAfterOk(_)
            | Fault::EchoPassword => Ok(()),
        };
        outcome.err().unwrap_or(Ended::ByScript(rule))
    }

    /// Makes the coming close a reset: SO_LINGER with zero seconds.
    fn reset(&mut self) -> Result<(), Ended> {
        if let Some(tcp) = self.wire.tcp() {
            tcp.set_zero_linger()?;
        }
        Ok(())
    }

    /// Sends `head`, then `unit` again and again up to `total` bytes.
    async fn pour(&mut self, head: &[u8], unit: &[u8], total: u64) -> Result<(), Ended> {
        self.out.extend_from_slice(head);
        self.flush().await?;
        let repeats = CHUNK.div_ceil(unit.len().max(1));
        let chunk = unit.repeat(repeats);
        let mut left = total;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            self.send(chunk.get(..now).unwrap_or(&chunk)).await?;
            left -= now as u64;
        }
        Ok(())
    }

    /// Closes in order: close_notify, FIN. What the client still sends is not waited for.
    pub(crate) async fn close(&mut self, ended: &Ended) {
        let abrupt = matches!(ended, Ended::ByScript(_) | Ended::Socket(_) | Ended::Handshake(_));
        if !abrupt && !matches!(self.wire, Wire::Gone) {
            // Bounded, because a client that does not read could hold up the close_notify.
            let limit = std::time::Duration::from_secs(1);
            let _ = tokio::time::timeout(limit, self.wire.shutdown()).await;
        }
        self.log.because(ended.to_string());
    }
}
