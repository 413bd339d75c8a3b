//! The words for what reports are made of, in both languages.
//!
//! Total matches over the model's enums, side by side, so that a word that is missing in one
//! language does not compile. Protocol names stay as they are everywhere.

use mailfleet_model::leg::ServerSoftware;
use mailfleet_model::{
    Actor, Confidence, Leg, Phase, Security, SentCopy, Severity, StepKind, StepOutcome, Verdict,
};

use crate::language::Language;
use crate::value::one_line;

/// Chooses the word of a language: English first.
fn pick(language: Language, words: (&'static str, &'static str)) -> &'static str {
    match language {
        Language::English => words.0,
        Language::Japanese => words.1,
    }
}

/// The headings of a page, in order: what happened, who can fix it, what to do, sources.
#[must_use]
pub fn headings(language: Language) -> [&'static str; 4] {
    match language {
        Language::English => ["What happened", "Who can fix it", "What to do", "Sources"],
        Language::Japanese => ["何が起きたか", "だれが直せるか", "どうすればよいか", "出典"],
    }
}

/// Name of a leg.
#[must_use]
pub fn leg(leg: Leg, language: Language) -> &'static str {
    let words = match leg {
        Leg::Imap => ("Incoming mail (IMAP)", "受信（IMAP）"),
        Leg::Pop3 => ("Incoming mail (POP3)", "受信（POP3）"),
        Leg::Smtp => ("Outgoing mail (SMTP)", "送信（SMTP）"),
        Leg::Ews => ("Exchange (EWS)", "Exchange（EWS）"),
        Leg::Graph => ("Microsoft Graph", "Microsoft Graph"),
        Leg::Discovery => ("Finding the settings", "設定の検索"),
        Leg::Roundtrip => ("Arrival of the test mail", "テストメールの到着"),
        Leg::System => ("The check itself", "確認処理全体"),
    };
    pick(language, words)
}

/// Name of a phase.
#[must_use]
pub fn phase(phase: Phase, language: Language) -> &'static str {
    let words = match phase {
        Phase::Input => ("input", "入力"),
        Phase::Policy => ("rules", "接続ルール"),
        Phase::Discovery => ("finding the settings", "設定の検索"),
        Phase::Dns => ("DNS look-up", "DNSの検索"),
        Phase::Tcp => ("connection", "接続"),
        Phase::Greeting => ("greeting", "最初の応答"),
        Phase::Starttls => ("STARTTLS", "STARTTLS"),
        Phase::Tls => ("encryption", "暗号化"),
        Phase::Capability => ("capabilities", "対応機能の確認"),
        Phase::Auth => ("login", "ログイン"),
        Phase::Mailbox => ("mailbox", "メールボックス"),
        Phase::Submit => ("sending", "送信"),
        Phase::Roundtrip => ("test mail", "テストメール"),
        Phase::Sync => ("sync", "同期"),
    };
    pick(language, words)
}

/// Name of a severity.
#[must_use]
pub fn severity(severity: Severity, language: Language) -> &'static str {
    let words = match severity {
        Severity::Warning => ("warning", "警告"),
        Severity::Blocking => ("error", "エラー"),
    };
    pick(language, words)
}

/// How sure the report is.
#[must_use]
pub fn confidence(confidence: Confidence, language: Language) -> &'static str {
    let words = match confidence {
        Confidence::Ambiguous => ("one of several possible causes", "複数の原因が考えられます"),
        Confidence::Likely => ("likely", "可能性が高い"),
        Confidence::Certain => ("certain", "確実"),
    };
    pick(language, words)
}

/// Who can remove the cause.
#[must_use]
pub fn actor(actor: Actor, language: Language) -> &'static str {
    let words = match actor {
        Actor::User => ("you", "お客さまご自身"),
        Actor::MailAdmin => ("your mail administrator", "メール管理者"),
        Actor::NetAdmin => ("your network administrator", "ネットワーク管理者"),
        Actor::Us => ("we", "当サービス"),
    };
    pick(language, words)
}

/// The verdict in a few words.
#[must_use]
pub fn verdict(verdict: Verdict, language: Language) -> &'static str {
    let words = match verdict {
        Verdict::Healthy => ("The mailbox can be used", "メールボックスは使用できます"),
        Verdict::Faulty => ("The mailbox cannot be used yet", "メールボックスはまだ使用できません"),
        Verdict::Inconclusive => {
            ("It cannot be told at present", "現時点では使用できるか判断できません")
        }
    };
    pick(language, words)
}

/// Name of a step.
#[must_use]
pub fn step_kind(kind: StepKind, language: Language) -> &'static str {
    let words = match kind {
        StepKind::Resolve => ("DNS look-up", "DNSの検索"),
        StepKind::Connect => ("connection", "接続"),
        StepKind::Tls => ("TLS encryption", "TLSによる暗号化"),
        StepKind::Greeting => ("greeting", "最初の応答"),
        StepKind::Starttls => ("STARTTLS", "STARTTLS"),
        StepKind::Capability => ("capabilities", "対応機能の確認"),
        StepKind::Login => ("login", "ログイン"),
        StepKind::Open => ("opening the mailbox", "メールボックスを開く"),
        StepKind::Envelope => ("sender and recipient", "差出人と宛先の確認"),
        StepKind::Submit => ("sending the test mail", "テストメールの送信"),
        StepKind::Arrival => ("arrival of the test mail", "テストメールの到着"),
        StepKind::Cleanup => ("clean-up", "後片付け"),
    };
    pick(language, words)
}

/// How a step ended.
#[must_use]
pub fn step_outcome(outcome: StepOutcome, language: Language) -> &'static str {
    let words = match outcome {
        StepOutcome::Ok => ("ok", "成功"),
        StepOutcome::Warning => ("warning", "警告"),
        StepOutcome::Failed => ("failed", "失敗"),
        StepOutcome::Skipped => ("skipped", "省略"),
        StepOutcome::Cancelled => ("cancelled", "中断"),
    };
    pick(language, words)
}

/// Name of a security mode, as settings pages write it.
#[must_use]
pub fn security(security: Security, language: Language) -> &'static str {
    let words = match security {
        Security::Tls => ("SSL/TLS", "SSL/TLS"),
        Security::Starttls => ("STARTTLS", "STARTTLS"),
        Security::Plain => ("no encryption", "暗号化なし"),
    };
    pick(language, words)
}

/// Whether the server keeps a copy of what it sends.
#[must_use]
pub fn sent_copy(sent_copy: SentCopy, language: Language) -> &'static str {
    let words = match sent_copy {
        SentCopy::Saved => ("the server saves sent mail", "サーバーが送信済みメールを保存します"),
        SentCopy::NotSaved => {
            ("the server does not save sent mail", "サーバーは送信済みメールを保存しません")
        }
        SentCopy::Unknown => ("not known", "不明"),
    };
    pick(language, words)
}

/// Product and version, as told by the server.
#[must_use]
pub fn server_software(software: &ServerSoftware) -> String {
    match &software.version {
        Some(version) => one_line(&format!("{} {version}", software.name)),
        None => one_line(&software.name),
    }
}

/// A TLS alert by its name and number, the same in both languages. RFC 8446 section 6 and the
/// IANA registry of TLS alerts.
#[must_use]
pub fn tls_alert(alert: u8) -> String {
    let name = match alert {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => return format!("TLS alert {alert}"),
    };
    format!("TLS alert {alert} ({name})")
}
