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
//! # Waiting
//!
//! An end keeps one waker in each direction. The next wait of the same end, in either face, takes
//! its place, so of two tasks that poll one end in turn only the last one is woken. The futures
//! withdraw their wait when they are dropped. `poll_next`, `poll_ready`, `poll_read`, `poll_write`
//! and their like have nothing to drop: who is left pending, such as a dropped `next()` of a
//! [`Receiver`], stays registered until the other end moves and wakes it, the same end waits again,
//! or one of them goes. The wait of a pending future that is forgotten stays likewise, at most until
//! the next future of that end is dropped.
//!
//! Moving an end may wake the other, and so run a waker's code. If that panics, the panic comes out
//! of the call: a message or bytes to be sent are in the pipe by then; a message that was received is
//! dropped with the panic; bytes that were read are in the buffer, and their number is lost.
//!
//! # Spinning
//!
//! A thread looks again for a few microseconds, and gives its CPU away a few times, before it parks.
//! The first poll of a wait looks twice at most, with up to 16 pauses of the CPU between: as many as
//! an eighth of the capacity, and at least one. An end whose pauses bring nothing leaves them out,
//! for up to 63 waits at a time.
//!
//! # Memory effects
//!
//! What happened before a send or a write happens before the return of the receive or read that gets
//! what it brought; what happened before a receive or read, before the return of the send or write
//! that uses its room; what happened before an end was closed or dropped, before the return of
//! whatever meets that.
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
