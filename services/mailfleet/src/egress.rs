//! Egress pools, ready for use: the members of the settings with their passwords.

use mailfleet_model::fleet::PoolName;
use mailfleet_model::{Secret, Violations};
use mailfleet_probe::dial::{Exit, Socks5};

use crate::config::PoolSettings;
use crate::exit::Error;

/// The members of a pool.
///
/// # Errors
/// If the file of a password cannot be read, or holds none that the protocol can carry.
pub(crate) fn exits(name: &PoolName, pool: &PoolSettings) -> Result<Vec<Exit>, Error> {
    let mut wrong = Violations::default();
    let mut exits: Vec<Exit> = pool.addresses.iter().copied().map(Exit::Address).collect();
    for proxy in &pool.socks5 {
        let mut socks5 = Socks5::new(proxy.host.clone(), proxy.port, proxy.exit);
        if let Some((user, file)) = &proxy.login {
            let with_login =
                std::fs::read(file).map_err(|error| error.to_string()).and_then(|read| {
                    // The line break at the end of a file is no part of the password.
                    let password =
                        Secret::new(Secret::new(read).expose().trim_ascii_end().to_vec());
                    socks5.with_login(user.clone(), password).map_err(|error| error.to_string())
                });
            match with_login {
                Ok(ready) => socks5 = ready,
                Err(why) => {
                    let file = file.display();
                    wrong
                        .add("egress.socks5.password_file", format!("{file} (pool {name}): {why}"));
                    continue;
                }
            }
        }
        exits.push(Exit::Socks5(socks5.into()));
    }
    if wrong.is_empty() { Ok(exits) } else { Err(Error::Usage(wrong)) }
}
