//! Checks of persistent instances on their way to the world, which alone can connect to one.

use crate::{Host, sessions::lock};
use base::Now;
use naming::Check;
use node::Input;

impl Host {
    /// What is to be checked. Each ends in one `checked`. At most `naming::CHECKS_AT_ONCE_MAX` are under way.
    #[must_use]
    pub fn take_checks(&self) -> Vec<Check> {
        std::mem::take(&mut *lock(&self.checks))
    }

    /// What came of a check.
    pub fn checked(&self, now: Now, id: u64, healthy: bool) {
        self.push_input(Input::Checked { id, healthy });
        self.run(now, &[]);
    }

    pub(crate) fn want_check(&self, check: Check) {
        lock(&self.checks).push(check);
        self.check_signal.raise();
    }
}
