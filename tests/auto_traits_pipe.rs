//! Which ends and futures of the pipes are `Send`, `Sync` and `Unpin`, and how large they are.

#![cfg(not(loom))]

use bifrons::pipe::{
    ByteConnection, Connection, ReadChunk, ReadFuture, Reader, Receiver, RecvFuture, SendFuture,
    Sender, WriteChunk, WriteFuture, Writer, bytes, simplex,
};
use static_assertions::{assert_impl_all, assert_not_impl_any, assert_obj_safe};
use std::cell::Cell;
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

/// `Send`, not `Sync`.
type Local = Cell<u8>;
/// Neither.
type Tied = Rc<u8>;

// An end goes to another thread with its messages. A shared end shows no message, so it is `Sync`
// for messages that are only `Send`; it is used by one thread or task at a time all the same, for
// its operations take it exclusively.
assert_impl_all!(Sender<Local>: Send, Sync);
assert_impl_all!(Receiver<Local>: Send, Sync);
assert_impl_all!(Connection<Local, Local>: Send, Sync);
assert_not_impl_any!(Sender<Tied>: Send, Sync);
assert_not_impl_any!(Receiver<Tied>: Send, Sync);
assert_not_impl_any!(Connection<Tied, u8>: Send, Sync);
assert_not_impl_any!(Connection<u8, Tied>: Send, Sync);
assert_impl_all!(Writer: Send, Sync);
assert_impl_all!(Reader: Send, Sync);
assert_impl_all!(ByteConnection: Send, Sync);
assert_impl_all!(WriteChunk<'static>: Send, Sync);
assert_impl_all!(ReadChunk<'static>: Send, Sync);

// There is one of each end.
assert_not_impl_any!(Sender<u8>: Clone);
assert_not_impl_any!(Receiver<u8>: Clone);
assert_not_impl_any!(Writer: Clone);
assert_not_impl_any!(Reader: Clone);

// Ends may be moved at any time, whatever they carry.
assert_impl_all!(Sender<PhantomPinned>: Unpin);
assert_impl_all!(Receiver<PhantomPinned>: Unpin);
assert_impl_all!(Connection<PhantomPinned, PhantomPinned>: Unpin);
assert_impl_all!(Writer: Unpin);
assert_impl_all!(Reader: Unpin);
assert_impl_all!(ByteConnection: Unpin);

// Futures go to another thread with what they borrow, and are free to be pinned.
assert_impl_all!(SendFuture<'static, Local>: Send);
assert_not_impl_any!(SendFuture<'static, Local>: Sync);
assert_not_impl_any!(SendFuture<'static, Tied>: Send, Sync);
assert_impl_all!(RecvFuture<'static, Local>: Send);
assert_not_impl_any!(RecvFuture<'static, Tied>: Send, Sync);
assert_impl_all!(WriteFuture<'static>: Send);
assert_impl_all!(ReadFuture<'static>: Send);
assert_not_impl_any!(SendFuture<'static, u8>: Unpin);
assert_not_impl_any!(RecvFuture<'static, u8>: Unpin);
assert_not_impl_any!(WriteFuture<'static>: Unpin);
assert_not_impl_any!(ReadFuture<'static>: Unpin);

// Messages are moved, never half changed.
assert_impl_all!(Sender<Cell<u8>>: UnwindSafe, RefUnwindSafe);
assert_impl_all!(Receiver<Cell<u8>>: UnwindSafe, RefUnwindSafe);
assert_impl_all!(Writer: UnwindSafe, RefUnwindSafe);
assert_impl_all!(Reader: UnwindSafe, RefUnwindSafe);

// What std and futures build on.
assert_impl_all!(Writer: std::io::Write, futures::io::AsyncWrite);
assert_impl_all!(Reader: std::io::BufRead, futures::io::AsyncBufRead);
assert_impl_all!(ByteConnection: std::io::Write, std::io::BufRead);
assert_impl_all!(ByteConnection: futures::io::AsyncWrite, futures::io::AsyncBufRead);
assert_impl_all!(Sender<Tied>: futures::Sink<Tied>);
assert_impl_all!(Receiver<Tied>: futures::Stream);
assert_impl_all!(SendFuture<'static, u8>: futures::future::FusedFuture);
assert_impl_all!(RecvFuture<'static, u8>: futures::future::FusedFuture);
assert_impl_all!(WriteFuture<'static>: futures::future::FusedFuture);
assert_impl_all!(ReadFuture<'static>: futures::future::FusedFuture);
assert_obj_safe!(std::io::Write, std::io::Read, futures::io::AsyncRead, futures::io::AsyncWrite);

/// Ends as trait objects, one of each family.
#[test]
fn ends_are_trait_objects() {
    let (writer, reader) = bytes(4);
    let mut writer: Box<dyn std::io::Write + Send> = Box::new(writer);
    let mut reader: Box<dyn futures::io::AsyncRead + Send + Unpin> = Box::new(reader);
    writer.write_all(b"ab").unwrap();
    let mut out = [0; 2];
    let read = futures::AsyncReadExt::read_exact(&mut reader, &mut out);
    futures::executor::block_on(read).unwrap();
    assert_eq!(&out, b"ab");
}

#[test]
fn ends_travel_and_futures_migrate() {
    let (mut sender, mut receiver) = simplex(1);
    let sending = std::thread::spawn(move || {
        let text = Cell::new(1);
        futures::executor::block_on(sender.send_async(text)).unwrap();
    });
    let mut recv = Box::pin(receiver.recv_async());
    let message = std::thread::scope(|scope| {
        scope.spawn(|| futures::executor::block_on(recv.as_mut())).join().unwrap()
    });
    assert_eq!(message.unwrap().get(), 1);
    sending.join().unwrap();
}

#[cfg(target_pointer_width = "64")]
#[test]
fn sizes() {
    // A wait's waker lies in the pipe: a future is a reference and what it carries.
    assert_eq!(size_of::<RecvFuture<'_, [u8; 100]>>(), 16);
    assert_eq!(size_of::<SendFuture<'_, [u64; 4]>>(), 48);
    assert_eq!(size_of::<SendFuture<'_, Box<u8>>>(), 16);
    assert_eq!(size_of::<WriteFuture<'_>>(), 24);
    assert_eq!(size_of::<ReadFuture<'_>>(), 24);
    assert_eq!(size_of::<WriteChunk<'_>>(), 16);
    // An end does not hold its messages.
    assert_eq!(size_of::<Sender<[u8; 100]>>(), size_of::<Writer>());
    assert!(size_of::<Writer>() <= 56, "{}", size_of::<Writer>());
}
