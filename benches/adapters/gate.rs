//! What lets all pass, once opened.

use super::baton::{Intrusive, Listened, OurFlag, ParkingLotFlag, StdFlag, UsyncFlag};
use super::block_on;
use std::sync::atomic::Ordering;

pub(crate) trait Gate: Default + Send + Sync + 'static {
    fn open(&self);
    fn shut(&self);
    fn go_through(&self);
}

macro_rules! gates {
    ($($gate:ty: |$this:ident| $open:expr, $shut:expr, $go_through:expr;)*) => {
        $(impl Gate for $gate {
            fn open(&self) {
                let $this = self;
                $open;
            }

            fn shut(&self) {
                let $this = self;
                $shut;
            }

            fn go_through(&self) {
                let $this = self;
                $go_through;
            }
        })*
    };
}

gates! {
    bifrons::Event: |event| event.set(), event.clear(), event.wait();
    OurFlag: |flag|
        { *flag.raised.lock() = true; flag.changed.notify_all() },
        *flag.raised.lock() = false,
        drop(flag.changed.wait_while(flag.raised.lock(), |raised| !*raised));
    StdFlag: |flag|
        { *flag.raised.lock().unwrap() = true; flag.changed.notify_all() },
        *flag.raised.lock().unwrap() = false,
        drop(flag.changed.wait_while(flag.raised.lock().unwrap(), |raised| !*raised));
    ParkingLotFlag: |flag|
        { *flag.raised.lock() = true; flag.changed.notify_all() },
        *flag.raised.lock() = false,
        flag.changed.wait_while(&mut flag.raised.lock(), |raised| !*raised);
    UsyncFlag: |flag|
        { *flag.raised.lock() = true; flag.changed.notify_all() },
        *flag.raised.lock() = false,
        {
            let mut raised = flag.raised.lock();
            while !*raised {
                flag.changed.wait(&mut raised);
            }
        };
    Listened: |listened|
        { listened.raised.store(true, Ordering::Release); listened.event.notify(usize::MAX) },
        listened.raised.store(false, Ordering::Relaxed),
        {
            use event_listener::Listener;
            while !listened.raised.load(Ordering::Acquire) {
                event_listener::listener!(listened.event => listener);
                if listened.raised.load(Ordering::Acquire) {
                    return;
                }
                listener.wait();
            }
        };
    Intrusive: |event| event.0.set(), event.0.reset(), block_on(event.0.wait());
}
