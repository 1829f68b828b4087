//! Around a fault: what changed just before, what can be ruled out, what to do first.

mod change;
mod elimination;
pub mod reach;

use jiff::Timestamp;

pub use reach::{Reach, Reached, changes_reaching};

use crate::{correlate::Fault, index::Index};

/// Adds changes, eliminations and the steps they suggest to a fault.
pub(crate) fn explain(index: &Index, now: Timestamp, fault: &mut Fault) {
    change::explain(index, fault);
    elimination::explain(index, now, fault);
}
