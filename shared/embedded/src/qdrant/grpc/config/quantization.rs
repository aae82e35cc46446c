//! Quantization between protobuf and the terms of qdrant-edge. Of Qdrant's four kinds the turbo
//! one has no public type there, so it is refused.

#![expect(deprecated, reason = "clients of any age are served")]

use qdrant_client::qdrant::{
    self as proto,
    binary_quantization_query_encoding::{Setting, Variant},
    quantization_config::Quantization,
};
use qdrant_edge::{
    BinaryQuantizationConfig, BinaryQuantizationEncoding, BinaryQuantizationQueryEncoding,
    CompressionRatio, ProductQuantizationConfig, QuantizationConfig, ScalarQuantizationConfig,
    ScalarType,
};

use crate::qdrant::{error::RequestError, grpc::write::malformed};

/// # Errors
/// When a value is none of its enumeration, or the kind is turbo.
pub(super) fn read(
    given: Option<proto::QuantizationConfig>,
) -> Result<Option<QuantizationConfig>, RequestError> {
    let Some(given) = given.and_then(|config| config.quantization) else {
        return Ok(None);
    };
    Ok(Some(match given {
        Quantization::Scalar(given) => ScalarQuantizationConfig {
            r#type: ScalarType::Int8,
            quantile: given.quantile,
            always_ram: given.always_ram,
        }
        .into(),
        Quantization::Product(given) => ProductQuantizationConfig {
            compression: match proto::CompressionRatio::try_from(given.compression) {
                Ok(proto::CompressionRatio::X4) => CompressionRatio::X4,
                Ok(proto::CompressionRatio::X8) => CompressionRatio::X8,
                Ok(proto::CompressionRatio::X16) => CompressionRatio::X16,
                Ok(proto::CompressionRatio::X32) => CompressionRatio::X32,
                Ok(proto::CompressionRatio::X64) => CompressionRatio::X64,
                Err(_) => return Err(malformed("Unknown compression ratio")),
            },
            always_ram: given.always_ram,
        }
        .into(),
        Quantization::Binary(given) => BinaryQuantizationConfig {
            always_ram: given.always_ram,
            encoding: encoding(given.encoding)?,
            query_encoding: query_encoding(given.query_encoding)?,
        }
        .into(),
        Quantization::Turboquant(_) => {
            return Err(RequestError::Unsupported("turbo quantization"));
        }
    }))
}

pub(super) fn answer(config: &QuantizationConfig) -> proto::QuantizationConfig {
    let quantization = match config {
        QuantizationConfig::Scalar(config) => Quantization::Scalar(proto::ScalarQuantization {
            r#type: proto::QuantizationType::Int8.into(),
            quantile: config.scalar.quantile,
            always_ram: config.scalar.always_ram,
            ..Default::default()
        }),
        QuantizationConfig::Product(config) => Quantization::Product(proto::ProductQuantization {
            compression: match config.product.compression {
                CompressionRatio::X4 => proto::CompressionRatio::X4.into(),
                CompressionRatio::X8 => proto::CompressionRatio::X8.into(),
                CompressionRatio::X16 => proto::CompressionRatio::X16.into(),
                CompressionRatio::X32 => proto::CompressionRatio::X32.into(),
                CompressionRatio::X64 => proto::CompressionRatio::X64.into(),
            },
            always_ram: config.product.always_ram,
            ..Default::default()
        }),
        QuantizationConfig::Binary(config) => Quantization::Binary(proto::BinaryQuantization {
            always_ram: config.binary.always_ram,
            encoding: config.binary.encoding.map(encoding_answer),
            query_encoding: config.binary.query_encoding.map(query_encoding_answer),
            ..Default::default()
        }),
        // Comes in over REST only.
        QuantizationConfig::Turbo(config) => Quantization::Turboquant(proto::TurboQuantization {
            always_ram: config.turbo.always_ram,
            ..Default::default()
        }),
    };
    proto::QuantizationConfig {
        quantization: Some(quantization),
    }
}

fn encoding(given: Option<i32>) -> Result<Option<BinaryQuantizationEncoding>, RequestError> {
    use proto::BinaryQuantizationEncoding as Proto;
    match given.map(Proto::try_from) {
        None => Ok(None),
        Some(Ok(Proto::OneBit)) => Ok(Some(BinaryQuantizationEncoding::OneBit)),
        Some(Ok(Proto::TwoBits)) => Ok(Some(BinaryQuantizationEncoding::TwoBits)),
        Some(Ok(Proto::OneAndHalfBits)) => Ok(Some(BinaryQuantizationEncoding::OneAndHalfBits)),
        Some(Err(_)) => Err(malformed("Unknown binary quantization encoding")),
    }
}

fn encoding_answer(encoding: BinaryQuantizationEncoding) -> i32 {
    use proto::BinaryQuantizationEncoding as Proto;
    match encoding {
        BinaryQuantizationEncoding::OneBit => Proto::OneBit.into(),
        BinaryQuantizationEncoding::TwoBits => Proto::TwoBits.into(),
        BinaryQuantizationEncoding::OneAndHalfBits => Proto::OneAndHalfBits.into(),
    }
}

fn query_encoding(
    given: Option<proto::BinaryQuantizationQueryEncoding>,
) -> Result<Option<BinaryQuantizationQueryEncoding>, RequestError> {
    let Some(Variant::Setting(setting)) = given.and_then(|given| given.variant) else {
        return Ok(None);
    };
    match Setting::try_from(setting) {
        Ok(Setting::Default) => Ok(Some(BinaryQuantizationQueryEncoding::Default)),
        Ok(Setting::Binary) => Ok(Some(BinaryQuantizationQueryEncoding::Binary)),
        Ok(Setting::Scalar4Bits) => Ok(Some(BinaryQuantizationQueryEncoding::Scalar4Bits)),
        Ok(Setting::Scalar8Bits) => Ok(Some(BinaryQuantizationQueryEncoding::Scalar8Bits)),
        Err(_) => Err(malformed("Unknown binary quantization query encoding")),
    }
}

fn query_encoding_answer(
    encoding: BinaryQuantizationQueryEncoding,
) -> proto::BinaryQuantizationQueryEncoding {
    let setting = match encoding {
        BinaryQuantizationQueryEncoding::Default => Setting::Default,
        BinaryQuantizationQueryEncoding::Binary => Setting::Binary,
        BinaryQuantizationQueryEncoding::Scalar4Bits => Setting::Scalar4Bits,
        BinaryQuantizationQueryEncoding::Scalar8Bits => Setting::Scalar8Bits,
    };
    proto::BinaryQuantizationQueryEncoding {
        variant: Some(Variant::Setting(setting.into())),
    }
}
