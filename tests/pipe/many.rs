//! One thread that waits for many ends at a time.

use bifrons::pipe::{Receiver, bytes, duplex, simplex};
use bifrons::{Event, RecvError, TryRecvError, block_on};
use futures::AsyncBufReadExt;
use futures::future::select_all;
use std::pin::pin;
use std::thread;

/// Waits for the first of `ends` that is ready, a message or the end of its pipe, and returns what is
/// to be had from all that are ready by then, with their numbers.
fn wait_for_any(ends: &mut [Receiver<u32>]) -> Vec<(usize, Result<u32, RecvError>)> {
    let waits: Vec<_> = ends.iter_mut().map(|end| Box::pin(end.recv_async())).collect();
    let (result, first, others) = block_on(select_all(waits));
    drop(others);
    let mut ready = vec![(first, result)];
    for (number, end) in ends.iter_mut().enumerate() {
        if number != first && end.has_data() {
            ready.push((number, end.try_recv().map_err(|_| RecvError)));
        }
    }
    ready.sort_by_key(|(number, _)| *number);
    ready
}

#[test]
fn all_ends_that_are_ready_are_returned() {
    const ENDS: usize = 8;
    let (mut senders, mut receivers): (Vec<_>, Vec<_>) = (0..ENDS).map(|_| simplex(1)).unzip();
    let none =
        receivers.iter_mut().map(Receiver::try_recv).all(|got| got == Err(TryRecvError::Empty));
    assert!(none);
    for round in 0..1 << ENDS {
        // Who sends, and who does not.
        let sent: Vec<_> = (0..ENDS).filter(|end| round >> end & 1 == 1).collect();
        if sent.is_empty() {
            continue;
        }
        sent.iter().for_each(|end| senders[*end].send(round).unwrap());
        let expected: Vec<_> = sent.into_iter().map(|end| (end, Ok(round))).collect();
        assert_eq!(wait_for_any(&mut receivers), expected);
        assert!(receivers.iter().all(|end| end.waiting() == 0), "all waits are withdrawn");
    }
}

#[test]
fn the_end_of_a_pipe_is_ready_and_stays_so() {
    let (mut senders, mut receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| simplex(1)).unzip();
    drop(senders.remove(1));
    assert_eq!(wait_for_any(&mut receivers), [(1, Err(RecvError))]);
    senders[1].send(7).unwrap();
    assert_eq!(wait_for_any(&mut receivers), [(1, Err(RecvError)), (2, Ok(7))]);
    drop(senders);
    let over: Vec<_> = (0..3).map(|end| (end, Err(RecvError))).collect();
    assert_eq!(wait_for_any(&mut receivers), over);
    assert_eq!(wait_for_any(&mut receivers), over, "again");
}

#[test]
fn a_thread_that_waits_for_many_is_woken_by_each() {
    const ENDS: usize = 5;
    const ROUNDS: u32 = 200;
    let (senders, mut receivers): (Vec<_>, Vec<_>) = (0..ENDS).map(|_| simplex(2)).unzip();
    thread::scope(|threads| {
        for mut sender in senders {
            threads.spawn(move || (0..ROUNDS).for_each(|round| sender.send(round).unwrap()));
        }
        let mut next = [0; ENDS];
        let mut open: Vec<usize> = (0..ENDS).collect();
        while !open.is_empty() {
            let mut over = Vec::new();
            for (place, result) in wait_for_any(&mut receivers) {
                match result {
                    Ok(message) => {
                        assert_eq!(message, next[open[place]]);
                        next[open[place]] += 1;
                    }
                    Err(RecvError) => over.push(place),
                }
            }
            for place in over.into_iter().rev() {
                receivers.remove(place);
                open.remove(place);
            }
        }
        assert_eq!(next, [ROUNDS; ENDS]);
    });
}

/// Ends of every kind, and what is no end: the bytes are looked at and stay where they are.
#[test]
fn a_thread_waits_for_ends_of_every_kind() {
    #[derive(Debug, PartialEq)]
    enum Ready {
        Stop,
        Message(Result<u32, RecvError>),
        Reply(Result<char, RecvError>),
        Bytes(usize),
    }

    let stop = Event::new();
    let (mut sender, mut receiver) = simplex(1);
    let (mut here, mut there) = duplex::<u8, char>(1);
    let (mut writer, mut reader) = bytes(8);
    let mut wait = || {
        block_on(async {
            let mut stopped = pin!(stop.wait_async());
            let mut message = pin!(receiver.recv_async());
            let mut reply = pin!(here.recv_async());
            let bytes = futures::FutureExt::fuse(reader.fill_buf());
            let mut bytes = pin!(bytes);
            futures::select_biased! {
                () = stopped => Ready::Stop,
                message = message => Ready::Message(message),
                reply = reply => Ready::Reply(reply),
                bytes = bytes => Ready::Bytes(bytes.unwrap().len()),
            }
        })
    };
    thread::scope(|threads| {
        threads.spawn(|| sender.send(1).unwrap());
        assert_eq!(wait(), Ready::Message(Ok(1)));
        threads.spawn(|| there.send('a').unwrap());
        assert_eq!(wait(), Ready::Reply(Ok('a')));
        threads.spawn(|| assert_eq!(std::io::Write::write(&mut writer, b"abc").unwrap(), 3));
        assert_eq!(wait(), Ready::Bytes(3));
        assert_eq!(wait(), Ready::Bytes(3), "they are still there");
        threads.spawn(|| stop.set()).join().unwrap();
        assert_eq!(wait(), Ready::Stop);
    });
    stop.clear();
    drop(there);
    assert_eq!(wait(), Ready::Reply(Err(RecvError)));
    drop(sender);
    assert_eq!(wait(), Ready::Message(Err(RecvError)));
}
