//! The sentences, in both languages.

use std::net::IpAddr;
use std::time::Duration;

use mailfleet_api::job::leg_kind;
use mailfleet_model::FaultCode;
use mailfleet_model::fleet::{LegView, ReturnCause, WorkerId};
use mailfleet_remedy::Language;

use crate::returned::because;

/// Why a leg has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    Ended,
    OtherLeg,
    Turn {
        limit: u32,
        out: u32,
    },
    Paused,
    HandOver,
    /// It is on the broker, and nobody consumes it.
    NoOwner,
    Slot {
        limit: u32,
        in_use: u32,
        waiting: u32,
    },
    ServerDown(Option<Duration>),
    LoginRate,
    Running {
        worker: WorkerId,
        /// `None`: the system chooses.
        source: Option<IpAddr>,
        slots: Option<(u32, u32)>,
    },
    /// It is with this worker, which does not say what it does with it.
    AtWorker(WorkerId),
    /// This worker is done with it.
    Leaving(WorkerId),
    Retry {
        code: FaultCode,
        wait: Option<Duration>,
    },
    Returned {
        cause: Option<ReturnCause>,
        wait: Option<Duration>,
    },
    KeptBack(Option<Duration>),
}

/// One sentence about the job: about the first leg that holds it up.
pub(super) fn summary(legs: &[(Why, &LegView)], language: Language) -> String {
    let holds_up = |why: &Why| !matches!(why, Why::Ended | Why::OtherLeg);
    let first = legs.iter().find(|(why, _)| holds_up(why));
    match (first, language) {
        (None, Language::English) => "The job has ended and waits for nothing.".to_owned(),
        (None, Language::Japanese) => "ジョブは終了しており、何も待っていません。".to_owned(),
        (Some((why, row)), _) => {
            let kind = leg_kind(&row.leg).map(|leg| leg.to_string()).unwrap_or_default();
            format!("{kind}: {}", sentence(why, language))
        }
    }
}

/// One sentence about a leg.
pub(super) fn sentence(why: &Why, language: Language) -> String {
    match language {
        Language::English => english(why),
        Language::Japanese => japanese(why),
    }
}

fn english(why: &Why) -> String {
    let span = |wait: &Duration| span(*wait, Language::English);
    match why {
        Why::Ended => "It has ended.".to_owned(),
        Why::OtherLeg => "It waits until the other legs of the job have ended.".to_owned(),
        Why::Turn { limit, out } => format!(
            "It waits for its turn: {out} legs are out to this mail server, which is allowed \
             {limit} connections at once."
        ),
        Why::Paused => "An operator has paused this mail server.".to_owned(),
        Why::HandOver => "It is being handed to a worker.".to_owned(),
        Why::NoOwner => {
            "It waits for a worker: none has taken over this mail server at the moment.".to_owned()
        }
        Why::Slot { limit, in_use, waiting } => format!(
            "It waits at a worker for a free connection: {in_use} of {limit} to this mail server \
             are in use, and {waiting} legs wait."
        ),
        Why::ServerDown(Some(wait)) => format!(
            "The mail server does not answer; nothing is sent to it for another {}.",
            span(wait)
        ),
        Why::ServerDown(None) => {
            "The mail server did not answer; one leg at a time finds out whether it does now."
                .to_owned()
        }
        Why::LoginRate => {
            "The login rate of this mail server is used up for the moment.".to_owned()
        }
        Why::Running { worker, source: Some(ip), .. } => {
            format!("It runs now at the worker {worker}, from {ip}.")
        }
        Why::Running { worker, source: None, .. } => {
            format!("It runs now at the worker {worker}.")
        }
        Why::AtWorker(worker) => {
            format!("It is with the worker {worker}, which has not said more in time.")
        }
        Why::Leaving(worker) => {
            format!("The worker {worker} is done with it; its answer is on the way.")
        }
        Why::Retry { code, wait: Some(wait) } => {
            format!("It failed for the moment ({code}) and is tried again in {}.", span(wait))
        }
        Why::Retry { code, wait: None } => {
            format!("It failed for the moment ({code}) and is tried again.")
        }
        Why::Returned { cause, wait } => {
            let since = cause.map(|cause| format!(", since {}", because(cause, Language::English)));
            let when = wait.as_ref().map(|wait| format!(" in {}", span(wait)));
            let (since, when) = (since.unwrap_or_default(), when.unwrap_or_default());
            format!("A worker gave it back without running it{since}; it is released again{when}.")
        }
        Why::KeptBack(Some(wait)) => format!(
            "The mail server refused this login for good a short while ago; the same secret is \
             kept back for another {}.",
            span(wait)
        ),
        Why::KeptBack(None) => {
            "The mail server refused this login for good; the same secret is not tried again."
                .to_owned()
        }
    }
}

