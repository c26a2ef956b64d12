//! Who may do what: accounts with secrets, identities of other systems, and what each role sees of the snapshot.

mod accounts;
mod audience;
pub mod identity;
pub mod oidc;
pub mod proxy_identity;

pub use accounts::{Account, AccountError, Accounts, AccountsFile, NewAccount};
pub use audience::{AccessError, restrictions};
