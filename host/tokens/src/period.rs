//! How long something lasts, as people write it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest period: a hundred years, so that no date runs off the calendar.
const SECONDS_MAX: u64 = 36_525 * 86_400;

/// A number of whole seconds. Its text is `90d`, `24h`, `15m`, `30s`, `2w` or `0`.
///
/// ```
/// use cedargate_tokens::Period;
///
/// let period: Period = "90d".parse()?;
/// assert_eq!(period.duration().as_secs(), 90 * 86_400);
/// # Ok::<(), cedargate_tokens::PeriodError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    seconds: u64,
}

const UNITS: [(char, u64); 5] = [('w', 7 * 86_400), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl Period {
    /// A period of this many seconds.
    #[must_use]
    pub const fn seconds(seconds: u32) -> Self {
        Self { seconds: seconds as u64 }
    }

    /// A period of this many hours.
    #[must_use]
    pub const fn hours(hours: u32) -> Self {
        Self { seconds: hours as u64 * 3_600 }
    }

    /// The period as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The period in milliseconds.
    pub(crate) fn millis(self) -> i64 {
        i64::try_from(self.seconds.saturating_mul(1_000)).unwrap_or(i64::MAX)
    }
}

/// The text is not a period.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` {why}: write a number and `s`, `m`, `h`, `d` or `w`, for example `90d` or `24h`")]
pub struct PeriodError {
    text: String,
    why: &'static str,
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |why| PeriodError { text: text.chars().take(32).collect(), why };
        let wrong = || error("is not a period");
        let too_long = || error("is longer than a hundred years");
        if text == "0" {
            return Ok(Self { seconds: 0 });
        }
        let (unit, width) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit)).ok_or_else(wrong)?;
        let number = text.trim_end_matches(unit);
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) || number.len() + 1 != text.len() {
            return Err(wrong());
        }
        let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(width)).ok_or_else(too_long)?;
        if seconds > SECONDS_MAX { Err(too_long()) } else { Ok(Self { seconds }) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Weeks are read and not written: `90d` says more than `12w` and some days.
        let fitting =
            UNITS.into_iter().skip(1).find(|(_, width)| self.seconds >= *width && self.seconds.is_multiple_of(*width));
        match fitting {
            Some((unit, width)) => write!(f, "{}{unit}", self.seconds / width),
            None => f.write_str("0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_written() {
        for (text, seconds, shown) in [
            ("90d", 7_776_000, "90d"),
            ("24h", 86_400, "1d"),
            ("2w", 1_209_600, "14d"),
            ("90s", 90, "90s"),
            ("0", 0, "0"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.duration().as_secs(), period.to_string().as_str()), (seconds, shown), "{text}");
        }
        for text in ["", "d", "90", "-1d", "1.5h", "90dd", "90 d", "1y", "99999999999999999999d", "400000d", "+1d"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
