//! A real Prometheus scrapes a real fleet.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use mailfleet_telemetry::metrics::{ALL, Kind};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::client::{Client, Load};
use super::ground::{Ground, USUAL};
use super::lab::Use;
use super::process::{PATIENCE, Process, eventually};
use crate::facts;

/// The rules of the repository.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/observe/alerts.yml");
/// Jobs of the test.
const JOBS: usize = 40;

/// Told only where the configuration wants events to be published.
const RARE: &str = "mailfleet.events.published";

/// A Prometheus that runs; it ends with the test.
struct Prometheus {
    _child: Child,
    at: String,
}

impl Prometheus {
    /// Starts one that scrapes these processes every second; `None`, said aloud, without it.
    async fn start(ground: &Ground) -> Option<Self> {
        let mut config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [\"{RULES}\"]\nscrape_configs:\n"
        );
        for (job, processes) in
            [("mailfleet-gateway", &ground.gateways), ("mailfleet-worker", &ground.workers)]
        {
            let targets: Vec<String> =
                processes.iter().map(|it: &Process| format!("\"{}\"", it.admin)).collect();
            let targets = targets.join(", ");
            writeln!(config, "- job_name: {job}\n  static_configs: [{{targets: [{targets}]}}]")
                .expect("memory");
        }
        let file = ground.path("prometheus.yml");
        std::fs::write(&file, config).expect("a free place");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", ground.path("tsdb").display()));
        command.args(["--web.listen-address=127.0.0.1:0", "--log.format=json"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let Ok(mut child) = command.spawn() else {
            return facts::skipped("no prometheus (Debian's package of that name)");
        };
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let listening = async {
            while let Ok(Some(line)) = lines.next_line().await {
                let line: Value = serde_json::from_str(&line).unwrap_or_default();
                if line["msg"] == "Listening on" {
                    return line["address"].as_str().map(ToOwned::to_owned);
                }
            }
            None
        };
        let at = timeout(PATIENCE, listening).await.expect("in time").expect("it listens");
        // Nobody reads on: what it says must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { _child: child, at })
    }

    /// The answer of its HTTP API.
    async fn ask(&self, path: &str) -> Value {
        let ask = async {
            let mut stream = TcpStream::connect(&self.at).await?;
            // Without chunks: HTTP/1.0.
            stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = timeout(Duration::from_secs(5), ask).await;
        let answer = answer.map(Result::unwrap_or_default).unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_default()
    }

    /// The value of an expression; `None` if it has none.
    async fn value(&self, expression: &str) -> Option<f64> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.ask(&format!("/api/v1/query?query={encoded}")).await;
        assert_ne!(answer["status"], "error", "{expression}: {answer}");
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_sees_every_process_and_what_it_did() {
    let Some(ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let Some(prometheus) = Prometheus::start(&ground).await else { return };
    let client = Client::new(&ground);
    client.submit(&ground, Load::of(JOBS)).await.expect("all are accepted");
    client.finish(Duration::from_secs(60)).await;
    #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
    let (jobs, processes) = (JOBS as f64, (USUAL.n_gateways + USUAL.n_workers) as f64);
    let held_by = |matcher| {
        format!("sum(mailfleet_limiter_wait_duration_seconds_count{{mailfleet_held_by{matcher}")
    };
    let wanted = [
        ("sum(up{job=~\"mailfleet.*\"})", processes),
        ("sum(mailfleet_jobs_total)", jobs),
        ("sum(mailfleet_jobs_total{mailfleet_verdict=\"FAULTY\"})", jobs / 10.0),
        ("sum(mailfleet_job_queue_duration_seconds_count)", jobs),
        // Forty jobs at once at four mail servers with three sessions each: some have to wait for a
        // session, and no mail server is down, paced or paused.
        ("sum(mailfleet_job_queue_duration_seconds_count{mailfleet_held_by!=\"\"})", jobs),
        (&held_by("=\"SESSIONS\"}) > bool 0"), 1.0),
        (&held_by("=~\"RATE|BREAKER|PAUSED\"}) or vector(0)"), 0.0),
        // A leg is not tried at all where the other one's password was refused before.
        ("sum(mailfleet_job_attempts_count) > bool 40", 1.0),
        ("sum(mailfleet_shard_owned)", 16.0),
        ("max(mailfleet_shard_unowned)", 0.0),
        ("max(mailfleet_workers)", 3.0),
        ("sum(mailfleet_egress_connections)", 0.0),
        ("sum(mailfleet_legs_running)", 0.0),
        ("max(mailfleet_jobs_active)", 0.0),
        ("max(mailfleet_outbox_depth)", 0.0),
        ("sum(mailfleet_dead_letters_total)", 0.0),
        ("count(count by (service_name) (target_info))", 2.0),
        // No label of a mailbox, a job, or a mail server.
        ("count(mailfleet_limiter_limit{mailfleet_provider!=\"other\"}) or vector(0)", 0.0),
    ];
    for (expression, value) in wanted {
        eventually(&format!("{expression} is {value}"), PATIENCE, || async {
            let found = prometheus.value(expression).await;
            found.is_some_and(|found| (found - value).abs() < 0.001)
        })
        .await;
    }
    // Every instrument is told by somebody, but for the one that needs a configuration.
    let names = prometheus.ask("/api/v1/label/__name__/values").await;
    let names: Vec<&str> =
        names["data"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    for spec in ALL.iter().filter(|spec| spec.name != RARE) {
        let mut name = spec.prometheus_name();
        if spec.kind == Kind::Histogram {
            name.push_str("_count");
        }
        assert!(names.contains(&name.as_str()), "nobody tells {name}");
    }
    // The rules of the repository are read, and none of them fires without trouble.
    let rules = prometheus.ask("/api/v1/rules?type=alert").await;
    let groups = rules["data"]["groups"].as_array().expect("groups");
    let alerts: Vec<&Value> =
        groups.iter().flat_map(|group| group["rules"].as_array().expect("rules")).collect();
    assert!(20 <= alerts.len(), "{rules}");
    for alert in alerts {
        assert_eq!(alert["health"], "ok", "{alert}");
        // The load comes all at once, so jobs do wait, and the objective rightly says so.
        let is_objective = alert["name"].as_str().is_some_and(|name| name.ends_with("Burn"));
        assert!(is_objective || alert["state"] != "firing", "{alert}");
    }
}
