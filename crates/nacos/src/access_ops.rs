//! Operations on users and namespaces, one file each.

mod accounts;
mod administrator;
mod change;
mod login;
mod namespaces;

pub(crate) use accounts::{ChangeAccount, ListAccounts};
pub(crate) use administrator::CreateAdministrator;
pub(crate) use login::LogIn;
pub(crate) use namespaces::{ChangeNamespace, ListNamespaces};
