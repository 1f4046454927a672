//! Queues and pipes.

use crate::micro::{Bench, Contest, now};
use std::hint::black_box;

const CAPACITY: usize = 64;

pub(super) fn queues(bench: &mut Bench) {
    let ours = &bifrons::BoundedQueue::new(CAPACITY);
    let array = &crossbeam_queue::ArrayQueue::new(CAPACITY);
    let crossbeam = &crossbeam_channel::bounded(CAPACITY);
    let kanal = &kanal::bounded(CAPACITY);
    let kanal_async = &kanal::bounded_async(CAPACITY);
    let crossfire = &crossfire::mpmc::bounded_blocking(CAPACITY);
    let crossfire_async = &crossfire::mpmc::bounded_async(CAPACITY);
    let flume = &flume::bounded(CAPACITY);
    let async_channel = &async_channel::bounded(CAPACITY);
    let std = &std::sync::mpsc::sync_channel(CAPACITY);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(CAPACITY);
    bench.run(
        Contest::new("queue, try_push and try_pop")
            .ours(|| {
                black_box(ours).try_push(black_box(1_u64)).unwrap();
                black_box(ours).try_pop().unwrap()
            })
            .peer("crossbeam-queue", || {
                black_box(array).push(black_box(1_u64)).unwrap();
                black_box(array).pop().unwrap()
            })
            .peer("kanal", || {
                assert!(black_box(&kanal.0).try_send(black_box(1_u64)).unwrap());
                black_box(&kanal.1).try_recv().unwrap().unwrap()
            })
            .peer("crossfire", || {
                black_box(&crossfire.0).try_send(black_box(1_u64)).unwrap();
                black_box(&crossfire.1).try_recv().unwrap()
            })
            .peer("flume", || {
                black_box(&flume.0).try_send(black_box(1_u64)).unwrap();
                black_box(&flume.1).try_recv().unwrap()
            })
            .peer("crossbeam-channel", || {
                black_box(&crossbeam.0).try_send(black_box(1_u64)).unwrap();
                black_box(&crossbeam.1).try_recv().unwrap()
            })
            .peer("async-channel", || {
                black_box(&async_channel.0).try_send(black_box(1_u64)).unwrap();
                black_box(&async_channel.1).try_recv().unwrap()
            })
            .peer("std", || {
                black_box(&std.0).try_send(black_box(1_u64)).unwrap();
                black_box(&std.1).try_recv().unwrap()
            })
            .peer("tokio", || {
                black_box(&sender).try_send(black_box(1_u64)).unwrap();
                black_box(&mut receiver).try_recv().unwrap()
            }),
    );
    bench.run(
        Contest::new("queue, push and pop, blocking")
            .ours(|| {
                black_box(ours).push(black_box(1_u64)).unwrap();
                black_box(ours).pop().unwrap()
            })
            .peer("kanal", || {
                black_box(&kanal.0).send(black_box(1_u64)).unwrap();
                black_box(&kanal.1).recv().unwrap()
            })
            .peer("crossfire", || {
                black_box(&crossfire.0).send(black_box(1_u64)).unwrap();
                black_box(&crossfire.1).recv().unwrap()
            })
            .peer("flume", || {
                black_box(&flume.0).send(black_box(1_u64)).unwrap();
                black_box(&flume.1).recv().unwrap()
            })
            .peer("crossbeam-channel", || {
                black_box(&crossbeam.0).send(black_box(1_u64)).unwrap();
                black_box(&crossbeam.1).recv().unwrap()
            })
            .peer("async-channel", || {
                black_box(&async_channel.0).send_blocking(black_box(1_u64)).unwrap();
                black_box(&async_channel.1).recv_blocking().unwrap()
            })
            .peer("std", || {
                black_box(&std.0).send(black_box(1_u64)).unwrap();
                black_box(&std.1).recv().unwrap()
            }),
    );
    let (sender, mut receiver) = tokio::sync::mpsc::channel(CAPACITY);
    bench.run(
        Contest::new("queue, push and pop, async")
            .ours(|| {
                now(black_box(ours).push_async(black_box(1_u64))).unwrap();
                now(black_box(ours).pop_async()).unwrap()
            })
            .peer("kanal", || {
                now(black_box(&kanal_async.0).send(black_box(1_u64))).unwrap();
                now(black_box(&kanal_async.1).recv()).unwrap()
            })
            .peer("crossfire", || {
                now(black_box(&crossfire_async.0).send(black_box(1_u64))).unwrap();
                now(black_box(&crossfire_async.1).recv()).unwrap()
            })
            .peer("flume", || {
                now(black_box(&flume.0).send_async(black_box(1_u64))).unwrap();
                now(black_box(&flume.1).recv_async()).unwrap()
            })
            .peer("async-channel", || {
                now(black_box(&async_channel.0).send(black_box(1_u64))).unwrap();
                now(black_box(&async_channel.1).recv()).unwrap()
            })
            .peer("tokio", || {
                now(black_box(&sender).send(black_box(1_u64))).unwrap();
                now(black_box(&mut receiver).recv()).unwrap()
            }),
    );
}

