//! Enumerations on the wire: each list of the model beside the proto's, name by name.
//!
//! Both directions are total matches: a name that stands in one list only does not compile.
//! `FaultCode` has a file of its own (`code`).

use mailfleet_model::endpoint::{Protocol, Security};
use mailfleet_model::fault::{Actor, Confidence, Phase, Severity};
use mailfleet_model::fleet::{Hold, JobClass, JobState, LegState, ReturnCause};
use mailfleet_model::leg::{FolderRole, LoginOutcome, Submission};
use mailfleet_model::step::{StepKind, StepOutcome};
use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_model::{FactKind, Leg, SentCopy, Verdict};

use crate::generated::queue::v1 as queue;
use crate::v1;

/// What the model calls a wire value.
pub(crate) trait Mirror: Sized {
    /// The generated enumeration.
    type Wire: TryFrom<i32> + Into<i32>;

    /// The wire's value for this one.
    fn to_wire(self) -> Self::Wire;

    /// The model's value, or `None` for the zero value.
    fn from_wire(wire: Self::Wire) -> Option<Self>;
}

/// The number that goes into a message.
pub(crate) fn number<M: Mirror>(value: M) -> i32 {
    value.to_wire().into()
}

/// The model's value of a number; `None` if it is unset or not known to this build.
pub(crate) fn known<M: Mirror>(number: i32) -> Option<M> {
    M::from_wire(M::Wire::try_from(number).ok()?)
}

/// Writes both matches from one list of names; `A = B` where the names differ.
macro_rules! mirror {
    ($model:ty, $($wire:ident)::+ { $($name:ident $(= $other:ident)?),+ $(,)? }) => {
        impl $crate::enums::Mirror for $model {
            type Wire = $($wire)::+;

            fn to_wire(self) -> Self::Wire {
                use $($wire)::+ as Wire;
                match self {
                    $(Self::$name => $crate::enums::mirror!(@pick Wire $name $($other)?),)+
                }
            }

            fn from_wire(wire: Self::Wire) -> Option<Self> {
                use $($wire)::+ as Wire;
                match wire {
                    Wire::Unspecified => None,
                    $($crate::enums::mirror!(@pick Wire $name $($other)?) => Some(Self::$name),)+
                }
            }
        }
    };
    (@pick $wire:ident $name:ident) => { $wire::$name };
    (@pick $wire:ident $name:ident $other:ident) => { $wire::$other };
}
pub(crate) use mirror;

mirror!(Verdict, v1::report::Verdict { Healthy, Faulty, Inconclusive });
mirror!(SentCopy, v1::report::SentCopy { Saved, NotSaved, Unknown });
mirror!(Leg, v1::leg::Kind { Imap, Pop3, Smtp, Ews, Graph, Discovery, Roundtrip, System });
mirror!(Protocol, v1::endpoint::Protocol { Imap, Pop3, Smtp });
mirror!(Security, v1::endpoint::Security { Tls, Starttls, Plain });
mirror!(Severity, v1::fault::Severity { Warning, Blocking });
mirror!(Confidence, v1::fault::Confidence { Ambiguous, Likely, Certain });
mirror!(Actor, v1::fault::Actor { User, MailAdmin, NetAdmin, Us });
mirror!(StepOutcome, v1::step::Outcome { Ok, Warning, Failed, Skipped, Cancelled });
mirror!(JobState, v1::job::State { Open, Done, Cancelled });
mirror!(JobClass, v1::job::Class { Interactive, Revalidation, Sync });
mirror!(Hold, queue::leg_result::Hold { Sessions, Rate, Breaker, Paused });
mirror!(SuggestionProof, v1::suggested_setting::Proof { Probed, Certificate, Published, Input });

mirror!(
    ReturnCause,
    v1::leg_explanation::ReturnCause {
        Redelivered,
        Breaker,
        Paused,
        Rate,
        Busy,
        Refused,
        Unanswered,
        UnknownKind,
        Draining,
        Regroup,
    }
);

mirror!(
    Phase,
    v1::fault::Phase {
        Input,
        Policy,
        Discovery,
        Dns,
        Tcp,
        Greeting,
        Starttls,
        Tls,
        Capability,
        Auth,
        Mailbox,
        Submit,
        Roundtrip,
        Sync,
    }
);

