//! A first comparison of the reentrant lock and the pipes with one-faced peers.
//!
//! ```text
//! cargo bench --bench comparison
//! ```
//!
//! The contenders of a row take turns, round after round (A B C A B C …); printed are each one's
//! median and spread, and the median over the rounds of its ratio to ours in the same round (above
//! 1: the peer is slower).

#![allow(clippy::incompatible_msrv, reason = "a peer that is younger than our oldest compiler")]

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    rows::reentry();
    rows::messages();
    rows::bytes();
}

#[cfg(not(loom))]
mod rows {
    use bifrons::pipe;
    use std::cell::Cell;
    use std::hint::black_box;
    use std::io::{Read, Write};
    use std::time::Instant;

    const ROUNDS: usize = 9;

    type Contender<'a> = (&'a str, Box<dyn FnMut() -> f64 + 'a>);

    /// Runs the contenders in turn. The first one is ours; each returns nanoseconds per operation.
    fn row(name: &str, mut contenders: Vec<Contender<'_>>) {
        println!("{name}, ns");
        let mut figures = vec![Vec::new(); contenders.len()];
        for _ in 0..ROUNDS {
            for (figure, (_, run)) in figures.iter_mut().zip(&mut contenders) {
                figure.push(run());
            }
        }
        let ours = figures[0].clone();
        for (figure, (contender, _)) in figures.iter_mut().zip(&contenders) {
            let mut ratios: Vec<f64> = figure.iter().zip(&ours).map(|(a, b)| a / b).collect();
            ratios.sort_by(f64::total_cmp);
            figure.sort_by(f64::total_cmp);
            println!(
                "  {contender:<28}{:>10.2}  ({:.2} .. {:.2})  x{:.2}",
                figure[ROUNDS / 2],
                figure[0],
                figure[ROUNDS - 1],
                ratios[ROUNDS / 2]
            );
        }
    }

    fn per_operation(count: u32, f: impl FnOnce()) -> f64 {
        let start = Instant::now();
        f();
        start.elapsed().as_nanos() as f64 / f64::from(count)
    }

