//! The index words.

pub(super) const WAIT: u64 = 1;
pub(super) const CLOSED: u64 = 1 << 1;
pub(super) const EVICTING: u64 = 1 << 2;
pub(super) const RESERVED_ONE: u64 = 1 << 3;
pub(super) const RESERVED: u64 = 0xffff << 3;
pub(super) const POSITION_SHIFT: u32 = 19;

/// The most slots that can be out at a time. While they are, the ring counts as full for
/// all but an eviction.
pub(crate) const MAX_RESERVED: u64 = RESERVED / RESERVED_ONE;

/// A value of an index word.
#[derive(Clone, Copy)]
pub(super) struct Word(pub(super) u64);

impl Word {
    pub(super) const fn position(self) -> u64 {
        self.0 >> POSITION_SHIFT
    }
    pub(super) const fn reserved(self) -> u64 {
        (self.0 & RESERVED) / RESERVED_ONE
    }
    pub(super) const fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }
    pub(super) const fn is_evicting(self) -> bool {
        self.0 & EVICTING != 0
    }
    pub(super) const fn is_waited_on(self) -> bool {
        self.0 & WAIT != 0
    }
    /// Neither closed nor evicting, and nothing reserved: the next place is the room that counts.
    pub(super) const fn is_plain(self) -> bool {
        self.0 & (CLOSED | EVICTING | RESERVED) == 0
    }
    pub(super) const fn with_position(self, position: u64) -> Self {
        Self((self.0 & !(u64::MAX << POSITION_SHIFT)) | (position << POSITION_SHIFT))
    }
}
