//! An upload: settings become a template, and items become validations by it.
//!
//! Every item goes through the same door as a single request. Settings are judged once, with
//! an address that stands for all.

use std::ops::RangeInclusive;
use std::time::Duration;

use mailfleet_model::fleet::{BatchSettings, JobClass};
use mailfleet_model::{EmailAddress, Secret, TestMail, Validation, Violations};
use prost::Message as _;
use uuid::Uuid;

use super::{parse, request_id, span, trust};
use crate::v1::batch_settings::UsernameForm;
use crate::{enums, v1};

/// Longest name for people, in characters.
const MAX_NAME: usize = 200;
/// Longest key of an item, in bytes.
const MAX_KEY: usize = 254;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ITEM_DEADLINE: RangeInclusive<Duration> = MINUTE..=DAY;
const DEADLINE: RangeInclusive<Duration> = MINUTE..=Duration::from_secs(30 * 24 * 60 * 60);
/// Items that are open at once if the caller says nothing, and at most.
const MAX_OPEN: (u32, u32) = (1_000, 10_000);
const CANARIES: (u32, u32) = (3, 100);
const STOP_WHEN: (u32, u32) = (20, 10_000);
/// Stands for the address of an item.
const SOMEBODY: &str = "somebody@example.com";

/// The settings of an upload, checked.
#[derive(Debug)]
pub struct Upload {
    /// The caller's name for the request.
    pub request_id: Option<Uuid>,
    /// What people call the batch.
    pub display_name: String,
    /// How it goes about its items.
    pub settings: BatchSettings,
    /// What items are made by.
    pub template: Template,
    /// What another upload must equal to go on with this one; holds secrets.
    pub body: Secret,
}

/// What items are made by.
#[derive(Debug, Clone)]
pub struct Template {
    shared: v1::BatchSettings,
    roots: Vec<Vec<u8>>,
    local_part: bool,
}

/// An item, checked.
#[derive(Debug)]
pub struct Item {
    /// Its name in the batch.
    pub key: String,
    /// What to validate.
    pub validation: Validation,
}

/// Checks the settings of an upload.
///
/// # Errors
/// All bad fields at once, with their paths in the names of the proto file.
pub fn parse_settings(mut settings: v1::BatchSettings) -> Result<Upload, Violations> {
    let mut bad = Violations::default();
    let request_id = request_id(&std::mem::take(&mut settings.request_id), &mut bad);
    let body = Secret::new(settings.encode_to_vec());
    let display_name = settings.display_name.trim().to_owned();
    if MAX_NAME < display_name.chars().count() || display_name.chars().any(char::is_control) {
        bad.add("display_name", "is longer than 200 characters or holds a control character");
    }
    let form = UsernameForm::try_from(settings.username_form);
    if form.is_err() {
        bad.add("username_form", "is not a known form");
    }
    let batch = batch_settings(&settings, &mut bad);
    let roots = trust::parse(&std::mem::take(&mut settings.trusted_certificates), &mut bad);
    let local_part = form == Ok(UsernameForm::LocalPart);
    let template = Template { shared: settings, roots, local_part };
    template.judge(&mut bad);
    if !bad.is_empty() {
        return Err(bad);
    }
    Ok(Upload { request_id, display_name, settings: batch, template, body })
}

fn batch_settings(settings: &v1::BatchSettings, bad: &mut Violations) -> BatchSettings {
    let class = match enums::known::<JobClass>(settings.item_class) {
        None if settings.item_class == 0 => JobClass::Revalidation,
        Some(class @ (JobClass::Revalidation | JobClass::Sync)) => class,
        None | Some(JobClass::Interactive) => {
            bad.add("item_class", "is not one of REVALIDATION, SYNC");
            JobClass::Revalidation
        }
    };
    let mut number = |field: &str, given: Option<u32>, least: u32, (usual, most): (u32, u32)| {
        let number = given.unwrap_or(usual);
        if !(least..=most).contains(&number) {
            bad.add(field, format_args!("is not from {least} to {most}"));
        }
        number
    };
    let open = Some(settings.max_open).filter(|open| *open != 0);
    let max_open = number("max_open", open, 1, MAX_OPEN);
    let canaries = number("canaries", settings.canaries, 1, CANARIES);
    let stop_when = number("stop_when", settings.stop_when, 0, STOP_WHEN);
    BatchSettings {
        class,
        max_open,
        canaries,
        stop_when: Some(stop_when).filter(|number| *number != 0),
        item_deadline: span(settings.item_deadline, "item_deadline", &ITEM_DEADLINE, HOUR, bad),
        deadline: span(settings.deadline, "deadline", &DEADLINE, 7 * DAY, bad),
    }
}

impl Template {
    /// Judges what all items share, as far as that can be done without one.
    fn judge(&self, bad: &mut Violations) {
        let none = self.shared.incoming.is_empty() && self.shared.outgoing.is_none();
        let mut request = self
            .request(v1::BatchItem { address: SOMEBODY.to_owned(), ..v1::BatchItem::default() });
        let login = request.login.get_or_insert_default();
        if login.credential.is_none() {
            login.credential = Some(v1::login::Credential::Password(b"unknown".to_vec()));
        }
        if let Err(inner) = parse(request, &[]) {
            for violation in inner.as_slice() {
                if !(none && violation.field == "incoming") {
                    bad.add(&violation.field, &violation.description);
                }
            }
        }
    }

