//! The memory of bodies whose requests do not run yet.
//!
//! A body is held from its first byte until its request is admitted or refused, and
//! that of a long document until its request has ended. Running requests are bounded
//! by admission; what comes before them is bounded here, by the bytes that have come,
//! because what a client announces costs it nothing. The one rule: bytes are held by
//! value and given back by dropping.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes of all bodies together.
#[derive(Debug)]
pub(super) struct BodyBuffers {
    most_bytes: usize,
    held_bytes: AtomicUsize,
}

/// The bytes of one body, until it is dropped.
#[derive(Debug)]
pub(super) struct HeldBytes {
    buffers: Arc<BodyBuffers>,
    bytes: usize,
}

/// All bodies together have as many bytes as the service holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service holds as many bytes of waiting bodies as it takes")]
pub(super) struct BuffersFull;

impl BodyBuffers {
    pub(super) fn new(most_bytes: usize) -> Arc<Self> {
        Arc::new(Self { most_bytes, held_bytes: AtomicUsize::new(0) })
    }

    /// For a body of which nothing has come yet.
    pub(super) fn body(self: &Arc<Self>) -> HeldBytes {
        HeldBytes { buffers: Arc::clone(self), bytes: 0 }
    }
}

impl HeldBytes {
    /// Counts bytes that have come.
    ///
    /// # Errors
    /// [`BuffersFull`] when they are too many; then they are not counted.
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), BuffersFull> {
        let add = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= self.buffers.most_bytes);
        self.buffers
            .held_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .map_err(|_full| BuffersFull)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.buffers.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{BodyBuffers, BuffersFull};

    #[test]
    fn bytes_of_all_bodies_count_and_come_back_with_each() {
        let buffers = BodyBuffers::new(10);
        let (mut one, mut other) = (buffers.body(), buffers.body());
        assert_eq!([one.add(4), one.add(2), other.add(4)], [Ok(()); 3]);
        assert_eq!(other.add(1), Err(BuffersFull));
        drop(one);
        assert_eq!([other.add(6), other.add(1)], [Ok(()), Err(BuffersFull)]);
        assert_eq!(other.add(usize::MAX), Err(BuffersFull));
        drop(other);
        assert_eq!(buffers.body().add(10), Ok(()));
    }
}
