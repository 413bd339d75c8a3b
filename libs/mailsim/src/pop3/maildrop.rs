//! The maildrop: STAT, LIST, UIDL, TOP, RETR, DELE and what QUIT deletes. Source: RFC 1939 §5.

use std::sync::Arc;

use super::{Entry, Pop3};
use crate::estate::lock;
use crate::message::{self, Message};

impl Pop3<'_> {
    /// The messages that are not marked as deleted, with their numbers.
    pub(super) fn kept(&self) -> impl Iterator<Item = (usize, &Entry)> {
        (1..).zip(&self.drops).filter(|(_, d)| !d.deleted)
    }

    pub(super) fn find(&self, number: &str) -> Option<usize> {
        let number: usize = number.parse().ok()?;
        self.kept().any(|(n, _)| n == number).then_some(number)
    }

    pub(super) fn listing(
        &mut self,
        rest: &str,
        head: &str,
        what: impl Fn(u32, &Message) -> String,
    ) {
        let line = |(n, d): (usize, &Entry)| format!("{n} {}", what(self.uid_validity, &d.message));
        if rest.is_empty() {
            let lines: Vec<String> = self.kept().map(line).collect();
            self.session.say(head);
            lines.iter().for_each(|l| self.session.say(l));
            self.session.say(".");
            return;
        }
        let found = self.find(rest).and_then(|n| self.kept().find(|(m, _)| *m == n)).map(line);
        match found {
            Some(line) => self.session.say(&format!("+OK {line}")),
            None => self.session.say("-ERR No such message"),
        }
    }

    pub(super) fn content(&mut self, name: &str, rest: &str) {
        let (number, lines) = rest.split_once(' ').unwrap_or((rest, ""));
        let found = self.find(number).and_then(|n| self.drops.get(n - 1));
        let Some(raw) = found.map(|d| Arc::clone(&d.message.raw)) else {
            return self.session.say("-ERR No such message");
        };
        let (header, body) = message::split(&raw);
        let limit = match (name, lines.parse::<usize>()) {
            ("RETR", _) => usize::MAX,
            (_, Ok(limit)) => limit,
            (_, Err(_)) => return self.session.say("-ERR TOP needs a message and a number"),
        };
        self.session.say("+OK");
        let shown = body.split_inclusive(|b| *b == b'\n').take(limit);
        for line in header.split_inclusive(|b| *b == b'\n').chain(shown) {
            if line.starts_with(b".") {
                self.session.out.push(b'.');
            }
            self.session.out.extend_from_slice(line);
        }
        if !self.session.out.ends_with(b"\n") {
            self.session.say("");
        }
        self.session.say(".");
    }

    pub(super) fn mark(&mut self, rest: &str) {
        let found = self.find(rest).and_then(|n| self.drops.get_mut(n - 1));
        match found {
            Some(entry) => {
                entry.deleted = true;
                self.session.say("+OK Marked to be deleted.");
            }
            None => self.session.say("-ERR No such message"),
        }
    }

    pub(super) fn delete(&mut self) {
        let gone: Vec<u32> =
            self.drops.iter().filter(|d| d.deleted).map(|d| d.message.uid).collect();
        let Some(account) = &self.account else { return };
        if let Some(inbox) = lock(account).folder("INBOX") {
            inbox.messages.retain(|m| !gone.contains(&m.uid));
        }
    }
}
