//! `batch submit`: judges the whole file, uploads it, and follows the batch.

use std::os::unix::ffi::OsStringExt;

use anyhow::Context as _;
use mailfleet_api::request::batch::parse_settings;
use mailfleet_api::v1;
use mailfleet_api::v1::batch_settings::UsernameForm;
use mailfleet_api::v1::create_batch_request::Part;
use mailfleet_model::{Endpoint, Protocol, Violations};
use uuid::Uuid;

use super::args::SubmitArgs;
use super::{Batches, id_of, nothing, rows, watch};
use crate::check::request::{endpoint, pem};
use crate::check::roots;
use crate::exit::{Error, Exit};
use crate::output::{complain, print};
use crate::{render::wrap, signals, span};

/// Items in one message: far below what a gateway takes.
const CHUNK: usize = 250;

/// Runs the command.
pub(super) async fn run(args: &SubmitArgs) -> Result<Exit, Error> {
    let settings = settings(args)?;
    // The same door as at the gateway.
    let upload = parse_settings(settings.clone()).map_err(Error::Usage)?;
    let items = rows::read(args, &upload.template)?;
    let count = items.len();
    let mut batches = Batches::at(&args.at.gateway).await?;
    let request = settings.request_id.clone();
    let first = v1::CreateBatchRequest { part: Some(Part::Settings(Box::new(settings))) };
    let mut items = items.into_iter();
    let rest = std::iter::from_fn(move || {
        let some: Vec<v1::BatchItem> = items.by_ref().take(CHUNK).collect();
        let part = Part::Items(v1::BatchItems { items: some });
        let Part::Items(some) = &part else { return None };
        (!some.items.is_empty()).then(|| v1::CreateBatchRequest { part: Some(part) })
    });
    let parts = futures::stream::iter(std::iter::once(first).chain(rest));
    let stop = signals::cancel_on_signal().context("cannot listen for signals")?;
    let broke_off = || {
        // It is there already where this went on with an upload.
        let more = match args.request_id {
            Some(_) => String::new(),
            None => format!(" and --request-id {request}"),
        };
        complain(&format!("the upload broke off; go on with: the same command{more}\n"));
    };
    let answer = tokio::select! {
        answer = batches.client.create_batch(parts) => answer,
        () = stop.cancelled() => {
            broke_off();
            return Err(Error::Interrupted);
        }
    };
    let answer = answer.map_err(|status| {
        let error = batches.gateway.told(&status);
        if matches!(error, Error::Own(_)) {
            broke_off();
        }
        error
    })?;
    let batch = answer.into_inner().batch.ok_or_else(nothing)?;
    let id = id_of(&batch);
    if args.detach {
        let text = if args.at.output.json {
            format!("{}\n", mailfleet_api::json::to_json(&batch))
        } else {
            format!("batch {id} with {count} mailboxes\nmailfleet batch watch {id}  follows it\n")
        };
        print(&text)?;
        return Ok(Exit::Good);
    }
    complain(&format!("batch {} with {count} mailboxes\n", wrap::clean(&id)));
    watch::follow(&mut batches, &batch.name, args.at.output.json, &stop).await
}

fn settings(args: &SubmitArgs) -> Result<v1::BatchSettings, Error> {
    let mut wrong = Violations::default();
    let mut server = |option: &str, protocol, text: &Option<String>| {
        let at = wrong.check(option, Endpoint::parse(protocol, text.as_deref()?))?;
        Some(v1::LegSettings { endpoint: Some(endpoint(&at)), login: None })
    };
    let incoming = [
        server("--imap", Protocol::Imap, &args.servers.imap),
        server("--pop3", Protocol::Pop3, &args.servers.pop3),
    ];
    let outgoing = server("--smtp", Protocol::Smtp, &args.servers.smtp);
    let mut time = |option: &str, text: &Option<String>| -> Option<prost_types::Duration> {
        let time = wrong.check(option, span::parse(text.as_deref()?))?;
        time.try_into().ok()
    };
    let (deadline, budget) = (time("--deadline", &args.deadline), time("--timeout", &args.timeout));
    let login = args.password_env.as_ref().and_then(|name| {
        let password = std::env::var_os(name).map(OsStringExt::into_vec);
        let password = password.filter(|bytes: &Vec<u8>| !bytes.is_empty());
        let is_set = password.ok_or(format!("the environment variable {name} is not set"));
        let password = wrong.check("--password-env", is_set)?;
        let credential = Some(v1::login::Credential::Password(password));
        Some(v1::Login { username: String::new(), credential })
    });
    let roots = roots::read("--ca", &args.trust.ca, &mut wrong);
    if !wrong.is_empty() {
        return Err(Error::Usage(wrong));
    }
    let form = if args.local_part { UsernameForm::LocalPart } else { UsernameForm::Address };
    let class = if args.background { v1::job::Class::Sync } else { v1::job::Class::Revalidation };
    Ok(v1::BatchSettings {
        request_id: args.request_id.unwrap_or_else(Uuid::new_v4).to_string(),
        display_name: args.name.clone().unwrap_or_default(),
        incoming: incoming.into_iter().flatten().collect(),
        outgoing,
        login,
        username_form: form.into(),
        login_only: args.login_only,
        allow_insecure_certificates: args.trust.allow_insecure_cert,
        trusted_certificates: roots.iter().map(|der| pem(der)).collect(),
        budget,
        item_deadline: None,
        deadline,
        max_open: args.max_open.unwrap_or_default(),
        canaries: args.canaries,
        stop_when: args.stop_when,
        item_class: class.into(),
    })
}
