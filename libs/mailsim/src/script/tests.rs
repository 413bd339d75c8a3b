//! The script and the builder say the same.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    Certificate, Fault, Layout, Mechanism, Personality, Protocol, Server, Step, Strip, Tls,
};

#[test]
fn the_builder_and_the_script_agree() {
    let script = r#"
        # A server with nearly everything.
        server imap tls=starttls certificate=expired versions=tls1.2 personality=dovecot folders=japanese address=127.0.0.3 mechanisms=PLAIN,XOAUTH2
        limit per-user-and-address=4
        mailbox user@example.test password="s e\"c\\ret" token=t messages=3
        at greeting delay 200ms
        at capability mangle-starttls
        at login from=127.0.0.9 first=2 reply NO [AUTHENTICATIONFAILED] Authentication failed.
        at open close
        at list raw * LIST \xff\r\n
    "#;
    let built = Server::imap()
        .tls(Tls::Starttls)
        .certificate(Certificate::Expired)
        .versions(Versions::Tls12)
        .personality(Personality::Dovecot)
        .layout(Layout::Japanese)
        .listen([127, 0, 0, 3])
        .limits(Limits { per_user_and_address: Some(4), ..Limits::default() })
        .with(|s| s.mechanisms = Some(vec![Mechanism::Plain, Mechanism::XOAuth2]))
        .mailbox("user@example.test", "s e\"c\\ret")
        .with(|s| {
            s.mailboxes[0].token = Some("t".into());
            s.mailboxes[0].messages = 3;
        })
        .latency(Step::Greeting, Duration::from_millis(200))
        .at(Step::Capability, Fault::StripStarttls(Strip::Mangled))
        .rule(
            Rule::new(
                Step::Login,
                Fault::Reply("NO [AUTHENTICATIONFAILED] Authentication failed.".into()),
            )
            .only_from([127, 0, 0, 9].into())
            .first(2),
        )
        .at(Step::Open, Fault::Close)
        .at(Step::List, Fault::Raw(b"* LIST \xff\r\n".to_vec()));
    assert_eq!(Server::parse(script).unwrap().spec(), built.spec());
}

#[test]
fn mailboxes_above_the_servers_belong_to_all() {
    let scenario = parse(
        "deliver to=bounce after=2s sent-copy=filed\n\
         mailbox a@x.test password=p\n\
         server imap\nserver smtp tls=starttls\nmailbox b@x.test password=q\n",
    )
    .unwrap();
    let counts: Vec<usize> = scenario.servers.iter().map(|s| s.mailboxes.len()).collect();
    assert_eq!(counts, [1, 2]);
    assert_eq!(scenario.delivery.fate, Fate::Bounced);
    assert_eq!(parse(&write(&scenario)).unwrap(), scenario);
}

#[track_caller]
fn fails(script: &str, line: usize, part: &str) {
    let error = parse(script).unwrap_err();
    assert_eq!(error.line, line, "{error}");
    assert!(error.problem.contains(part), "{error}");
}

#[test]
fn errors_name_the_line_and_the_trouble() {
    fails("server imap\nmailbx a", 2, "mailbx is none of");
    fails("at login close", 1, "no server above");
    fails("server imap\n\nat ehlo close", 3, "cannot happen at ehlo of imap");
    fails("server imap\nat login first=x close", 2, "first cannot be x");
    fails("server imap\nat login", 2, "lacks its fault");
    fails("server imap\nat login close now", 2, "what is now");
    fails("server imap\nat login delay 5", 2, "no duration");
    fails("server imap\nat login raw \\q", 2, "no escape");
    fails("server imap colour=red", 1, "no colour");
    fails("server gopher", 1, "protocol cannot be gopher");
    fails("server imap\nmailbox a password=\"x", 2, "end quote");
    assert!(parse_one("server imap\nserver imap").is_err());
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        any::<String>().prop_map(Fault::Reply),
        any::<Vec<u8>>().prop_map(Fault::Raw),
        (0..10_000_000_u64).prop_map(|n| Fault::Delay(Duration::from_micros(n))),
        (0..10_000_u64).prop_map(|n| Fault::Drip(Duration::from_millis(n))),
        (any::<String>(), any::<u64>()).prop_map(|(line, bytes)| Fault::Flood { line, bytes }),
        any::<u64>().prop_map(|bytes| Fault::EndlessLine { bytes }),
        (any::<u64>(), any::<u64>())
            .prop_map(|(announced, bytes)| Fault::EndlessLiteral { announced, bytes }),
        any::<u32>().prop_map(|depth| Fault::Nesting { depth }),
        any::<String>().prop_map(Fault::ByeAfterOk),
        Just(Fault::Silent),
        Just(Fault::Reset),
        Just(Fault::EchoPassword),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        fault in faults(),
        user in proptest::option::of(any::<String>()),
        times in any::<Option<u32>>(),
        password in any::<String>(),
        host in proptest::option::of("[a-z.]{1,20}"),
    ) {
        let mut spec = Spec::new(Protocol::Imap);
        spec.host = host;
        spec.mailboxes.push(Mailbox::new("a@x.test", password));
        spec.rules.push(Rule { step: Step::Login, fault, from: None, user, times });
        let scenario = Scenario { delivery: Delivery::default(), servers: vec![spec] };
        prop_assert_eq!(parse(&write(&scenario)).unwrap(), scenario);
    }

    #[test]
    fn no_script_makes_the_reader_panic(script in any::<String>(), line in "(at|server|mailbox) .{0,60}") {
        let _ = parse(&script);
        let _ = parse(&format!("server imap\n{line}"));
    }
}
