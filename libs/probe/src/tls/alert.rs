//! TLS alerts by number: what each says about the server, and whether asking again in
//! older versions can tell more.
//!
//! Numbers: RFC 8446 section 6, RFC 5246 section 7.2, RFC 6066 section 9, RFC 7301
//! section 3.2, and the IANA registry "TLS Alerts".

use mailfleet_model::FaultCode;

/// What an alert that ends our handshake says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing in common: version, suite, group or signature. Asking in older versions
    /// tells which.
    NothingInCommon,
    /// It wants a certificate of ours, if it asked for one.
    ClientCertificate,
    /// It does not know the host name that we sent.
    UnknownName,
    /// It refuses us by a rule of its own.
    Denied,
    /// It failed, or found a fault in what we sent.
    Failed,
}

/// An alert's name in the RFCs; `None` for a number that none of them assigns.
pub(super) fn name(number: u8) -> Option<&'static str> {
    row(number).map(|(name, _)| name)
}

/// What an alert says.
pub(super) fn meaning(number: u8) -> Meaning {
    row(number).map_or(Meaning::Failed, |(_, meaning)| meaning)
}

/// The fault that an alert points to when nothing more is known.
pub(super) fn code(number: u8, client_certificate_asked: bool) -> FaultCode {
    match (meaning(number), client_certificate_asked) {
        (Meaning::ClientCertificate | Meaning::NothingInCommon | Meaning::Denied, true) => {
            FaultCode::TlsClientCertRequired
        }
        _ if number == 116 => FaultCode::TlsClientCertRequired,
        _ if number == 70 => FaultCode::TlsVersionUnsupported,
        _ if number == 71 => FaultCode::TlsCipherOrKeyWeak,
        _ => FaultCode::TlsHandshakeFailed,
    }
}

#[rustfmt::skip] // One row a line: the point of a table.
const fn row(number: u8) -> Option<(&'static str, Meaning)> {
    use Meaning::{ClientCertificate, Denied, Failed, NothingInCommon, UnknownName};
    Some(match number {
        0   => ("close_notify", Failed),
        10  => ("unexpected_message", Failed),
        20  => ("bad_record_mac", Failed),
        21  => ("decryption_failed_RESERVED", Failed),
        22  => ("record_overflow", Failed),
        30  => ("decompression_failure_RESERVED", Failed),
        40  => ("handshake_failure", NothingInCommon),
        41  => ("no_certificate_RESERVED", ClientCertificate),
        42  => ("bad_certificate", ClientCertificate),
        43  => ("unsupported_certificate", ClientCertificate),
        44  => ("certificate_revoked", ClientCertificate),
        45  => ("certificate_expired", ClientCertificate),
        46  => ("certificate_unknown", ClientCertificate),
        47  => ("illegal_parameter", NothingInCommon),
        48  => ("unknown_ca", ClientCertificate),
        49  => ("access_denied", Denied),
        50  => ("decode_error", Failed),
        51  => ("decrypt_error", Failed),
        60  => ("export_restriction_RESERVED", NothingInCommon),
        70  => ("protocol_version", NothingInCommon),
        71  => ("insufficient_security", NothingInCommon),
        80  => ("internal_error", NothingInCommon),
        86  => ("inappropriate_fallback", NothingInCommon),
        90  => ("user_canceled", Failed),
        100 => ("no_renegotiation_RESERVED", Failed),
        109 => ("missing_extension", NothingInCommon),
        110 => ("unsupported_extension", NothingInCommon),
        111 => ("certificate_unobtainable_RESERVED", Failed),
        112 => ("unrecognized_name", UnknownName),
        113 => ("bad_certificate_status_response", Failed),
        114 => ("bad_certificate_hash_value_RESERVED", Failed),
        115 => ("unknown_psk_identity", Failed),
        116 => ("certificate_required", ClientCertificate),
        120 => ("no_application_protocol", Failed),
        121 => ("ech_required", Failed),
        _   => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: u8, asked: bool, expect: FaultCode) {
        assert_eq!(code(number, asked), expect, "alert {number}, asked {asked}");
    }

    #[test]
    fn numbers_agree_with_the_tls_library() {
        use rustls::AlertDescription as A;
        for (alert, expect) in [
            (A::HandshakeFailure, "handshake_failure"),
            (A::ProtocolVersion, "protocol_version"),
            (A::InsufficientSecurity, "insufficient_security"),
            (A::UnrecognisedName, "unrecognized_name"),
            (A::CertificateRequired, "certificate_required"),
            (A::AccessDenied, "access_denied"),
            (A::BadCertificate, "bad_certificate"),
            (A::UnknownCA, "unknown_ca"),
            (A::InternalError, "internal_error"),
            (A::NoApplicationProtocol, "no_application_protocol"),
        ] {
            assert_eq!(name(u8::from(alert)), Some(expect));
        }
    }

    #[test]
    fn a_certificate_of_ours_is_only_wanted_where_it_was_asked_for() {
        check(42, true, FaultCode::TlsClientCertRequired);
        check(40, true, FaultCode::TlsClientCertRequired);
        check(42, false, FaultCode::TlsHandshakeFailed);
        check(116, false, FaultCode::TlsClientCertRequired);
        check(70, false, FaultCode::TlsVersionUnsupported);
        check(255, false, FaultCode::TlsHandshakeFailed);
    }
}
