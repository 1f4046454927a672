//! What lies between the two ends: slots for messages, or bytes. A power of two of them, so that a
//! position's slot is a mask away; the bound on what may be in flight is the exact capacity.
//!
//! Who may touch which slot follows from the positions: the writer those from `tail` on, as far as
//! the capacity reaches beyond `head`; the reader those from `head` up to `tail`.

#![expect(unsafe_code, reason = "owns the slots")]

use crate::sys::{UnsafeCell, prefetch_to_read, prefetch_to_write};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;

const CACHE_LINE: usize = 64;

/// The most that a pipe can hold: positions need some laps, and what is allocated the next power of
/// two.
const MAX_CAPACITY: usize = match 1_usize.checked_shl(40) {
    Some(most) => most,
    None => isize::MAX as usize / 2,
};

#[track_caller]
fn storage(capacity: usize) -> usize {
    assert!(capacity > 0, "bifrons: a pipe of capacity 0");
    assert!(capacity <= MAX_CAPACITY, "bifrons: a pipe of more than {MAX_CAPACITY}");
    capacity.next_power_of_two()
}

/// Room for messages. It drops none of them: the receiving end does, when it leaves.
pub(super) struct Slots<T> {
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
    capacity: usize,
}

// SAFETY: messages are handed from one end to the other, never shared.
unsafe impl<T: Send> Sync for Slots<T> {}

impl<T> Slots<T> {
    #[track_caller]
    pub(super) fn new(capacity: usize) -> Self {
        let slots =
            (0..storage(capacity)).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        Self { slots, capacity }
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    #[inline]
    fn slot(&self, position: u64) -> &UnsafeCell<MaybeUninit<T>> {
        // SAFETY: there are slots, as many as a power of two.
        unsafe { self.slots.get_unchecked(position as usize & (self.slots.len() - 1)) }
    }

    /// How many slots a cache line has, at most.
    const A_LINE: u64 = match size_of::<T>() {
        0 => MAX_CAPACITY as u64,
        size if size > CACHE_LINE => 1,
        size => (CACHE_LINE / size).next_power_of_two() as u64,
    };

    /// Which slot to prefetch, if `known` slots from `position` on are this end's: once a line, that
    /// of two lines further on.
    #[inline]
    fn ahead(&self, position: u64, known: u64) -> Option<&UnsafeCell<MaybeUninit<T>>> {
        let now = position % Self::A_LINE == 0 && known > 2 * Self::A_LINE;
        now.then(|| self.slot(position.wrapping_add(2 * Self::A_LINE)))
    }

    /// Asks for a line of the `known` slots that the writer has from `position` on.
    #[inline]
    pub(super) fn prefetch_to_write(&self, position: u64, known: u64) {
        if let Some(slot) = self.ahead(position, known) {
            slot.with(prefetch_to_write);
        }
    }

    /// Asks for a line of the `known` slots that the reader has from `position` on.
    #[inline]
    pub(super) fn prefetch_to_read(&self, position: u64, known: u64) {
        if let Some(slot) = self.ahead(position, known) {
            slot.with(prefetch_to_read);
        }
    }

    /// # Safety
    ///
    /// `position` is the writer's, and the reader has freed its slot.
    #[inline]
    pub(super) unsafe fn write(&self, position: u64, message: T) {
        self.slot(position).with_mut(|slot| {
            // SAFETY: the caller's promise: nobody else looks at the slot.
            unsafe { (*slot).write(message) };
        });
    }

    /// # Safety
    ///
    /// `position` is the reader's, and the writer has filled its slot. It is read once.
    #[inline]
    pub(super) unsafe fn read(&self, position: u64) -> T {
        // SAFETY: the caller's promise; `MaybeUninit<T>` lies as `T` does.
        self.slot(position).with(|slot| unsafe { slot.cast::<T>().read() })
    }

    /// # Safety
    ///
    /// As for [`Slots::read`], until the result is let go.
    pub(super) unsafe fn peek(&self, position: u64) -> &T {
        // SAFETY: the caller's promise.
        self.slot(position).with(|slot| unsafe { &*slot.cast::<T>() })
    }
}

/// Room for bytes. Zeroed once, when it is made. It begins a cache line: what copies bytes in blocks
/// is slower, up to several times, where they lie across lines.
pub(super) struct Bytes {
    data: NonNull<u8>,
    len: usize,
    capacity: usize,
}

// SAFETY: an allocation of plain bytes.
unsafe impl Send for Bytes {}
// SAFETY: both ends only touch the bytes that are theirs (see the module's documentation).
unsafe impl Sync for Bytes {}

impl Bytes {
    #[track_caller]
    pub(super) fn new(capacity: usize) -> Self {
        let len = storage(capacity);
        let layout = Self::layout(len);
        // SAFETY: there is at least one byte.
        let data = unsafe { alloc_zeroed(layout) };
        let Some(data) = NonNull::new(data) else { handle_alloc_error(layout) };
        Self { data, len, capacity }
    }

    fn layout(len: usize) -> Layout {
        match Layout::from_size_align(len, CACHE_LINE) {
            Ok(layout) => layout,
            Err(_) => unreachable!("far less than the address space"),
        }
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Where `count` bytes from `position` lie: the first piece, and the rest from the start.
    fn pieces(&self, position: u64, count: usize) -> (usize, usize, usize) {
        let start = position as usize & (self.len - 1);
        let first = count.min(self.len - start);
        (start, first, count - first)
    }

    /// # Safety
    ///
    /// The bytes are the reader's and stay so until the result is let go.
    pub(super) unsafe fn filled(&self, position: u64, count: usize) -> (&[u8], &[u8]) {
        let (start, first, rest) = self.pieces(position, count);
        // SAFETY: `start` lies in the allocation.
        let begin = unsafe { self.data.add(start) };
        // SAFETY: the piece lies in the allocation, and is the reader's.
        let front = unsafe { slice::from_raw_parts(begin.as_ptr(), first) };
        // SAFETY: as above.
        (front, unsafe { slice::from_raw_parts(self.data.as_ptr(), rest) })
    }

    /// # Safety
    ///
    /// The bytes are the writer's and stay so until the result is let go; it is not asked twice at
    /// a time.
    #[expect(clippy::mut_from_ref, reason = "the bytes are behind a pointer, and the writer's")]
    pub(super) unsafe fn free(&self, position: u64, count: usize) -> (&mut [u8], &mut [u8]) {
        let (start, first, rest) = self.pieces(position, count);
        // SAFETY: `start` lies in the allocation.
        let begin = unsafe { self.data.add(start) };
        // SAFETY: the piece lies in the allocation, and is the writer's.
        let front = unsafe { slice::from_raw_parts_mut(begin.as_ptr(), first) };
        // SAFETY: as above; the two do not overlap, for `count` is at most the allocation's length.
        (front, unsafe { slice::from_raw_parts_mut(self.data.as_ptr(), rest) })
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and freed once.
        unsafe { dealloc(self.data.as_ptr(), Self::layout(self.len)) };
    }
}
