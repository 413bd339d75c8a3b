//! The page of a run: one file with everything in it, for somebody who was not there.
//!
//! Nothing is fetched: style, pictures and the raw result are inside. What is shown is what the
//! result holds; nothing is worked out here that could not be worked out from it again.

mod parts;
mod plot;
mod plots;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::result::RunResult;

const STYLE: &str = include_str!("style.css");

/// Offers the raw result as a file.
const SCRIPT: &str = r#"
document.getElementById("save").addEventListener("click", () => {
  const text = document.getElementById("result").textContent;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "result.json";
  link.click();
});
"#;

/// The whole page.
pub(crate) fn page(run: &RunResult) -> String {
    let data = serde_json::to_string(run).unwrap_or_default();
    // A text in the data must not end the script.
    let data = data.replace('<', "\\u003c");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (run.title) " – mailfleet load test" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (parts::head(run))
                    (parts::slos(run))
                    (parts::phases(run))
                    (plots::over_time(run))
                    (plots::percentiles(run))
                    (plots::knee(run))
                    (parts::faults(run))
                    (plots::batches(run))
                    (plots::sessions(run))
                    (parts::sources(run))
                    (plots::processes(run))
                    (parts::troubles(run))
                    (parts::environment(run))
                    (parts::method(run))
                    (parts::not_shown(run))
                    (section("Raw data", html! {
                        p { "Everything above, with the histograms, as JSON: "
                            button id="save" { "save result.json" } }
                    }))
                }
                script type="application/json" id="result" { (PreEscaped(data)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

/// A part with a title.
fn section(title: &str, body: Markup) -> Markup {
    html! { section { h2 { (title) } (body) } }
}

#[cfg(test)]
mod tests;
