//! Messages pass in order, up to the capacity; waiting, deadlines, looking, talking both ways.

use crate::common::{Counter, Face, LONG, Random, eventually, poll_once};
use crate::{CAPACITIES, count, drops, pairs, panic_of, recv, send};
use bifrons::pipe::{self, duplex, simplex};
use bifrons::{
    RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError, block_on,
};
use std::pin::pin;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn holds_exactly_its_capacity_lap_after_lap() {
    for capacity in CAPACITIES {
        let (mut sender, mut receiver) = simplex(capacity);
        assert_eq!((sender.capacity(), receiver.capacity()), (capacity, capacity));
        for lap in 0..5 {
            for i in 0..capacity {
                sender.try_send((lap, i)).unwrap();
            }
            assert_eq!(sender.try_send((9, 9)), Err(TrySendError::Full((9, 9))));
            for i in 0..capacity {
                assert_eq!(receiver.try_recv(), Ok((lap, i)));
            }
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
            // So that the next lap starts at another slot.
            sender.try_send((lap, 0)).unwrap();
            receiver.try_recv().unwrap();
        }
    }
}

#[test]
fn a_capacity_of_zero_panics() {
    assert!(panic_of(|| simplex::<u8>(0)).contains("capacity 0"));
    assert!(panic_of(|| duplex::<u8, u8>(0)).contains("capacity 0"));
    assert!(panic_of(|| pipe::bytes(0)).contains("capacity 0"));
    assert!(panic_of(|| pipe::duplex_bytes(0)).contains("capacity 0"));
    assert!(panic_of(|| pipe::bytes(usize::MAX)).contains("a pipe of more than"));
    #[cfg(target_pointer_width = "64")]
    assert!(panic_of(|| simplex::<()>((1 << 40) + 1)).contains("1099511627776"));
}

#[test]
fn order_is_kept_in_every_pair_of_faces() {
    for (sends, receives) in pairs() {
        for capacity in CAPACITIES {
            let (mut sender, mut receiver) = simplex(capacity);
            let thread = thread::spawn(move || {
                for i in 0..300 {
                    send(sends, &mut sender, i).unwrap();
                }
            });
            for i in 0..300 {
                assert_eq!(recv(receives, &mut receiver), Ok(i));
            }
            assert!(recv(receives, &mut receiver).is_err());
            thread.join().unwrap();
        }
    }
}

#[test]
fn an_end_may_change_its_face_with_every_call() {
    for capacity in CAPACITIES {
        let (mut sender, mut receiver) = simplex(capacity);
        let thread = thread::spawn(move || {
            let mut random = Random(capacity as u64);
            for i in 0..2_000 {
                send(Face::ALL[random.below(3)], &mut sender, i).unwrap();
            }
        });
        let mut random = Random(!capacity as u64);
        for i in 0..2_000 {
            assert_eq!(recv(Face::ALL[random.below(3)], &mut receiver), Ok(i));
        }
        thread.join().unwrap();
    }
}

#[test]
fn a_waiting_receiver_is_woken_by_a_message() {
    for receives in Face::ALL {
        let (mut sender, mut receiver) = simplex(2);
        let thread = thread::spawn(move || {
            let received = recv(receives, &mut receiver);
            assert_eq!(receiver.waiting(), 0);
            received
        });
        eventually("the receiver waits", || sender.waiting() == 1);
        sender.try_send(1).unwrap();
        assert_eq!(thread.join().unwrap(), Ok(1));
    }
}

#[test]
fn a_waiting_sender_is_woken_by_room() {
    for sends in Face::ALL {
        let (mut sender, mut receiver) = simplex(1);
        sender.try_send(1).unwrap();
        let thread = thread::spawn(move || {
            send(sends, &mut sender, 2).unwrap();
            assert_eq!(sender.waiting(), 0);
        });
        eventually("the sender waits", || receiver.waiting() == 1);
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.recv(), Ok(2));
        thread.join().unwrap();
    }
}

