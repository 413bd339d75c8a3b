//! Why workers give legs back, in words: half a sentence that goes on "since".

use mailfleet_model::fleet::ReturnCause;
use mailfleet_remedy::Language;

/// Why a worker gave a leg back. In Japanese it ends where "ため" follows.
pub(crate) fn because(cause: ReturnCause, language: Language) -> &'static str {
    match language {
        Language::English => english(cause),
        Language::Japanese => japanese(cause),
    }
}

fn english(cause: ReturnCause) -> &'static str {
    match cause {
        ReturnCause::Redelivered => "a worker that was lost may have run it",
        ReturnCause::Breaker => "the mail server did not answer others",
        ReturnCause::Paused => "an operator had paused the mail server",
        ReturnCause::Rate => "the login rate of the mail server was used up",
        ReturnCause::Busy => "no connection to the mail server became free",
        ReturnCause::Refused => "the same login had just been refused for good",
        ReturnCause::Unanswered => "no gateway answered whether it may start",
        ReturnCause::UnknownKind => "its version does not run legs of this kind",
        ReturnCause::Draining => "the worker was about to end",
        ReturnCause::Regroup => "the host had moved to another mail server",
    }
}

fn japanese(cause: ReturnCause) -> &'static str {
    match cause {
        ReturnCause::Redelivered => "失われたワーカーが実行した可能性がある",
        ReturnCause::Breaker => "メールサーバーが応答していなかった",
        ReturnCause::Paused => "メールサーバーへの接続が一時停止されていた",
        ReturnCause::Rate => "メールサーバーへのログイン回数が上限に達していた",
        ReturnCause::Busy => "メールサーバーへの空き接続がなかった",
        ReturnCause::Refused => "同じログインが直前に拒否されていた",
        ReturnCause::Unanswered => "開始してよいかの確認に応答がなかった",
        ReturnCause::UnknownKind => "そのバージョンがこの種類の接続確認に対応していない",
        ReturnCause::Draining => "ワーカーが停止しようとしていた",
        ReturnCause::Regroup => "ホストが別のメールサーバーに移っていた",
    }
}
