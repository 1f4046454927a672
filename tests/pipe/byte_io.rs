//! The byte ends under what std and futures build on readers and writers.

use crate::common::Random;
use bifrons::block_on;
use bifrons::pipe::{bytes, duplex_bytes};
use futures::io::{
    self as async_io, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader as AsyncBufReader,
    BufWriter as AsyncBufWriter,
};
use futures::stream::StreamExt;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, IoSlice, IoSliceMut};
use std::thread;

/// With both families of traits in scope `reader.read()` would be ambiguous, as the documentation
/// says; here std's are named where they are meant.
mod std_io {
    pub(super) use std::io::{Read, Write};
}

const TEXT: &str = "first line\nsecond\n\nthe fourth has no end";

fn text() -> String {
    TEXT.repeat(100)
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..len).map(|_| random.next() as u8).collect()
}

#[test]
fn lines_of_std() {
    for capacity in [1, 3, 64] {
        let (writer, reader) = bytes(capacity);
        let thread = thread::spawn(move || {
            let mut writer = BufWriter::with_capacity(7, writer);
            std_io::Write::write_all(&mut writer, text().as_bytes()).unwrap();
            std_io::Write::flush(&mut writer).unwrap();
        });
        let lines: Vec<String> = BufRead::lines(reader).map(Result::unwrap).collect();
        assert!(lines.iter().eq(text().lines().collect::<Vec<_>>()));
        thread.join().unwrap();
    }
}

#[test]
fn copy_of_std() {
    for capacity in [1, 5, 4_096] {
        let data = noise(capacity as u64, 20_000);
        let (mut writer, mut reader) = bytes(capacity);
        let mut received = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                io::copy(&mut &data[..], &mut writer).unwrap();
                drop(writer);
            });
            let count = io::copy(&mut reader, &mut received).unwrap();
            assert_eq!(count, data.len() as u64);
        });
        assert!(received == data);
    }
}

#[test]
fn read_exact_of_std_waits_for_all_and_tells_an_early_end() {
    let (mut writer, mut reader) = bytes(2);
    let thread = thread::spawn(move || std_io::Write::write_all(&mut writer, b"abcdefg").unwrap());
    let mut out = [0; 5];
    std_io::Read::read_exact(&mut reader, &mut out).unwrap();
    assert_eq!(&out, b"abcde");
    let error = std_io::Read::read_exact(&mut reader, &mut out).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    thread.join().unwrap();
}

