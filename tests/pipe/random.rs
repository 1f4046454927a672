//! Random operations against a model, in one thread and in two. The seeds are fixed.

use crate::common::{Face, LONG, Random, poll_once};
use crate::{CAPACITIES, pairs, read, recv, send, write};
use bifrons::pipe::{bytes, simplex};
use bifrons::{TryRecvError, TrySendError};
use std::collections::VecDeque;
use std::io::{BufRead, IoSlice, IoSliceMut, Read, Write};
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

#[test]
fn messages_in_one_thread() {
    for (seed, capacity) in (0..40).flat_map(|seed| CAPACITIES.map(|capacity| (seed, capacity))) {
        let mut random = Random(seed * 1_000 + capacity as u64);
        let (mut sender, mut receiver) = simplex(capacity);
        let mut model = VecDeque::new();
        let (mut next, mut sender_left, mut receiver_left) = (0, false, false);
        for _ in 0..400 {
            let full = model.len() == capacity;
            let over = sender_left || receiver_left;
            match random.below(10) {
                0..=2 => {
                    let expected = match (over, full) {
                        (true, _) => Err(TrySendError::Closed(next)),
                        (false, true) => Err(TrySendError::Full(next)),
                        (false, false) => Ok(()),
                    };
                    assert_eq!(sender.try_send(next), expected);
                    if expected.is_ok() {
                        model.push_back(next);
                    }
                }
                3 => {
                    // Given up if it waits.
                    let sent = poll_once(pin!(sender.send_async(next)));
                    assert_eq!(sent.is_pending(), full && !over);
                    if sent == Poll::Ready(Ok(())) {
                        model.push_back(next);
                    }
                }
                4..=5 => {
                    let expected = model.pop_front().ok_or(match over {
                        true => TryRecvError::Closed,
                        false => TryRecvError::Empty,
                    });
                    assert_eq!(receiver.try_recv(), expected);
                }
                6 => match poll_once(pin!(receiver.recv_async())) {
                    Poll::Ready(received) => assert_eq!(received.ok(), model.pop_front()),
                    Poll::Pending => assert!(model.is_empty() && !over),
                },
                7 => assert_eq!(receiver.peek(), model.front()),
                8 => {
                    assert_eq!(receiver.has_data(), over || !model.is_empty());
                    assert_eq!(receiver.ready_timeout(Duration::ZERO), receiver.has_data());
                    assert_eq!((sender.is_closed(), receiver.is_closed()), (over, over));
                    assert_eq!(sender.waiting(), 0);
                }
                _ if random.below(60) > 0 => {}
                _ if random.below(2) == 0 => {
                    sender.close();
                    sender_left = true;
                }
                _ => {
                    receiver.close();
                    receiver_left = true;
                }
            }
            next += 1;
        }
    }
}

#[test]
fn messages_between_two_threads() {
    for (sends, receives) in pairs() {
        for capacity in CAPACITIES {
            let (mut sender, mut receiver) = simplex(capacity);
            let count = 1_500;
            let thread = thread::spawn(move || {
                let mut random = Random(capacity as u64);
                let mut next = 0;
                while next < count {
                    match random.below(4) {
                        0 => {
                            if sender.try_send(next).is_err() {
                                continue;
                            }
                        }
                        1 => {
                            let mut wait = pin!(sender.send_async(next));
                            if poll_once(wait.as_mut()).is_pending() {
                                assert_eq!(wait.take(), Some(next));
                                continue;
                            }
                        }
                        2 => {
                            let soon = Duration::from_micros(random.below(20) as u64);
                            if let Err(error) = sender.send_timeout(next, soon) {
                                assert!(error.is_timed_out() && error.into_inner() == next);
                                continue;
                            }
                        }
                        _ => send(sends, &mut sender, next).unwrap(),
                    }
                    next += 1;
                }
            });
            let mut random = Random(!capacity as u64);
            let mut next = 0;
            loop {
                let received = match random.below(5) {
                    0 => receiver.try_recv().ok(),
                    1 => match poll_once(pin!(receiver.recv_async())) {
                        Poll::Ready(Ok(message)) => Some(message),
                        _ => None,
                    },
                    2 => {
                        let soon = Duration::from_micros(random.below(20) as u64);
                        receiver.recv_timeout(soon).ok()
                    }
                    3 => {
                        assert!(receiver.ready_timeout(LONG));
                        let peeked = receiver.peek().copied();
                        peeked.inspect(|&peeked| assert_eq!(receiver.try_recv(), Ok(peeked)))
                    }
                    _ => match recv(receives, &mut receiver) {
                        Ok(message) => Some(message),
                        Err(_) => break,
                    },
                };
                if let Some(message) = received {
                    assert_eq!(message, next);
                    next += 1;
                }
            }
            assert_eq!(next, count);
            thread.join().unwrap();
        }
    }
}

/// The bytes that the writer writes, one after the other.
struct Source(u64);

