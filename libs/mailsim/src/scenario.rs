//! Several servers around one estate, from one script.

use std::sync::Arc;

use crate::certificate::Authority;
use crate::error::Error;
use crate::estate::{Delivery, Estate};
use crate::running::Running;
use crate::script::{self, ScriptError};
use crate::server::{Protocol, Server, Spec};

/// Servers that share their accounts, as data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scenario {
    /// What happens to mail that the SMTP servers take.
    pub delivery: Delivery,
    /// The servers.
    pub servers: Vec<Spec>,
}

impl Scenario {
    /// Reads a script. The format is described in the module `script` and in the crate's
    /// documentation.
    ///
    /// # Errors
    /// The first line that could not be read, with its number.
    pub fn parse(script: &str) -> Result<Self, ScriptError> {
        script::parse(script)
    }

    /// Writes the scenario as a script that reads back as the same scenario.
    #[must_use]
    pub fn to_script(&self) -> String {
        script::write(self)
    }

    /// Starts all servers around a new estate, in the order of the script.
    ///
    /// # Errors
    /// When one of them cannot start; those before it are stopped again.
    pub async fn start(self, authority: &Arc<Authority>) -> Result<RunningScenario, Error> {
        let estate = Arc::new(Estate::new(self.delivery));
        let mut servers = Vec::with_capacity(self.servers.len());
        for spec in self.servers {
            let server = Server::from(spec).authority(Arc::clone(authority));
            servers.push(server.estate(Arc::clone(&estate)).start().await?);
        }
        Ok(RunningScenario { estate, servers })
    }
}

/// The running servers of a scenario.
#[derive(Debug)]
pub struct RunningScenario {
    /// The accounts that they share.
    pub estate: Arc<Estate>,
    /// The servers, in the order of the script.
    pub servers: Vec<Running>,
}

impl RunningScenario {
    /// The first server of a protocol.
    #[must_use]
    pub fn first(&self, protocol: Protocol) -> Option<&Running> {
        self.servers.iter().find(|s| s.protocol() == protocol)
    }

    /// Stops all servers and waits for them.
    ///
    /// # Errors
    /// The first panic of a session, after all are stopped.
    pub async fn shutdown(self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for server in self.servers {
            outcome = outcome.and(server.shutdown().await);
        }
        outcome
    }
}
