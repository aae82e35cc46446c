//! Ranges: of numbers, of times, of how many values a field has.
use super::Reader;
use crate::error::{Fault, Parsed, shortened};
use crate::json::Member;
use crate::read::datetime::parse_datetime;
use crate::wire::{close, open, put_double, put_number};

/// `FieldCondition.range`, `.datetime_range`, `.values_count`.
const RANGE: &[u8] = &[0x1a];
const DATETIME_RANGE: &[u8] = &[0x42];
const VALUES_COUNT: &[u8] = &[0x32];
/// Names of the bounds, and the fields they have in `Range`, `DatetimeRange` and `ValuesCount`.
const BOUNDS: [(&str, u8, u8, u8); 4] = [
    ("lt", 0x09, 0x0a, 0x08),
    ("gt", 0x11, 0x12, 0x10),
    ("gte", 0x19, 0x1a, 0x18),
    ("lte", 0x21, 0x22, 0x20),
];
/// `Timestamp.seconds`, `.nanos`.
const SECONDS: u8 = 0x08;
const NANOS: u8 = 0x10;

impl<'a> Reader<'a> {
    /// A range of times if any of its bounds is a string, else of numbers.
    pub(super) fn range(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let members = self.json.members("a range: an object")?;
        let mut of_times = false;
        for (key, ..) in BOUNDS {
            of_times |= self.optional(&members, key)? && self.json.peek() == Some(b'"');
        }
        let range = open(out, if of_times { DATETIME_RANGE } else { RANGE }, 0);
        for (key, number, time, _) in BOUNDS {
            if !self.optional(&members, key)? {
                continue;
            }
            if of_times {
                self.time(out, time).map_err(|fault| fault.within(key))?;
            } else {
                put_double(
                    out,
                    number,
                    self.double().map_err(|fault| fault.within(key))?,
                );
            }
        }
        close(out, range);
        Ok(())
    }

    fn time(&mut self, out: &mut Vec<u8>, tag: u8) -> Parsed<()> {
        if self.json.peek() != Some(b'"') {
            return Err(self.json.unexpected("a date and time"));
        }
        let text = self.json.text()?;
        let Some((seconds, nanos)) = parse_datetime(&text) else {
            let text = shortened(&text);
            return Err(Fault::invalid(format!(
                "\"{text}\" is no date and time such as 2014-01-01T00:00:00Z"
            )));
        };
        let time = open(out, &[tag], 0);
        if seconds != 0 {
            put_number(out, SECONDS, seconds as u64);
        }
        if nanos != 0 {
            put_number(out, NANOS, nanos.into());
        }
        close(out, time);
        Ok(())
    }

    /// How many values a field has.
    pub(super) fn values_count(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let members: Vec<Member<'a>> = self.json.members("an object")?;
        let count = open(out, VALUES_COUNT, 0);
        for (key, _, _, tag) in BOUNDS {
            if self.optional(&members, key)? {
                put_number(
                    out,
                    tag,
                    self.unsigned().map_err(|fault| fault.within(key))?,
                );
            }
        }
        close(out, count);
        Ok(())
    }
}
