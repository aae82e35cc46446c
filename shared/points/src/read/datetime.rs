//! Dates and times of a filter, in every form Qdrant reads: RFC 3339, and the same without seconds, zone,
//! or time, with a blank for the `T`, with a zone of hours alone. Without a zone it is UTC.

/// Reads a date and time: seconds since 1970 and nanoseconds after them. Years 1 to 9999.
pub(super) fn parse_datetime(text: &[u8]) -> Option<(i64, u32)> {
    let mut rest = Digits(text);
    let (year, month) = (rest.number(4)?, rest.after(b"-")?.number(2)?);
    let day = rest.after(b"-")?.number(2)?;
    let days = days_since_1970(year, month, day)?;
    if rest.0.is_empty() {
        return Some((days * 86_400, 0));
    }
    rest.after(b"Tt ")?;
    let (hour, minute) = (rest.number(2)?, rest.after(b":")?.number(2)?);
    let mut second = 0;
    let mut nanos = 0;
    let mut seconds_given = false;
    if rest.after(b":").is_some() {
        seconds_given = true;
        second = rest.number(2)?;
        if rest.after(b".").is_some() {
            nanos = rest.fraction()?;
        }
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = if rest.0.is_empty() {
        0
    } else if seconds_given {
        rest.zone()?
    } else {
        return None;
    };
    // A leap second is the last nanosecond before the next minute begins, where there is no other place for it.
    let (second, nanos) = if second == 60 {
        (59, 999_999_999)
    } else {
        (second, nanos)
    };
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
    let of_common_era = -62_135_596_800..=253_402_300_799;
    of_common_era.contains(&seconds).then_some((seconds, nanos))
}

/// Text still to be read.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    /// A number of exactly `width` digits.
    fn number(&mut self, width: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        digits.iter().try_fold(0, |value, digit| {
            digit
                .is_ascii_digit()
                .then(|| value * 10 + i64::from(digit - b'0'))
        })
    }

    /// Takes one of `bytes`.
    fn after(&mut self, bytes: &[u8]) -> Option<&mut Self> {
        let (first, rest) = self.0.split_first()?;
        if !bytes.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(self)
    }

    /// Nanoseconds of one or more digits after the point; what is finer is cut off.
    fn fraction(&mut self) -> Option<u32> {
        let len = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        let nanos = digits
            .iter()
            .chain(&[b'0'; 9])
            .take(9)
            .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        (len > 0).then_some(nanos)
    }

    /// Seconds a zone is ahead of UTC: `Z`, `+02`, `+0200`, `+02:00`; nothing may follow.
    fn zone(&mut self) -> Option<i64> {
        while self.after(b" ").is_some() {}
        if self.0.eq_ignore_ascii_case(b"z") || self.0.eq_ignore_ascii_case(b"utc") {
            return Some(0);
        }
        let (&sign, rest) = self.0.split_first()?;
        self.0 = rest;
        let hours = self.number(2)?;
        let _ = self.after(b":");
        let minutes = if self.0.is_empty() {
            0
        } else {
            self.number(2)?
        };
        if !self.0.is_empty() || hours > 23 || minutes > 59 {
            return None;
        }
        let seconds = hours * 3600 + minutes * 60;
        match sign {
            b'+' => Some(seconds),
            b'-' => Some(-seconds),
            _ => None,
        }
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years are counted from March, so that the leap day is a year's last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}