#[test]
fn a_wait_ends_at_its_deadline_and_gives_the_message_back() {
    let (mut sender, mut receiver) = simplex(1);
    for timeout in [Duration::ZERO, Duration::from_millis(2)] {
        assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::TimedOut));
    }
    let past = Instant::now();
    assert_eq!(receiver.recv_deadline(past), Err(RecvTimeoutError::TimedOut));
    let soon = Instant::now() + Duration::from_millis(2);
    assert_eq!(receiver.recv_deadline(soon), Err(RecvTimeoutError::TimedOut));
    assert!(Instant::now() >= soon);

    sender.try_send(1).unwrap();
    for timeout in [Duration::ZERO, Duration::from_millis(2)] {
        assert_eq!(sender.send_timeout(2, timeout), Err(SendTimeoutError::TimedOut(2)));
    }
    assert_eq!(sender.send_deadline(3, past), Err(SendTimeoutError::TimedOut(3)));
    assert_eq!(sender.waiting(), 0, "a wait that timed out is over");
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "nothing was sent");
}

#[test]
fn what_is_available_beats_a_deadline_that_has_passed() {
    let (mut sender, mut receiver) = simplex(1);
    let past = Instant::now();
    sender.send_deadline(1, past).unwrap();
    assert_eq!(receiver.recv_deadline(past), Ok(1));
    sender.send_timeout(2, Duration::ZERO).unwrap();
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(2));
    sender.close();
    assert_eq!(receiver.recv_deadline(past), Err(RecvTimeoutError::Closed));
    assert_eq!(sender.send_deadline(3, past), Err(SendTimeoutError::Closed(3)));
}

#[test]
fn a_timeout_that_overflows_the_clock_waits_for_ever() {
    let (mut sender, mut receiver) = simplex(1);
    let thread = thread::spawn(move || {
        let first = receiver.recv_timeout(Duration::MAX);
        (first, receiver.ready_timeout(Duration::MAX), receiver)
    });
    eventually("the receiver waits", || sender.waiting() == 1);
    sender.send_timeout(1, Duration::MAX).unwrap();
    sender.send_timeout(2, Duration::MAX).unwrap();
    let (first, ready, _receiver) = thread.join().unwrap();
    assert_eq!((first, ready), (Ok(1), true));
}

