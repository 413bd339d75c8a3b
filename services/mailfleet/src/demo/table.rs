//! The table at the end of the demonstration, and what to do next.

use anstyle::Style;
use mailfleet_model::Report;
use mailfleet_remedy::{Facts, Language, remedy, wording};

use super::cases::Case;
use crate::render::columns::{self, Cell, cell, wrapped};
use crate::render::{BOLD, CODE, DIM, paint, verdict_style};
use crate::span;

/// Columns of the case's title and the code beneath it: the longest code fits.
const TITLE: usize = 27;
/// Columns of the verdict and the time beneath it.
const VERDICT: usize = 12;
/// What the spaces between three columns take.
const SPACES: usize = 4;

/// Renders the table and the hints behind it. Ends in a line break.
pub(super) fn table(told: &[(&Case, Report)], language: Language, width: usize) -> String {
    let advice = width.saturating_sub(TITLE + VERDICT + SPACES).max(TITLE);
    let widths = [TITLE, VERDICT, advice];
    let rule = format!("{}\n", paint(DIM, "─".repeat(width)));
    let mut text = columns::row(&headings(language).map(|text| cell(BOLD, text)), &widths);
    for (case, report) in told {
        text.push_str(&rule);
        text.push_str(&columns::row(&row(case, report, language, advice), &widths));
    }
    format!("{text}{rule}{}", next(language))
}

fn headings(language: Language) -> [&'static str; 3] {
    match language {
        Language::English => ["Mailbox and fault", "Verdict", "Who must act, and what to do first"],
        Language::Japanese => ["メールボックスと問題", "判定", "対応する人と、最初にすること"],
    }
}

fn row(case: &Case, report: &Report, language: Language, advice: usize) -> [Cell; 3] {
    let headline = report.faults.first();
    let text = match headline {
        Some(fault) => {
            let page = remedy(fault.code, language, &Facts::from_report(report, fault));
            let actor = wording::actor(fault.actor, language);
            let first = page.what_to_do.first().map_or("", String::as_str);
            match language {
                Language::English => format!("{actor}: {first}"),
                Language::Japanese => format!("{actor}：{first}"),
            }
        }
        None => arrival(report, language),
    };
    let mut title = wrapped(Style::new(), case.title(language), TITLE);
    title.extend(headline.map(|fault| (CODE, fault.code.to_string())));
    let verdict = vec![
        (verdict_style(report.verdict), report.verdict.to_string()),
        (DIM, span::brief(report.elapsed)),
    ];
    [title, verdict, wrapped(Style::new(), &text, advice)]
}

/// Where the test mail arrived.
fn arrival(report: &Report, language: Language) -> String {
    let arrival = report.arrival.as_ref();
    let found = arrival.and_then(|arrival| arrival.found.as_ref().zip(arrival.after));
    match (found, language) {
        (Some(((folder, _), after)), Language::English) => {
            format!("nobody: the test mail was in {folder} after {}", span::brief(after))
        }
        (Some(((folder, _), after)), Language::Japanese) => {
            let seconds = after.as_secs_f32();
            format!("対応は不要です。テストメールは{seconds:.1}秒で{folder}に届きました。")
        }
        (None, Language::English) => "nobody".to_owned(),
        (None, Language::Japanese) => "対応は不要です。".to_owned(),
    }
}

/// How to go on from here, with commands that work as they stand.
fn next(language: Language) -> String {
    let me = std::env::args().next().unwrap_or_else(|| "mailfleet".to_owned());
    let lang = match language {
        Language::English => "",
        Language::Japanese => " --lang ja",
    };
    let check = format!(
        "  {me} check you@example.com --imap imap.example.com --smtp smtp.example.com{lang}"
    );
    let explain = format!("  {me} explain STARTTLS_STRIPPED{lang}");
    let (own, note, more) = match language {
        Language::English => (
            "Check a mailbox of your own:",
            "  It asks for the password, and sends nothing; --test-mail self sends one test mail\n  \
             to the mailbox itself and looks for it. Other ports: imap.example.com:143/starttls",
            "Read about a code, or list them all with 'faults':",
        ),
        Language::Japanese => (
            "ご自身のメールボックスを確認するには：",
            "  パスワードの入力を求められます。メールは送信されません。--test-mail self を付けると、\n  \
             自分宛てにテストメールを1通送り、届くまでを確認します。ポートなどの指定方法の例：\n  \
             imap.example.com:143/starttls",
            "コードの詳しい説明を読むには（一覧は faults で表示できます）：",
        ),
    };
    format!(
        "\n{}\n{}\n{note}\n\n{}\n{}\n",
        paint(BOLD, own),
        paint(CODE, check),
        paint(BOLD, more),
        paint(CODE, explain)
    )
}
