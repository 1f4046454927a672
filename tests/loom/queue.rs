//! Models of queue.
