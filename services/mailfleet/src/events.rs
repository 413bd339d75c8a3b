//! `events`: follows what has ended, as another service would, and prints a line for each.
//!
//! Goes on where it was after a gateway has gone. Ends with Ctrl-C, and says how to come back.

use std::time::{Duration, SystemTime};

use anstyle::Style;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use mailfleet_api::events::v1::{BatchTurned, Event, JobEnded, event};
use mailfleet_api::v1::event_service_client::EventServiceClient;
use mailfleet_api::v1::watch_events_request::Start;
use mailfleet_api::{json, v1};
use tonic::{Code, Status};

use crate::client::{Calls, Gateway, GatewayArgs};
use crate::exit::{Error, Exit};
use crate::job::verdict_cell;
use crate::output::{complain, print};
use crate::render::columns::{Cell, cell, row};
use crate::render::{CODE, DIM, wrap};
use crate::signals;

/// Pause before a stream that ended early is taken up again, and how often in a row.
const AGAIN: (Duration, u32) = (Duration::from_secs(1), 60);
/// The time, what it is about, how it ended, and why.
const WIDTHS: [usize; 4] = [20, 44, 12, 0];

/// What to do with events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Follow what has ended: a line for each job and each turn of a batch; Ctrl-C ends it
    Watch(WatchArgs),
}

/// Where to begin, and how to tell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mailfleet events watch
  mailfleet events watch --oldest --json")]
pub(crate) struct WatchArgs {
    /// Begin with the oldest event that is kept, not with what happens from now on
    #[arg(long, conflicts_with = "resume")]
    pub(crate) oldest: bool,
    /// Go on behind this token, as the end of an earlier run tells it
    #[arg(long, value_name = "TOKEN")]
    pub(crate) resume: Option<String>,
    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,
    /// Print JSON, one event a line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) async fn run(command: &EventsCommand) -> Result<Exit, Error> {
    let EventsCommand::Watch(args) = command;
    let stop = signals::cancel_on_signal().context("cannot listen for signals")?;
    let mut watch = Watch::at(args).await?;
    tokio::select! {
        ended = watch.follow() => ended?,
        () = stop.cancelled() => {}
    }
    if !watch.token.is_empty() {
        let token = wrap::clean(&watch.token);
        complain(&format!("go on with: mailfleet events watch --resume {token}\n"));
    }
    Ok(Exit::Good)
}

struct Watch {
    gateway: Gateway,
    client: EventServiceClient<Calls>,
    /// Everything before it has been printed.
    token: String,
    start: Start,
    as_json: bool,
}

impl Watch {
    async fn at(args: &WatchArgs) -> Result<Self, Error> {
        let gateway = Gateway::reach(&args.gateway.gateway, &args.gateway.caller).await?;
        let client = EventServiceClient::new(gateway.calls());
        let token = args.resume.clone().unwrap_or_default();
        let start = if args.oldest { Start::Oldest } else { Start::Now };
        Ok(Self { gateway, client, token, start, as_json: args.json })
    }

    /// Follows for ever, over gateways that come and go.
    async fn follow(&mut self) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let before = self.token.clone();
            let Err(trouble) = self.read().await else { return Ok(()) };
            let status = match trouble {
                Trouble::Call(status) => status,
                Trouble::Own(error) => return Err(error),
            };
            tries = if self.token == before { tries + 1 } else { 1 };
            if status.code() != Code::Unavailable || AGAIN.1 < tries {
                return Err(self.gateway.told(&status));
            }
            tokio::time::sleep(AGAIN.0).await;
        }
    }

    async fn read(&mut self) -> Result<(), Trouble> {
        let (resume_token, start) = (self.token.clone(), self.start.into());
        let request = v1::WatchEventsRequest { resume_token, start };
        let mut stream = self.client.watch_events(request).await?.into_inner();
        while let Some(answer) = stream.message().await? {
            let lines: String = answer.events.iter().map(|event| self.line(event)).collect();
            if !lines.is_empty() {
                print(&lines).map_err(|error| Trouble::Own(error.into()))?;
            }
            self.token = answer.resume_token;
        }
        // A stream never ends by itself: whatever stands in between has cut it off.
        Err(Trouble::Call(Status::unavailable("the stream has ended")))
    }

    fn line(&self, event: &Event) -> String {
        if self.as_json {
            return format!("{}\n", json::to_json(event));
        }
        let time = event.event_time.and_then(|time| SystemTime::try_from(time).ok());
        let time = time.map(|time| humantime::format_rfc3339_seconds(time).to_string());
        let mut cells = vec![cell(DIM, time.unwrap_or_default())];
        cells.extend(match &event.subject {
            Some(event::Subject::Job(ended)) => job(ended),
            Some(event::Subject::Batch(turned)) => batch(turned),
            None => vec![cell(DIM, "something that a newer version tells")],
        });
        row(&cells, &WIDTHS)
    }
}

/// Why a stream was not read on.
enum Trouble {
    Call(Status),
    Own(Error),
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        Self::Call(status)
    }
}

fn job(ended: &JobEnded) -> Vec<Cell> {
    let verdict = if ended.state() == v1::job::State::Cancelled {
        cell(DIM, "CANCELLED")
    } else {
        verdict_cell(ended.verdict())
    };
    let code = if ended.code == 0 { "" } else { ended.code().as_str_name() };
    vec![cell(Style::new(), wrap::clean(&ended.job)), verdict, cell(CODE, code)]
}

fn batch(turned: &BatchTurned) -> Vec<Cell> {
    let why = match turned.pause_cause() {
        v1::batch_pause::Cause::Guard => "by the guard",
        v1::batch_pause::Cause::Operator => "by somebody",
        v1::batch_pause::Cause::Unspecified => "",
    };
    let state = cell(Style::new(), turned.state().as_str_name());
    vec![cell(Style::new(), wrap::clean(&turned.batch)), state, cell(Style::new(), why)]
}
