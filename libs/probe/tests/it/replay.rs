//! Plays a recorded mail server, with TLS where the recording has it.
//!
//! Answers are looked up by command: first in the chosen section of the recording, in
//! order, then anywhere in the file. A POP3 client that says AUTH where the recording has
//! USER and PASS gets the answer to PASS.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::bench::HOST;
use crate::tls_authority::{Authority, Identity, Leaf, config};

/// One answer: its lines, without line ends.
type Answer = Vec<String>;

/// What a server said in one section, by command; the greeting under `connect`.
#[derive(Debug, Clone, Default)]
struct Answers(HashMap<String, VecDeque<Answer>>);

/// A recording, ready to be played.
pub(crate) struct Recording {
    section: Answers,
    behind_tls: Answers,
    elsewhere: Answers,
    implicit_tls: bool,
}

impl Recording {
    /// Takes the section whose title begins with `title` out of a file's text.
    pub(crate) fn new(text: &str, title: &str) -> Self {
        let sections: Vec<&str> = text.split("\n=== ").collect();
        let chosen = sections.iter().find(|section| section.starts_with(title));
        let chosen = chosen.unwrap_or_else(|| panic!("no section {title}"));
        let (before, behind) = chosen.split_once("\n# TLS ok").unwrap_or((chosen, ""));
        let implicit_tls = chosen.contains("implicit TLS");
        let mut behind_tls = Answers::read(behind);
        let section =
            if implicit_tls { std::mem::take(&mut behind_tls) } else { Answers::read(before) };
        Self { section, behind_tls, elsewhere: Answers::read(text), implicit_tls }
    }

    fn answer(&mut self, command: &str) -> Option<Answer> {
        if let Some(answer) = self.section.next(command) {
            return Some(answer);
        }
        match command {
            "AUTH" => self.section.next("PASS"),
            other => self.elsewhere.next(other),
        }
    }
}

impl Answers {
    fn read(text: &str) -> Self {
        let mut found = Self::default();
        let mut command = "connect".to_owned();
        let mut fresh = true;
        let mut challenged = false;
        for line in text.lines() {
            if line.starts_with("# connect") {
                command = "connect".to_owned();
                fresh = true;
            } else if let Some(said) = line.strip_prefix("C: ") {
                let verb = said.split([' ', ':']).next().unwrap_or_default();
                command = match verb {
                    _ if challenged => "response".to_owned(),
                    "From" => "content".to_owned(),
                    verb => verb.to_uppercase(),
                };
                fresh = true;
            } else if let Some((_, said)) =
                line.strip_prefix("S[").and_then(|l| l.split_once("]: "))
            {
                let answers = found.0.entry(command.clone()).or_default();
                if fresh {
                    answers.push_back(Vec::new());
                }
                fresh = false;
                challenged = is_challenge(said);
                answers.back_mut().expect("just pushed").push(said.to_owned());
            }
        }
        found
    }

    fn next(&mut self, command: &str) -> Option<Answer> {
        self.0.get_mut(command)?.pop_front()
    }
}

/// An authority and a certificate of it for the host of the tests.
pub(crate) fn identity() -> (Authority, Identity) {
    let root = Authority::root("Replay root");
    let identity = root.issue(&Leaf { names: vec![HOST], common: HOST, ..Leaf::default() });
    (root, identity)
}

/// Plays a recording to one client; the task gives back what the client said.
pub(crate) async fn play(
    recording: Recording,
    identity: Identity,
) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = TlsAcceptor::from(config(&identity));
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut heard = Vec::new();
        // The client may leave whenever it likes.
        let _ = converse(stream, acceptor, recording, &mut heard).await;
        heard
    });
    (address, task)
}

async fn converse(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    mut recording: Recording,
    heard: &mut Vec<String>,
) -> io::Result<()> {
    if recording.implicit_tls {
        let mut stream = BufReader::new(acceptor.accept(stream).await?);
        say(&mut stream, recording.answer("connect")).await?;
        dialogue(&mut stream, &mut recording, heard).await?;
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    say(&mut stream, recording.answer("connect")).await?;
    if dialogue(&mut stream, &mut recording, heard).await? == After::Tls {
        recording.section = std::mem::take(&mut recording.behind_tls);
        let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
        dialogue(&mut stream, &mut recording, heard).await?;
    }
    Ok(())
}

/// What follows a dialogue.
#[derive(PartialEq, Eq)]
enum After {
    Tls,
    End,
}

async fn dialogue<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    recording: &mut Recording,
    heard: &mut Vec<String>,
) -> io::Result<After> {
    let mut challenged = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(After::End);
        }
        heard.push(line.trim_end().to_owned());
        let command = match line.split_whitespace().next() {
            _ if challenged => "response".to_owned(),
            verb => verb.unwrap_or_default().to_uppercase(),
        };
        let answer = recording.answer(&command);
        challenged = answer.iter().flatten().any(|line| is_challenge(line));
        say(stream, answer).await?;
        match command.as_str() {
            "STARTTLS" | "STLS" => return Ok(After::Tls),
            "QUIT" => return Ok(After::End),
            "DATA" => {
                while line.trim_end() != "." {
                    line.clear();
                    stream.read_line(&mut line).await?;
                    heard.push(line.trim_end().to_owned());
                }
                say(stream, recording.answer("content")).await?;
            }
            _ => {}
        }
    }
}

/// Whether the client's next line answers a challenge and is no command.
fn is_challenge(line: &str) -> bool {
    line.starts_with("334") || line == "+" || line.starts_with("+ ")
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, answer: Option<Answer>) -> io::Result<()> {
    let lines = answer.ok_or_else(|| io::Error::other("the recording has no such answer"))?;
    let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await
}
