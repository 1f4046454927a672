//! Models of wait.
