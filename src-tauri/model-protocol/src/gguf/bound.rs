//! A source of which no more is read than it is said to hold.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use super::{Judged, Unfit, damaged};

/// Reads little-endian values, and knows how much is left.
pub(super) struct Bounded<R> {
    source: BufReader<R>,
    size: u64,
    at: u64,
    /// Everything before the weights must end here.
    end: u64,
}

impl<R: Read + Seek> Bounded<R> {
    pub(super) fn new(source: R, size: u64, most: u64) -> Self {
        Self { source: BufReader::with_capacity(1 << 16, source), size, at: 0, end: size.min(most) }
    }

    /// Bytes of the whole file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Where it reads.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether so many items of that many bytes at least may still come.
    pub(super) fn holds(&self, count: u64, each: u64) -> Judged<()> {
        match count.checked_mul(each) {
            Some(bytes) if bytes <= self.end - self.at => Ok(()),
            _ if self.end < self.size => damaged("its header is larger than that of any model"),
            _ => damaged("it ends before its header does"),
        }
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Judged<[u8; N]> {
        self.holds(N as u64, 1)?;
        let mut into = [0; N];
        self.source.read_exact(&mut into).map_err(ends)?;
        self.at += N as u64;
        Ok(into)
    }

    pub(super) fn u32(&mut self) -> Judged<u32> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    pub(super) fn u64(&mut self) -> Judged<u64> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    /// A text of at most `most` bytes.
    pub(super) fn text(&mut self, most: u64, what: &str) -> Judged<String> {
        String::from_utf8(self.raw_text(most, what)?).or_else(|_| damaged(format!("{what} is not text")))
    }

    /// The bytes of a text of at most `most` bytes.
    pub(super) fn raw_text(&mut self, most: u64, what: &str) -> Judged<Vec<u8>> {
        let length = self.u64()?;
        self.holds(length, 1)?;
        if length > most {
            return damaged(format!("{what} is {length} bytes long"));
        }
        let mut into = vec![0; length as usize];
        self.source.read_exact(&mut into).map_err(ends)?;
        self.at += length;
        Ok(into)
    }

    /// Goes past a text of at most `most` bytes.
    pub(super) fn pass_text(&mut self, most: u64, what: &str) -> Judged<()> {
        let length = self.u64()?;
        if length > most {
            self.holds(length, 1)?;
            return damaged(format!("{what} is {length} bytes long"));
        }
        self.pass(length)
    }

    /// Goes past so many bytes.
    pub(super) fn pass(&mut self, count: u64) -> Judged<()> {
        self.holds(count, 1)?;
        // Short ways are gone within the buffer: seeking would throw it away.
        let held = self.source.buffer().len() as u64;
        if count <= held {
            self.source.consume(count as usize);
        } else {
            self.source.seek(SeekFrom::Current(i64::try_from(count).unwrap_or(i64::MAX)))?;
        }
        self.at += count;
        Ok(())
    }
}

fn ends(error: std::io::Error) -> Unfit {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Unfit::Damaged("it ends before its header does".into()),
        _ => Unfit::Unreadable(error),
    }
}
