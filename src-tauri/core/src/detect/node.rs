//! To be written.
use super::{Context, Rule};
use crate::object::Pod;
pub const RULES: &[Rule] = &[];
pub fn pod(_cx: &mut Context<'_>, _pod: &Pod) {}
pub fn all(_cx: &mut Context<'_>) {}
