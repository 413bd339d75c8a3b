//! Commands that are interrupted while they run, as by Ctrl-C.

use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use crate::command::Ended;
use crate::place::PATIENCE;

/// A command that runs. Killed when it is dropped.
pub(crate) struct Interruptible {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Interruptible {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn().expect("the binary runs");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, stderr, said: String::new() }
    }

    /// Waits until a line of standard error has these words; whether one came before the end.
    pub(crate) async fn says(&mut self, words: &str) -> bool {
        let heard = async {
            while !self.said.contains(words) {
                if self.stderr.read_line(&mut self.said).await.expect("UTF-8") == 0 {
                    return false;
                }
            }
            true
        };
        timeout(PATIENCE, heard).await.expect("it says something in time")
    }

    /// Interrupts it, and waits for its end.
    pub(crate) async fn interrupt(mut self) -> Ended {
        let id = self.child.id().expect("it runs");
        kill(Pid::from_raw(id.cast_signed()), Signal::SIGINT).expect("it runs");
        let ending = async {
            let (mut stdout, mut piped) = (String::new(), self.child.stdout.take());
            let reading = async {
                let stdout_piped = piped.as_mut().expect("it is piped");
                stdout_piped.read_to_string(&mut stdout).await.expect("UTF-8")
            };
            let rest = self.stderr.read_to_string(&mut self.said);
            let (_, rest) = tokio::join!(reading, rest);
            rest.expect("UTF-8");
            let status = self.child.wait().await.expect("it ends").code();
            Ended { status, stdout, stderr: self.said }
        };
        timeout(PATIENCE, ending).await.expect("it ends in time")
    }
}
