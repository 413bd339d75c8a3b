//! What the log holds and what it never holds.

use std::net::TcpListener;
use std::sync::Mutex;

use tracing::field::Empty;
use tracing_subscriber::fmt::MakeWriter as _;

use super::*;
use crate::{export, trace};

fn logged(format: Format, levels: &str, work: impl FnOnce()) -> String {
    // For as long as the process: a writer is made from a reference to it.
    let kept: &'static Mutex<Vec<u8>> = Box::leak(Box::default());
    let chosen = filter::chosen(Some(levels), None).expect("a filter");
    let lines = Lines { format, colour: Colour::Off };
    let subscriber = subscriber(lines, chosen, move || kept.make_writer());
    // Also hears what libraries say through the `log` crate.
    let guard = subscriber.set_default();
    work();
    drop(guard);
    String::from_utf8_lossy(&kept.lock().expect("no panic while logging")).into_owned()
}

#[test]
fn wire_data_stays_out_of_the_log_at_every_level() {
    let log = logged(Format::Text, "trace,async_imap=trace,rustls=trace", || {
        tracing::trace!(target: "async_imap", "C: A1 LOGIN taro hunter2");
        tracing::debug!(target: "rustls::conn", "hunter2");
        log::debug!(target: "async_imap::connection", "C: A1 LOGIN taro hunter2");
        log::warn!(target: "imap_proto", "a warning through log");
        tracing::trace!(target: "mailfleet_probe", "a step of ours");
        tracing::warn!(target: "rustls", "a warning of theirs");
    });
    assert!(!log.contains("hunter2"), "{log}");
    for heard in ["a step of ours", "a warning of theirs", "a warning through log"] {
        assert!(log.contains(heard), "{heard} in {log}");
    }
}

#[test]
fn a_claim_on_a_shard_that_another_worker_holds_is_no_error() {
    // As the library writes it (lapin 4.12, RabbitMQ 3.10 and 4.0).
    let closed = |text: &str| {
        let method = format!("Close {{ reply_code: 403, reply_text: {text:?} }}");
        tracing::error!(
            target: "lapin::channel",
            channel = 7,
            method = ?tracing::field::display(method),
            error = "AMQP error",
            "Channel closed",
        );
    };
    let claim = "ACCESS_REFUSED - queue 'm.v1.shard.z.3' in vhost '/' in exclusive use";
    assert_eq!(logged(Format::Text, "trace", || closed(claim)), "");
    let log = logged(Format::Text, "info", || {
        closed("ACCESS_REFUSED - read access to queue 'm.v1.shard.z.4' refused for user 'lab'");
        closed("NOT_FOUND - no queue 'm.v1.shard.z.5' in vhost '/'");
        tracing::error!(target: "lapin::channel", "another error: in exclusive use");
        tracing::error!(target: "mailfleet_worker", "Channel closed: in exclusive use");
    });
    assert_eq!(log.lines().count(), 4, "{log}");
}

#[test]
fn json_lines_are_flat_and_have_the_ids_of_the_spans_at_the_top() {
    let log = logged(Format::Json, "info", || {
        let call = tracing::info_span!("rpc", trace_id = "t", span_id = Empty, outer = 1);
        call.record("span_id", "s");
        let _call = call.entered();
        let job = tracing::info_span!("validate", job.id = "j", outer = 2);
        job.in_scope(|| tracing::info!(verdict = "HEALTHY", count = 3, "validation ended"));
        tracing::debug!("below the level");
    });
    let line: serde_json::Value = serde_json::from_str(&log).expect("one line of JSON");
    let expect = [
        ("message", "validation ended"),
        ("verdict", "HEALTHY"),
        ("trace_id", "t"),
        ("span_id", "s"),
        ("job.id", "j"),
        ("level", "INFO"),
    ];
    for (name, value) in expect {
        assert_eq!(line[name], value, "{name} in {line}");
    }
    assert_eq!((&line["count"], &line["outer"]), (&3.into(), &2.into()), "the inner one counts");
    assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
}

#[test]
fn text_without_a_terminal_has_no_colours() {
    let log = logged(Format::Text, "info", || tracing::error!("plain"));
    assert!(log.contains("ERROR") && !log.contains('\u{1b}'), "{log:?}");
}

#[test]
fn a_wrong_collector_is_named() {
    let config = Config { otlp: Some("not an address".to_owned()), ..server() };
    let error = Exports::of(&config).expect_err("that is no address");
    assert_eq!(error.to_string(), "cannot send traces and metrics to not an address");
}

#[test]
fn a_command_exports_nothing_and_a_server_can_be_scraped_without_a_collector() {
    let command = Exports::of(&Config { service: None, ..server() }).expect("nothing to set up");
    assert_eq!(command.scrape.text(), "");
    let exports = Exports::of(&server()).expect("no collector, no trouble");
    let text = exports.scrape.text();
    assert!(text.contains("service_name=\"mailfleet-test\""), "{text}");
}

fn server() -> Config {
    let service = Service { name: "mailfleet-test", instance: "test-1".to_owned() };
    Config { service: Some(service), sampling: 1.0, ..Config::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_bounded_when_no_collector_answers() {
    // Accepts the connection by its backlog and never says a word.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = silent.local_addr().expect("an address");
    let config = Config { otlp: Some(format!("http://{address}")), ..server() };
    let exports = Exports::of(&config).expect("an address");
    exports.install(config.sampling);
    let span = trace::Span::root_or(None, || trace::Facts::new("work", trace::Kind::Internal));
    assert!(span.is_recorded() && span.context().is_sampled());
    drop(span);
    let end = tokio::task::spawn_blocking(|| Guard(exports).shutdown());
    let ended = tokio::time::timeout(2 * export::LAST, end).await;
    assert!(ended.is_ok(), "shutdown still waits");
}
