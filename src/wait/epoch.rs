//! Who was there, and who came later: for a notification of many, between two of whose batches
//! others may queue.

/// Counts notifications of many. 64 bits do not come round.
#[derive(Clone, Copy)]
pub(crate) struct Epoch(u64);

/// The epoch at which a node was queued, cut to what fits the node. While it is queued it is never
/// 2^32 epochs old: whoever begins one takes a waiter out, from the front.
pub(crate) type Stamp = u32;

impl Epoch {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    /// Begins the next one.
    pub(crate) const fn advance(&mut self) -> Self {
        self.0 += 1;
        *self
    }

    /// For a node that is queued now.
    pub(crate) const fn stamp(self) -> Stamp {
        self.0 as Stamp
    }

    /// Whether a node that is still queued was so when `other` began; `self` is the present epoch.
    #[inline]
    pub(crate) const fn has_met(self, node: Stamp, other: Self) -> bool {
        let age = self.stamp().wrapping_sub(node);
        age as u64 > self.0 - other.0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Epoch;

    #[test]
    fn later_nodes_are_told_from_earlier_ones_where_stamps_wrap() {
        for start in [0, u64::from(u32::MAX) - 1, u64::from(u32::MAX), 1 << 40] {
            let mut now = Epoch(start);
            let early = now.stamp();
            let first = now.advance();
            let between = now.stamp();
            let second = now.advance();
            let late = now.stamp();
            assert!(now.has_met(early, first) && now.has_met(early, second));
            assert!(!now.has_met(between, first) && now.has_met(between, second));
            assert!(!now.has_met(late, first) && !now.has_met(late, second));
        }
    }

    #[test]
    fn a_notification_that_took_for_ever_takes_nobody_new() {
        let mut now = Epoch(7);
        let began = now.advance();
        for waited in [1, 1 << 31, 1 << 32, (1 << 32) + 1, 1 << 50] {
            now.0 = began.0 + waited;
            assert!(!now.has_met(now.stamp(), began));
            now.advance();
            assert!(!now.has_met(now.stamp().wrapping_sub(1), began));
        }
    }
}
