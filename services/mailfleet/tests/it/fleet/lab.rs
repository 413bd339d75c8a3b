//! A broker and a database, shared with other tests or one's own, and how their operator
//! handles them.
//!
//! A test that harms a server starts servers of its own; the others share the lab that the
//! environment names, each with names of its own on the broker and a schema of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::facts;

/// The repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Who else uses the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Other tests do.
    Shared,
    /// Nobody does: they may be harmed.
    Own,
}

/// Servers that may be killed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Server {
    RabbitMq,
    Postgres,
}

/// A broker and a database.
pub(crate) struct Lab {
    facts: Value,
    /// The names of this test begin so, on the broker and in the database.
    pub(crate) namespace: String,
    /// Where servers of one's own live.
    own: Option<TempDir>,
}

impl Lab {
    /// The servers; `None`, said aloud, where there are none.
    pub(crate) async fn get(use_: Use) -> Option<Self> {
        let facts = from_environment()?;
        let (facts, own) = match use_ {
            Use::Shared => (facts, None),
            Use::Own => {
                let (facts, folder) = start(&facts).await;
                (facts, Some(folder))
            }
        };
        let namespace = format!("f{}", &Uuid::new_v4().simple().to_string()[..20]);
        let lab = Self { facts, namespace, own };
        lab.sql(&format!("CREATE SCHEMA {}", lab.namespace)).await;
        Some(lab)
    }

    fn say(&self, server: &str, key: &str) -> &str {
        self.facts[server][key].as_str().expect("the lab says it")
    }

    /// The database, with everything in the schema of this test.
    pub(crate) fn store_url(&self) -> String {
        let url = self.say("postgres", "url");
        format!("{url}&options=-c%20search_path%3D{}", self.namespace)
    }

    /// The broker, or a proxy in front of it at this port.
    pub(crate) fn broker_url(&self, through: Option<u16>) -> String {
        let url = self.say("rabbitmq", "url");
        let Some(port) = through else { return url.to_owned() };
        let (head, tail) = url.rsplit_once(':').expect("a port");
        let (_, path) = tail.split_once('/').expect("a path");
        format!("{head}:{port}/{path}")
    }

    /// The address of the broker.
    pub(crate) fn broker_address(&self) -> &str {
        self.facts["servers"]["rabbitmq"]["amqp"].as_str().expect("the lab says it")
    }

    /// The name of a queue.
    pub(crate) fn queue(&self, name: &str) -> String {
        format!("{}.v1.{name}", self.namespace)
    }

    /// Runs `rabbitmqctl`.
    pub(crate) async fn ctl(&self, words: &[&str]) -> String {
        run(Command::new(self.say("rabbitmq", "ctl")).arg("-q").args(words)).await
    }

    /// Publishes bytes to a queue, as no process of ours would.
    pub(crate) async fn inject(&self, queue: &str, bytes: &[u8]) {
        let url = self.broker_url(None);
        let connection = Connection::connect(&url, ConnectionProperties::default());
        let connection = connection.await.expect("the broker is there");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("it confirms");
        let (name, properties) = (self.queue(queue), BasicProperties::default());
        // Mandatory: a name that no queue has would come back.
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sent =
            channel.basic_publish("".into(), name.as_str().into(), options, bytes, properties);
        let confirmed = sent.await.expect("it is sent").await.expect("it is confirmed");
        assert!(matches!(confirmed, Confirmation::Ack(None)), "not in {name}: {confirmed:?}");
        connection.close(200, "OK".into()).await.expect("it closes");
    }

    /// Runs SQL.
    pub(crate) async fn sql(&self, statement: &str) -> String {
        let psql = self.say("postgres", "psql");
        run(Command::new(psql).args(["--tuples-only", "--no-align", "--command", statement])).await
    }

    /// Lets a server of our own crash, or end, or start again.
    pub(crate) async fn operate(&self, server: Server, verb: &str) {
        assert!(self.own.is_some(), "other tests use these servers");
        let folder = match server {
            Server::RabbitMq => self.say("rabbitmq", "folder"),
            Server::Postgres => self.say("postgres", "folder"),
        };
        run(&mut Command::new(Path::new(folder).join(verb))).await;
    }
}

/// Takes everything away again.
impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(folder) = &self.own {
            finish(Command::new(program("down")).arg(folder.path()));
            return;
        }
        let prefix = self.queue("");
        let gone = format!(
            "[rabbit_amqqueue:delete(Q, false, false, <<\"test\">>) || Q <- rabbit_amqqueue:list(), \
             binary:longest_common_prefix([element(4, element(2, Q)), <<\"{prefix}\">>]) == {}], \
             [rabbit_exchange:delete(N, false, <<\"test\">>) || N <- rabbit_exchange:list_names(), \
             binary:longest_common_prefix([element(4, N), <<\"{prefix}\">>]) == {}].",
            prefix.len(),
            prefix.len()
        );
        finish(Command::new(self.say("rabbitmq", "ctl")).args(["-q", "eval", &gone]));
        let drop = format!("DROP SCHEMA {} CASCADE", self.namespace);
        finish(Command::new(self.say("postgres", "psql")).args(["--command", &drop]));
    }
}

/// What the lab of the environment says.
fn from_environment() -> Option<Value> {
    let facts = facts::from_environment()?;
    if facts["postgres"].is_null() {
        return facts::skipped("the lab has no PostgreSQL");
    }
    Some(facts)
}

/// Starts servers of one's own, of the versions that the lab of the environment has.
async fn start(like: &Value) -> (Value, TempDir) {
    let broker = like["rabbitmq"]["name"].as_str().expect("the lab says it");
    let folder = tempfile::Builder::new().prefix("mailfleet-own.").tempdir().expect("a folder");
    // The servers' users must be able to pass.
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), mode).expect("our own folder");
    let servers = format!("{broker},postgres");
    run(Command::new(program("up")).arg(folder.path()).args(["--only", &servers])).await;
    (facts::read(&folder.path().join("lab.json")), folder)
}

fn program(name: &str) -> PathBuf {
    Path::new(ROOT).join("deploy/lab").join(name)
}

/// Runs a program that must succeed; gives what it printed.
async fn run(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let mut program = Command::new(command.get_program());
    program.args(command.get_args()).stdin(Stdio::null());
    let done = tokio::process::Command::from(program).output().await.expect("it can be run");
    let (out, error) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{shown}: {out}{error}");
    out.into_owned()
}

/// Runs a program while everything ends, where nobody can wait for its outcome.
fn finish(command: &mut Command) {
    let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    match done {
        Ok(done) if done.status.success() => {}
        other => eprintln!("not cleaned up: {other:?}"),
    }
}
