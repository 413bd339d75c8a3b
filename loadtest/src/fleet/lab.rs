//! The broker and the database of a local fleet: started for the run, or given.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use uuid::Uuid;

/// Which broker and database to use.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Given {
    /// Use the broker and database of a lab that runs already: its lab.json.
    ///
    /// Queues and tables get names of their own and are removed in the end. Ignored where the
    /// scenario restarts the broker.
    #[arg(long, value_name = "FILE", env = "MAILFLEET_LAB")]
    pub(crate) lab: Option<PathBuf>,
    /// Use this broker: amqp://… Goes with --store.
    #[arg(long, value_name = "URL", env = "MAILFLEET_LOADTEST_BROKER", hide_env_values = true)]
    #[arg(requires = "fleet_store")]
    pub(crate) fleet_broker: Option<String>,
    /// Use this database, which should be empty: postgres://… Goes with --fleet-broker.
    #[arg(
        long,
        value_name = "URL",
        env = "MAILFLEET_LOADTEST_FLEET_STORE",
        hide_env_values = true
    )]
    #[arg(requires = "fleet_broker")]
    pub(crate) fleet_store: Option<String>,
}

/// A broker and a database.
pub(crate) struct Lab {
    /// What lab.json says; none where only URLs are known.
    facts: Option<Value>,
    /// The folder of the lab.
    folder: Option<PathBuf>,
    broker: String,
    store: String,
    /// The names on the broker begin so.
    pub(crate) namespace: String,
    own: Option<TempDir>,
}

impl Lab {
    /// Starts servers, unless some are given. `must_be_own`: they will be harmed.
    pub(crate) async fn get(given: &Given, must_be_own: bool) -> anyhow::Result<Self> {
        let namespace = format!("load{}", &Uuid::new_v4().simple().to_string()[..12]);
        if let (Some(broker), Some(store)) = (&given.fleet_broker, &given.fleet_store) {
            ensure!(!must_be_own, "the scenario restarts the broker: a broker by URL cannot be");
            let (broker, store) = (broker.clone(), store.clone());
            return Ok(Self { facts: None, folder: None, broker, store, namespace, own: None });
        }
        let (folder, own) = match given.lab.as_ref().filter(|_| !must_be_own) {
            Some(file) => {
                let folder = file.parent().context("lab.json lies in a folder")?;
                (folder.to_owned(), None)
            }
            None => {
                let own = start().await?;
                (own.path().to_owned(), Some(own))
            }
        };
        let text = std::fs::read_to_string(folder.join("lab.json")).context("reading lab.json")?;
        let facts: Value = serde_json::from_str(&text).context("understanding lab.json")?;
        let say = |server: &str, key: &str| -> anyhow::Result<String> {
            let value = facts.get(server).and_then(|server| server.get(key)?.as_str());
            Ok(value.with_context(|| format!("lab.json has no {server}.{key}"))?.to_owned())
        };
        let broker = say("rabbitmq", "url")?;
        let store = say("postgres", "url")?;
        let store = format!("{store}&options=-c%20search_path%3D{namespace}");
        let folder = Some(folder);
        let lab = Self { facts: Some(facts), folder, broker, store, namespace, own };
        lab.sql(&format!("CREATE SCHEMA {}", lab.namespace)).await?;
        Ok(lab)
    }

    fn say(&self, server: &str, key: &str) -> anyhow::Result<&str> {
        let facts = self.facts.as_ref().context("only URLs are known of these servers")?;
        let value = facts.get(server).and_then(|server| server.get(key)?.as_str());
        value.with_context(|| format!("lab.json has no {server}.{key}"))
    }

    /// The database.
    pub(crate) fn store_url(&self) -> &str {
        &self.store
    }

    /// The broker, or a proxy in front of it at this port.
    pub(crate) fn broker_url(&self, through: Option<u16>) -> anyhow::Result<String> {
        let Some(port) = through else { return Ok(self.broker.clone()) };
        let (head, tail) = self.broker.rsplit_once(':').context("the broker's URL has no port")?;
        let path = tail.split_once('/').map_or("", |(_, path)| path);
        Ok(format!("{head}:{port}/{path}"))
    }

    /// Where the broker listens, as `address:port`.
    pub(crate) fn broker_address(&self) -> anyhow::Result<&str> {
        let place = self.broker.rsplit_once('@').map_or(self.broker.as_str(), |(_, place)| place);
        let place = place.trim_start_matches("amqp://");
        Ok(place.split_once('/').map_or(place, |(address, _)| address))
    }

