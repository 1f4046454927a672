//! Models of condition.
