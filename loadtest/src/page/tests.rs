//! The page holds the figures, needs nothing from elsewhere, and cannot be broken by a text.

use super::page;
use crate::result::tests::run;

#[test]
fn the_page_holds_the_figures() {
    let text = page(&run());
    for figure in [
        "all 1 objectives met",
        "accepted jobs without a report",
        "ramp 40/s",
        "The knee is at <b>40 a second</b>",
        "4.25 s",
        "4.75 s",
        "imap:127.10.0.1",
        "9 of 10 at once, 4002 in all",
        "No session began beyond a limit.",
        "127.2.0.1",
        "gateway 1",
        "Linux 6.1",
        "5000 a second",
        "Nothing is said about networks.",
        "kill-worker",
    ] {
        assert!(text.contains(figure), "{figure:?} is not in the page");
    }
}

#[test]
fn what_was_missed_or_void_is_said_first() {
    let mut missed = run();
    missed.slos[0].is_met = false;
    assert!(page(&missed).contains("1 of 1 objectives missed"));
    missed.void = vec!["the generator was late".to_owned()];
    let text = page(&missed);
    assert!(text.contains("void") && text.contains("the generator was late"));
    assert!(!text.contains("objectives missed"));
}

#[test]
fn nothing_is_fetched_from_elsewhere() {
    let text = page(&run());
    for word in ["src=", "href=\"http", "@import", "url(http"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn texts_are_shown_and_not_obeyed() {
    let mut run = run();
    run.troubles = vec!["</script><script>alert(1)</script>".to_owned()];
    let text = page(&run);
    assert!(!text.contains("<script>alert"), "a text became a script");
    assert!(text.contains("a &lt;ramp&gt; &amp; more"));
    assert_eq!(text.matches("</script>").count(), 2);
}

#[test]
fn what_is_not_known_of_a_given_fleet_is_said() {
    let mut given = run();
    assert!(!page(&given).contains("it was there before the run"));
    given.counts.is_pool_known = false;
    given.sources[0].is_ours = None;
    let text = page(&given);
    assert!(text.contains("it was there before the run"));
    assert!(text.contains("not known"), "neither in the pool nor outside");
}

#[test]
fn the_result_inside_is_the_whole_result() {
    let text = page(&run());
    let data = text.split("id=\"result\">").nth(1).and_then(|rest| rest.split("</script>").next());
    let read: crate::result::RunResult =
        serde_json::from_str(data.expect("it is there")).expect("it can be read");
    assert_eq!(read, run());
}
