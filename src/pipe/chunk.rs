//! Bytes in place: a look into the pipe's own buffer.

#![expect(unsafe_code, reason = "lends the bytes that are its own")]

use super::bytes::{Reader, Writer};

/// Room in a byte pipe, made by [`Writer::write_chunk`]. Dropping it writes nothing.
#[derive(Debug)]
#[must_use = "nothing is written unless it is committed"]
pub struct WriteChunk<'a> {
    writer: &'a mut Writer,
    len: usize,
}

impl<'a> WriteChunk<'a> {
    /// There is room for `len` bytes.
    pub(super) fn new(writer: &'a mut Writer, len: usize) -> Self {
        Self { writer, len }
    }

    /// The room, in two pieces of which the second may be empty. What it holds is unspecified.
    pub fn as_mut_slices(&mut self) -> (&mut [u8], &mut [u8]) {
        // SAFETY: the reader has freed them; the chunk, and with it the writer, is borrowed
        // exclusively.
        unsafe { self.writer.half.shared.buffer.free(self.writer.half.position(), self.len) }
    }

    /// How many bytes there is room for.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no room.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the first `count` bytes part of the pipe. If the reader has left meanwhile, they go
    /// nowhere, and the next write tells.
    ///
    /// # Panics
    ///
    /// If the chunk has fewer; nothing is written then.
    #[track_caller]
    pub fn commit(self, count: usize) {
        assert!(count <= self.len, "bifrons: {count} bytes committed of a chunk of {}", self.len);
        if count > 0 {
            self.writer.half.publish(count as u64);
        }
    }
}

/// Bytes in a pipe, made by [`Reader::read_chunk`]. Dropping it reads nothing.
#[derive(Debug)]
#[must_use = "nothing is read unless it is committed"]
pub struct ReadChunk<'a> {
    reader: &'a mut Reader,
    len: usize,
}

impl<'a> ReadChunk<'a> {
    /// There are `len` bytes.
    pub(super) fn new(reader: &'a mut Reader, len: usize) -> Self {
        Self { reader, len }
    }

    /// The bytes, in two pieces of which the second may be empty.
    pub fn as_slices(&self) -> (&[u8], &[u8]) {
        self.reader.slices(self.len)
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the first `count` bytes out of the pipe.
    ///
    /// # Panics
    ///
    /// If the chunk has fewer; nothing is read then.
    #[track_caller]
    pub fn commit(self, count: usize) {
        assert!(count <= self.len, "bifrons: {count} bytes committed of a chunk of {}", self.len);
        self.reader.advance(count);
    }
}
