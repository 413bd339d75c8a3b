//! The TLS handshake of a session, on the implicit port and after STARTTLS.

use std::sync::Arc;

use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::{Course, Ended, IDLE_LIMIT, Session};
use crate::legacy;
use crate::recorder::What;
use crate::spec::Versions;
use crate::step::Step;
use crate::wire::Wire;

impl Session {
    /// Takes the socket through the TLS handshake. Plaintext that the client sent ahead is
    /// dropped, as RFC 3501 §6.2.1 and RFC 3207 §4.2 demand.
    pub(crate) async fn secure(&mut self) -> Result<(), Ended> {
        let course = self.at(Step::Tls).await?;
        if matches!(course, Course::Answered) {
            self.flush().await?;
            return Err(self.ignore().await);
        }
        self.input.clear();
        self.scanned = 0;
        if let Versions::Legacy(old) = self.host.spec.versions {
            let record = self.hello().await?;
            self.send(&legacy::answer(old, &record)).await?;
            return Err(self.ignore().await);
        }
        let Wire::Plain(tcp) = std::mem::replace(&mut self.wire, Wire::Gone) else {
            return Err(Ended::Refused("TLS inside TLS"));
        };
        let acceptor = TlsAcceptor::from(Arc::clone(&self.host.tls));
        // On the heap: plaintext sessions must not carry the size of a handshake.
        let handshake = Box::pin(timeout(IDLE_LIMIT, acceptor.accept(tcp)));
        let tls = handshake.await.map_err(|_| Ended::Idle)?;
        let tls = tls.map_err(|error| Ended::Handshake(error.to_string()))?;
        let version = tls.get_ref().1.protocol_version();
        let version = version.map_or_else(|| "unknown".to_owned(), |v| format!("{v:?}"));
        self.log.event(What::Secured { version });
        self.wire = Wire::Tls(Box::new(tls));
        Ok(())
    }

    /// Reads one TLS record, the ClientHello, or what is there of it.
    async fn hello(&mut self) -> Result<Vec<u8>, Ended> {
        loop {
            let wanted = legacy::record_len(&self.input);
            let have = self.input.len();
            if wanted.is_some_and(|w| have >= w.min(legacy::MAX_HELLO)) {
                return Ok(self.input.split().to_vec());
            }
            self.fill().await?;
        }
    }
}
