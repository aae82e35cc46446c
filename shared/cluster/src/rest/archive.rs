//! Whether a snapshot is whole, told from its bytes as they pass: a snapshot is a tar archive.
//!
//! A node that fails in the middle of a shard's snapshot ends its answer as if all were well; only
//! the archive's end is missing then.
//! Source: qdrant 1.18.3 `ShardHolder::stream_shard_snapshot` (the error is logged and the pipe
//! closed), and `lib/common/common/src/tar_ext.rs` (no end is written after an error).

/// Everything in a tar archive comes in blocks of this many bytes.
const BLOCK: usize = 512;

/// Where the fields of a header block are.
/// Source: <https://www.gnu.org/software/tar/manual/html_node/Standard.html>
mod field {
    use std::ops::Range;

    pub(super) const SIZE: Range<usize> = 124..136;
    pub(super) const CHECKSUM: Range<usize> = 148..156;
    pub(super) const KIND: usize = 156;
    /// Of a sparse file's header: whether a block with more of its map follows.
    pub(super) const SPARSE_EXTENDED: usize = 482;
    /// The same in such a block.
    pub(super) const EXTENSION_EXTENDED: usize = 504;
}

/// A file with holes, as GNU tar marks it.
const GNU_SPARSE: u8 = b'S';

/// Bytes that are no tar archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAnArchive;

/// Follows an archive from header to header, without keeping anything of it.
///
/// Sizes in pax records are not looked at: Qdrant's archives have none.
#[derive(Debug)]
pub(super) struct ArchiveEnd {
    next: Next,
    block: [u8; BLOCK],
    filled: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Header,
    /// After one block of zeros.
    SecondZero,
    /// More of a sparse file's map, then that many bytes of content.
    SparseMap(u64),
    Content(u64),
    /// Past the end; padding may follow.
    End,
}

impl ArchiveEnd {
    pub(super) fn new() -> Self {
        Self {
            next: Next::Header,
            block: [0; BLOCK],
            filled: 0,
        }
    }

    /// Takes the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), NotAnArchive> {
        while !bytes.is_empty() {
            match self.next {
                Next::End => return Ok(()),
                Next::Content(left) => {
                    let step = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[step..];
                    self.next = content(left - step as u64);
                }
                Next::Header | Next::SecondZero | Next::SparseMap(_) => {
                    let step = (BLOCK - self.filled).min(bytes.len());
                    self.block[self.filled..self.filled + step].copy_from_slice(&bytes[..step]);
                    self.filled += step;
                    bytes = &bytes[step..];
                    if self.filled == BLOCK {
                        self.filled = 0;
                        self.next = self.after_block()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the archive's end has passed.
    pub(super) fn is_complete(&self) -> bool {
        self.next == Next::End
    }

    fn after_block(&self) -> Result<Next, NotAnArchive> {
        if let Next::SparseMap(size) = self.next {
            return Ok(match self.block[field::EXTENSION_EXTENDED] {
                0 => content(size),
                _ => Next::SparseMap(size),
            });
        }
        if self.block.iter().all(|byte| *byte == 0) {
            return Ok(match self.next {
                Next::SecondZero => Next::End,
                Next::Header | Next::SparseMap(_) | Next::Content(_) | Next::End => {
                    Next::SecondZero
                }
            });
        }
        if number(&self.block[field::CHECKSUM]) != Some(checksum(&self.block)) {
            return Err(NotAnArchive);
        }
        let size = number(&self.block[field::SIZE]).ok_or(NotAnArchive)?;
        // Content is padded to whole blocks.
        let size = size
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or(NotAnArchive)?;
        let is_sparse = self.block[field::KIND] == GNU_SPARSE;
        if is_sparse && self.block[field::SPARSE_EXTENDED] != 0 {
            return Ok(Next::SparseMap(size));
        }
        Ok(content(size))
    }
}

fn content(left: u64) -> Next {
    match left {
        0 => Next::Header,
        left => Next::Content(left),
    }
}

/// The sum of a header's bytes, its checksum counted as blanks.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    let bytes = block.iter().enumerate();
    bytes
        .map(|(index, byte)| match field::CHECKSUM.contains(&index) {
            true => u64::from(b' '),
            false => u64::from(*byte),
        })
        .sum()
}

/// Octal digits between blanks and zeros; or, marked by the first bit, a binary number.
fn number(bytes: &[u8]) -> Option<u64> {
    if bytes[0] & 0x80 != 0 {
        let (high, low) = bytes.split_at(bytes.len() - 8);
        let fits = high[0] == 0x80 && high[1..].iter().all(|byte| *byte == 0);
        return fits.then(|| low.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let digits = text.trim_matches(|char| char == ' ' || char == '\0');
    match digits {
        "" => Some(0),
        digits => u64::from_str_radix(digits, 8).ok(),
    }
}

#[cfg(test)]
mod tests;
