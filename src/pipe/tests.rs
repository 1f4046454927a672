//! Where positions wrap around: nobody lives to see it, so the ends start shortly before.

#![expect(clippy::disallowed_methods, reason = "a test may start a thread")]

use super::{Reader, Receiver, Sender, Writer, bytes, simplex};
use std::io::{Read, Write};

const SHORTLY_BEFORE: u64 = u64::MAX - 8;

fn messages<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (mut sender, mut receiver) = simplex(capacity);
    sender.half.start_at(SHORTLY_BEFORE);
    receiver.half.start_at(SHORTLY_BEFORE);
    (sender, receiver)
}

fn byte_pipe(capacity: usize) -> (Writer, Reader) {
    let (mut writer, mut reader) = bytes(capacity);
    writer.half.start_at(SHORTLY_BEFORE);
    reader.half.start_at(SHORTLY_BEFORE);
    (writer, reader)
}

#[test]
fn messages_pass_where_positions_wrap() {
    for capacity in [1, 2, 3, 4, 5, 7, 64] {
        let (mut sender, mut receiver) = messages(capacity);
        for lap in 0..40 {
            for i in 0..capacity {
                sender.try_send((lap, i)).unwrap();
            }
            assert!(sender.try_send((lap, 99)).is_err_and(|error| error.is_full()));
            for i in 0..capacity {
                assert_eq!(receiver.try_recv(), Ok((lap, i)));
            }
            assert!(!receiver.has_data());
        }
    }
}

#[test]
fn messages_that_lie_across_the_wrap_are_dropped_once() {
    for received in 0..20 {
        let message = std::rc::Rc::new(());
        let (mut sender, mut receiver) = messages(20);
        while sender.try_send(message.clone()).is_ok() {}
        for _ in 0..received {
            receiver.try_recv().unwrap();
        }
        drop(receiver);
        assert_eq!(std::rc::Rc::strong_count(&message), 1);
    }
}

#[test]
fn ends_sleep_and_leave_where_positions_wrap() {
    let (mut sender, mut receiver) = messages(1);
    let thread = std::thread::spawn(move || {
        let mut next = 0;
        while let Ok(message) = receiver.recv() {
            assert_eq!(message, next);
            next += 1;
        }
        next
    });
    for i in 0..200 {
        sender.send(i).unwrap();
    }
    drop(sender);
    assert_eq!(thread.join().unwrap(), 200);
}

#[test]
fn bytes_pass_where_positions_wrap() {
    for capacity in [1, 2, 3, 4, 5, 7, 64] {
        let (mut writer, mut reader) = byte_pipe(capacity);
        let data: Vec<u8> = (0..capacity as u8 + 1).collect();
        let mut out = data.clone();
        for _ in 0..40 {
            assert_eq!(writer.write(&data).unwrap(), capacity);
            out.fill(0);
            assert_eq!(reader.read(&mut out).unwrap(), capacity);
            assert_eq!(out[..capacity], data[..capacity]);
            assert!(!reader.has_data());
        }
    }
}
