//! The environment a desktop launch lacks.
