//! Test-only workspace member; see the folders beside this file.
