//! Models of event.
