//! `keys`: makes, rotates, lists and retires the keys that seal stored credentials.
//!
//! Apart from `serve`, so that an administrator can do it while nothing runs. Prints ids and
//! dates only; a key leaves its file for another key file and for nothing else.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use mailfleet_vault::ring::Error as RingError;
use mailfleet_vault::{KeyId, KeyInfo, KeyRing};
use serde_json::json;

use crate::config::Settings;
use crate::config::command::load;
use crate::exit::{Error, Exit};
use crate::output::print;

/// What to do with the keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key file with one key; an existing file is never overwritten
    Generate(FileArgs),
    /// Add a new key, which seals from now on; the keys before it still open
    #[command(after_help = ROTATE_HELP)]
    Rotate(FileArgs),
    /// List the keys, the one that seals first
    List {
        #[command(flatten)]
        file: FileArgs,
        /// Print JSON, one document a line
        #[arg(long)]
        json: bool,
    },
    /// Remove an old key; credentials that are sealed to it can never be opened again
    Retire {
        #[command(flatten)]
        file: FileArgs,
        /// The key's id, as `mailfleet keys list` shows it
        id: KeyId,
    },
    /// Write the public half to a new file, for gateways: it seals but cannot open
    Public {
        #[command(flatten)]
        file: FileArgs,
        /// The new file
        output: PathBuf,
    },
}

const ROTATE_HELP: &str = "\
Running services read their key file when they start. In a fleet, bring the rotated file to every
worker and restart the workers before the gateways get its public half:

  mailfleet keys rotate
  mailfleet keys public gateway.keys";

/// Which key file.
#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// Key file; without it, vault.key_file of the configuration
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    key_file: Option<PathBuf>,
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(command: &KeysCommand) -> Result<Exit, Error> {
    let text = match command {
        KeysCommand::Generate(file) => generate(file)?,
        KeysCommand::Rotate(file) => rotate(file)?,
        KeysCommand::List { file, json } => list(file, if *json { json_line } else { line })?,
        KeysCommand::Retire { file, id } => retire(file, *id)?,
        KeysCommand::Public { file, output } => {
            let ring = KeyRing::load(&file.path()?).map_err(told)?;
            ring.public().save(output).map_err(told)?;
            format!("{} holds the public half\n", output.display())
        }
    };
    print(&text)?;
    Ok(Exit::Good)
}

fn generate(file: &FileArgs) -> Result<String, Error> {
    let path = file.path()?;
    let ring = KeyRing::create(&path, SystemTime::now()).map_err(told)?;
    let ids: String = ring.public().keys().map(|key| key.id.to_string()).collect();
    let path = path.display();
    Ok(format!(
        "{path} holds the new key {ids}\nKeep a copy: what is sealed to it opens only with it.\n"
    ))
}

fn rotate(file: &FileArgs) -> Result<String, Error> {
    let rotated = KeyRing::update(&file.path()?, |ring| {
        let id = ring.rotate(SystemTime::now())?;
        Ok((id, ring.public().keys().count() - 1))
    });
    let (id, old) = rotated.map_err(told)?;
    let old =
        if old == 1 { "1 older key opens".to_owned() } else { format!("{old} older keys open") };
    Ok(format!("the key {id} seals from now on; {old} what was sealed before\n"))
}

fn retire(file: &FileArgs, id: KeyId) -> Result<String, Error> {
    KeyRing::update(&file.path()?, |ring| ring.retire(id)).map_err(told)?;
    Ok(format!("the key {id} is gone\n"))
}

fn list(file: &FileArgs, line: fn(KeyInfo) -> String) -> Result<String, Error> {
    let ring = KeyRing::load(&file.path()?).map_err(told)?;
    Ok(ring.public().keys().map(line).collect())
}

fn line(KeyInfo { id, created, primary }: KeyInfo) -> String {
    let created = humantime::format_rfc3339_seconds(created);
    format!("{id}  {created}  {}\n", if primary { "seals and opens" } else { "opens" })
}

fn json_line(KeyInfo { id, created, primary }: KeyInfo) -> String {
    let (id, created) = (id.to_string(), humantime::format_rfc3339_seconds(created).to_string());
    format!("{}\n", json!({ "id": id, "created": created, "primary": primary }))
}

impl FileArgs {
    fn path(&self) -> Result<PathBuf, Error> {
        match &self.key_file {
            Some(path) => Ok(path.clone()),
            None => Ok(Settings::of(&load(self.config.as_deref())?).key_file),
        }
    }
}

/// Says what the caller can do about it, where he can.
fn told(error: RingError) -> Error {
    let hint = match &error {
        RingError::Missing { .. } => "; 'mailfleet keys generate' makes one",
        RingError::UnknownKey(_) => "; 'mailfleet keys list' shows them",
        RingError::Exists { .. } => "; nothing was changed",
        RingError::TooOpen { .. } | RingError::Full | RingError::Primary(_) => "",
        RingError::Content { source, .. } => return Error::Request(format!("{error}: {source}")),
        RingError::Read { .. } | RingError::Write { .. } | RingError::Busy { .. } => {
            return Error::Own(error.into());
        }
    };
    Error::Request(format!("{error}{hint}"))
}
