//! Messages and bytes through a pipe, between two threads and between two tasks.
//!
//! ```text
//! cargo bench --bench pipe
//! ```

#![allow(clippy::incompatible_msrv, reason = "a peer that is younger than our oldest compiler")]

#[cfg(not(loom))]
mod channels;
#[cfg(not(loom))]
mod harness;

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    let rows = messages::rows().into_iter().chain(bytes::rows());
    harness::run("pipe", rows.collect());
}

#[cfg(not(loom))]
const PLACEMENTS: [harness::Placement; 3] =
    [harness::Placement::TwoCpus, harness::Placement::Free, harness::Placement::OneCpu];

#[cfg(not(loom))]
mod messages {
    use crate::PLACEMENTS;
    use crate::channels::{Ends, tasks, threads};
    use crate::harness::{Row, Unit};
    use bifrons::pipe;
    use crossfire::spsc;

    pub(super) fn rows() -> Vec<Row> {
        let mut rows = Vec::new();
        for capacity in [64, 1024] {
            rows.extend(PLACEMENTS.map(|placement| two_threads(capacity).on(placement)));
            rows.extend([1, 2].map(|workers| two_tasks(workers, capacity)));
        }
        rows
    }

    fn two_threads(capacity: usize) -> Row {
        Row::new(format!("pipe, two threads, capacity {capacity}"), Unit::Mops)
            .ours(move |n| threads(n, Ends::single(pipe::simplex(capacity))))
            .peer("kanal", move |n| threads(n, Ends::single(kanal::bounded(capacity))))
            .peer("crossbeam-channel", move |n| {
                threads(n, Ends::single(crossbeam_channel::bounded(capacity)))
            })
            .peer("crossfire spsc", move |n| {
                threads(n, Ends::single(spsc::bounded_blocking(capacity)))
            })
            .peer("std sync_channel", move |n| {
                threads(n, Ends::single(std::sync::mpsc::sync_channel(capacity)))
            })
            .reference("rtrb (spins, cannot wait)", move |n| {
                threads(n, Ends::single(rtrb::RingBuffer::new(capacity)))
            })
    }

    fn two_tasks(workers: usize, capacity: usize) -> Row {
        let who = if workers == 1 { "one worker" } else { "two workers" };
        Row::new(format!("pipe, two tasks, {who}, capacity {capacity}"), Unit::Mops)
            .ours(move |n| tasks(workers, n, Ends::single(pipe::simplex(capacity))))
            .peer("kanal", move |n| tasks(workers, n, Ends::single(kanal::bounded_async(capacity))))
            .peer("crossfire spsc", move |n| {
                tasks(workers, n, Ends::single(spsc::bounded_async(capacity)))
            })
            .peer("tokio mpsc", move |n| {
                tasks(workers, n, Ends::single(tokio::sync::mpsc::channel(capacity)))
            })
    }
}

#[cfg(not(loom))]
mod bytes {
    use crate::PLACEMENTS;
    use crate::harness::{Row, Span, Unit, runtime, threads_of};
    use bifrons::pipe;
    use futures::executor::block_on;
    use std::hint::black_box;
    use std::io::{Read, Write};
    use std::time::{Duration, Instant};

    const BUFFER: usize = 64 << 10;
    const PIECE: usize = 4 << 10;

    /// Begins a cache line: how fast a copy is depends on that, several times over, and where an
    /// array lies in a future is an accident.
    #[derive(Clone, Copy)]
    #[repr(align(64))]
    struct Piece([u8; PIECE]);

    pub(super) fn rows() -> Vec<Row> {
        let threads = PLACEMENTS.map(|placement| two_threads().on(placement));
        threads.into_iter().chain([1, 2].map(two_tasks)).collect()
    }

    fn row(what: &str) -> Row {
        Row::new(format!("bytes, {what}, 4 KiB through 64 KiB"), Unit::Megabytes)
    }

