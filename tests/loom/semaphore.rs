//! Models of semaphore.
