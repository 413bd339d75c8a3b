//! Who calls, and what he may do: bearer tokens, each of one tenant and one role.
//!
//! Tokens are kept as digests and compared in a time that does not depend on them. Without
//! any tenant there is one, local, which may do everything; the server then listens on
//! loopback only.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_model::Secret;
use mailfleet_model::fleet::{PoolName, Quota, TenantId};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Shortest token, in bytes. 16 random bytes cannot be guessed; what is shorter was made up.
const SHORTEST_TOKEN: usize = 16;
/// What a tenant that is over its quota of open jobs is told to wait: jobs take seconds.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The tenant and the pool of whoever names no other.
const LOCAL: &str = "local";
const DEFAULT_POOL: &str = "default";

/// What a token allows. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees the jobs of its tenant.
    Reader,
    /// Submits and cancels jobs of its tenant.
    Submitter,
    /// Runs the fleet.
    Admin,
}

/// A text is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of reader, submitter, admin")]
pub struct InvalidRole;

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader",
            Self::Submitter => "submitter",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        match text {
            "reader" => Ok(Self::Reader),
            "submitter" => Ok(Self::Submitter),
            "admin" => Ok(Self::Admin),
            _ => Err(InvalidRole),
        }
    }
}

/// How much a tenant may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantQuota {
    /// Most open interactive jobs. Defaults to 1,000.
    pub interactive: u64,
    /// Most open jobs of the other classes. Defaults to 200,000.
    pub bulk: u64,
    /// Most submissions in a minute at this gateway. Defaults to 60,000.
    pub per_minute: u64,
}

impl Default for TenantQuota {
    fn default() -> Self {
        Self { interactive: 1_000, bulk: 200_000, per_minute: 60_000 }
    }
}

/// One token. A tenant may have several, of different roles.
#[derive(Debug)]
pub struct Access {
    /// Whose it is.
    pub tenant: TenantId,
    /// The token, at least 16 bytes.
    pub token: Secret,
    /// What it allows.
    pub role: Role,
    /// The pool that the tenant's jobs leave from; the same for all of its tokens.
    pub pool: PoolName,
    /// What the tenant may use; the same for all of its tokens.
    pub quota: TenantQuota,
    /// How many turns it gets at a mail server for one of a tenant with the weight 1; the same
    /// for all of its tokens.
    pub weight: NonZeroU32,
}

/// Why tokens cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// There is none: nobody could call.
    #[error("there is no token")]
    None,
    /// A token is too short.
    #[error("a token of the tenant {0} is shorter than 16 bytes")]
    WeakToken(TenantId),
    /// Two tokens are the same.
    #[error("the tenants {0} and {1} have the same token, or one of them has it twice")]
    SharedToken(TenantId, TenantId),
    /// The tokens of a tenant disagree about its pool, quota or weight.
    #[error("the tokens of the tenant {0} name different pools, quotas or weights")]
    Disagreement(TenantId),
}

/// Everybody who may call.
#[derive(Debug, Clone)]
pub struct Tenants(Who);

#[derive(Debug, Clone)]
enum Who {
    Everybody(Arc<Tenant>),
    Holders(Vec<Holder>),
}

#[derive(Clone)]
struct Holder {
    digest: [u8; 32],
    role: Role,
    tenant: Arc<Tenant>,
}

/// Shows whose token it is and not its digest.
impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder").field("tenant", &self.tenant).field("role", &self.role).finish()
    }
}

/// A tenant as its jobs need to know it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tenant {
    pub(crate) name: TenantId,
    pub(crate) pool: PoolName,
    pub(crate) quota: TenantQuota,
    pub(crate) weight: NonZeroU32,
}

impl Tenant {
    pub(crate) fn quota(&self) -> Quota {
        let TenantQuota { interactive, bulk, .. } = self.quota;
        Quota { interactive, bulk, retry_after: RETRY_AFTER }
    }
}

/// Who makes a call.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) role: Role,
}

impl Tenants {
    /// One tenant, named `local`, for everybody.
    #[must_use]
    pub fn local(quota: TenantQuota) -> Self {
        let (name, pool) = (LOCAL.parse(), DEFAULT_POOL.parse());
        let weight = NonZeroU32::MIN;
        let tenant =
            Tenant { name: name.expect("a name"), pool: pool.expect("a name"), quota, weight };
        Self(Who::Everybody(Arc::new(tenant)))
    }

