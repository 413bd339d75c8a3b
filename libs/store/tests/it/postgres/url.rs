//! How the server is reached, and what is said where it is not.

use std::error::Error as _;
use std::net::TcpListener;

use mailfleet_model::Secret;
use mailfleet_model::fleet::StoreError;
use mailfleet_store::{Config, Error, PostgresStore};

use crate::conformance::{Place, config, submit};
use crate::postgres::Schema;
use crate::postgres::lab::secret;
use crate::samples::draft;

/// Everything that an error says, sources included, in both notations.
fn said(error: &Error) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        said.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    said
}

async fn refused(url: &Secret, config: Config) -> Error {
    PostgresStore::open(url, config).await.expect_err("no store")
}

fn text(url: &Secret) -> String {
    String::from_utf8(url.expose().to_vec()).unwrap()
}

#[tokio::test]
async fn tls_is_verified() {
    let Some(schema) = Schema::start().await else { return };
    let url = schema.lab.tls_url_of(&schema.name);
    let named = secret(&format!("{}&application_name={}", text(&url), schema.name));
    let trusting = Config { roots_pem: Some(schema.lab.roots_pem()), ..config() };
    let store = PostgresStore::open(&named, trusting.clone()).await.expect("a store");
    submit(&store, &draft(1)).await;
    let encrypted = format!(
        "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a ON a.pid = s.pid \
         WHERE s.ssl AND a.application_name = '{}'",
        schema.name
    );
    assert_eq!(schema.count(&encrypted).await, 1);
    // Not an authority of the system's.
    let error = refused(&url, config()).await;
    assert!(matches!(error, Error::Store(StoreError::Unavailable { .. })), "{error:?}");
    assert!(said(&error).contains("UnknownIssuer"), "{}", said(&error));
    assert!(!said(&error).contains(schema.lab.password()));
    // Good for the address, not for this name.
    let other = secret(&text(&url).replace("127.0.0.1", "localhost"));
    assert!(said(&refused(&other, trusting).await).contains("NotValidForName"));
    schema.stop().await;
}

#[tokio::test]
async fn roots_that_are_none_are_refused() {
    let config =
        Config { roots_pem: Some("-----BEGIN CERTIFICATE-----\nA".to_owned()), ..config() };
    let error = refused(&secret("postgres://u:canary@127.0.0.1/d"), config).await;
    assert!(matches!(error, Error::Roots { .. }) && !said(&error).contains("canary"), "{error:?}");
}

#[tokio::test]
async fn a_login_that_is_refused_does_not_show_the_password() {
    let Some(schema) = Schema::start().await else { return };
    let url = text(&schema.url());
    let wrong = secret(&url.replace(schema.lab.password(), "canary"));
    let nowhere = secret(&url.replace("/postgres?", "/nowhere?"));
    for (url, expect) in [(wrong, "refused the login"), (nowhere, "no such database")] {
        let error = refused(&url, config()).await;
        assert!(matches!(error, Error::Store(StoreError::Unavailable { .. })), "{error:?}");
        let said = said(&error);
        assert!(said.contains(expect), "{said}");
        assert!(!said.contains("canary") && !said.contains(schema.lab.password()), "{said}");
    }
    let shown = format!("{:?}", schema.open().await);
    assert!(!shown.contains(schema.lab.password()), "{shown}");
    schema.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error =
        refused(&secret(&format!("postgres://u:canary@127.0.0.1:{port}/d")), config()).await;
    assert!(matches!(error, Error::Store(StoreError::Unavailable { .. })), "{error:?}");
    assert!(!said(&error).contains("canary"), "{}", said(&error));
}

#[tokio::test]
async fn a_schema_without_room_is_said() {
    let Some(schema) = Schema::start().await else { return };
    let readable =
        secret(&format!("{}%20-c%20default_transaction_read_only%3Don", text(&schema.url())));
    let error = refused(&readable, config()).await;
    assert!(matches!(error, Error::Migrate { .. }), "{error:?}");
    schema.stop().await;
}
