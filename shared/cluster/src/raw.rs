//! `/qdrant.Points/Upsert` with the request's bytes as they are: the points were encoded by whoever
//! wrote them, so nothing is decoded or encoded here, and large pieces are not copied either.
//!
//! tonic's client makes the request and reads the answer. Its encoder would gather a message into
//! one buffer; [`RawChannel`] puts [`Framed`] in the place of that body.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use alioth_points::UpsertBody;
use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use prost::Message;
use qdrant_client::qdrant::PointsOperationResponse;
use tonic::{
    Request, Status,
    body::Body as TonicBody,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{Service, http, http::uri::PathAndQuery},
    transport::Channel,
};

/// A gRPC message is preceded by one byte "not compressed" and its length.
const PREFIX_LEN: usize = 5;

/// HTTP/2's default frame size: smaller pieces are gathered up to it, or each would become a frame of its own.
const FRAME_LEN: usize = 16 * 1024;

/// A piece that long is sent from where it lies.
const COPY_BELOW: usize = 4 * 1024;

/// Sends one upsert to one node.
pub(crate) async fn upsert(
    channel: Channel,
    api_key: Option<&tonic::metadata::AsciiMetadataValue>,
    body: Arc<UpsertBody>,
) -> Result<PointsOperationResponse, Status> {
    let mut client = Grpc::new(RawChannel { channel }).max_decoding_message_size(usize::MAX);
    client
        .ready()
        .await
        .map_err(|error| Status::from_error(Box::new(error)))?;
    let mut request = Request::new(());
    if let Some(key) = api_key {
        request.metadata_mut().insert("api-key", key.clone());
    }
    request.extensions_mut().insert(body);
    let path = PathAndQuery::from_static("/qdrant.Points/Upsert");
    let response = client.unary(request, path, UpsertCodec).await?;
    Ok(response.into_inner())
}

/// Replaces the body of a request by the [`UpsertBody`] in its extensions.
struct RawChannel {
    channel: Channel,
}

impl Service<http::Request<TonicBody>> for RawChannel {
    type Response = http::Response<TonicBody>;
    type Error = tonic::transport::Error;
    type Future = tonic::transport::channel::ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<TonicBody>) -> Self::Future {
        if let Some(body) = request.extensions_mut().remove::<Arc<UpsertBody>>() {
            *request.body_mut() = TonicBody::new(Framed::new(body));
        }
        self.channel.call(request)
    }
}

/// The pieces of an upsert as the body of a gRPC request.
struct Framed {
    body: Arc<UpsertBody>,
    /// Piece to be sent next.
    next: usize,
    /// Bytes not yet sent, prefix included.
    left: usize,
    prefix_sent: bool,
}

impl Framed {
    fn new(body: Arc<UpsertBody>) -> Self {
        let len: usize = body.pieces.iter().map(Bytes::len).sum();
        Self {
            body,
            next: 0,
            left: PREFIX_LEN + len,
            prefix_sent: false,
        }
    }

    /// The next chunk: one long piece as it lies, or a frame's worth of short ones.
    fn chunk(&mut self) -> Option<Bytes> {
        let mut gathered = BytesMut::new();
        if !self.prefix_sent {
            self.prefix_sent = true;
            gathered.reserve(FRAME_LEN.min(self.left));
            gathered.put_u8(0);
            // Over 4 GiB cannot be expressed; UpsertBody is bounded by configuration far below.
            gathered.put_u32(u32::try_from(self.left - PREFIX_LEN).unwrap_or(u32::MAX));
        }
        while let Some(piece) = self.body.pieces.get(self.next) {
            if piece.len() >= COPY_BELOW {
                if gathered.is_empty() {
                    self.next += 1;
                    return Some(self.sent(piece.clone()));
                }
                break;
            }
            if !gathered.is_empty() && gathered.len() + piece.len() > FRAME_LEN {
                break;
            }
            if gathered.is_empty() {
                gathered.reserve(FRAME_LEN.min(self.left));
            }
            gathered.put_slice(piece);
            self.next += 1;
        }
        if gathered.is_empty() {
            return None;
        }
        Some(self.sent(gathered.freeze()))
    }

    fn sent(&mut self, chunk: Bytes) -> Bytes {
        self.left -= chunk.len();
        chunk
    }
}

impl Body for Framed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.chunk().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

/// Encodes nothing, decodes the answer.
struct UpsertCodec;

impl Codec for UpsertCodec {
    type Encode = ();
    type Decode = PointsOperationResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for UpsertCodec {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for UpsertCodec {
    type Item = PointsOperationResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        PointsOperationResponse::decode(buffer)
            .map(Some)
            .map_err(|error| Status::internal(format!("decode the answer: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(lens: &[usize]) -> (Framed, Vec<u8>) {
        let pieces: Vec<Bytes> = lens
            .iter()
            .enumerate()
            .map(|(index, len)| Bytes::from(vec![index as u8; *len]))
            .collect();
        let flat = pieces.concat();
        let body = UpsertBody { pieces, points: 1 };
        (Framed::new(Arc::new(body)), flat)
    }

    fn drain(mut framed: Framed) -> Vec<Bytes> {
        let mut chunks = Vec::new();
        while let Some(chunk) = framed.chunk() {
            chunks.push(chunk);
        }
        assert!(framed.is_end_stream());
        chunks
    }

    #[test]
    fn the_chunks_are_prefix_and_pieces() {
        for lens in [
            &[][..],
            &[0],
            &[1],
            &[10, 20, 30],
            &[5000, 1, 5000, 2, 3, 70_000],
            &[4095; 40],
            &[1; 20_000],
        ] {
            let (framed, flat) = framed(lens);
            assert_eq!(framed.size_hint().exact(), Some(flat.len() as u64 + 5));
            let sent = drain(framed).concat();
            assert_eq!(sent[0], 0);
            assert_eq!(sent[1..5], (flat.len() as u32).to_be_bytes());
            assert!(sent[5..] == flat, "{} pieces", lens.len());
        }
    }

    #[test]
    fn a_long_piece_is_not_copied() {
        let (framed, _) = framed(&[10, 50_000]);
        let origin = framed.body.pieces[1].as_ptr();
        let chunks = drain(framed);
        assert_eq!(chunks.last().unwrap().as_ptr(), origin);
    }

    #[test]
    fn short_pieces_share_frames() {
        let (framed, _) = framed(&[400; 1000]);
        let chunks = drain(framed);
        assert_eq!(chunks.len(), 25);
        assert!(chunks.iter().all(|chunk| chunk.len() <= FRAME_LEN));
    }
}