    /// Whoever shows one of these tokens.
    ///
    /// # Errors
    /// If there is none, one is weak or used twice, or a tenant's tokens contradict each other.
    pub fn new(tokens: Vec<Access>) -> Result<Self, TenantError> {
        let mut holders: Vec<Holder> = Vec::new();
        for Access { tenant: name, token, role, pool, quota, weight } in tokens {
            if token.expose().len() < SHORTEST_TOKEN {
                return Err(TenantError::WeakToken(name));
            }
            let digest = Sha256::digest(token.expose()).into();
            if let Some(other) = holders.iter().find(|holder| holder.digest == digest) {
                return Err(TenantError::SharedToken(other.tenant.name.clone(), name));
            }
            let known = holders.iter().find(|holder| holder.tenant.name == name);
            let known = known.map(|holder| Arc::clone(&holder.tenant));
            let tenant = Tenant { name, pool, quota, weight };
            let tenant = match known {
                Some(known) if *known == tenant => known,
                Some(_) => return Err(TenantError::Disagreement(tenant.name)),
                None => Arc::new(tenant),
            };
            holders.push(Holder { digest, role, tenant });
        }
        if holders.is_empty() { Err(TenantError::None) } else { Ok(Self(Who::Holders(holders))) }
    }

    /// The weight of each tenant.
    pub(crate) fn weights(&self) -> BTreeMap<TenantId, NonZeroU32> {
        match &self.0 {
            Who::Everybody(_) => BTreeMap::new(),
            Who::Holders(holders) => {
                let tenants = holders.iter().map(|holder| &holder.tenant);
                tenants.map(|tenant| (tenant.name.clone(), tenant.weight)).collect()
            }
        }
    }

    /// Whether everybody may call.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.0, Who::Everybody(_))
    }

    /// Who it is that sends this `authorization` header; `None` for an unknown token.
    pub(crate) fn caller(&self, authorization: Option<&str>) -> Option<Caller> {
        let holders = match &self.0 {
            Who::Everybody(tenant) => {
                return Some(Caller { tenant: Arc::clone(tenant), role: Role::Admin });
            }
            Who::Holders(holders) => holders,
        };
        let (scheme, token) = authorization?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let digest = Sha256::digest(token.trim());
        // Every digest is looked at, so that the time tells nothing about any of them.
        holders.iter().fold(None, |found, holder| {
            if bool::from(holder.digest.ct_eq(&digest)) {
                Some(Caller { tenant: Arc::clone(&holder.tenant), role: holder.role })
            } else {
                found
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(tenant: &str, token: &str, role: Role) -> Access {
        Access {
            tenant: tenant.parse().expect("a name"),
            token: Secret::new(token.into()),
            role,
            pool: DEFAULT_POOL.parse().expect("a name"),
            quota: TenantQuota::default(),
            weight: NonZeroU32::MIN,
        }
    }

    const CRM: &str = "crm-token-0123456789";
    const CRM_READS: &str = "crm-reader-0123456789";
    const ERP: &str = "erp-token-0123456789";

    fn tenants() -> Tenants {
        let tokens = vec![
            access("crm", CRM, Role::Submitter),
            access("crm", CRM_READS, Role::Reader),
            access("erp", ERP, Role::Admin),
        ];
        Tenants::new(tokens).expect("good tokens")
    }

    #[test]
    fn a_token_says_who_it_is_and_what_he_may() {
        let tenants = tenants();
        let who = |header: &str| {
            tenants.caller(Some(header)).map(|c| (c.tenant.name.to_string(), c.role))
        };
        assert_eq!(who(&format!("Bearer {CRM}")), Some(("crm".to_owned(), Role::Submitter)));
        assert_eq!(who(&format!("bearer {CRM_READS}")), Some(("crm".to_owned(), Role::Reader)));
        assert_eq!(who(&format!("Bearer {ERP}")), Some(("erp".to_owned(), Role::Admin)));
        let bearer = format!("Bearer {CRM}x");
        for wrong in ["", CRM, "Bearer", "Bearer ", &bearer, &format!("Basic {CRM}")] {
            assert_eq!(who(wrong), None, "{wrong:?}");
        }
        assert!(tenants.caller(None).is_none());
    }

    #[test]
    fn without_tenants_everybody_is_the_local_one() {
        let caller = Tenants::local(TenantQuota::default()).caller(None).expect("everybody");
        assert_eq!((caller.tenant.name.as_str(), caller.role), ("local", Role::Admin));
    }

    #[test]
    fn tokens_that_cannot_be_right_are_refused() {
        let new = |tokens| Tenants::new(tokens).err();
        assert_eq!(new(Vec::new()), Some(TenantError::None));
        let weak = new(vec![access("crm", "short", Role::Reader)]);
        assert!(matches!(weak, Some(TenantError::WeakToken(_))));
        let shared = vec![access("crm", CRM, Role::Reader), access("erp", CRM, Role::Reader)];
        assert!(matches!(new(shared), Some(TenantError::SharedToken(..))));
        let other = TenantQuota { interactive: 1, ..TenantQuota::default() };
        let odd = Access { quota: other, ..access("crm", ERP, Role::Reader) };
        let disagree = new(vec![access("crm", CRM, Role::Reader), odd]);
        assert!(matches!(disagree, Some(TenantError::Disagreement(_))));
    }

    #[test]
    fn no_token_is_shown() {
        let shown = format!("{:?} {:?}", tenants(), access("crm", CRM, Role::Reader));
        assert!(!shown.contains("0123456789") && shown.contains("***"), "{shown}");
    }
}