#[test]
fn write_all_of_std_tells_a_broken_pipe() {
    let (mut writer, reader) = bytes(2);
    let thread = thread::spawn(move || std_io::Write::write_all(&mut writer, &[0; 100]));
    let mut reader = BufReader::new(reader);
    std_io::Read::read_exact(&mut reader, &mut [0; 10]).unwrap();
    drop(reader);
    assert_eq!(thread.join().unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn adapters_of_std() {
    let (mut writer, mut reader) = bytes(64);
    std_io::Write::write_fmt(&mut writer, format_args!("{} {:?}", 1, "two")).unwrap();
    std_io::Write::write_all(std_io::Write::by_ref(&mut writer), b" tail").unwrap();
    drop(writer);
    let mut head = Vec::new();
    assert_eq!(BufRead::read_until(&mut reader, b' ', &mut head).unwrap(), 2);
    assert_eq!(head, b"1 ");
    assert_eq!(BufRead::fill_buf(&mut reader).unwrap(), b"\"two\" tail");
    BufRead::consume(&mut reader, 1);
    let taken: Vec<u8> =
        std_io::Read::bytes(std_io::Read::take(&mut reader, 3)).map(Result::unwrap).collect();
    assert_eq!(taken, b"two");
    let mut rest = String::new();
    std_io::Read::read_to_string(&mut reader, &mut rest).unwrap();
    assert_eq!(rest, "\" tail");
    assert_eq!(BufRead::fill_buf(&mut reader).unwrap(), b"", "the end");
    BufRead::consume(&mut reader, 0);
}

#[test]
fn fill_buf_shows_the_bytes_in_one_piece_at_a_time() {
    let (mut writer, mut reader) = bytes(4);
    std_io::Write::write_all(&mut writer, b"xyz").unwrap();
    BufRead::fill_buf(&mut reader).unwrap();
    BufRead::consume(&mut reader, 3);
    std_io::Write::write_all(&mut writer, b"abcd").unwrap();
    assert_eq!(BufRead::fill_buf(&mut reader).unwrap(), b"a", "up to the end of the storage");
    assert_eq!(BufRead::fill_buf(&mut reader).unwrap(), b"a");
    BufRead::consume(&mut reader, 1);
    assert_eq!(BufRead::fill_buf(&mut reader).unwrap(), b"bcd");
}

#[test]
fn vectored_reads_and_writes_serve_every_piece_that_they_can() {
    let (mut writer, mut reader) = bytes(8);
    std_io::Write::write_all(&mut writer, b"-----").unwrap();
    std_io::Read::read_exact(&mut reader, &mut [0; 5]).unwrap();
    // Across the end of the storage, with empty pieces, and more than there is room for.
    let pieces = [&b""[..], b"ab", b"", b"cde", b"fghij"].map(IoSlice::new);
    assert_eq!(std_io::Write::write_vectored(&mut writer, &pieces).unwrap(), 8);
    let (mut first, mut second, mut third) = ([0; 3], [0; 0], [0; 9]);
    let mut pieces = [&mut first[..], &mut second, &mut third].map(IoSliceMut::new);
    assert_eq!(std_io::Read::read_vectored(&mut reader, &mut pieces).unwrap(), 8);
    assert_eq!((&first, &third[..5]), (b"abc", &b"defgh"[..]));

    // Nothing asked for: nothing waited for.
    assert_eq!(std_io::Read::read_vectored(&mut reader, &mut []).unwrap(), 0);
    assert_eq!(
        std_io::Read::read_vectored(&mut reader, &mut [IoSliceMut::new(&mut [])]).unwrap(),
        0
    );
    std_io::Write::write_all(&mut writer, &[0; 8]).unwrap();
    assert_eq!(std_io::Write::write_vectored(&mut writer, &[IoSlice::new(b"")]).unwrap(), 0);
    drop(reader);
    let error = std_io::Write::write_vectored(&mut writer, &[IoSlice::new(b"x")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn vectored_reads_and_writes_of_tasks() {
    let (mut left, mut right) = duplex_bytes(4);
    block_on(async {
        let pieces = [&b"ab"[..], b"c"].map(IoSlice::new);
        let written = AsyncWriteExt::write_vectored(&mut left, &pieces).await.unwrap();
        assert_eq!(written, 3);
        let (mut first, mut second) = ([0; 1], [0; 4]);
        let mut pieces = [&mut first[..], &mut second].map(IoSliceMut::new);
        let count = AsyncReadExt::read_vectored(&mut right, &mut pieces).await.unwrap();
        assert_eq!((count, &first, &second[..2]), (3, b"a", &b"bc"[..]));
        drop(right);
        let error = AsyncWriteExt::write_vectored(&mut left, &[IoSlice::new(b"x")]).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn lines_of_tasks() {
    for capacity in [1, 3, 64] {
        let (writer, reader) = bytes(capacity);
        block_on(async {
            let writing = async {
                let mut writer = AsyncBufWriter::with_capacity(7, writer);
                writer.write_all(text().as_bytes()).await.unwrap();
                writer.close().await.unwrap();
            };
            let lines = AsyncBufReadExt::lines(reader).map(Result::unwrap).collect::<Vec<_>>();
            let ((), lines) = futures::join!(writing, lines);
            assert!(lines.iter().eq(text().lines().collect::<Vec<_>>()));
        });
    }
}

#[test]
fn copies_of_tasks_through_two_pipes_and_a_thread() {
    for capacity in [1, 5, 4_096] {
        let data = noise(!capacity as u64, 20_000);
        let (near, far) = duplex_bytes(capacity);
        let echo = thread::spawn(move || {
            let (mut writer, mut reader) = far.split();
            io::copy(&mut reader, &mut writer).unwrap()
        });
        let (mut writer, reader) = near.split();
        let mut received = Vec::new();
        block_on(async {
            let there = async {
                async_io::copy(&data[..], &mut writer).await.unwrap();
                AsyncWriteExt::close(&mut writer).await.unwrap();
            };
            let back = async_io::copy_buf(AsyncBufReader::new(reader), &mut received);
            let ((), count) = futures::join!(there, back);
            assert_eq!(count.unwrap(), data.len() as u64);
        });
        assert!(received == data);
        assert_eq!(echo.join().unwrap(), data.len() as u64);
    }
}

#[test]
fn read_exact_of_tasks_and_the_two_ends_of_a_file() {
    let (mut writer, mut reader) = bytes(2);
    block_on(async {
        let writing = async {
            writer.write_all(b"abcde").await.unwrap();
            AsyncWriteExt::flush(&mut writer).await.unwrap();
            AsyncWriteExt::close(&mut writer).await.unwrap();
            AsyncWriteExt::close(&mut writer).await.unwrap();
            let error = AsyncWriteExt::write(&mut writer, b"x").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "closed is closed");
        };
        let reading = async {
            let mut out = [0; 4];
            AsyncReadExt::read_exact(&mut reader, &mut out).await.unwrap();
            assert_eq!(&out, b"abcd");
            let error = AsyncReadExt::read_exact(&mut reader, &mut out).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            assert_eq!(AsyncReadExt::read(&mut reader, &mut out).await.unwrap(), 0);
            assert_eq!(AsyncReadExt::read(&mut reader, &mut []).await.unwrap(), 0);
        };
        futures::join!(writing, reading);
    });
}

#[test]
fn a_byte_connection_is_a_reader_and_a_writer_for_tasks_too() {
    let (left, right) = duplex_bytes(3);
    let thread = thread::spawn(move || {
        let mut right = right;
        let mut line = String::new();
        while BufRead::read_line(&mut right, &mut line).unwrap() > 0 {
            std_io::Write::write_all(&mut right, line.to_uppercase().as_bytes()).unwrap();
            line.clear();
        }
    });
    block_on(async {
        let mut left = left;
        for word in ["one\n", "two\n", "three\n"] {
            left.write_all(word.as_bytes()).await.unwrap();
            let mut line = String::new();
            AsyncBufReadExt::read_line(&mut left, &mut line).await.unwrap();
            assert_eq!(line, word.to_uppercase());
        }
        AsyncWriteExt::close(&mut left).await.unwrap();
        assert_eq!(AsyncReadExt::read(&mut left, &mut [0; 1]).await.unwrap(), 0);
    });
    thread.join().unwrap();
}
