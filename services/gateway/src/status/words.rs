//! What is said about an error, in both languages, and its stable reason.

use tonic::Code;

/// What is said about an error, apart from its details.
pub(super) struct Wording {
    pub(super) code: Code,
    /// Stable, for programs.
    pub(super) reason: &'static str,
    pub(super) english: &'static str,
    pub(super) japanese: &'static str,
}

pub(super) const INVALID: Wording = Wording {
    code: Code::InvalidArgument,
    reason: "INVALID_REQUEST",
    english: "Some fields of the request are wrong.",
    japanese: "リクエストの一部の項目が正しくありません。",
};

pub(super) const REQUEST_ID_REUSED: Wording = Wording {
    code: Code::InvalidArgument,
    reason: "REQUEST_ID_REUSED",
    english: "The request id was used for another request before.",
    japanese: "このリクエスト ID は、以前に別の内容のリクエストで使われています。",
};

pub(super) const TOO_MANY_JOBS: Wording = Wording {
    code: Code::ResourceExhausted,
    reason: "TOO_MANY_JOBS",
    english: "Too many validations are running and waiting. Please try again in a moment.",
    japanese: "実行中および待機中の検証が多すぎます。しばらくしてからもう一度お試しください。",
};

pub(super) const TOO_FAST: Wording = Wording {
    code: Code::ResourceExhausted,
    reason: "TOO_MANY_SUBMISSIONS",
    english: "Too many validations were submitted in the last minute. Please slow down.",
    japanese: "直前の 1 分間に受け付けた検証が多すぎます。間隔を空けてからお試しください。",
};

pub(super) const KEPT_BACK: Wording = Wording {
    code: Code::FailedPrecondition,
    reason: "ATTEMPT_BUDGET_EXHAUSTED",
    english: "The mail server refused this login a short while ago, so it is not tried again yet. \
              A changed password is tried at once.",
    japanese: "メールサーバーがこのログインを少し前に拒否したため、まだ再試行しません。\
               パスワードを変更すれば、すぐに試します。",
};

pub(super) const EVENTS_FORGOTTEN: Wording = Wording {
    code: Code::OutOfRange,
    reason: "EVENTS_FORGOTTEN",
    english: "Some events behind this token are not kept any more. Begin anew without a token, \
              and list the jobs for what was missed.",
    japanese: "このトークン以降のイベントの一部は、すでに保存期間を過ぎています。トークンなしで\
               最初からやり直し、見逃した分はジョブの一覧で確認してください。",
};

pub(super) const UNAUTHENTICATED: Wording = Wording {
    code: Code::Unauthenticated,
    reason: "UNAUTHENTICATED",
    english: "The call needs a valid token: authorization: Bearer TOKEN.",
    japanese: "有効なトークンが必要です (authorization: Bearer TOKEN)。",
};

pub(super) const ROLE_TOO_LOW: Wording = Wording {
    code: Code::PermissionDenied,
    reason: "ROLE_TOO_LOW",
    english: "The token's role does not allow this call.",
    japanese: "トークンの権限では、この呼び出しは許可されていません。",
};

pub(super) const JOB_NOT_FOUND: Wording = Wording {
    code: Code::NotFound,
    reason: "JOB_NOT_FOUND",
    english: "There is no such job, or not any more.",
    japanese: "指定されたジョブは存在しないか、すでに削除されています。",
};

pub(super) const BATCH_NOT_FOUND: Wording = Wording {
    code: Code::NotFound,
    reason: "BATCH_NOT_FOUND",
    english: "There is no such batch, or not any more.",
    japanese: "指定されたバッチは存在しないか、すでに削除されています。",
};

pub(super) const BATCH_STATE: Wording = Wording {
    code: Code::FailedPrecondition,
    reason: "BATCH_STATE",
    english: "The batch is not in a state in which this can be done.",
    japanese: "バッチの現在の状態では、この操作はできません。",
};

pub(super) const WORKER_NOT_FOUND: Wording = Wording {
    code: Code::NotFound,
    reason: "WORKER_NOT_FOUND",
    english: "No worker of this name was heard lately.",
    japanese: "この名前のワーカーは、最近確認されていません。",
};

pub(super) const DRAINING: Wording = Wording {
    code: Code::Unavailable,
    reason: "SHUTTING_DOWN",
    english: "The service is shutting down. Nothing was done; please call again.",
    japanese: "サービスを終了しています。検証は行われていません。もう一度呼び出してください。",
};

pub(super) const JOB_GOES_ON: Wording = Wording {
    code: Code::Unavailable,
    reason: "JOB_GOES_ON",
    english: "The service is shutting down. The job is stored and goes on: look for it by its id, \
              or call again with the same request_id.",
    japanese: "サービスを終了しています。ジョブは保存されており、続行されます。\
               ID で確認するか、同じ request_id でもう一度呼び出してください。",
};

pub(super) const STORE_UNAVAILABLE: Wording = Wording {
    code: Code::Unavailable,
    reason: "STORE_UNAVAILABLE",
    english: "The service cannot reach its store at the moment. Please try again.",
    japanese: "現在、サービスのデータベースを利用できません。もう一度お試しください。",
};

pub(super) const INTERNAL: Wording = Wording {
    code: Code::Internal,
    reason: "INTERNAL",
    english: "Something went wrong that never should. This is a fault of the service.",
    japanese: "予期しないエラーが発生しました。サービス側の不具合です。",
};
