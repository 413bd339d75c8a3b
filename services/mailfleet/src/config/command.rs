//! `config check`, `config show` and `config reference`.

use std::path::Path;

use super::{Configuration, reference, show};
use crate::args::ConfigCommand;
use crate::exit::{Error, Exit};
use crate::output::print;

/// Runs the command.
pub(crate) fn run(command: &ConfigCommand) -> Result<Exit, Error> {
    let text = match command {
        ConfigCommand::Check(args) => {
            load(args.config.as_deref())?;
            "the configuration is good\n".to_owned()
        }
        ConfigCommand::Show(args) => show(&load(args.config.as_deref())?),
        ConfigCommand::Reference => reference(),
    };
    print(&text)?;
    Ok(Exit::Good)
}

/// Loads the configuration with the environment of this process.
///
/// # Errors
/// All that is wrong with it, as wrong usage.
pub(crate) fn load(file: Option<&Path>) -> Result<Configuration, Error> {
    Configuration::load(file, std::env::vars_os())
        .map_err(|problems| Error::Configuration(problems.to_string()))
}