    pub(super) fn reentry() {
        const COUNT: u32 = 2_000_000;
        let ours = bifrons::ReentrantLock::new(Cell::new(0_u64));
        let peer = parking_lot_latest::ReentrantMutex::new(Cell::new(0_u64));
        let contenders = || -> Vec<Contender<'_>> {
            let lock_ours = || {
                for _ in 0..COUNT {
                    let value = black_box(&ours).lock();
                    value.set(value.get() + 1);
                }
            };
            let lock_peer = || {
                for _ in 0..COUNT {
                    let value = black_box(&peer).lock();
                    value.set(value.get() + 1);
                }
            };
            vec![
                ("bifrons", Box::new(move || per_operation(COUNT, lock_ours))),
                ("parking_lot", Box::new(move || per_operation(COUNT, lock_peer))),
            ]
        };
        row("reentrant lock, uncontended, depth 1", contenders());
        let _outer = (ours.lock(), peer.lock());
        row("reentrant lock, re-entry", contenders());
    }

    /// One thread sends, this one receives.
    fn transfer<S: Send>(
        count: u32,
        mut sender: S,
        send: impl Fn(&mut S, u64) + Send,
        mut recv: impl FnMut() -> u64,
    ) -> f64 {
        per_operation(count, || {
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    for number in 0..u64::from(count) {
                        send(&mut sender, number);
                    }
                });
                for number in 0..u64::from(count) {
                    assert_eq!(recv(), number);
                }
            });
        })
    }

    pub(super) fn messages() {
        const COUNT: u32 = 300_000;
        for capacity in [64, 1024] {
            let contenders: Vec<Contender<'_>> = vec![
                (
                    "bifrons::pipe",
                    Box::new(move || {
                        let (sender, mut receiver) = pipe::simplex(capacity);
                        transfer(
                            COUNT,
                            sender,
                            |s, n| s.send(n).unwrap(),
                            || receiver.recv().unwrap(),
                        )
                    }),
                ),
                (
                    "rtrb (spins, never waits)",
                    Box::new(move || {
                        let (sender, mut receiver) = rtrb::RingBuffer::new(capacity);
                        let send = |s: &mut rtrb::Producer<u64>, n| {
                            while s.push(n).is_err() {
                                std::hint::spin_loop();
                            }
                        };
                        transfer(COUNT, sender, send, || {
                            loop {
                                if let Ok(number) = receiver.pop() {
                                    return number;
                                }
                                std::hint::spin_loop();
                            }
                        })
                    }),
                ),
                (
                    "kanal",
                    Box::new(move || {
                        let (sender, receiver) = kanal::bounded(capacity);
                        transfer(
                            COUNT,
                            sender,
                            |s, n| s.send(n).unwrap(),
                            || receiver.recv().unwrap(),
                        )
                    }),
                ),
                (
                    "std sync_channel",
                    Box::new(move || {
                        let (sender, receiver) = std::sync::mpsc::sync_channel(capacity);
                        transfer(
                            COUNT,
                            sender,
                            |s, n| s.send(n).unwrap(),
                            || receiver.recv().unwrap(),
                        )
                    }),
                ),
            ];
            row(&format!("messages, two threads, capacity {capacity}"), contenders);
        }
    }

    const TOTAL: usize = 256 << 20;
    const PIECE: usize = 4096;
    const BUFFER: usize = 64 << 10;

    /// Nanoseconds per 4 KiB.
    fn stream(mut writer: impl Write + Send, mut reader: impl Read) -> f64 {
        let count = (TOTAL / PIECE) as u32;
        per_operation(count, || {
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    let piece = [7; PIECE];
                    for _ in 0..count {
                        writer.write_all(&piece).unwrap();
                    }
                });
                let mut piece = [0; PIECE];
                let mut seen = 0;
                while seen < TOTAL {
                    seen += reader.read(&mut piece).unwrap();
                }
            });
        })
    }

    /// The same by two tasks of one thread.
    fn stream_tasks(
        mut writer: impl futures::io::AsyncWrite + Unpin,
        mut reader: impl futures::io::AsyncRead + Unpin,
    ) -> f64 {
        use futures::io::{AsyncReadExt, AsyncWriteExt};
        let count = (TOTAL / PIECE) as u32;
        per_operation(count, || {
            let write = async {
                let piece = [7; PIECE];
                for _ in 0..count {
                    writer.write_all(&piece).await.unwrap();
                }
            };
            let read = async {
                let mut piece = [0; PIECE];
                let mut seen = 0;
                while seen < TOTAL {
                    seen += reader.read(&mut piece).await.unwrap();
                }
            };
            bifrons::block_on(futures::future::join(write, read));
        })
    }

    fn stream_tokio() -> f64 {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut writer, mut reader) = tokio::io::duplex(BUFFER);
        let count = (TOTAL / PIECE) as u32;
        per_operation(count, || {
            let write = async {
                let piece = [7; PIECE];
                for _ in 0..count {
                    writer.write_all(&piece).await.unwrap();
                }
            };
            let read = async {
                let mut piece = [0; PIECE];
                let mut seen = 0;
                while seen < TOTAL {
                    seen += reader.read(&mut piece).await.unwrap();
                }
            };
            bifrons::block_on(futures::future::join(write, read));
        })
    }

    pub(super) fn bytes() {
        let threads: Vec<Contender<'_>> = vec![
            (
                "bifrons::pipe::bytes",
                Box::new(|| {
                    let (writer, reader) = pipe::bytes(BUFFER);
                    stream(writer, reader)
                }),
            ),
            (
                "std::io::pipe",
                Box::new(|| {
                    let (reader, writer) = std::io::pipe().unwrap();
                    stream(writer, reader)
                }),
            ),
        ];
        row("bytes, two threads, 4 KiB of a 64 KiB buffer", threads);
        let tasks: Vec<Contender<'_>> = vec![
            (
                "bifrons::pipe::bytes",
                Box::new(|| {
                    let (writer, reader) = pipe::bytes(BUFFER);
                    stream_tasks(writer, reader)
                }),
            ),
            ("tokio::io::duplex", Box::new(stream_tokio)),
        ];
        row("bytes, two tasks, 4 KiB of a 64 KiB buffer", tasks);
        let copy: Vec<Contender<'_>> = vec![(
            "two copies (the floor)",
            Box::new(|| {
                let (from, mut over, mut to) = ([7_u8; PIECE], [0_u8; PIECE], [0_u8; PIECE]);
                let count = (TOTAL / PIECE) as u32;
                per_operation(count, || {
                    for _ in 0..count {
                        over.copy_from_slice(black_box(&from));
                        to.copy_from_slice(black_box(&over));
                        black_box(&to);
                    }
                })
            }),
        )];
        row("memory, 4 KiB", copy);
    }
}