    /// Makes an item.
    ///
    /// # Errors
    /// All bad fields at once, with their paths within the item.
    pub fn item(&self, item: v1::BatchItem) -> Result<Item, Violations> {
        let mut bad = Violations::default();
        let key = match item.key.as_str() {
            "" => item.address.trim().to_lowercase(),
            key => key.to_owned(),
        };
        if MAX_KEY < key.len() || key.chars().any(char::is_control) {
            bad.add("key", "is longer than 254 bytes or holds a control character");
        }
        match parse(self.request(item), &[]) {
            Ok(request) if bad.is_empty() => {
                let mut validation = request.validation;
                validation.tls.extra_roots.clone_from(&self.roots);
                if self.shared.login_only {
                    validation.test_mail = TestMail::LoginOnly;
                }
                Ok(Item { key, validation })
            }
            Ok(_) => Err(bad),
            Err(inner) => {
                for violation in inner.as_slice() {
                    bad.add(&violation.field, &violation.description);
                }
                Err(bad)
            }
        }
    }

    /// The request that an item stands for. Certificates are added afterwards: they are the
    /// same for all, and read once.
    fn request(&self, item: v1::BatchItem) -> v1::ValidateRequest {
        let shared = &self.shared;
        let own = !item.incoming.is_empty() || item.outgoing.is_some();
        let (incoming, outgoing) = if own {
            (item.incoming, item.outgoing)
        } else {
            (shared.incoming.clone(), shared.outgoing.clone())
        };
        let mut login = item.login.unwrap_or_default();
        let common = shared.login.clone().unwrap_or_default();
        if login.username.is_empty() {
            login.username.clone_from(&common.username);
        }
        if login.username.is_empty() && self.local_part {
            let local =
                item.address.parse().map(|address: EmailAddress| address.local().to_owned());
            login.username = local.unwrap_or_default();
        }
        if login.credential.is_none() {
            login.credential.clone_from(&common.credential);
        }
        v1::ValidateRequest {
            address: item.address,
            incoming,
            outgoing,
            login: Some(login),
            allow_insecure_certificates: shared.allow_insecure_certificates,
            budget: shared.budget,
            ..v1::ValidateRequest::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> v1::BatchSettings {
        let endpoint = v1::Endpoint {
            protocol: v1::endpoint::Protocol::Imap.into(),
            host: "imap.example.com".to_owned(),
            ..v1::Endpoint::default()
        };
        let leg = v1::LegSettings { endpoint: Some(endpoint), login: None };
        v1::BatchSettings { incoming: vec![leg], ..v1::BatchSettings::default() }
    }

    fn item(address: &str, password: &str) -> v1::BatchItem {
        let credential = v1::login::Credential::Password(password.as_bytes().to_vec());
        v1::BatchItem {
            address: address.to_owned(),
            login: Some(v1::Login { username: String::new(), credential: Some(credential) }),
            ..v1::BatchItem::default()
        }
    }

    #[track_caller]
    fn bad(settings: v1::BatchSettings) -> Vec<String> {
        let bad = parse_settings(settings).expect_err("something is wrong");
        bad.as_slice().iter().map(|violation| violation.field.clone()).collect()
    }

    #[test]
    fn items_share_what_they_do_not_bring() {
        let form = UsernameForm::LocalPart.into();
        let upload = parse_settings(v1::BatchSettings { username_form: form, ..settings() });
        let template = upload.expect("good settings").template;
        let made = template.item(item("Taro@Example.com", "pw")).expect("a good item");
        assert_eq!(made.key, "taro@example.com");
        assert_eq!(made.validation.incoming[0].login.username, "Taro");
        assert_eq!(made.validation.incoming[0].endpoint.port, 993);
        let own = v1::LegSettings {
            endpoint: Some(v1::Endpoint {
                protocol: v1::endpoint::Protocol::Smtp.into(),
                host: "smtp.example.com".to_owned(),
                ..v1::Endpoint::default()
            }),
            login: None,
        };
        let own = v1::BatchItem { outgoing: Some(own), ..item("taro@example.com", "pw") };
        let made = template.item(own).expect("a good item");
        assert!(made.validation.incoming.is_empty() && made.validation.outgoing.is_some());
    }

    #[test]
    fn wrong_settings_are_told_once_and_all_together() {
        let mut wrong = settings();
        wrong.incoming[0].endpoint.as_mut().expect("an endpoint").host = "a b".to_owned();
        wrong.request_id = "x".to_owned();
        wrong.max_open = 10_001;
        wrong.canaries = Some(0);
        wrong.item_class = v1::job::Class::Interactive.into();
        let fields = ["request_id", "item_class", "max_open", "canaries"];
        assert_eq!(bad(wrong)[..4], fields);
        // Without shared endpoints every item has to bring some.
        let upload = parse_settings(v1::BatchSettings::default()).expect("good settings");
        assert!(upload.template.item(item("taro@example.com", "pw")).is_err());
        assert_eq!(upload.settings.stop_when, Some(20));
    }

    #[test]
    fn a_wrong_item_names_its_fields() {
        let template = parse_settings(settings()).expect("good settings").template;
        let bad = template.item(item("nobody", "")).expect_err("it is wrong");
        let fields: Vec<&str> = bad.as_slice().iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["address", "login.password"]);
        assert!(!format!("{template:?}").contains("pw"));
    }
}
