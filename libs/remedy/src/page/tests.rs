//! Tests of the pages themselves and of how they are filled.

use std::collections::BTreeSet;
use std::path::Path;

use strum::IntoEnumIterator;

use super::*;
use crate::fixtures;

/// Advice that would make somebody less safe. Seen in other products' help pages.
const FORBIDDEN: [&str; 8] = [
    "disable the firewall",
    "disable your firewall",
    "turn off the firewall",
    "disable all firewalls",
    "ファイアウォールを無効",
    "ファイアウォールをすべて無効",
    "ファイアウォールを停止",
    "ファイアウォールをオフ",
];

fn each_page(mut check: impl FnMut(FaultCode, Language, &'static str)) {
    for code in FaultCode::all() {
        for language in Language::iter() {
            check(code, language, library::text(code, language));
        }
    }
}

fn placeholders(line: &str) -> BTreeSet<Placeholder> {
    let pieces = pieces(line).expect("the line was parsed before");
    let place = |piece| match piece {
        Piece::Place(place) => Some(place),
        Piece::Plain(_) => None,
    };
    pieces.into_iter().filter_map(place).collect()
}

#[test]
fn every_page_has_the_fixed_form_and_only_known_placeholders() {
    each_page(|code, language, text| {
        let template = parse(text, language).unwrap_or_else(|e| panic!("{code} {language}: {e:?}"));
        assert!(!template.title.contains('{'), "{code} {language}: the title must stand alone");
        assert!(!template.title.contains(code.name()), "{code} {language}: no code in the title");
    });
}

#[test]
fn every_section_says_something_without_a_report() {
    each_page(|code, language, text| {
        let template = parse(text, language).unwrap();
        for (section, heading) in template.sections.iter().zip(wording::headings(language)) {
            let alone = section.iter().any(|line| placeholders(line).is_empty());
            assert!(alone, "{code} {language}: {heading}");
        }
    });
}

#[test]
fn sources_hold_no_placeholders() {
    each_page(|code, language, text| {
        let template = parse(text, language).unwrap();
        for line in &template.sections[3] {
            assert!(placeholders(line).is_empty(), "{code} {language}: {line}");
        }
    });
}

#[test]
fn both_languages_speak_of_the_same_evidence() {
    for code in FaultCode::all() {
        let [english, japanese] = [Language::English, Language::Japanese].map(|language| {
            let template = parse(library::text(code, language), language).unwrap();
            template.sections.iter().flatten().flat_map(|l| placeholders(l)).collect()
        });
        let (english, japanese): (BTreeSet<_>, BTreeSet<_>) = (english, japanese);
        assert_eq!(english, japanese, "{code}");
    }
}

#[test]
fn no_page_gives_unsafe_advice() {
    each_page(|code, language, text| {
        let lower = text.to_lowercase();
        for phrase in FORBIDDEN {
            assert!(!lower.contains(phrase), "{code} {language}: {phrase}");
        }
    });
}

#[test]
fn each_language_is_written_in_its_script() {
    let is_kana = |c: char| matches!(c, '\u{3041}'..='\u{30ff}');
    each_page(|code, language, text| {
        let template = parse(text, language).unwrap();
        for line in template.sections[..2].iter().flatten() {
            match language {
                // Names of settings are quoted as they are; whole sentences are not.
                Language::English => {
                    let kana = line.chars().filter(|c| is_kana(*c)).count();
                    assert!(kana * 2 < line.chars().count(), "{code} {line}");
                }
                Language::Japanese => assert!(line.chars().any(is_kana), "{code}: {line}"),
            }
        }
    });
}

#[test]
fn the_folders_hold_exactly_the_codes() {
    let codes: BTreeSet<String> = FaultCode::all().map(|c| format!("{c}.md")).collect();
    for language in Language::iter() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages").join(language.code());
        let entries = std::fs::read_dir(folder).unwrap();
        let files: BTreeSet<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, codes, "{language}");
    }
}

#[test]
fn each_code_takes_the_pages_of_its_own_name() {
    for code in FaultCode::all() {
        assert_eq!(library::file_stem(code), code.name());
    }
}

#[test]
fn general_pages_show_no_gaps() {
    each_page(|code, language, _| {
        let page = page(code, language);
        for line in page.what_happened.iter().chain(&page.who).chain(&page.what_to_do) {
            assert!(!line.contains(['{', '}']), "{code} {language}: {line}");
        }
    });
}

