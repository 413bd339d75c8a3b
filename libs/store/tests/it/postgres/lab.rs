//! The lab's PostgreSQL: where it is, and connections to it without the store.

use mailfleet_model::Secret;
use serde_json::Value;
use tokio_postgres::{Client, NoTls};

use crate::facts;

/// The lab's PostgreSQL.
pub(crate) struct Lab {
    url: String,
    tls_url: String,
    ca_file: String,
}

impl Lab {
    /// The PostgreSQL that the environment names; `None`, said aloud, if it names none.
    pub(crate) fn from_environment() -> Option<Self> {
        let lab = facts::from_environment()?;
        let say = |value: &Value| value.as_str().expect("the lab says it").to_owned();
        let postgres = &lab["postgres"];
        Some(Self {
            url: say(&postgres["url"]),
            tls_url: say(&postgres["tls_url"]),
            ca_file: say(&lab["ca_file"]),
        })
    }

    /// The URL with a schema in its search path.
    pub(crate) fn url_of(&self, schema: &str) -> Secret {
        secret(&within(&self.url, schema))
    }

    /// The same over TLS.
    pub(crate) fn tls_url_of(&self, schema: &str) -> Secret {
        secret(&within(&self.tls_url, schema))
    }

    /// The authority that signed the server's certificate.
    pub(crate) fn roots_pem(&self) -> String {
        std::fs::read_to_string(&self.ca_file).expect("the authority's certificate")
    }

    /// The password in the URL.
    pub(crate) fn password(&self) -> &str {
        let (login, _) = self.url.rsplit_once('@').expect("a login");
        login.rsplit_once(':').expect("a password").1
    }

    /// A connection with nothing between the test and the server.
    pub(crate) async fn connect(&self, schema: &str) -> Client {
        let url = within(&self.url, schema);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a server");
        tokio::spawn(connection);
        client
    }
}

fn within(url: &str, schema: &str) -> String {
    format!("{url}&options=-c%20search_path%3D{schema}")
}

pub(crate) fn secret(url: &str) -> Secret {
    Secret::new(url.as_bytes().to_vec())
}
