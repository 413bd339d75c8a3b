//! The few plaintext words of a probe: read the greeting, ask for STARTTLS, take it.
//!
//! A probe says no more than any visitor would and never a credential. Sessions have
//! their own readers; a probe only needs to know a yes from a no.

use std::io;
use std::net::IpAddr;

use mailfleet_model::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Bytes of one answer, at most. RFC 5321 section 4.5.3.1.5 allows 512 per line; an EHLO
/// answer has some 20 lines.
const MAX_ANSWER: usize = 16 * 1024;
/// The tag of the probe's IMAP commands.
const TAG: &str = "P1";

/// What a server says about STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// It offers it.
    Offered,
    /// It does not.
    NotOffered,
}

/// Reads the greeting and asks whether STARTTLS is offered.
///
/// # Errors
/// If the connection breaks, or the server answers beyond all bounds.
pub(super) async fn ask(stream: &mut TcpStream, protocol: Protocol) -> io::Result<Offer> {
    greeting(stream, protocol).await?;
    let capabilities = capabilities(stream, protocol).await?;
    // STARTTLS in IMAP and SMTP, STLS in POP3 (RFC 2595), each a word of its own.
    let keyword = if protocol == Protocol::Pop3 { "STLS" } else { "STARTTLS" };
    let is_offered = capabilities
        .split(|c: char| c.is_ascii_whitespace() || c == '-')
        .any(|word| word.eq_ignore_ascii_case(keyword));
    Ok(if is_offered { Offer::Offered } else { Offer::NotOffered })
}

/// Reads the greeting, sends STARTTLS and reads the consent. The next byte is TLS.
///
/// # Errors
/// If the connection breaks or the server does not consent.
pub(super) async fn start_tls(stream: &mut TcpStream, protocol: Protocol) -> io::Result<()> {
    greeting(stream, protocol).await?;
    let (command, consents) = match protocol {
        Protocol::Imap => (format!("{TAG} STARTTLS\r\n"), format!("{TAG} OK")),
        Protocol::Pop3 => ("STLS\r\n".to_owned(), "+OK".to_owned()),
        Protocol::Smtp => {
            capabilities(stream, protocol).await?;
            ("STARTTLS\r\n".to_owned(), "220".to_owned())
        }
    };
    stream.write_all(command.as_bytes()).await?;
    let answer = answer(stream, |text| has_ended(protocol, text)).await?;
    let last = answer.lines().last().unwrap_or_default().to_ascii_uppercase();
    if last.starts_with(&consents) { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

async fn greeting(stream: &mut TcpStream, protocol: Protocol) -> io::Result<()> {
    // An IMAP greeting is one untagged line, which a tag would never end.
    let ended = |text: &str| match protocol {
        Protocol::Imap | Protocol::Pop3 => text.ends_with('\n'),
        Protocol::Smtp => has_ended(protocol, text),
    };
    answer(stream, ended).await.map(|_| ())
}

async fn capabilities(stream: &mut TcpStream, protocol: Protocol) -> io::Result<String> {
    let command = match protocol {
        Protocol::Imap => format!("{TAG} CAPABILITY\r\n"),
        Protocol::Pop3 => "CAPA\r\n".to_owned(),
        // RFC 5321 section 4.1.3: an address literal, which is never wrong.
        Protocol::Smtp => match stream.local_addr()?.ip().to_canonical() {
            IpAddr::V4(ip) => format!("EHLO [{ip}]\r\n"),
            IpAddr::V6(ip) => format!("EHLO [IPv6:{ip}]\r\n"),
        },
    };
    stream.write_all(command.as_bytes()).await?;
    let is_list = protocol == Protocol::Pop3;
    answer(stream, |text| {
        // A POP3 list ends with a lone dot (RFC 2449 section 5), a refusal with its line.
        if is_list && text.starts_with("+OK") {
            text.ends_with("\r\n.\r\n") || text.ends_with("\n.\n")
        } else {
            has_ended(protocol, text)
        }
    })
    .await
}

/// Whether the last line of an answer is whole and ends it.
fn has_ended(protocol: Protocol, text: &str) -> bool {
    if !text.ends_with('\n') {
        return false;
    }
    let last = text.lines().last().unwrap_or_default();
    match protocol {
        Protocol::Imap => last.starts_with(TAG) || last.to_ascii_uppercase().starts_with("* BYE"),
        Protocol::Pop3 => true,
        // RFC 5321 section 4.2: a hyphen behind the code says that more follows.
        Protocol::Smtp => last.as_bytes().get(3).is_none_or(|byte| *byte != b'-'),
    }
}

async fn answer(stream: &mut TcpStream, ended: impl Fn(&str) -> bool) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let read = stream.read(&mut buffer).await?;
        bytes.extend(buffer.iter().take(read));
        let text = String::from_utf8_lossy(&bytes);
        if ended(&text) {
            return Ok(text.into_owned());
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes.len() > MAX_ANSWER {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}
