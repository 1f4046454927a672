//! Bytes: capacity, partial reads and writes, the end of the file, chunks, deadlines.

use crate::common::{Face, LONG, eventually};
use crate::{CAPACITIES, pairs, panic_of, read, write};
use bifrons::block_on;
use bifrons::pipe::{self, bytes, duplex_bytes};
use std::io::{BufRead, ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

#[test]
fn holds_exactly_its_capacity_lap_after_lap() {
    for capacity in CAPACITIES {
        let (mut writer, mut reader) = bytes(capacity);
        assert_eq!((writer.capacity(), reader.capacity()), (capacity, capacity));
        let data = pattern(capacity + 1);
        let mut out = vec![0; capacity + 1];
        for _ in 0..4 {
            assert_eq!(writer.write(&data).unwrap(), capacity, "what there is room for");
            let full = writer.write_timeout(&data, Duration::ZERO).unwrap_err();
            assert_eq!(full.kind(), ErrorKind::TimedOut);
            assert_eq!(reader.read(&mut out).unwrap(), capacity, "what there is");
            assert_eq!(out[..capacity], data[..capacity]);
            let empty = reader.read_timeout(&mut out, Duration::ZERO).unwrap_err();
            assert_eq!(empty.kind(), ErrorKind::TimedOut);
            // So that the next lap starts at another byte.
            writer.write_all(b"x").unwrap();
            reader.read_exact(&mut out[..1]).unwrap();
        }
    }
}

/// An end that knows of some room, or some bytes, looks again when it could use more.
#[test]
fn a_write_fills_the_room_and_a_read_takes_the_bytes_that_are_there() {
    let (mut writer, mut reader) = bytes(10);
    let mut out = [0; 10];
    assert_eq!(writer.write(b"1234567").unwrap(), 7);
    assert_eq!(reader.read(&mut out).unwrap(), 7);
    assert_eq!(writer.write(b"abcdefghijk").unwrap(), 10);
    assert_eq!(reader.read(&mut out[..2]).unwrap(), 2);
    assert_eq!(writer.write(b"kl").unwrap(), 2);
    assert_eq!(reader.read(&mut out).unwrap(), 10);
    assert_eq!(&out, b"cdefghijkl");
}

#[test]
fn a_stream_of_bytes_in_every_pair_of_faces() {
    let data = pattern(40_000);
    for (writes, reads) in pairs() {
        for capacity in CAPACITIES {
            let data = &data[..if capacity < 100 { 2_000 } else { 40_000 }];
            let (mut writer, mut reader) = bytes(capacity);
            thread::scope(|scope| {
                scope.spawn(move || {
                    let mut rest = data;
                    while !rest.is_empty() {
                        let count = write(writes, &mut writer, &rest[..rest.len().min(1_001)]);
                        let count = count.unwrap();
                        assert!(0 < count && count <= capacity);
                        rest = &rest[count..];
                    }
                });
                let mut received = Vec::new();
                let mut out = [0; 999];
                loop {
                    match read(reads, &mut reader, &mut out).unwrap() {
                        0 => break,
                        count => received.extend_from_slice(&out[..count]),
                    }
                }
                assert!(received == data);
            });
        }
    }
}

#[test]
fn the_reader_drains_and_then_meets_the_end_of_the_file() {
    for face in Face::ALL {
        for closes in [false, true] {
            for written in 0..=3 {
                let (mut writer, mut reader) = bytes(3);
                writer.write_all(&b"abc"[..written]).unwrap();
                let kept = if closes {
                    writer.close();
                    Some(writer)
                } else {
                    drop(writer);
                    None
                };
                let mut out = [0; 2];
                let mut received = Vec::new();
                for _ in 0..4 {
                    let count = read(face, &mut reader, &mut out).unwrap();
                    received.extend_from_slice(&out[..count]);
                }
                assert_eq!(received, b"abc"[..written]);
                assert_eq!(read(face, &mut reader, &mut out).unwrap(), 0, "for ever");
                assert!(reader.is_closed());
                if let Some(mut writer) = kept {
                    let error = write(face, &mut writer, b"x").unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::BrokenPipe, "an end that is closed");
                }
            }
        }
    }
}

#[test]
fn the_writer_meets_a_broken_pipe() {
    for face in Face::ALL {
        for (closes, written) in [(false, 0), (false, 2), (true, 0), (true, 2), (true, 3)] {
            let (mut writer, mut reader) = bytes(3);
            writer.write_all(&b"abc"[..written]).unwrap();
            let kept = if closes {
                reader.close();
                Some(reader)
            } else {
                drop(reader);
                None
            };
            for _ in 0..2 {
                let error = write(face, &mut writer, b"x").unwrap_err();
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                assert_eq!(writer.write_chunk(1).unwrap_err().kind(), ErrorKind::BrokenPipe);
            }
            assert!(writer.is_closed());
            if let Some(mut reader) = kept {
                let mut out = Vec::new();
                reader.read_to_end(&mut out).unwrap();
                assert_eq!(out, b"abc"[..written], "what was written before");
            }
        }
    }
}

