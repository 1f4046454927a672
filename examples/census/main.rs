//! A census of your files: how many files, lines, bytes and words of each extension, and which
//! words are the most frequent.
//!
//! ```text
//! cargo run --release --example census                        # this crate's own checkout
//! cargo run --release --example census -- --verify DIRECTORY  # and recount sequentially
//! cargo run --release --example census -- --help
//! ```
//!
//! Threads and tasks meet on most primitives of the crate:
//!
//! ```text
//!  walking threads ─ push ─▶ BoundedQueue ─ pop_many_async ─▶ tasks ─ acquire_async ─▶ Semaphore
//!      ▲  try_push                                              │                  (open files)
//!      └─ BoundedQueue (directories)                            ├─ lock_async ─▶ Lock (tallies)
//!                                                               │
//!  bar thread ◀─ wait_while ─ Condition ◀─ notify_one ──────────┘
//!  Ctrl-C, --limit-seconds ─ set ─▶ Event ─ wait_async ─▶ tasks
//! ```
//!
//! What is in memory at a time is bounded by the capacity of the queues and the number of open
//! files, whatever the size of the tree. On top come only the words that were seen, each once, and
//! with `--verify` the size and the modification time of each file.
//!
//! A root is always entered. Below it `.git` and directories with a `CACHEDIR.TAG` are left out,
//! and symbolic links are not followed.

#[cfg(not(loom))]
mod app;

#[cfg(not(loom))]
fn main() -> std::process::ExitCode {
    app::main()
}

/// There are no files in a model, and no tokio.
#[cfg(loom)]
fn main() {}
