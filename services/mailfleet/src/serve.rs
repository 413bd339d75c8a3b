//! `serve`: the gateway in this process, from the configuration to the last answer.

use anyhow::Context as _;
use mailfleet_gateway::Server;

use crate::args::ServeArgs;
use crate::check::here::{Extra, validator};
use crate::config::command::load;
use crate::config::{LogForm, Settings};
use crate::exit::{Error, Exit};
use crate::output::print;
use crate::{logs, signals};

/// Runs until the first signal, then drains; a second signal ends the process.
pub(crate) async fn run(args: &ServeArgs, verbose: u8) -> Result<Exit, Error> {
    let configuration = load(args.config.as_deref())?;
    let settings = Settings::of(&configuration);
    let logs = logs::for_server(verbose, &settings)?;
    let shutdown = signals::cancel_on_signal().context("cannot listen for signals")?;
    let validator = validator(&settings, Extra::default())?;
    let config = mailfleet_gateway::Config {
        listen: settings.listen,
        drain_grace: settings.drain,
        ..mailfleet_gateway::Config::default()
    };
    let server = Server::bind(config, validator).await;
    let server = server.context("the gateway cannot start")?;
    let url = format!("http://{}", server.local_addr());
    // Connections are accepted from here on: whoever waits for this line may call.
    print(&match settings.logs {
        LogForm::Text => format!("mailfleet listens on {url}\n"),
        LogForm::Json => format!("{}\n", serde_json::json!({ "listen": url })),
    })?;
    let served = server.serve(shutdown.cancelled_owned()).await;
    // Blocks while the last spans are sent.
    tokio::task::spawn_blocking(|| logs.shutdown()).await.context("the logs were not ended")?;
    served.context("the gateway failed")?;
    Ok(Exit::Good)
}