impl Source {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = (self.0 % 251) as u8;
            self.0 += 1;
        }
    }

    fn check(&mut self, bytes: &[u8]) {
        for byte in bytes {
            assert_eq!(*byte, (self.0 % 251) as u8, "at {}", self.0);
            self.0 += 1;
        }
    }
}

/// Writes some of what comes next, in one of several ways. Waits only if `waits`.
fn write_some(
    random: &mut Random,
    face: Option<Face>,
    writer: &mut bifrons::pipe::Writer,
    source: &mut Source,
    most: usize,
) -> usize {
    let start = source.0;
    let mut bytes = vec![0; 1 + random.below(most)];
    source.fill(&mut bytes);
    let written = match (random.below(3), face) {
        (0, _) => {
            let mut chunk = writer.write_chunk(bytes.len()).unwrap();
            let len = chunk.len();
            let (front, rest) = chunk.as_mut_slices();
            assert_eq!(front.len() + rest.len(), len);
            let (first, second) = bytes[..len].split_at(front.len());
            front.copy_from_slice(first);
            rest.copy_from_slice(second);
            let count = random.below(len + 1);
            chunk.commit(count);
            count
        }
        (1, Some(_)) => {
            let (first, second) = bytes.split_at(random.below(bytes.len()));
            writer.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]).unwrap()
        }
        (_, Some(face)) => write(face, writer, &bytes).unwrap(),
        (_, None) => match poll_once(pin!(writer.write_async(&bytes))) {
            Poll::Ready(count) => count.unwrap(),
            Poll::Pending => 0,
        },
    };
    source.0 = start + written as u64;
    written
}

/// Reads some in one of several ways. `None` at the end of the file.
fn read_some(
    random: &mut Random,
    face: Option<Face>,
    reader: &mut bifrons::pipe::Reader,
    expected: &mut Source,
    most: usize,
) -> Option<usize> {
    let mut bytes = vec![0; 1 + random.below(most)];
    let count = match (random.below(4), face) {
        (0, _) => {
            let chunk = reader.read_chunk(bytes.len());
            let (front, rest) = chunk.as_slices();
            assert_eq!(front.len() + rest.len(), chunk.len());
            let whole = [front, rest].concat();
            let count = random.below(chunk.len() + 1);
            expected.check(&whole[..count]);
            chunk.commit(count);
            return Some(count);
        }
        (1, Some(_)) => {
            let (first, second) = bytes.split_at_mut(1);
            let mut pieces = [IoSliceMut::new(first), IoSliceMut::new(second)];
            reader.read_vectored(&mut pieces).unwrap()
        }
        (2, Some(_)) => {
            let piece = reader.fill_buf().unwrap();
            let count = piece.len().min(bytes.len());
            bytes[..count].copy_from_slice(&piece[..count]);
            reader.consume(count);
            count
        }
        (_, Some(face)) => read(face, reader, &mut bytes).unwrap(),
        (_, None) => match poll_once(pin!(reader.read_async(&mut bytes))) {
            Poll::Ready(count) => count.unwrap(),
            Poll::Pending => return Some(0),
        },
    };
    expected.check(&bytes[..count]);
    (count > 0).then_some(count)
}

#[test]
fn bytes_in_one_thread() {
    for (seed, capacity) in (0..20).flat_map(|seed| CAPACITIES.map(|capacity| (seed, capacity))) {
        let mut random = Random(seed * 1_000 + capacity as u64);
        let (mut writer, mut reader) = bytes(capacity);
        let (mut source, mut expected) = (Source(0), Source(0));
        let most = (capacity * 2).min(4_000);
        for _ in 0..300 {
            let there = (source.0 - expected.0) as usize;
            assert!(there <= capacity);
            assert_eq!(reader.has_data(), there > 0);
            if random.below(2) == 0 {
                // What would wait in this thread is asked for only where there is something.
                let face = (there < capacity).then_some(Face::ALL[random.below(3)]);
                write_some(&mut random, face, &mut writer, &mut source, most);
            } else {
                let face = (there > 0).then_some(Face::ALL[random.below(3)]);
                read_some(&mut random, face, &mut reader, &mut expected, most).unwrap();
            }
        }
        drop(writer);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        expected.check(&rest);
        assert_eq!(source.0, expected.0);
    }
}

#[test]
fn bytes_between_two_threads() {
    for (writes, reads) in pairs() {
        for capacity in CAPACITIES {
            let most = (capacity * 2).min(4_000);
            let total = most as u64 * 300;
            let (mut writer, mut reader) = bytes(capacity);
            let thread = thread::spawn(move || {
                let mut random = Random(capacity as u64);
                let mut source = Source(0);
                while source.0 < total {
                    write_some(&mut random, Some(writes), &mut writer, &mut source, most);
                }
                source.0
            });
            let mut random = Random(!capacity as u64);
            let mut expected = Source(0);
            while read_some(&mut random, Some(reads), &mut reader, &mut expected, most).is_some() {}
            assert_eq!(thread.join().unwrap(), expected.0);
        }
    }
}