#[test]
fn malformed_pages_are_named_by_what_is_wrong() {
    let parse = |text| parse(text, Language::English);
    assert_eq!(parse("Title"), Err(Malformed::Title));
    assert_eq!(parse("# T\nstray"), Err(Malformed::Line("stray")));
    assert_eq!(parse("# T\n## Sources"), Err(Malformed::Heading("## Sources")));
    assert_eq!(parse("# T\n## What happened\nx"), Err(Malformed::Heading("")));
    let steps = "# T\n## What happened\nx\n## Who can fix it\nx\n## What to do\n";
    let [number, unknown, open] =
        ["2. x", "1. {who}", "1. {host"].map(|last| format!("{steps}{last}"));
    assert_eq!(parse(&number), Err(Malformed::Line("2. x")));
    assert_eq!(parse(&unknown), Err(Malformed::Placeholder("{who}")));
    assert_eq!(parse(&open), Err(Malformed::Placeholder("{host")));
}

fn rendered(fault: &mailfleet_model::Fault, language: Language) -> Page {
    remedy(fault.code, language, &Facts::from_report(&fixtures::report(fault), fault))
}

#[test]
fn a_page_tells_the_evidence_in_both_languages() {
    let fault = fixtures::fault(FaultCode::GreetingTimeout);
    let english = rendered(&fault, Language::English);
    assert!(english.what_happened.contains(&"We waited 35 seconds for it.".to_owned()));
    assert!(
        english.what_happened.contains(&"The server is imap.example.com, port 143.".to_owned())
    );
    let ours = "should be exempt: 203.0.113.5, 203.0.113.6.";
    assert!(english.what_to_do.iter().any(|line| line.ends_with(ours)), "{english:#?}");
    let japanese = rendered(&fault, Language::Japanese);
    assert!(japanese.what_happened.contains(&"35秒待ちました。".to_owned()), "{japanese:#?}");
}

#[test]
fn a_server_cannot_write_placeholders_or_lines_into_a_page() {
    let fault = fixtures::fault(FaultCode::GreetingRejected);
    let page = rendered(&fault, Language::English);
    let line = "The server answered: “NO [CONTACTADMIN] call {host} now”.";
    assert!(page.what_happened.contains(&line.to_owned()), "{page:#?}");
}

#[test]
fn suggestions_answer_the_fault_that_they_are_for() {
    let name = fixtures::fault(FaultCode::TlsCertNameMismatch);
    let page = rendered(&name, Language::English);
    assert_eq!(page.what_to_do[0], "Enter mail.example.net as the server name instead.");
    let mode = fixtures::fault(FaultCode::TlsModeMismatchImplicit);
    let page = rendered(&mode, Language::English);
    assert_eq!(page.what_to_do[0], "Set the security to SSL/TLS and the port to 993.");
}

#[test]
fn certificate_facts_come_from_the_evidence_before_the_chain() {
    let plain = fixtures::fault(FaultCode::TlsCertExpired);
    let page = rendered(&plain, Language::English);
    assert!(page.what_happened.contains(&"It expired on 2023-11-14 22:13:20 UTC.".to_owned()));
    let named = fixtures::with_facts(plain);
    let page = rendered(&named, Language::English);
    assert!(page.what_happened.contains(&"It expired on 2024-02-03 04:05:06 UTC.".to_owned()));
}

#[test]
fn steps_modes_and_waits_are_worded_in_the_language() {
    let fault = fixtures::with_facts(fixtures::fault(FaultCode::Unknown));
    let facts = Facts::from_report(&fixtures::report(&fault), &fault);
    let text = |place| facts.text(place, Language::Japanese);
    assert_eq!(text(Placeholder::Step).as_deref(), Some("TLSによる暗号化"));
    assert_eq!(text(Placeholder::Security).as_deref(), Some("STARTTLS"));
    assert_eq!(text(Placeholder::SuggestedSecurity).as_deref(), Some("SSL/TLS"));
    assert_eq!(text(Placeholder::Wait).as_deref(), Some("15分"));
    assert_eq!(text(Placeholder::Alert).as_deref(), Some("TLS alert 40 (handshake_failure)"));
    assert_eq!(text(Placeholder::ActualProtocol).as_deref(), Some("SMTP"));
    assert_eq!(
        text(Placeholder::CertificateNames).as_deref(),
        Some("mail.example.net、example.net")
    );
    assert_eq!(text(Placeholder::Username), None);
    let facts = facts.with(Placeholder::Username, "user");
    assert_eq!(facts.text(Placeholder::Username, Language::English).as_deref(), Some("user"));
}

#[test]
fn lines_without_a_value_are_left_out() {
    let fault = mailfleet_model::Fault::new(FaultCode::GreetingTimeout, mailfleet_model::Leg::Smtp);
    let mut report = fixtures::report(&fault);
    report.legs.clear();
    report.egress_addresses.clear();
    let page = remedy(fault.code, Language::English, &Facts::from_report(&report, &fault));
    assert_eq!(page, super::page(fault.code, Language::English));
    assert_eq!(page.what_happened.len(), 2);
}
