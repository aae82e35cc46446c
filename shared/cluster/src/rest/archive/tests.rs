use super::*;

/// A header as GNU tar and Rust's tar write it.
fn header(kind: u8, size: &[u8; 12], mark: Option<usize>) -> Vec<u8> {
    let mut block = [0; BLOCK];
    block[..5].copy_from_slice(b"shard");
    block[field::SIZE].copy_from_slice(size);
    block[field::KIND] = kind;
    if let Some(position) = mark {
        block[position] = 1;
    }
    let sum = format!("{:06o}\0 ", checksum(&block));
    block[field::CHECKSUM].copy_from_slice(sum.as_bytes());
    block.to_vec()
}

fn file(content: &[u8]) -> Vec<u8> {
    let size = format!("{:011o}\0", content.len());
    let mut bytes = header(b'0', size.as_bytes().try_into().unwrap(), None);
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK]
}

fn is_whole(bytes: &[u8], piece: usize) -> Result<bool, NotAnArchive> {
    let mut archive = ArchiveEnd::new();
    for piece in bytes.chunks(piece) {
        archive.feed(piece)?;
    }
    Ok(archive.is_complete())
}

#[test]
fn an_archive_is_whole_at_its_end_and_at_no_byte_before() {
    // Content of zeros looks like an end to who does not count.
    let whole = [file(b"points"), file(&[0; 3000]), file(b""), end()].concat();
    for piece in [1, 7, 512, 1000, 100_000] {
        assert_eq!(is_whole(&whole, piece), Ok(true));
        for length in (0..whole.len()).step_by(256) {
            assert_eq!(is_whole(&whole[..length], piece), Ok(false), "{length}");
        }
    }
}

#[test]
fn padding_after_the_end_is_taken() {
    let padded = [file(b"points"), end(), vec![0; 9000]].concat();
    assert_eq!(is_whole(&padded, 512), Ok(true));
}

#[test]
fn one_block_of_zeros_is_no_end() {
    let bytes = [file(b"a"), vec![0; BLOCK], file(b"b")].concat();
    assert_eq!(is_whole(&bytes, 512), Ok(false));
}

#[test]
fn sparse_files_bring_their_map_in_blocks_of_their_own() {
    let size = b"00000001000\0";
    let mut bytes = header(GNU_SPARSE, size, Some(field::SPARSE_EXTENDED));
    let mut extension = vec![0_u8; BLOCK];
    extension[field::EXTENSION_EXTENDED] = 1;
    bytes.extend(&extension);
    bytes.extend(vec![0; BLOCK]);
    bytes.extend(vec![0; 512]);
    assert_eq!(is_whole(&bytes, 100), Ok(false));
    bytes.extend(end());
    assert_eq!(is_whole(&bytes, 100), Ok(true));
}

#[test]
fn sizes_over_eight_gib_are_binary() {
    assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(8 << 30));
    assert_eq!(number(b"\xff\0\0\0\0\0\0\x02\0\0\0\0"), None);
    assert_eq!(number(b"00000000017\0"), Some(15));
    assert_eq!(number(b"        17 \0"), Some(15));
    assert_eq!(number(b"99999999999\0"), None);
}

#[test]
fn an_error_page_is_no_archive() {
    let page = "<html>502 Bad Gateway</html>".repeat(40);
    assert_eq!(is_whole(page.as_bytes(), 100), Err(NotAnArchive));
}
