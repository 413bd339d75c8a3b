//! What somebody may have meant: the known names that are closest to an unknown one.

/// How alike two names must be at least, from 0 to 1. Lower values suggest nonsense.
const ALIKE: f64 = 0.7;
/// A part of a code that was typed alone, such as `EXPIRED`, is long enough to mean something.
const MIN_PART: usize = 4;
/// Most suggestions that help.
const MOST: usize = 5;

/// The known names that `given` may stand for, the likeliest first; at most 5. Case does not
/// matter. A name that contains `given` counts too.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let given = given.trim().to_ascii_lowercase().replace('-', "_");
    let score = |name: &str| {
        let name = name.to_ascii_lowercase();
        let part = given.len() >= MIN_PART && name.contains(&given);
        strsim::jaro_winkler(&given, &name) + if part { 1.0 } else { 0.0 }
    };
    let mut scored: Vec<(f64, &str)> = known.map(|name| (score(name), name)).collect();
    scored.retain(|(score, _)| *score >= ALIKE);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(MOST).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] =
        ["TLS_CERT_EXPIRED", "AUTH_PASSWORD_EXPIRED", "HOST_NOT_FOUND", "gateway.listen"];

    #[test]
    fn typing_errors_and_parts_are_understood() {
        assert_eq!(nearest("HOST_NOT_FUOND", KNOWN.into_iter()).first(), Some(&"HOST_NOT_FOUND"));
        assert_eq!(nearest("gatway.listen", KNOWN.into_iter()).first(), Some(&"gateway.listen"));
        assert_eq!(nearest("tls-cert-expired", KNOWN.into_iter()).first(), Some(&KNOWN[0]));
        let mut expired = nearest("expired", KNOWN.into_iter());
        expired.sort_unstable();
        assert_eq!(expired, ["AUTH_PASSWORD_EXPIRED", "TLS_CERT_EXPIRED"]);
    }

    #[test]
    fn nonsense_gets_no_suggestion() {
        assert_eq!(nearest("zzz", KNOWN.into_iter()), [""; 0]);
    }
}
