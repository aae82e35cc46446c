//! Numbers of any form: grammar, integers exactly, doubles correctly rounded.
use super::Cursor;
use crate::error::{Fault, Parsed};

/// A number as JSON's readers take it: an integer if it is written as one and fits, else the nearest double.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// Fits `i64`.
    Integer(i64),
    /// Over `i64::MAX`, fits `u64`.
    Unsigned(u64),
    /// A fraction, an exponent, `-0`, or an integer out of range.
    Double(f64),
}

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// A number's text, taken apart: `mantissa * 10^exponent`, exactly unless `inexact`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) negative: bool,
    /// Without fraction and exponent.
    pub(super) integer: bool,
    pub(super) mantissa: u64,
    pub(super) exponent: i64,
    /// The mantissa or the exponent left something out.
    pub(super) inexact: bool,
}

impl Decimal {
    /// The float this is, if an approximate double is enough to know it.
    ///
    /// The double is less than 2^-51 of its value off the text: two roundings, and what `inexact` left out
    /// of 19 digits. If all that is nearer than 2^-50 rounds to one float, so does the nearest double.
    pub(super) fn near_float(&self) -> Option<f32> {
        const NEAR: f64 = 1.0 / (1_u64 << 50) as f64;
        let power = EXACT_POWERS.get(usize::try_from(self.exponent.unsigned_abs()).ok()?)?;
        let mantissa = self.mantissa as f64;
        let value = if self.exponent < 0 {
            mantissa / power
        } else {
            mantissa * power
        };
        let float = value as f32;
        let sure = (value * (1.0 - NEAR)) as f32 == float && (value * (1.0 + NEAR)) as f32 == float;
        sure.then_some(if self.negative { -float } else { float })
    }
}

impl Cursor<'_> {
    /// Reads a number.
    #[inline]
    pub(crate) fn number(&mut self) -> Parsed<Number> {
        let decimal = self.decimal()?;
        if decimal.integer && !decimal.inexact {
            match (decimal.negative, i64::try_from(decimal.mantissa)) {
                (false, Ok(value)) => return Ok(Number::Integer(value)),
                (false, Err(_)) => return Ok(Number::Unsigned(decimal.mantissa)),
                (true, Ok(value)) if value > 0 => return Ok(Number::Integer(-value)),
                (true, Err(_)) if decimal.mantissa == i64::MIN.unsigned_abs() => {
                    return Ok(Number::Integer(i64::MIN));
                }
                // -0 and what is under i64::MIN: a double, as Qdrant's own reader has it.
                (true, _) => {}
            }
        }
        self.double(&decimal).map(Number::Double)
    }

    /// Reads a number as a double.
    #[inline]
    pub(crate) fn any_double(&mut self) -> Parsed<f64> {
        let decimal = self.decimal()?;
        self.double(&decimal)
    }

    /// The double nearest to `decimal`.
    pub(super) fn double(&self, decimal: &Decimal) -> Parsed<f64> {
        let sign = if decimal.negative { -1.0 } else { 1.0 };
        let power = usize::try_from(decimal.exponent.unsigned_abs())
            .ok()
            .and_then(|power| EXACT_POWERS.get(power));
        if let Some(&power) = power
            && !decimal.inexact
            && decimal.mantissa <= 1 << 53
        {
            // Both operands are exact, so the one operation rounds once, correctly.
            let mantissa = decimal.mantissa as f64;
            return Ok(sign
                * if decimal.exponent < 0 {
                    mantissa / power
                } else {
                    mantissa * power
                });
        }
        self.double_by_text(decimal)
    }

    #[cold]
    fn double_by_text(&self, decimal: &Decimal) -> Parsed<f64> {
        let text = std::str::from_utf8(&self.body[decimal.start..decimal.end]).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(Fault::syntax(decimal.start, "number out of range")),
        }
    }

    /// Reads a number's text by the grammar.
    pub(super) fn decimal(&mut self) -> Parsed<Decimal> {
        let start = match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.at,
            _ => return Err(self.malformed("expected a number")),
        };
        let negative = self.body[start] == b'-';
        self.at += usize::from(negative);
        let mut number = Decimal {
            start,
            end: start,
            negative,
            integer: true,
            mantissa: 0,
            exponent: 0,
            inexact: false,
        };
        let leading = self.at;
        let digits = self.digits(&mut number, 0)?;
        if digits > 1 && self.body[leading] == b'0' {
            return Err(Fault::syntax(leading, "a number may not start with 0"));
        }
        if self.body.get(self.at) == Some(&b'.') {
            self.at += 1;
            number.integer = false;
            self.digits(&mut number, -1)?;
        }
        if let Some(b'e' | b'E') = self.body.get(self.at) {
            self.at += 1;
            number.integer = false;
            self.exponent(&mut number)?;
        }
        number.end = self.at;
        Ok(number)
    }

    /// Reads one or more digits into the mantissa; each one read lowers the exponent by `-scale`, each
    /// one that no longer fits raises it by one more.
    #[inline]
    fn digits(&mut self, number: &mut Decimal, scale: i64) -> Parsed<usize> {
        let from = self.at;
        while let Some(&byte) = self.body.get(self.at) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            if number.mantissa < u64::MAX / 10 {
                number.mantissa = number.mantissa * 10 + u64::from(digit);
                number.exponent += scale;
            } else {
                self.digit_at_the_edge(number, digit, scale);
            }
            self.at += 1;
        }
        match self.at - from {
            0 => Err(self.malformed("expected a digit")),
            count => Ok(count),
        }
    }

    /// A digit after 19 others: the last that may fit, or one that is left out.
    fn digit_at_the_edge(&self, number: &mut Decimal, digit: u8, scale: i64) {
        let longer = number
            .mantissa
            .checked_mul(10)
            .and_then(|m| m.checked_add(u64::from(digit)));
        match longer {
            Some(mantissa) if !number.inexact => {
                number.mantissa = mantissa;
                number.exponent += scale;
            }
            _ => {
                number.inexact = true;
                number.exponent += scale + 1;
            }
        }
    }

    fn exponent(&mut self, number: &mut Decimal) -> Parsed<()> {
        let sign = self.body.get(self.at);
        let negative = sign == Some(&b'-');
        self.at += usize::from(matches!(sign, Some(b'-' | b'+')));
        let from = self.at;
        let mut value = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.body.get(self.at) {
            value = (value * 10 + i64::from(digit - b'0')).min(1 << 32);
            self.at += 1;
        }
        if self.at == from {
            return Err(self.malformed("expected a digit"));
        }
        number.exponent += if negative { -value } else { value };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
