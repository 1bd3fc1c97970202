//! `http://user:password@host:port,host:port/prefix`.

use std::fmt;
use std::str::FromStr;

/// Where a config is: the servers, and the prefix of its keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// `host:port`, at least one.
    pub(crate) servers: Vec<String>,
    pub(crate) user: Option<(String, String)>,
    /// With the slash at its beginning, and one at its end unless it is empty behind that.
    pub(crate) prefix: String,
}

/// What is wrong with the text of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("an address of etcd is `http://HOST:PORT/PREFIX`")]
    Form,
    /// TLS.
    #[error("etcd over TLS is not supported yet: use `http://`")]
    Tls,
    /// The keys of the whole store would be the config.
    #[error("the prefix is missing: `http://HOST:PORT/PREFIX`")]
    NoPrefix,
    /// A user without a password.
    #[error("a user needs a password: `http://USER:PASSWORD@HOST:PORT/PREFIX`")]
    NoPassword,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.starts_with("https://") {
            return Err(AddressError::Tls);
        }
        let rest = text.strip_prefix("http://").ok_or(AddressError::Form)?;
        let (authority, path) = rest.split_once('/').ok_or(AddressError::NoPrefix)?;
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => {
                let (name, password) = user.split_once(':').ok_or(AddressError::NoPassword)?;
                (Some((name.to_owned(), password.to_owned())), hosts)
            }
            None => (None, authority),
        };
        let servers: Vec<String> = hosts.split(',').map(str::to_owned).collect();
        let well_formed = |server: &String| {
            server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if !servers.iter().all(well_formed) {
            return Err(AddressError::Form);
        }
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            return Err(AddressError::NoPrefix);
        }
        Ok(Self { servers, user, prefix: format!("/{path}/") })
    }
}

/// Without user and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.servers.join(","), self.prefix)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError};

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address: Address = "http://me:s@cret@a:2379,[::1]:2380/tidegate/prod".parse().expect("right");
        let user = Some(("me".to_owned(), "s@cret".to_owned()));
        let servers = vec!["a:2379".to_owned(), "[::1]:2380".to_owned()];
        assert_eq!(address, Address { servers, user, prefix: "/tidegate/prod/".into() });
        assert_eq!(format!("{address} {address:?}").matches("cret").count(), 0);
        assert_eq!(address.to_string(), "http://a:2379,[::1]:2380/tidegate/prod/");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let wrong = |text: &str| text.parse::<Address>().expect_err(text);
        let texts = ["a:2379/x", "https://a:1/x", "http://a:1", "http://a:1//", "http://u@a:1/x", "http://a/x"];
        use AddressError::{Form, NoPassword, NoPrefix, Tls};
        assert_eq!(texts.map(wrong), [Form, Tls, NoPrefix, NoPrefix, NoPassword, Form]);
    }
}
