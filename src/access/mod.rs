//! Who may do what: accounts with secrets, and what each role sees of the snapshot.

mod accounts;
mod audience;

pub use accounts::{Account, AccountError, Accounts, AccountsFile, NewAccount};
pub use audience::{AccessError, restrictions};