    /// Runs SQL.
    pub(crate) async fn sql(&self, statement: &str) -> anyhow::Result<String> {
        let psql = self.say("postgres", "psql")?;
        let words = ["--tuples-only", "--no-align", "--command", statement];
        run(Command::new(psql).args(words)).await
    }

    /// Ends the broker and starts it again.
    pub(crate) async fn restart_broker(&self) -> anyhow::Result<()> {
        ensure!(self.own.is_some(), "others may use this broker");
        let folder = Path::new(self.say("rabbitmq", "folder")?);
        for verb in ["stop", "start"] {
            run(&mut Command::new(folder.join(verb))).await?;
        }
        Ok(())
    }

    /// What runs and which version, for the record.
    pub(crate) async fn versions(&self) -> Vec<(String, String)> {
        let mut versions = Vec::new();
        if let Ok(ctl) = self.say("rabbitmq", "ctl") {
            let told = run(Command::new(ctl).args(["-q", "version"])).await;
            versions.push(("RabbitMQ".to_owned(), told.unwrap_or_else(|error| error.to_string())));
        }
        let told = self.sql("SHOW server_version").await;
        versions.push(("PostgreSQL".to_owned(), told.unwrap_or_else(|_| "not known".to_owned())));
        versions.iter().map(|(name, text)| (name.clone(), text.trim().to_owned())).collect()
    }

    /// The first processes of the broker and of the database, as the lab lists them.
    pub(crate) fn processes(&self) -> Vec<(String, u32)> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let table = std::fs::read_to_string(folder.join("processes")).unwrap_or_default();
        let row = |line: &str| {
            let mut words = line.split(' ');
            let (pid, _started, name) = (words.next()?, words.next()?, words.next()?);
            let name = match name {
                "rabbitmq" => "broker",
                "postgres" => "database",
                _ => return None,
            };
            Some((name.to_owned(), pid.parse().ok()?))
        };
        // The last one counts: an earlier one may have been restarted.
        let mut found: Vec<(String, u32)> = Vec::new();
        for (name, pid) in table.lines().filter_map(row) {
            found.retain(|(known, _)| *known != name);
            found.push((name, pid));
        }
        found
    }
}

/// Takes everything away again.
impl Drop for Lab {
    fn drop(&mut self) {
        use std::process::Command;
        if let Some(own) = &self.own {
            if let Ok(down) = program("down") {
                finish(Command::new(down).arg(own.path()));
            }
            return;
        }
        let Ok(ctl) = self.say("rabbitmq", "ctl") else { return };
        let prefix = format!("{}.v1.", self.namespace);
        let is_ours = |name: &str| {
            format!("binary:longest_common_prefix([{name}, <<\"{prefix}\">>]) == {}", prefix.len())
        };
        let gone = format!(
            "[rabbit_amqqueue:delete(Q, false, false, <<\"load\">>) || Q <- rabbit_amqqueue:list(), \
             {}], [rabbit_exchange:delete(N, false, <<\"load\">>) || N <- \
             rabbit_exchange:list_names(), {}].",
            is_ours("element(4, element(2, Q))"),
            is_ours("element(4, N)"),
        );
        finish(Command::new(ctl).args(["-q", "eval", &gone]));
        if let Ok(psql) = self.say("postgres", "psql") {
            let drop = format!("DROP SCHEMA {} CASCADE", self.namespace);
            finish(Command::new(psql).args(["--command", &drop]));
        }
    }
}

/// Starts servers of our own.
async fn start() -> anyhow::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("mailfleet-load.").tempdir()?;
    // The servers' users must be able to pass.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    let up = program("up")?;
    run(Command::new(up).arg(folder.path()).args(["--only", "rabbitmq,postgres"])).await?;
    Ok(folder)
}

/// A script of the lab, in the repository that we run in or were built from.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let ours = std::env::current_exe().unwrap_or_default();
    let found = here.ancestors().chain(ours.ancestors());
    let mut found = found.map(|folder| folder.join("deploy/lab").join(name));
    found.find(|path| path.is_file()).context(
        "deploy/lab is not here: run in the repository, or name servers by --lab or \
         --fleet-broker and --fleet-store",
    )
}

/// Runs a program that must succeed; gives what it printed.
async fn run(command: &mut Command) -> anyhow::Result<String> {
    let shown = command.as_std().get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).process_group(0).output().await;
    let done = done.with_context(|| format!("running {shown}"))?;
    let (out, error) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success(), "{shown} failed: {out}{error}");
    Ok(out.into_owned())
}

/// Runs a program while everything ends, where nobody can wait for its outcome.
fn finish(command: &mut std::process::Command) {
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    match done {
        Ok(done) if done.status.success() => {}
        other => crate::progress::say(&format!("not cleaned up: {other:?}")),
    }
}
