//! Pipes: order, capacity, closing, cancellation and the io traits, in every pair of faces.

#![cfg(not(loom))]

#[path = "../common/mod.rs"]
mod common;

mod byte_ends;
mod byte_io;
mod cancel;
mod closing;
mod many;
mod messages;
mod random;
mod streams;

use bifrons::pipe::{Reader, Receiver, Sender, Writer};
use bifrons::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, block_on};
use common::{Face, LONG};
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The capacities at which rings go wrong: powers of two, their neighbours, and a large one.
const CAPACITIES: [usize; 7] = [1, 2, 3, 4, 5, 7, 64 * 1024];

fn send<T>(face: Face, sender: &mut Sender<T>, message: T) -> Result<(), SendError<T>> {
    match face {
        Face::Blocking => sender.send(message),
        Face::Timed => sender.send_timeout(message, LONG).map_err(|error| match error {
            SendTimeoutError::Closed(message) => SendError(message),
            SendTimeoutError::TimedOut(_) => panic!("send timed out"),
        }),
        Face::Async => block_on(sender.send_async(message)),
    }
}

fn recv<T>(face: Face, receiver: &mut Receiver<T>) -> Result<T, RecvError> {
    match face {
        Face::Blocking => receiver.recv(),
        Face::Timed => receiver.recv_timeout(LONG).map_err(|error| match error {
            RecvTimeoutError::Closed => RecvError,
            RecvTimeoutError::TimedOut => panic!("recv timed out"),
        }),
        Face::Async => block_on(receiver.recv_async()),
    }
}

fn write(face: Face, writer: &mut Writer, bytes: &[u8]) -> io::Result<usize> {
    match face {
        Face::Blocking => writer.write(bytes),
        Face::Timed => writer.write_timeout(bytes, LONG),
        Face::Async => block_on(writer.write_async(bytes)),
    }
}

fn read(face: Face, reader: &mut Reader, bytes: &mut [u8]) -> io::Result<usize> {
    match face {
        Face::Blocking => reader.read(bytes),
        Face::Timed => reader.read_timeout(bytes, LONG),
        Face::Async => block_on(reader.read_async(bytes)),
    }
}

/// Each pair of faces: the sender's, the receiver's.
fn pairs() -> impl Iterator<Item = (Face, Face)> {
    Face::ALL.into_iter().flat_map(|sends| Face::ALL.map(|receives| (sends, receives)))
}

/// A message that counts its drops, and may panic in its first.
struct Counted {
    drops: Arc<AtomicUsize>,
    panics: bool,
}

impl Counted {
    fn new(drops: &Arc<AtomicUsize>) -> Self {
        Self { drops: Arc::clone(drops), panics: false }
    }

    fn panicking(drops: &Arc<AtomicUsize>) -> Self {
        Self { drops: Arc::clone(drops), panics: true }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        if self.panics {
            panic!("a message's drop panics");
        }
    }
}

fn drops() -> Arc<AtomicUsize> {
    Arc::default()
}

fn count(drops: &Arc<AtomicUsize>) -> usize {
    drops.load(Ordering::SeqCst)
}

/// What `f` panicked with.
#[track_caller]
fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("no panic"),
        Err(payload) => payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default(),
    }
}
