//! The byte ends as the readers and writers that std and `futures_io` know.
//!
//! Reads and writes are partial, as those traits allow: they wait for the first byte, or for room
//! for one, and then move what is there.

use super::bytes::{Reader, Writer};
use super::connection::ByteConnection;
use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Whether there is nothing to move, and so nothing to wait for. (std's default for vectored reads and
/// writes serves the first piece that is not empty; here all are, while there are bytes or room.)
fn is_idle(lens: impl IntoIterator<Item = usize>) -> bool {
    lens.into_iter().all(|len| len == 0)
}

impl Reader {
    fn copy_out_vectored(&mut self, pieces: &mut [IoSliceMut<'_>]) -> usize {
        let mut count = 0;
        for piece in pieces {
            let copied = self.copy_out(piece);
            count += copied;
            if copied < piece.len() {
                break;
            }
        }
        count
    }
}

impl Writer {
    fn copy_in_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut count = 0;
        for piece in pieces {
            let copied = match self.copy_in(piece) {
                Ok(copied) => copied,
                // What was written before counts; the next write meets the error again.
                Err(_) if count > 0 => break,
                Err(error) => return Err(error),
            };
            count += copied;
            if copied < piece.len() {
                break;
            }
        }
        Ok(count)
    }
}

/// Blocks while there is nothing to read.
impl Read for Reader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.read_until_deadline(bytes, None)
    }

    fn read_vectored(&mut self, pieces: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if is_idle(pieces.iter().map(|piece| piece.len())) {
            return Ok(0);
        }
        self.wait_until(None);
        Ok(self.copy_out_vectored(pieces))
    }
}

/// Blocks while there is nothing to read.
///
/// # Panics
///
/// `consume`, if there were fewer bytes at the last look; nothing is consumed then.
impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.wait_until(None);
        Ok(self.first_piece())
    }

    fn consume(&mut self, count: usize) {
        self.consume_checked(count);
    }
}

/// A read that is pending has registered its waker in the reader, which keeps one: that of the last
/// wait, in either face. See the [module](crate::pipe#waiting).
impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_copy_out(cx, bytes).map(Ok)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if is_idle(pieces.iter().map(|piece| piece.len())) {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_filled(cx));
        Poll::Ready(Ok(self.copy_out_vectored(pieces)))
    }
}

/// Waits as `AsyncRead` does.
///
/// # Panics
///
/// `consume`, if there were fewer bytes at the last look; nothing is consumed then.
impl AsyncBufRead for Reader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_filled(cx));
        Poll::Ready(Ok(this.first_piece()))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.consume_checked(count);
    }
}

/// Blocks while there is no room.
impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_until(bytes, None)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if is_idle(pieces.iter().map(|piece| piece.len())) {
            return Ok(0);
        }
        self.wait_until(None)?;
        self.copy_in_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A write that is pending has registered its waker in the writer, which keeps one: that of the last
/// wait, in either face. See the [module](crate::pipe#waiting). Closing closes the end.
impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_copy_in(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if is_idle(pieces.iter().map(|piece| piece.len())) {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_room(cx))?;
        Poll::Ready(self.copy_in_vectored(pieces))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

/// Blocks while there is nothing to read.
impl Read for ByteConnection {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.reader.read(bytes)
    }

    fn read_vectored(&mut self, pieces: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.reader.read_vectored(pieces)
    }
}

/// Blocks while there is nothing to read.
///
/// # Panics
///
/// As that of [`Reader`].
impl BufRead for ByteConnection {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume_checked(count);
    }
}

/// Blocks while there is no room.
impl Write for ByteConnection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.writer.write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// As that of [`Reader`].
impl AsyncRead for ByteConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, bytes)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read_vectored(cx, pieces)
    }
}

/// As that of [`Reader`].
impl AsyncBufRead for ByteConnection {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().reader).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.reader.consume_checked(count);
    }
}

/// As that of [`Writer`]: closing closes the direction that this end writes.
impl AsyncWrite for ByteConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write_vectored(cx, pieces)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}
