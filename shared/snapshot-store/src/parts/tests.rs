//! Cutting a stream into parts, without S3.

use std::convert::Infallible;

use futures_util::stream;
use proptest::prelude::*;

use super::*;

fn chunks(lengths: &[usize]) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin {
    let chunk = |(index, length): (usize, usize)| Ok(Bytes::from(vec![index as u8; length]));
    stream::iter(lengths.iter().copied().enumerate().map(chunk))
}

/// Every part of a stream, and what the whole was.
fn cut(lengths: &[usize], size: usize) -> (Vec<Bytes>, Stored) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut parts = Parts::new(chunks(lengths), size);
        let mut cut = Vec::new();
        loop {
            parts.fill().await.unwrap();
            cut.push(parts.take());
            if parts.ended {
                return (cut, parts.stored());
            }
        }
    })
}

#[test]
fn a_stream_that_fits_is_one_part_known_to_be_the_last() {
    for lengths in [&[] as &[usize], &[0], &[1], &[4, 4], &[8], &[0, 8, 0]] {
        let (parts, stored) = cut(lengths, 8);
        assert_eq!(parts.len(), 1, "{lengths:?}");
        assert_eq!(stored.bytes, parts[0].len() as u64);
    }
    assert_eq!(cut(&[8, 1], 8).0.len(), 2);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(cut(&[], 8).1.sha256, empty);
}

#[test]
fn a_buffer_is_used_again_once_nobody_reads_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut parts = Parts::new(chunks(&[8, 8, 8, 8]), 8);
        parts.fill().await.unwrap();
        let first = parts.take();
        let place = first.as_ptr();
        parts.give_back(first);
        parts.fill().await.unwrap();
        let second = parts.take();
        assert_eq!(second.as_ptr(), place);
        let reader = second.clone();
        parts.give_back(second);
        parts.fill().await.unwrap();
        assert_ne!(parts.take().as_ptr(), place);
        assert_eq!(reader[..], [1; 8]);
    });
}

proptest! {
    #[test]
    fn parts_are_full_but_the_last_and_lose_nothing(
        lengths in prop::collection::vec(0_usize..40, 0..20),
        size in 1_usize..16,
    ) {
        let (parts, stored) = cut(&lengths, size);
        let (last, full) = parts.split_last().unwrap();
        prop_assert!(full.iter().all(|part| part.len() == size));
        prop_assert!(last.len() <= size && (!last.is_empty() || full.is_empty()));
        let whole: Vec<u8> = parts.concat();
        let sent: Vec<u8> = lengths.iter().enumerate().flat_map(|(index, length)| vec![index as u8; *length]).collect();
        prop_assert_eq!(&whole, &sent);
        prop_assert_eq!(stored.bytes, sent.len() as u64);
        prop_assert_eq!(stored.sha256, hex(&Sha256::digest(&sent)));
    }
}
