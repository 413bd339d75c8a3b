//! Reads the fault at the end of an `at` line.

use super::Problem;
use super::words::{Words, duration, number};
use crate::fault::{DEFAULT_FLOOD_BYTES, Fault, Strip};

/// Reads a fault and makes sure that nothing follows it.
pub(super) fn read(words: &mut Words<'_>) -> Result<Fault, Problem> {
    let name = words.plain().map_err(|_| "the rule lacks its fault".to_owned())?;
    let fault = match name.as_str() {
        "reply" => Fault::Reply(words.text()?),
        "raw" => Fault::Raw(words.bytes()?),
        "delay" => Fault::Delay(duration(&words.plain()?)?),
        "drip" => Fault::Drip(duration(&words.plain()?)?),
        "silent" => Fault::Silent,
        "close" => Fault::Close,
        "reset" => Fault::Reset,
        "flood" => {
            let bytes = number(&words.plain()?)?;
            Fault::Flood { line: words.text()?, bytes }
        }
        "endless-line" => Fault::EndlessLine { bytes: total(words)? },
        "endless-literal" => {
            let announced = number(&words.plain()?)?;
            Fault::EndlessLiteral { announced, bytes: total(words)? }
        }
        "nesting" => Fault::Nesting { depth: super::one_of(&words.plain()?, "depth")? },
        "garbage" => Fault::Garbage { bytes: total(words)? },
        "inject" => Fault::Inject(words.bytes()?),
        "strip-starttls" => Fault::StripStarttls(Strip::Absent),
        "mangle-starttls" => Fault::StripStarttls(Strip::Mangled),
        "preauth" => Fault::Preauth,
        "bye-after-ok" => Fault::ByeAfterOk(words.text()?),
        "echo-password" => Fault::EchoPassword,
        _ => return Err(format!("there is no fault {name}")),
    };
    words.end()?;
    Ok(fault)
}

/// A number of bytes, or the default where the line ends.
fn total(words: &mut Words<'_>) -> Result<u64, Problem> {
    match words.end() {
        Ok(()) => Ok(DEFAULT_FLOOD_BYTES),
        Err(_) => number(&words.plain()?),
    }
}