mirror!(
    StepKind,
    v1::step::Kind {
        Resolve,
        Connect,
        Tls,
        Greeting,
        Starttls,
        Capability,
        Login,
        Open,
        Envelope,
        Submit,
        Arrival,
        Cleanup,
    }
);

mirror!(
    LegState,
    v1::job_leg::State { Blocked, Ready, Released, Published, Snoozed, Done, Cancelled, Skipped }
);

mirror!(
    LoginOutcome,
    v1::leg_report::Login {
        NotTried,
        Accepted,
        RefusedDefinitively,
        RefusedAmbiguously,
        Undecided,
    }
);

// Both lists of `LegReport` share one scope in the proto file, hence other words.
mirror!(Submission, v1::leg_report::Submission {
    NotSent,
    Accepted = Taken,
    Refused,
    Unknown = OutcomeUnknown,
});

mirror!(
    SuggestionReason,
    v1::suggested_setting::Reason {
        PortExpectsTls,
        PortExpectsStarttls,
        UsualPort,
        SubmissionPort,
        CertificateName,
        ProviderServer,
        AppPassword,
        SwitchOnProtocol,
        PasswordSpaces,
        UsernameForm,
    }
);

mirror!(FolderRole, v1::arrival::FolderRole { Inbox, Junk, All, Sent, Trash, Drafts, Archive });

mirror!(
    FactKind,
    v1::fact::Kind {
        CertificateNames,
        CertificateIssuer,
        NotAfter,
        NotBefore,
        TlsVersion,
        Cipher,
        SuggestedHost,
        SuggestedPort,
        SuggestedSecurity,
        Provider,
        HelpUrl,
        Wait,
        Folder,
        Elapsed,
        Mechanisms,
        Step,
        Field,
        Protocol,
        Limit,
        Note,
    }
);

#[cfg(test)]
mod tests {
    use mailfleet_model::FaultCode;
    use strum::IntoEnumIterator;

    use super::*;

    /// Every value survives the way there and back, and its wire name is the model's.
    #[track_caller]
    fn check<M>(wire_name: fn(&M::Wire) -> &'static str)
    where
        M: Mirror + IntoEnumIterator + Copy + PartialEq + std::fmt::Debug + std::fmt::Display,
    {
        for value in M::iter() {
            assert_eq!(known::<M>(number(value)), Some(value));
            assert_eq!(wire_name(&value.to_wire()), value.to_string().to_uppercase());
        }
        assert_eq!(known::<M>(0), None, "the zero value means nothing");
        assert_eq!(known::<M>(9_999), None, "a value of a later version means nothing");
    }

    #[test]
    fn every_list_is_the_same_in_the_model_and_on_the_wire() {
        check::<FaultCode>(v1::fault::Code::as_str_name);
        check::<Verdict>(v1::report::Verdict::as_str_name);
        check::<SentCopy>(v1::report::SentCopy::as_str_name);
        check::<Leg>(v1::leg::Kind::as_str_name);
        check::<Protocol>(v1::endpoint::Protocol::as_str_name);
        check::<Security>(v1::endpoint::Security::as_str_name);
        check::<Phase>(v1::fault::Phase::as_str_name);
        check::<Severity>(v1::fault::Severity::as_str_name);
        check::<Confidence>(v1::fault::Confidence::as_str_name);
        check::<Actor>(v1::fault::Actor::as_str_name);
        check::<StepKind>(v1::step::Kind::as_str_name);
        check::<StepOutcome>(v1::step::Outcome::as_str_name);
        check::<SuggestionReason>(v1::suggested_setting::Reason::as_str_name);
        check::<SuggestionProof>(v1::suggested_setting::Proof::as_str_name);
        check::<FolderRole>(v1::arrival::FolderRole::as_str_name);
        check::<FactKind>(v1::fact::Kind::as_str_name);
        check::<JobState>(v1::job::State::as_str_name);
        check::<JobClass>(v1::job::Class::as_str_name);
        check::<LegState>(v1::job_leg::State::as_str_name);
    }

    #[test]
    fn lists_whose_names_differ_still_round_trip() {
        use Submission as S;
        for value in [S::NotSent, S::Accepted, S::Refused, S::Unknown] {
            assert_eq!(known::<S>(number(value)), Some(value));
        }
        use LoginOutcome as L;
        for value in
            [L::NotTried, L::Accepted, L::RefusedDefinitively, L::RefusedAmbiguously, L::Undecided]
        {
            assert_eq!(known::<L>(number(value)), Some(value));
        }
    }
}