#[test]
fn sleepers_are_woken_by_bytes_by_room_and_by_the_end() {
    for face in Face::ALL {
        for leaves in [false, true] {
            let (mut writer, mut reader) = bytes(2);
            let thread = thread::spawn(move || {
                let mut out = [0; 2];
                (read(face, &mut reader, &mut out).unwrap(), reader)
            });
            eventually("the reader waits", || writer.waiting() == 1);
            if leaves {
                drop(writer);
                assert_eq!(thread.join().unwrap().0, 0);
                continue;
            }
            writer.write_all(b"a").unwrap();
            let (count, reader) = thread.join().unwrap();
            assert_eq!(count, 1);

            let mut reader = reader;
            writer.write_all(b"ab").unwrap();
            let thread = thread::spawn(move || write(face, &mut writer, b"c").map(|_| writer));
            eventually("the writer waits", || reader.waiting() == 1);
            let mut out = [0; 3];
            reader.read_exact(&mut out).unwrap();
            assert_eq!(&out, b"abc");
            let mut writer = thread.join().unwrap().unwrap();

            writer.write_all(b"ab").unwrap();
            let thread = thread::spawn(move || write(face, &mut writer, b"c"));
            eventually("the writer waits", || reader.waiting() == 1);
            drop(reader);
            let error = thread.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
    }
}

#[test]
fn empty_buffers_neither_wait_nor_fail() {
    let (mut writer, mut reader) = bytes(1);
    for face in Face::ALL {
        assert_eq!(read(face, &mut reader, &mut []).unwrap(), 0, "nothing is there");
    }
    writer.write_all(b"a").unwrap();
    for face in Face::ALL {
        assert_eq!(write(face, &mut writer, b"").unwrap(), 0, "no room is there");
    }
    assert_eq!(writer.waiting(), 0);
    drop(reader);
    assert_eq!(writer.write(b"").unwrap(), 0, "nobody is there");
}

#[test]
fn deadlines_that_have_passed_that_come_and_that_never_come() {
    let (mut writer, mut reader) = bytes(1);
    let mut out = [0; 1];
    let past = Instant::now();
    let soon = Instant::now() + Duration::from_millis(2);
    for error in [
        reader.read_deadline(&mut out, past).unwrap_err(),
        reader.read_deadline(&mut out, soon).unwrap_err(),
        reader.read_timeout(&mut out, Duration::from_millis(1)).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
    assert!(Instant::now() >= soon);
    assert_eq!(writer.write_deadline(b"ab", past).unwrap(), 1, "room beats the deadline");
    for error in [
        writer.write_deadline(b"b", past).unwrap_err(),
        writer.write_timeout(b"b", Duration::from_millis(1)).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
    assert_eq!(reader.read_deadline(&mut out, past).unwrap(), 1, "bytes beat the deadline");
    assert_eq!(writer.waiting(), 0);

    let thread = thread::spawn(move || reader.read_timeout(&mut out, Duration::MAX).unwrap());
    eventually("the reader waits", || writer.waiting() == 1);
    assert_eq!(writer.write_timeout(b"c", Duration::MAX).unwrap(), 1);
    assert_eq!(thread.join().unwrap(), 1);
}

#[test]
fn has_data_and_ready_are_true_for_bytes_and_at_the_end() {
    let (mut writer, mut reader) = bytes(2);
    assert!(!reader.has_data() && !reader.ready_timeout(Duration::from_millis(1)));
    writer.write_all(b"a").unwrap();
    assert!(reader.has_data() && reader.ready_timeout(Duration::ZERO));
    assert_eq!(reader.read(&mut [0; 2]).unwrap(), 1);
    assert!(!reader.has_data());
    let thread = thread::spawn(move || (reader.ready_timeout(LONG), reader));
    eventually("the reader waits", || writer.waiting() == 1);
    drop(writer);
    let (ready, mut reader) = thread.join().unwrap();
    assert!(ready && reader.has_data() && reader.ready_timeout(Duration::ZERO));
}

#[test]
fn a_chunk_is_filled_in_place_and_committed_in_part() {
    let (mut writer, mut reader) = bytes(8);
    let mut chunk = writer.write_chunk(5).unwrap();
    assert_eq!((chunk.len(), chunk.is_empty()), (5, false));
    chunk.as_mut_slices().0.copy_from_slice(b"abcde");
    chunk.commit(3);
    assert_eq!(writer.write_chunk(2).unwrap().len(), 2, "and given up");
    writer.write_chunk(2).unwrap().commit(0);
    assert_eq!(writer.write_chunk(0).unwrap().len(), 0);
    assert_eq!(writer.write_chunk(usize::MAX).unwrap().len(), 5);

    let chunk = reader.read_chunk(8);
    assert_eq!((chunk.len(), chunk.as_slices()), (3, (&b"abc"[..], &b""[..])));
    chunk.commit(1);
    assert_eq!(reader.read_chunk(1).len(), 1, "and given up");
    reader.read_chunk(1).commit(0);
    assert!(reader.read_chunk(0).is_empty());
    assert_eq!(reader.read_chunk(usize::MAX).as_slices().0, b"bc");
    reader.read_chunk(2).commit(2);
    assert!(reader.read_chunk(1).is_empty());
}

#[test]
fn a_chunk_may_lie_across_the_end_of_the_storage() {
    let (mut writer, mut reader) = bytes(4);
    writer.write_all(b"xyz").unwrap();
    reader.read_exact(&mut [0; 3]).unwrap();
    let mut chunk = writer.write_chunk(4).unwrap();
    let (front, rest) = chunk.as_mut_slices();
    assert_eq!((front.len(), rest.len()), (1, 3));
    front.copy_from_slice(b"a");
    rest.copy_from_slice(b"bcd");
    chunk.commit(4);
    assert!(writer.write_chunk(4).unwrap().is_empty(), "full");
    let chunk = reader.read_chunk(3);
    assert_eq!(chunk.as_slices(), (&b"a"[..], &b"bc"[..]));
    chunk.commit(3);
    assert_eq!(reader.read_chunk(9).as_slices(), (&b"d"[..], &b""[..]));
}

#[test]
fn to_commit_too_much_panics_and_changes_nothing() {
    let (mut writer, mut reader) = bytes(4);
    let text = panic_of(|| writer.write_chunk(2).unwrap().commit(3));
    assert_eq!(text, "bifrons: 3 bytes committed of a chunk of 2");
    assert!(!reader.has_data());
    writer.write_all(b"abc").unwrap();
    let text = panic_of(|| reader.read_chunk(2).commit(3));
    assert_eq!(text, "bifrons: 3 bytes committed of a chunk of 2");
    assert_eq!(reader.read_chunk(9).as_slices().0, b"abc");
    assert!(panic_of(|| reader.consume(4)).contains("consumed"));
    assert_eq!(reader.fill_buf().unwrap(), b"abc");
}

#[test]
fn chunks_wake_the_other_end() {
    let (mut writer, mut reader) = bytes(2);
    let thread = thread::spawn(move || {
        let mut out = [0; 2];
        reader.read_exact(&mut out).unwrap();
        (out, reader)
    });
    eventually("the reader waits", || writer.waiting() == 1);
    let mut chunk = writer.write_chunk(2).unwrap();
    chunk.as_mut_slices().0.copy_from_slice(b"ab");
    chunk.commit(2);
    let (out, mut reader) = thread.join().unwrap();
    assert_eq!(&out, b"ab");
    writer.write_all(b"cd").unwrap();
    let thread = thread::spawn(move || writer.write_all(b"e"));
    eventually("the writer waits", || reader.waiting() == 1);
    reader.read_chunk(1).commit(1);
    thread.join().unwrap().unwrap();
    assert_eq!(reader.read_chunk(2).as_slices(), (&b"d"[..], &b"e"[..]));
}

#[test]
fn the_memory_of_a_fresh_chunk_is_zeroed() {
    let (mut writer, _reader) = bytes(5);
    assert_eq!(writer.write_chunk(5).unwrap().as_mut_slices().0, [0; 5]);
}

#[test]
fn a_byte_connection_reads_and_writes() {
    let (mut left, mut right) = duplex_bytes(4);
    assert_eq!((left.capacity(), left.is_closed(), left.waiting()), (4, false, 0));
    let thread = thread::spawn(move || {
        let mut out = [0; 3];
        right.read_exact(&mut out).unwrap();
        right.write_all(&out.map(|byte| byte.to_ascii_uppercase())).unwrap();
        right.flush().unwrap();
        right
    });
    block_on(async {
        assert_eq!(left.write_async(b"abc").await.unwrap(), 3);
        let mut out = [0; 4];
        let count = left.read_async(&mut out).await.unwrap();
        assert_eq!(&out[..count], b"ABC");
    });
    let mut right = thread.join().unwrap();
    let mut out = [0; 1];
    let past = Instant::now();
    for error in [
        left.read_timeout(&mut out, Duration::ZERO).unwrap_err(),
        left.read_deadline(&mut out, past).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
    assert_eq!(left.write_timeout(b"ab", Duration::ZERO).unwrap(), 2);
    assert_eq!(left.write_deadline(b"cde", past).unwrap(), 2);
    left.close();
    assert!(left.is_closed() && right.is_closed());
    let mut text = String::new();
    right.read_to_string(&mut text).unwrap();
    assert_eq!(text, "abcd");
    assert_eq!(right.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn the_halves_of_a_split_connection_close_apart() {
    let (left, mut right) = duplex_bytes(4);
    let (writer, mut reader) = left.split();
    drop(writer);
    assert_eq!(right.read(&mut [0; 1]).unwrap(), 0);
    right.write_all(b"ab").unwrap();
    reader.read_exact(&mut [0; 2]).unwrap();
    let (writer, _): (&mut pipe::Writer, &mut pipe::Reader) = right.split_mut();
    writer.close();
    assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0);
}
