//! Plain sessions with the lab's servers, beside those of the probe: to fill a server up to
//! its limit, and to see with other eyes where a message ended up.
//!
//! A dozen lines of IMAP, none of them the probe's own session code; only its TLS is used.

use std::time::{Duration, SystemTime};

use mailfleet_model::tls::{CertificatePolicy, TlsPolicy};
use mailfleet_model::{Host, Leg};
use mailfleet_probe::lines::Lines;
use mailfleet_probe::stream::MailStream;
use mailfleet_probe::tls::{Handshake, Wanted, handshake};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::lab::Lab;
use super::row::{At, Crowd, Row};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Opens a crowd's sessions; they last until they are dropped.
pub(super) async fn gather(lab: &Lab, crowd: &Crowd) -> Vec<Talk> {
    let mut talks = Vec::new();
    for _ in 0..crowd.count {
        let mut talk = Talk::open(lab, &crowd.at).await;
        if let Some(name) = crowd.user {
            talk.log_in(lab, name).await;
        }
        talks.push(talk);
    }
    talks
}

/// Says what is wrong unless exactly one message with the token lies in Trash, and none in
/// INBOX and Junk.
pub(super) async fn only_in_trash(lab: &Lab, row: &Row, token: &str) -> Vec<String> {
    let at = row.incoming.expect("a row about Trash has an incoming leg").at;
    let at = At { kind: "imap_tls", ..at };
    let mut talk = Talk::open(lab, &at).await;
    talk.log_in(lab, row.user).await;
    let mut wrong = Vec::new();
    for (folder, expect) in [("Trash", 1), ("INBOX", 0), ("Junk", 0)] {
        let found = talk.count(folder, token).await;
        if found != expect {
            wrong.push(format!("{folder} holds {found} messages with the token, not {expect}"));
        }
    }
    wrong
}

/// One session, after its greeting.
pub(super) struct Talk {
    lines: Lines,
    next_tag: u32,
}

impl Talk {
    async fn open(lab: &Lab, at: &At) -> Self {
        let socket = TcpStream::connect(lab.address(at)).await.expect("connects");
        let stream = if at.kind.ends_with("_tls") {
            secure(lab, socket).await
        } else {
            MailStream::plain(socket)
        };
        let mut talk = Self { lines: Lines::new(stream), next_tag: 1 };
        talk.line().await;
        talk
    }

    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.read_line()).await.expect("an answer in time");
        String::from_utf8_lossy(&line.expect("a line")).into_owned()
    }

    /// Sends an IMAP command; returns its answer, the tagged line last.
    async fn imap(&mut self, command: &str) -> Vec<String> {
        let tag = format!("r{}", self.next_tag);
        self.next_tag += 1;
        self.lines.write_line(format!("{tag} {command}").as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        loop {
            let line = self.line().await;
            let last = line.starts_with(&tag);
            answer.push(line);
            if last {
                return answer;
            }
        }
    }

    async fn log_in(&mut self, lab: &Lab, user: &str) {
        let (name, password) = lab.user(user);
        let answer = self.imap(&format!("LOGIN {name} {password}")).await;
        assert!(answer.last().is_some_and(|line| line.contains(" OK")), "{user}: {answer:?}");
    }

    /// The number of messages in a folder whose subject holds the token.
    async fn count(&mut self, folder: &str, token: &str) -> usize {
        let opened = self.imap(&format!("EXAMINE {folder}")).await;
        assert!(opened.last().is_some_and(|line| line.contains(" OK")), "{folder}: {opened:?}");
        let answer = self.imap(&format!("SEARCH SUBJECT {token}")).await;
        let found = answer.iter().find_map(|line| line.strip_prefix("* SEARCH"));
        found.map_or(0, |numbers| numbers.split_whitespace().count())
    }
}

async fn secure(lab: &Lab, socket: TcpStream) -> MailStream {
    let host: Host = lab.host.parse().expect("a host name");
    let policy =
        TlsPolicy { certificates: CertificatePolicy::AllowInsecure, extra_roots: Vec::new() };
    let wanted = Wanted { host: &host, policy: &policy, leg: Leg::Imap, now: SystemTime::now() };
    match timeout(PATIENCE, handshake(&lab.trust, &wanted, socket)).await.expect("in time") {
        Handshake::Established { stream, .. } => MailStream::tls(stream),
        other => panic!("no handshake with the lab: {other:?}"),
    }
}
