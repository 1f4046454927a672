//! Sizes of objects and of their futures.

use crate::harness::{Row, Unit};

/// Of an object, and of a future of it.
pub(super) fn sizes() -> Vec<Row> {
    fn bytes<T>(_: impl FnOnce() -> T) -> f64 {
        size_of::<T>() as f64
    }
    /// The size of a `future` of `object`.
    fn future<T: 'static, F>(object: T, future: impl FnOnce(&'static T) -> F) -> f64 {
        let object = Box::leak(Box::new(object));
        let future = future(object);
        size_of_val(&future) as f64
    }
    let size =
        |what: &str| Row::new(format!("bytes, {what}"), Unit::Bytes).outside("a size, not a speed");
    vec![
        size("lock")
            .ours(|_| bytes(|| bifrons::Lock::new(())))
            .peer("std", |_| bytes(|| std::sync::Mutex::new(())))
            .peer("parking_lot", |_| bytes(|| parking_lot_latest::Mutex::new(())))
            .peer("usync", |_| bytes(|| usync::Mutex::new(())))
            .peer("saa", |_| bytes(saa::Lock::new))
            .peer("async-lock", |_| bytes(|| async_lock::Mutex::new(())))
            .peer("tokio", |_| bytes(|| tokio::sync::Mutex::new(())))
            .peer("mea", |_| bytes(|| mea::mutex::Mutex::new(())))
            .peer("futures-intrusive", |_| {
                bytes(|| futures_intrusive::sync::Mutex::new((), false))
            }),
        size("future of lock")
            .ours(|_| future(bifrons::Lock::new(()), |lock| lock.lock_async()))
            .peer("saa", |_| future(saa::Lock::new(), |lock| lock.lock_async()))
            .peer("async-lock", |_| future(async_lock::Mutex::new(()), |lock| lock.lock()))
            .peer("tokio", |_| future(tokio::sync::Mutex::new(()), |lock| lock.lock()))
            .peer("mea", |_| future(mea::mutex::Mutex::new(()), |lock| lock.lock()))
            .peer("futures-intrusive", |_| {
                future(futures_intrusive::sync::Mutex::new((), false), |lock| lock.lock())
            }),
        size("reentrant lock")
            .ours(|_| bytes(|| bifrons::ReentrantLock::new(())))
            .peer("parking_lot", |_| bytes(|| parking_lot_latest::ReentrantMutex::new(())))
            .peer("usync", |_| bytes(|| usync::ReentrantMutex::new(()))),
        size("semaphore")
            .ours(|_| bytes(|| bifrons::Semaphore::new(0)))
            .peer("saa", |_| bytes(saa::Semaphore::new))
            .peer("async-lock", |_| bytes(|| async_lock::Semaphore::new(0)))
            .peer("tokio", |_| bytes(|| tokio::sync::Semaphore::new(0)))
            .peer("mea", |_| bytes(|| mea::semaphore::Semaphore::new(0)))
            .peer("futures-intrusive", |_| {
                bytes(|| futures_intrusive::sync::Semaphore::new(true, 0))
            }),
        size("future of semaphore")
            .ours(|_| future(bifrons::Semaphore::new(0), |all| all.acquire_async()))
            .peer("saa", |_| future(saa::Semaphore::new(), |all| all.acquire_async()))
            .peer("async-lock", |_| future(async_lock::Semaphore::new(0), |all| all.acquire()))
            .peer("tokio", |_| future(tokio::sync::Semaphore::new(0), |all| all.acquire()))
            .peer("mea", |_| future(mea::semaphore::Semaphore::new(0), |all| all.acquire(1)))
            .peer("futures-intrusive", |_| {
                future(futures_intrusive::sync::Semaphore::new(true, 0), |all| all.acquire(1))
            }),
        size("event")
            .ours(|_| bytes(bifrons::Event::new))
            .peer("saa", |_| bytes(saa::Gate::new))
            .peer("event-listener", |_| bytes(event_listener::Event::<()>::new))
            .peer("tokio", |_| bytes(tokio::sync::Notify::new))
            .peer("mea", |_| bytes(|| mea::latch::Latch::new(1)))
            .peer("futures-intrusive", |_| {
                bytes(|| futures_intrusive::sync::ManualResetEvent::new(false))
            }),
        size("future of event")
            .ours(|_| future(bifrons::Event::new(), |event| event.wait_async()))
            .peer("saa", |_| future(saa::Gate::new(), |gate| gate.enter_async()))
            .peer("tokio", |_| future(tokio::sync::Notify::new(), |all| all.notified()))
            .peer("mea", |_| future(mea::latch::Latch::new(1), |latch| latch.wait()))
            .peer("futures-intrusive", |_| {
                future(futures_intrusive::sync::ManualResetEvent::new(false), |all| all.wait())
            }),
        size("future of a pop")
            .ours(|_| future(bifrons::BoundedQueue::<u32>::new(1), |all| all.pop_async()))
            .peer("async-channel", |_| {
                future(async_channel::bounded::<u32>(1), |(_, all)| all.recv())
            })
            .peer("crossfire", |_| {
                future(crossfire::mpmc::bounded_async::<u32>(1), |(_, all)| all.recv())
            })
            .peer("kanal", |_| future(kanal::bounded_async::<u32>(1), |(_, all)| all.recv()))
            .peer("flume", |_| future(flume::bounded::<u32>(1), |(_, all)| all.recv_async()))
            .peer("tokio", |_| {
                let (_sender, mut receiver) = tokio::sync::mpsc::channel::<u32>(1);
                size_of_val(&receiver.recv()) as f64
            }),
    ]
}
