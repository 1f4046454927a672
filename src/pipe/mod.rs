//! Pipes: two ends, each used by one thread or task at a time.
//!
//! | constructor | ends | carries |
//! |---|---|---|
//! | [`simplex`] | [`Sender`], [`Receiver`] | messages, one way |
//! | [`duplex`] | two [`Connection`]s | messages, both ways |
//! | [`bytes()`] | [`Writer`], [`Reader`] | bytes, one way |
//! | [`duplex_bytes`] | two [`ByteConnection`]s | bytes, both ways |
//!
//! An end's methods take `&mut self`: that is what makes it cheap, one atomic read-modify-write for
//! a message, no lock, no allocation after construction. Each end is `Send`. One end may block
//! while the other is async, and an end may change its face from one call to the next.
//!
//! When the sending end is closed or dropped, the receiving one drains what is left and then meets
//! the end: [`RecvError`](crate::RecvError), or `Ok(0)`. When the receiving end is closed or
//! dropped, the sending one gets its message back, or [`BrokenPipe`](std::io::ErrorKind::BrokenPipe).
//!
//! # Examples
//!
//! A thread and a task converse:
//!
//! ```
//! use bifrons::pipe;
//!
//! let (mut left, mut right) = pipe::duplex::<u32, String>(1);
//! let thread = std::thread::spawn(move || {
//!     while let Ok(number) = right.recv() {
//!         right.send(format!("got {number}")).unwrap();
//!     }
//! });
//! futures::executor::block_on(async {
//!     left.send_async(7).await.unwrap();
//!     assert_eq!(left.recv_async().await.unwrap(), "got 7");
//! });
//! drop(left);
//! thread.join().unwrap();
//! ```

mod buffer;
mod bytes;
mod bytes_io;
mod chunk;
mod connection;
mod half;
mod message;
mod message_future;
#[cfg(all(test, not(loom)))]
mod tests;

pub use self::bytes::{ReadFuture, Reader, WriteFuture, Writer, bytes};
pub use self::chunk::{ReadChunk, WriteChunk};
pub use self::connection::{ByteConnection, Connection, duplex, duplex_bytes};
pub use self::message::{Receiver, Sender, simplex};
pub use self::message_future::{RecvFuture, SendFuture};