#[test]
fn has_data_and_ready_are_true_for_a_message_and_at_the_end() {
    let (mut sender, mut receiver) = simplex(2);
    assert!(!receiver.has_data());
    assert!(!receiver.ready_timeout(Duration::ZERO));
    assert!(!receiver.ready_timeout(Duration::from_millis(2)));
    sender.try_send(1).unwrap();
    assert!(receiver.has_data() && receiver.ready_timeout(Duration::ZERO));
    assert_eq!(receiver.try_recv(), Ok(1), "looking takes nothing");
    assert!(!receiver.has_data());
    drop(sender);
    assert!(receiver.has_data() && receiver.ready_timeout(Duration::ZERO), "the end");
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn ready_wakes_for_a_message_and_for_the_end() {
    for closes in [false, true] {
        let (mut sender, mut receiver) = simplex(1);
        let thread = thread::spawn(move || (receiver.ready_timeout(LONG), receiver.try_recv()));
        eventually("the receiver waits", || sender.waiting() == 1);
        if closes {
            sender.close();
            assert_eq!(thread.join().unwrap(), (true, Err(TryRecvError::Closed)));
        } else {
            sender.try_send(1).unwrap();
            assert_eq!(thread.join().unwrap(), (true, Ok(1)));
        }
    }
}

#[test]
fn peek_shows_the_next_message_and_leaves_it() {
    let (mut sender, mut receiver) = simplex(3);
    assert_eq!(receiver.peek(), None);
    for text in ["one", "two"] {
        sender.try_send(text.to_owned()).unwrap();
    }
    let first: *const String = receiver.peek().unwrap();
    assert!(std::ptr::eq(receiver.peek().unwrap(), first));
    assert_eq!(receiver.peek().unwrap(), "one");
    assert_eq!(receiver.try_recv().unwrap(), "one");
    drop(sender);
    assert_eq!(receiver.peek().unwrap(), "two");
    assert_eq!(receiver.recv().unwrap(), "two");
    assert_eq!(receiver.peek(), None, "the end is no message");
}

#[test]
fn messages_of_any_kind() {
    // Zero-sized, without room for a byte in the slots.
    let (mut sender, mut receiver) = simplex(3);
    for _ in 0..3 {
        sender.try_send(()).unwrap();
    }
    assert!(sender.try_send(()).is_err());
    assert_eq!(receiver.try_recv(), Ok(()));

    // Large and aligned.
    #[derive(Clone, PartialEq, Debug)]
    #[repr(align(128))]
    struct Large([u8; 1000]);
    let (mut sender, mut receiver) = simplex(2);
    sender.try_send(Large([7; 1000])).unwrap();
    assert_eq!(std::ptr::from_ref(receiver.peek().unwrap()) as usize % 128, 0);
    assert_eq!(receiver.try_recv(), Ok(Large([7; 1000])));

    // Borrowed, and not `Send`: two tasks of one thread.
    let text = String::from("borrowed");
    let (mut sender, mut receiver) = simplex(1);
    block_on(async {
        futures::join!(
            async {
                for _ in 0..10 {
                    sender.send_async(Rc::new(text.as_str())).await.unwrap();
                }
                sender.close();
            },
            async {
                let mut messages = 0;
                while let Ok(message) = receiver.recv_async().await {
                    assert_eq!(*message, "borrowed");
                    messages += 1;
                }
                assert_eq!(messages, 10);
            }
        );
    });
}

#[test]
fn a_message_may_carry_the_end_of_another_pipe() {
    let (mut requests, mut server) = simplex(1);
    let thread = thread::spawn(move || {
        while let Ok((number, mut reply)) = server.recv() {
            let reply: &mut pipe::Sender<u32> = &mut reply;
            reply.send(number * 2).unwrap();
        }
    });
    for number in 0..20 {
        let (sender, mut reply) = simplex(1);
        requests.send((number, sender)).unwrap();
        assert_eq!(reply.recv(), Ok(number * 2));
    }
    drop(requests);
    thread.join().unwrap();
}

#[test]
fn a_thread_and_a_task_converse() {
    for capacity in [1, 2, 5] {
        let (mut left, mut right) = duplex::<u32, String>(capacity);
        let thread = thread::spawn(move || {
            while let Ok(number) = right.recv() {
                right.send(number.to_string()).unwrap();
            }
        });
        block_on(async {
            for number in 0..200 {
                left.send_async(number).await.unwrap();
                assert_eq!(left.recv_async().await.unwrap(), number.to_string());
            }
        });
        left.close();
        thread.join().unwrap();
    }
}

#[test]
fn runtimes_meet_on_one_pipe() {
    let (left, right) = duplex::<u32, u32>(2);
    let (mut to_tokio, mut from_tokio) = left.split();
    let smol = thread::spawn(move || {
        smol::block_on(async move {
            for number in 0..500 {
                to_tokio.send_async(number).await.unwrap();
            }
        });
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let task = runtime.spawn(async move {
        let mut right = right;
        while let Ok(number) = right.recv_async().await {
            right.send_async(number + 1).await.unwrap();
        }
    });
    for number in 0..500 {
        assert_eq!(from_tokio.recv(), Ok(number + 1), "this thread blocks");
    }
    smol.join().unwrap();
    runtime.block_on(task).unwrap();
    assert!(from_tokio.recv().is_err());
}

#[test]
fn a_connection_has_every_operation_of_its_halves() {
    let (mut left, mut right) = duplex::<u32, char>(1);
    assert_eq!((left.capacity(), left.is_closed(), left.waiting()), (1, false, 0));
    left.try_send(1).unwrap();
    assert_eq!(left.try_send(2), Err(TrySendError::Full(2)));
    assert_eq!(left.send_timeout(2, Duration::ZERO), Err(SendTimeoutError::TimedOut(2)));
    assert_eq!(left.send_deadline(2, Instant::now()), Err(SendTimeoutError::TimedOut(2)));
    assert!(right.has_data() && right.ready_timeout(Duration::ZERO));
    assert_eq!(right.peek(), Some(&1));
    assert_eq!(right.try_recv(), Ok(1));
    assert_eq!(right.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(right.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::TimedOut));
    assert_eq!(right.recv_deadline(Instant::now()), Err(RecvTimeoutError::TimedOut));
    right.send('a').unwrap();
    assert_eq!(left.recv(), Ok('a'));
    {
        let mut recv = pin!(left.recv_async());
        assert!(poll_once(recv.as_mut()).is_pending());
        assert_eq!(right.waiting(), 1, "the other end sees it wait");
    }
    assert_eq!(right.waiting(), 0);

    let (sender, receiver) = left.split_mut();
    sender.try_send(5).unwrap();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    left.close();
    assert!(left.is_closed() && right.is_closed());
    assert_eq!(right.recv(), Ok(5), "what was sent before");
    assert!(right.recv().is_err());
    assert_eq!(right.send('b'), Err(SendError('b')));
}

#[test]
fn the_halves_of_a_split_connection_close_apart() {
    let (left, mut right) = duplex::<u32, char>(2);
    let (sender, mut receiver) = left.split();
    drop(sender);
    assert!(right.recv().is_err());
    right.send('a').unwrap();
    assert_eq!(receiver.recv(), Ok('a'), "the other direction goes on");
    let (_, from_left) = right.split_mut();
    assert!(from_left.is_closed());
    drop(right);
    assert!(receiver.recv().is_err());
}

#[test]
fn debug_shows_the_state() {
    let (mut sender, mut receiver) = simplex::<u8>(3);
    let shown = "Sender { capacity: 3, closed: false, waiting: 0 }";
    assert_eq!(format!("{sender:?}"), shown);
    assert_eq!(format!("{receiver:?}"), shown.replace("Sender", "Receiver"));
    {
        let mut recv = pin!(receiver.recv_async());
        assert!(poll_once(recv.as_mut()).is_pending());
        assert!(format!("{recv:?}").contains("waiting: 1"), "{recv:?}");
        assert!(format!("{sender:?}").contains("waiting: 1"));
    }
    sender.close();
    assert!(format!("{receiver:?}").contains("closed: true"));
    assert!(format!("{:?}", sender.send_async(1)).starts_with("SendFuture"));
    let (left, _right) = duplex::<u8, u8>(3);
    assert!(format!("{left:?}").starts_with("Connection"));
    let (writer, reader) = pipe::bytes(3);
    assert!(format!("{writer:?} {reader:?}").contains("Reader { capacity: 3"));
    assert!(format!("{:?}", pipe::duplex_bytes(3).0).starts_with("ByteConnection"));
}

#[test]
fn a_waker_that_panics_strands_nobody_and_takes_along_what_was_received() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a waker panics");
        }
    }
    let waker = std::task::Waker::from(std::sync::Arc::new(Panics));
    let mut cx = std::task::Context::from_waker(&waker);
    let drops = drops();
    let (mut sender, mut receiver) = simplex(1);
    {
        let mut recv = pin!(receiver.recv_async());
        assert!(recv.as_mut().poll(&mut cx).is_pending());
        let text = panic_of(|| sender.try_send(crate::Counted::new(&drops)));
        assert_eq!(text, "a waker panics");
        assert!(poll_once(recv).is_ready(), "the message has arrived");
    }
    assert_eq!(count(&drops), 1);
    sender.try_send(crate::Counted::new(&drops)).unwrap();
    assert_eq!(sender.waiting(), 0);

    let mut send = Box::pin(sender.send_async(crate::Counted::new(&drops)));
    assert!(send.as_mut().poll(&mut cx).is_pending());
    assert_eq!(panic_of(|| receiver.try_recv()), "a waker panics");
    assert_eq!(count(&drops), 2, "the message in hand");
    assert!(matches!(poll_once(send.as_mut()), std::task::Poll::Ready(Ok(()))));
    drop(send);

    // The end that is dropped meets the panic; the other is told all the same.
    let mut send = Box::pin(sender.send_async(crate::Counted::new(&drops)));
    assert!(send.as_mut().poll(&mut cx).is_pending());
    assert_eq!(panic_of(|| drop(receiver)), "a waker panics");
    assert_eq!(count(&drops), 3, "the message that was left");
    assert!(matches!(poll_once(send.as_mut()), std::task::Poll::Ready(Err(_))));
    assert_eq!(count(&drops), 4, "the one that came back");
    drop(send);
    let counter = Counter::new();
    assert!(counter.poll(pin!(sender.send_async(crate::Counted::new(&drops)))).is_ready());
    assert_eq!(counter.wakes(), 0);
}

#[test]
fn closing_both_ways_tells_both_also_if_a_waker_panics() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a waker panics");
        }
    }
    let waker = std::task::Waker::from(std::sync::Arc::new(Panics));
    let (mut here, there) = bifrons::pipe::duplex::<u8, u8>(1);
    let (mut sender, mut receiver) = there.split();
    sender.send(1).unwrap();
    let mut recv = pin!(receiver.recv_async());
    assert!(recv.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    let counter = Counter::new();
    let mut send = pin!(sender.send_async(2));
    assert!(counter.poll(send.as_mut()).is_pending());
    assert_eq!(panic_of(|| here.close()), "a waker panics");
    assert_eq!(counter.wakes(), 1);
    assert!(matches!(poll_once(send), std::task::Poll::Ready(Err(_))));
}
