//! A fleet that runs already, and the program that drives it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Longest wait for anything that must happen. A run calibrates for five seconds first.
const PATIENCE: Duration = Duration::from_secs(90);
/// The program that is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_mailfleet-loadtest");
/// The token of who runs the fleet.
pub(crate) const ADMIN: &str = "admin-token-0123456789";
/// The token of somebody who may submit only.
pub(crate) const SUBMITTER: &str = "submitter-token-0123456789";
/// Sessions at once that the fleet opens at a mail server.
pub(crate) const LIMIT: u32 = 3;

/// A fleet in one process; it ends with the test.
pub(crate) struct Serve {
    pub(crate) url: String,
    _child: Child,
    /// Kept open: a gateway whose output nobody reads must not notice.
    _stdout: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Serve {
    /// Starts one that trusts these authorities beside the system's; `None`, said aloud, without the program.
    pub(crate) async fn start(roots: Option<&str>) -> Option<Self> {
        let mailfleet = Path::new(PROGRAM).with_file_name("mailfleet");
        if !mailfleet.is_file() {
            let is_required = std::env::var_os("MAILFLEET_LAB_REQUIRED").is_some();
            assert!(!is_required, "{} is missing", mailfleet.display());
            eprintln!("SKIPPED: no {} (cargo build -p mailfleet-mailfleet)", mailfleet.display());
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let mut config = String::new();
        if let Some(roots) = roots {
            let file = path("roots.pem");
            std::fs::write(&file, roots).expect("a free place");
            config = format!("[trust]\nroots = [\"{}\"]\n", file.display());
        }
        for (role, token) in [("admin", ADMIN), ("submitter", SUBMITTER)] {
            let file = path(role);
            std::fs::write(&file, token).expect("a free place");
            let file = file.display();
            config.push_str(&format!(
                "[[tenant]]\nname = \"crm\"\nrole = \"{role}\"\ntoken_file = \"{file}\"\n"
            ));
        }
        std::fs::write(path("mailfleet.toml"), config).expect("a free place");
        let log = std::fs::File::create(path("log")).expect("a free place");
        let mut child = Command::new(mailfleet)
            .arg("serve")
            .arg("--config")
            .arg(path("mailfleet.toml"))
            .current_dir(folder.path())
            .env_clear()
            .env("MAILFLEET_GATEWAY__LISTEN", "127.0.0.1:0")
            .env("MAILFLEET_ADMIN__LISTEN", "127.0.0.1:0")
            .env("MAILFLEET_STORE__URL", format!("sqlite:{}", path("mailfleet.db").display()))
            .env("MAILFLEET_VAULT__KEY_FILE", path("mailfleet.keys"))
            .env("MAILFLEET_TARGETS__ALLOW", "127.0.0.0/8")
            .env("MAILFLEET_LIMITS__CONCURRENCY", LIMIT.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the binary runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let read = timeout(PATIENCE, stdout.read_line(&mut line)).await;
        read.expect("it starts or ends in time").expect("UTF-8");
        let url = line.split_whitespace().find_map(|word| {
            let at = word.find("http://")?;
            Some(word.get(at..)?.trim_end_matches([',', ';', '.']).to_owned())
        });
        let Some(url) = url else {
            let log = std::fs::read_to_string(path("log")).unwrap_or_default();
            panic!("serve does not start: {line}\n{log}");
        };
        Some(Self { url, _child: child, _stdout: stdout, folder })
    }

    /// A place of the test's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Drives this fleet with a scenario, and writes the result to the folder `out`.
    pub(crate) async fn drive(&self, scenario: &str, token: &str) -> Ran {
        self.drive_with(scenario, token, &[]).await
    }

    /// The same with further arguments.
    pub(crate) async fn drive_with(&self, scenario: &str, token: &str, more: &[&str]) -> Ran {
        let (file, out) = (self.path("scenario.toml"), self.path("out"));
        std::fs::write(&file, scenario).expect("a free place");
        let mut command = Command::new(PROGRAM);
        command.arg("run").arg(file).arg("--out").arg(&out).args(["--gateway", &self.url]);
        command
            .args(more)
            .env("MAILFLEET_TOKEN", token)
            .env("LOAD_PASSWORD", super::remote::PASSWORD);
        command.env_remove("MAILFLEET_LAB").stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await.expect("it ends in time");
        Ran { output: output.expect("the binary runs"), out }
    }
}

/// A run that has ended.
pub(crate) struct Ran {
    output: Output,
    out: PathBuf,
}

impl Ran {
    /// Its exit status; what it said is told if it is not this one.
    #[track_caller]
    pub(crate) fn expect(&self, status: i32) {
        assert_eq!(self.output.status.code(), Some(status), "{}{}", self.stdout(), self.stderr());
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The raw result.
    pub(crate) fn result(&self) -> serde_json::Value {
        let text = std::fs::read(self.out.join("result.json")).expect("a result was written");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// The page for people.
    pub(crate) fn page(&self) -> String {
        std::fs::read_to_string(self.out.join("page.html")).expect("a page was written")
    }

    /// Whether it left anything.
    pub(crate) fn has_result(&self) -> bool {
        self.out.join("result.json").exists()
    }
}