fn japanese(why: &Why) -> String {
    let span = |wait: &Duration| span(*wait, Language::Japanese);
    match why {
        Why::Ended => "終了しています。".to_owned(),
        Why::OtherLeg => "同じジョブのほかの接続確認が終わるのを待っています。".to_owned(),
        Why::Turn { limit, out } => format!(
            "順番を待っています。このメールサーバーには {out} 件が進行中で、\
             同時接続は {limit} 件までです。"
        ),
        Why::Paused => "運用担当者がこのメールサーバーへの接続を一時停止しています。".to_owned(),
        Why::HandOver => "ワーカーに引き渡しているところです。".to_owned(),
        Why::NoOwner => {
            "ワーカーを待っています。現在、このメールサーバーを担当するワーカーがありません。"
                .to_owned()
        }
        Why::Slot { limit, in_use, waiting } => format!(
            "ワーカーで空き接続を待っています。このメールサーバーへの接続は {limit} 件中 \
             {in_use} 件が使用中で、{waiting} 件が待機しています。"
        ),
        Why::ServerDown(Some(wait)) => {
            format!("メールサーバーが応答しないため、あと {} は接続を控えています。", span(wait))
        }
        Why::ServerDown(None) => {
            "メールサーバーが応答しなかったため、1 件ずつ接続して復旧を確認しています。".to_owned()
        }
        Why::LoginRate => {
            "このメールサーバーへのログイン回数が一時的に上限に達しています。".to_owned()
        }
        Why::Running { worker, source: Some(ip), .. } => {
            format!("ワーカー {worker} が {ip} から実行中です。")
        }
        Why::Running { worker, source: None, .. } => {
            format!("ワーカー {worker} が実行中です。")
        }
        Why::AtWorker(worker) => {
            format!("ワーカー {worker} に渡されていますが、状況の応答がありません。")
        }
        Why::Leaving(worker) => {
            format!("ワーカー {worker} での処理は終わり、結果を送信しています。")
        }
        Why::Retry { code, wait: Some(wait) } => {
            format!("一時的に失敗しました ({code})。{}後に再試行します。", span(wait))
        }
        Why::Retry { code, wait: None } => {
            format!("一時的に失敗しました ({code})。まもなく再試行します。")
        }
        Why::Returned { cause, wait } => {
            let since = cause.map(|cause| format!("{}ため、", because(cause, Language::Japanese)));
            let since = since.unwrap_or_default();
            let when =
                wait.as_ref().map_or_else(|| "まもなく".to_owned(), |w| format!("{}後に", span(w)));
            format!("{since}ワーカーが実行せずに差し戻しました。{when}再度割り当てます。")
        }
        Why::KeptBack(Some(wait)) => format!(
            "メールサーバーがこのログインを少し前に拒否したため、同じパスワードの使用をあと {} \
             控えます。",
            span(wait)
        ),
        Why::KeptBack(None) => {
            "メールサーバーがこのログインを拒否したため、同じパスワードは再試行しません。"
                .to_owned()
        }
    }
}

/// A span in words, rounded up to what a person would say.
fn span(wait: Duration, language: Language) -> String {
    let seconds = wait.as_millis().div_ceil(1_000);
    let (number, english, japanese) =
        if seconds < 120 { (seconds, "s", "秒") } else { (seconds.div_ceil(60), "min", "分") };
    match language {
        Language::English => format!("{number} {english}"),
        Language::Japanese => format!("{number} {japanese}"),
    }
}
