//! What the log holds and what it never holds.

use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use super::*;

/// A log in memory.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: Format, levels: &str, work: impl FnOnce()) -> String {
    let kept = Kept::default();
    let writer = kept.clone();
    let provider = provider(&Config::default()).expect("no collector, no trouble");
    let chosen = filter::chosen(Some(levels), None).expect("a filter");
    let lines = Lines { format, colour: Colour::Off };
    let subscriber = subscriber(lines, chosen, &provider, move || writer.clone());
    // Also hears what libraries say through the `log` crate.
    let guard = subscriber.set_default();
    work();
    drop(guard);
    kept.text()
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
fn json_lines_carry_the_ids_of_the_span() {
    let log = logged(Format::Json, "info", || {
        let span = tracing::info_span!("validate", job_id = "j", trace_id = "t");
        span.in_scope(|| tracing::info!(verdict = "HEALTHY", "validation ended"));
        tracing::debug!("below the level");
    });
    let line: serde_json::Value = serde_json::from_str(&log).expect("one line of JSON");
    assert_eq!(line["message"], "validation ended");
    assert_eq!(line["verdict"], "HEALTHY");
    assert_eq!((&line["span"]["job_id"], &line["span"]["trace_id"]), (&"j".into(), &"t".into()));
}

#[test]
fn text_without_a_terminal_has_no_colours() {
    let log = logged(Format::Text, "info", || tracing::error!("plain"));
    assert!(log.contains("ERROR") && !log.contains('\u{1b}'), "{log:?}");
}

#[test]
fn a_wrong_collector_is_named() {
    let config = Config { otlp: Some("not an address".to_owned()), ..Config::default() };
    let error = provider(&config).expect_err("that is no address");
    assert_eq!(error.to_string(), "cannot send traces to not an address");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_bounded_when_no_collector_answers() {
    // Accepts the connection by its backlog and never says a word.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = silent.local_addr().expect("an address");
    let config = Config { otlp: Some(format!("http://{address}")), ..Config::default() };
    let provider = provider(&config).expect("an address");
    let chosen = filter::chosen(None, None).expect("a filter");
    let lines = Lines { format: Format::Text, colour: Colour::Off };
    let subscriber = subscriber(lines, chosen, &provider, io::sink);
    tracing::subscriber::with_default(subscriber, || drop(tracing::info_span!("work").entered()));
    let end = tokio::task::spawn_blocking(|| Guard(provider).shutdown());
    let ended = tokio::time::timeout(4 * EXPORT_TIMEOUT, end).await;
    assert!(ended.is_ok(), "shutdown still waits");
}
