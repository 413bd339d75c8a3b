//! The words around a report that `remedy` does not have, in English and Japanese.

use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_remedy::Language;

/// A word or short sentence of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Heading of the faults behind the headline.
    AlsoFound,
    /// Heading of the suggested settings.
    Suggestions,
    /// Heading of the tree of steps.
    Steps,
    /// Label of the server's words.
    ServerSaid,
    /// Label of reply codes.
    Codes,
    /// Label of connection attempts.
    Tried,
    /// Label of other explanations.
    MaybeAlso,
    /// Label of the answered command or login mechanism.
    InAnswerTo,
    /// Label of what else is known.
    Note,
    /// Where to read more about a code.
    MoreByExplain,
    /// Where the support block is.
    SupportHint,
    /// The test mail was found.
    Arrived,
    /// A copy of it was looked for in Sent.
    SentCopy,
    /// Heading of what was seen.
    Evidence,
}

/// The word in a language.
pub(crate) fn word(word: Word, language: Language) -> &'static str {
    let (english, japanese) = match word {
        Word::AlsoFound => ("Also found", "そのほかに見つかったこと"),
        Word::Suggestions => ("Suggested settings", "おすすめの設定"),
        Word::Steps => ("Steps", "確認の経過"),
        Word::ServerSaid => ("The server said", "サーバーの応答"),
        Word::Codes => ("Reply codes", "応答コード"),
        Word::Tried => ("Tried", "接続の試行"),
        Word::MaybeAlso => ("It may also be", "ほかに考えられる原因"),
        Word::InAnswerTo => ("In answer to", "応答の対象"),
        Word::Note => ("Note", "補足"),
        Word::MoreByExplain => (
            "More about a code: mailfleet explain CODE",
            "各コードの詳しい説明：mailfleet explain コード --lang ja",
        ),
        Word::SupportHint => (
            "To ask somebody for help, add --support: it prints a block to copy into a mail.",
            "管理者などに問い合わせるときは、--support を付けると、メールに貼り付けられる情報を表示します。",
        ),
        Word::Arrived => ("Test mail", "テストメール"),
        Word::SentCopy => ("Sent mail", "送信済みメール"),
        Word::Evidence => ("How this is known", "判断の根拠"),
    };
    pick(language, english, japanese)
}

/// Why a setting is suggested.
pub(crate) fn reason(reason: SuggestionReason, language: Language) -> &'static str {
    use SuggestionReason as R;
    let (english, japanese) = match reason {
        R::PortExpectsTls => ("this port begins with TLS", "このポートは最初からTLSで通信します"),
        R::PortExpectsStarttls => (
            "this port begins in plaintext and offers STARTTLS",
            "このポートは平文で始まり、STARTTLSに対応しています",
        ),
        R::UsualPort => {
            ("this is the usual port for the protocol", "このプロトコルの標準のポートです")
        }
        R::SubmissionPort => {
            ("this is the port that takes logins", "ログインを受け付ける送信用のポートです")
        }
        R::CertificateName => {
            ("the certificate is made out to this name", "証明書にはこの名前が記載されています")
        }
        R::ProviderServer => {
            ("this is the provider's server", "メールサービスの正式なサーバーです")
        }
        R::AppPassword => (
            "the provider wants an app password",
            "このメールサービスではアプリパスワードが必要です",
        ),
        R::SwitchOnProtocol => (
            "the provider wants this kind of access switched on first",
            "このメールサービスでは、先にこの接続方法を有効にする必要があります",
        ),
        R::PasswordSpaces => (
            "leave the spaces out of the app password",
            "アプリパスワードは空白を除いて入力してください",
        ),
        R::UsernameForm => (
            "the server wants another form of the user name",
            "サーバーは別の形式のユーザー名を求めています",
        ),
    };
    pick(language, english, japanese)
}

/// How a suggestion was proven.
pub(crate) fn proof(proof: SuggestionProof, language: Language) -> &'static str {
    let (english, japanese) = match proof {
        SuggestionProof::Probed => {
            ("tried, without the password", "接続して確認済み、パスワードは未送信")
        }
        SuggestionProof::Certificate => ("by the certificate", "証明書で確認済み"),
        SuggestionProof::Published => {
            ("by the provider's documentation", "メールサービスの公開情報による")
        }
        SuggestionProof::Input => ("by what was entered", "入力内容による"),
    };
    pick(language, english, japanese)
}

/// A label and what follows it, with the colon of the language.
pub(crate) fn label(which: Word, language: Language) -> String {
    let name = word(which, language);
    match language {
        Language::English => format!("{name}: "),
        Language::Japanese => format!("{name}："),
    }
}

/// An aside in the brackets of the language.
pub(crate) fn aside(text: &str, language: Language) -> String {
    match language {
        Language::English => format!(" ({text})"),
        Language::Japanese => format!("（{text}）"),
    }
}

fn pick<'a>(language: Language, english: &'a str, japanese: &'a str) -> &'a str {
    match language {
        Language::English => english,
        Language::Japanese => japanese,
    }
}
