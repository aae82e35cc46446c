//! Decompresses a body, up to its limit and within the budget. Synchronous: callers choose the
//! thread.

use std::io::{self, Read};

use bytes::Bytes;

use crate::{answer::Refusal, body::Received, budget::Reservation, content::Encoding};

/// Bytes decompressed at a time: all that a bomb can cost beyond the limit.
const STEP_BYTES: usize = 64 * 1024;
/// 8 MiB, the largest window that Content-Encoding zstd may ask a recipient for.
/// Source: RFC 9659, section 3.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Decompresses a body; its compressed bytes are dropped.
///
/// # Errors
/// `BodyTooLarge`, `BadEncoding`, and `Overloaded` (transient).
pub(crate) fn decode(
    received: Received,
    encoding: Encoding,
    limit: usize,
) -> Result<Received, Refusal> {
    let Received { bytes, reservation } = received;
    let mut inflation = Inflation {
        encoding,
        limit,
        compressed: bytes.len(),
        reservation,
    };
    let inflated = match encoding {
        Encoding::Identity => bytes,
        Encoding::Gzip => inflation.run(flate2::bufread::MultiGzDecoder::new(&bytes[..]))?,
        Encoding::Zstd => {
            let decoder = zstd_decoder(&bytes).map_err(|error| inflation.bad(&error))?;
            inflation.run(decoder)?
        }
    };
    Ok(Received {
        bytes: inflated,
        reservation: inflation.reservation,
    })
}

fn zstd_decoder(bytes: &[u8]) -> io::Result<zstd::Decoder<'static, &[u8]>> {
    let mut decoder = zstd::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

struct Inflation {
    encoding: Encoding,
    limit: usize,
    compressed: usize,
    reservation: Reservation,
}

impl Inflation {
    fn run(&mut self, mut decoder: impl Read) -> Result<Bytes, Refusal> {
        let mut inflated = Vec::new();
        let mut step = vec![0; STEP_BYTES];
        loop {
            let read = match decoder.read(&mut step) {
                Ok(0) => return Ok(Bytes::from(inflated)),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.bad(&error)),
            };
            let len = inflated.len() + read;
            if len > self.limit {
                return Err(Refusal::BodyTooLarge {
                    limit: self.limit,
                    encoding: self.encoding,
                });
            }
            let most = self.compressed + self.limit;
            self.reservation.grow_to(self.compressed + len, most)?;
            inflated.extend_from_slice(&step[..read]);
        }
    }

    fn bad(&self, error: &io::Error) -> Refusal {
        Refusal::BadEncoding {
            encoding: self.encoding,
            reason: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answer::Code, budget::Budget};
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    const LIMIT: usize = 1 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    fn run(bytes: Vec<u8>, encoding: Encoding, budget: &Budget) -> Result<Bytes, Code> {
        let received = Received {
            bytes: Bytes::from(bytes),
            reservation: budget.reserve(),
        };
        decode(received, encoding, LIMIT)
            .map(|received| received.bytes)
            .map_err(|refusal| refusal.verdict().code)
    }

    fn unbounded(bytes: Vec<u8>, encoding: Encoding) -> Result<Bytes, Code> {
        run(bytes, encoding, &Budget::alone(100 * LIMIT))
    }

    #[test]
    fn every_encoding_gives_the_body_back() {
        let body = "some body ".repeat(20_000).into_bytes();
        assert_eq!(unbounded(body.clone(), Encoding::Identity).unwrap(), body);
        assert_eq!(unbounded(gzip(&body), Encoding::Gzip).unwrap(), body);
        assert_eq!(unbounded(zstd(&body), Encoding::Zstd).unwrap(), body);
    }

    #[test]
    fn several_members_or_frames_are_one_body() {
        let gzipped = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(unbounded(gzipped, Encoding::Gzip).unwrap(), "one two");
        let zstandard = [zstd(b"one "), zstd(b"two")].concat();
        assert_eq!(unbounded(zstandard, Encoding::Zstd).unwrap(), "one two");
    }

    #[test]
    fn a_body_of_just_the_limit_is_taken_and_one_byte_more_is_not() {
        for (encode, encoding) in [
            (gzip as fn(&[u8]) -> Vec<u8>, Encoding::Gzip),
            (zstd, Encoding::Zstd),
        ] {
            let largest = unbounded(encode(&vec![b' '; LIMIT]), encoding).unwrap();
            assert_eq!(largest.len(), LIMIT);
            let larger = unbounded(encode(&vec![b' '; LIMIT + 1]), encoding);
            assert_eq!(larger, Err(Code::BodyTooLarge));
        }
    }

    #[test]
    fn a_bomb_holds_no_more_of_the_budget_than_a_body_may() {
        let budget = Budget::alone(LIMIT / 2);
        for (bomb, encoding) in [
            (gzip(&vec![0; 100 * LIMIT]), Encoding::Gzip),
            (zstd(&vec![0; 100 * LIMIT]), Encoding::Zstd),
        ] {
            assert_eq!(run(bomb.clone(), encoding, &budget), Err(Code::Overloaded));
            assert_eq!(budget.used(), 0);
            assert_eq!(unbounded(bomb, encoding), Err(Code::BodyTooLarge));
        }
    }

    #[test]
    fn what_is_no_such_encoding_or_breaks_off_is_refused() {
        let (gzipped, zstandard) = (gzip(&[7; 9_000]), zstd(&[7; 9_000]));
        for (bytes, encoding) in [
            (b"{}".to_vec(), Encoding::Gzip),
            (b"{}".to_vec(), Encoding::Zstd),
            (gzipped[..gzipped.len() - 3].to_vec(), Encoding::Gzip),
            (zstandard[..zstandard.len() - 3].to_vec(), Encoding::Zstd),
            ([&gzipped[..], b"rest"].concat(), Encoding::Gzip),
            (gzipped, Encoding::Zstd),
            (zstandard, Encoding::Gzip),
        ] {
            assert_eq!(unbounded(bytes, encoding), Err(Code::BadEncoding));
        }
    }

    #[test]
    fn a_window_over_eight_mebibytes_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&vec![0; 32 << 20]).unwrap();
        let wide = encoder.finish().unwrap();
        assert_eq!(unbounded(wide, Encoding::Zstd), Err(Code::BadEncoding));
    }
}