    fn two_threads() -> Row {
        row("two threads")
            .ours(|n| {
                let (writer, reader) = pipe::bytes(BUFFER);
                threads(n, || write(writer, n), || read(reader, n))
            })
            .peer("std::io::pipe", |n| {
                let (reader, writer) = std::io::pipe().expect("the system has a pipe left");
                threads(n, || write(writer, n), || read(reader, n))
            })
            .peer("piper (block_on)", |n| {
                let (reader, writer) = piper::pipe(BUFFER);
                threads(n, || block_on(write_async(writer, n)), || block_on(read_async(reader, n)))
            })
            .reference("two copies by one thread", two_copies)
    }

    fn two_tasks(workers: usize) -> Row {
        row(if workers == 1 { "two tasks, one worker" } else { "two tasks, two workers" })
            .ours(move |n| {
                let (writer, reader) = pipe::bytes(BUFFER);
                tasks(workers, n, write_async(writer, n), read_async(reader, n))
            })
            .peer("tokio duplex", move |n| {
                let (writer, reader) = tokio::io::duplex(BUFFER);
                tasks(workers, n, write_tokio(writer, n), read_tokio(reader, n))
            })
            .peer("piper", move |n| {
                let (reader, writer) = piper::pipe(BUFFER);
                tasks(workers, n, write_async(writer, n), read_async(reader, n))
            })
            .reference("two copies by one thread", two_copies)
    }

    fn threads(n: u64, write: impl FnOnce() + Send, read: impl FnOnce() + Send) -> f64 {
        let both: Vec<Box<dyn FnOnce() + Send + '_>> = vec![Box::new(write), Box::new(read)];
        let (taken, _) = threads_of(both, |work| work());
        megabytes(taken, n)
    }

    fn tasks<W, R>(workers: usize, n: u64, write: W, read: R) -> f64
    where
        W: Future<Output = ()> + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let runtime = runtime(workers);
        let write = runtime.spawn(Span::of_task(write));
        let read = runtime.spawn(Span::of_task(read));
        let (writing, ()) = runtime.block_on(write).expect("the writer ends well");
        let (reading, ()) = runtime.block_on(read).expect("the reader ends well");
        megabytes(Span::total([writing, reading]), n)
    }

    fn megabytes(taken: Duration, pieces: u64) -> f64 {
        (pieces * PIECE as u64) as f64 / taken.as_secs_f64() / 1e6
    }

    fn write(mut writer: impl Write, pieces: u64) {
        let piece = Piece([7; PIECE]);
        for _ in 0..pieces {
            writer.write_all(&piece.0).expect("the reader is there");
        }
    }

    fn read(mut reader: impl Read, pieces: u64) {
        let (mut piece, mut left) = (Piece([0; PIECE]), pieces as usize * PIECE);
        while left > 0 {
            left -= reader.read(&mut piece.0).expect("the writer is there");
        }
        assert_eq!(black_box(piece).0[0], 7);
    }

    macro_rules! asynchronous {
        ($write:ident, $read:ident, $io:ident) => {
            async fn $write(mut writer: impl $io::io::AsyncWrite + Unpin, pieces: u64) {
                use $io::io::AsyncWriteExt as _;
                let piece = Piece([7; PIECE]);
                for _ in 0..pieces {
                    writer.write_all(&piece.0).await.expect("the reader is there");
                }
            }

            async fn $read(mut reader: impl $io::io::AsyncRead + Unpin, pieces: u64) {
                use $io::io::AsyncReadExt as _;
                let (mut piece, mut left) = (Piece([0; PIECE]), pieces as usize * PIECE);
                while left > 0 {
                    left -= reader.read(&mut piece.0).await.expect("the writer is there");
                }
                assert_eq!(black_box(piece).0[0], 7);
            }
        };
    }

    asynchronous!(write_async, read_async, futures);
    asynchronous!(write_tokio, read_tokio, tokio);

    /// The least that a pipe between tasks of one thread has to do.
    fn two_copies(pieces: u64) -> f64 {
        let (from, mut ring, mut to) = (Piece([7; PIECE]), vec![0; BUFFER], Piece([0; PIECE]));
        let start = Instant::now();
        for piece in 0..pieces as usize {
            let room = &mut ring[piece * PIECE % BUFFER..][..PIECE];
            room.copy_from_slice(black_box(&from.0));
            to.0.copy_from_slice(black_box(room));
            black_box(&to.0);
        }
        megabytes(start.elapsed(), pieces)
    }
}