/// Each in the fastest way it has; the items end in a vector.
pub(super) fn batches(bench: &mut Bench) {
    let ours = &bifrons::BoundedQueue::new(CAPACITY);
    let crossbeam = &crossbeam_channel::bounded(CAPACITY);
    let kanal = &kanal::bounded(CAPACITY);
    let crossfire = &crossfire::mpmc::bounded_blocking(CAPACITY);
    let flume = &flume::bounded(CAPACITY);
    let async_channel = &async_channel::bounded(CAPACITY);
    let std = &std::sync::mpsc::sync_channel(CAPACITY);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(CAPACITY);
    let items = || black_box(0)..CAPACITY as u64;
    bench.run(
        Contest::new("queue, 64 items in and out in batches, per item")
            .per_item(CAPACITY)
            .ours(moving(|all| {
                black_box(ours).push_many(items()).unwrap();
                black_box(ours).try_pop_many(all, CAPACITY).unwrap();
            }))
            .peer(
                "kanal drain_into",
                moving(|all| {
                    items().for_each(|item| assert!(black_box(&kanal.0).try_send(item).unwrap()));
                    black_box(&kanal.1).drain_into(all).unwrap();
                }),
            )
            .peer(
                "flume drain",
                moving(|all| {
                    items().for_each(|item| black_box(&flume.0).try_send(item).unwrap());
                    all.extend(black_box(&flume.1).drain());
                }),
            )
            .peer(
                "tokio reserve_many and recv_many",
                moving(|all| {
                    let permits = black_box(&sender).try_reserve_many(CAPACITY).unwrap();
                    permits.zip(items()).for_each(|(permit, item)| permit.send(item));
                    now(black_box(&mut receiver).recv_many(all, CAPACITY));
                }),
            )
            .peer(
                "crossbeam-channel try_iter",
                moving(|all| {
                    items().for_each(|item| black_box(&crossbeam.0).try_send(item).unwrap());
                    all.extend(black_box(&crossbeam.1).try_iter().take(CAPACITY));
                }),
            )
            .peer(
                "std try_iter",
                moving(|all| {
                    items().for_each(|item| black_box(&std.0).try_send(item).unwrap());
                    all.extend(black_box(&std.1).try_iter().take(CAPACITY));
                }),
            )
            .peer(
                "async-channel",
                moving(|all| {
                    items().for_each(|item| black_box(&async_channel.0).try_send(item).unwrap());
                    all.extend(items().map(|_| black_box(&async_channel.1).try_recv().unwrap()));
                }),
            )
            .peer(
                "crossfire",
                moving(|all| {
                    items().for_each(|item| black_box(&crossfire.0).try_send(item).unwrap());
                    all.extend(items().map(|_| black_box(&crossfire.1).try_recv().unwrap()));
                }),
            ),
    );
}

/// A step that moves the items to a vector, which it empties.
fn moving(mut step: impl FnMut(&mut Vec<u64>)) -> impl FnMut() {
    let mut all = Vec::with_capacity(CAPACITY);
    move || {
        step(&mut all);
        assert_eq!(all.len(), CAPACITY);
        black_box(&all);
        all.clear();
    }
}

pub(super) fn pipes(bench: &mut Bench) {
    let mut ours = bifrons::pipe::simplex(CAPACITY);
    let mut rtrb = rtrb::RingBuffer::new(CAPACITY);
    let kanal = &kanal::bounded(CAPACITY);
    let crossbeam = &crossbeam_channel::bounded(CAPACITY);
    let crossfire = &crossfire::spsc::bounded_blocking(CAPACITY);
    let std = &std::sync::mpsc::sync_channel(CAPACITY);
    bench.run(
        Contest::new("pipe, try_send and try_recv")
            .ours(|| {
                black_box(&mut ours.0).try_send(black_box(1_u64)).unwrap();
                black_box(&mut ours.1).try_recv().unwrap()
            })
            .reference("rtrb (never waits)", || {
                black_box(&mut rtrb.0).push(black_box(1_u64)).unwrap();
                black_box(&mut rtrb.1).pop().unwrap()
            })
            .peer("kanal", || {
                assert!(black_box(&kanal.0).try_send(black_box(1_u64)).unwrap());
                black_box(&kanal.1).try_recv().unwrap().unwrap()
            })
            .peer("crossfire", || {
                black_box(&crossfire.0).try_send(black_box(1_u64)).unwrap();
                black_box(&crossfire.1).try_recv().unwrap()
            })
            .peer("crossbeam-channel", || {
                black_box(&crossbeam.0).try_send(black_box(1_u64)).unwrap();
                black_box(&crossbeam.1).try_recv().unwrap()
            })
            .peer("std", || {
                black_box(&std.0).try_send(black_box(1_u64)).unwrap();
                black_box(&std.1).try_recv().unwrap()
            }),
    );
}
