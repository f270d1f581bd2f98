//! Budgets and rates: how much of what may be spent in which window.

use std::fmt;
use std::str::FromStr;

use cedargate::model::{Budget, Timestamp};
use chrono::{DateTime, Datelike, Days, Months, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Billionths of a US dollar in a dollar.
const NANOS_PER_DOLLAR: u64 = 1_000_000_000;

/// The largest amount: the contract's counters end at 2⁵³, which is nine million dollars in billionths.
const AMOUNT_MAX: u64 = 1 << 53;

/// How much may be spent in each window: a budget or a rate. Its text is `1000000tokens/day`, `25.50usd/month`,
/// `60requests/minute` or, without an end, `100usd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Allowance {
    /// How much, in the unit.
    pub limit: u64,
    /// What is counted.
    pub unit: Unit,
    /// When the count begins anew.
    pub window: Window,
}

/// Whether an exhausted allowance is a budget or a rate: `insufficient_quota` or `rate_limited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AllowanceKind {
    /// Windows of a day and more.
    Budget,
    /// Windows of a minute or an hour: it is worth trying again.
    Rate,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens of models, in and out.
    Tokens,
    /// Money, in billionths of a US dollar.
    Money,
}

impl Unit {
    /// `requests`, `tokens` or `usd`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Money => "usd",
        }
    }

    /// The unit of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Requests, Self::Tokens, Self::Money].into_iter().find(|unit| unit.name() == name)
    }
}

/// When a count begins anew. Days, weeks and months are those of UTC; a week begins on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Window {
    /// Each minute.
    Minute,
    /// Each hour.
    Hour,
    /// Each day.
    Day,
    /// Each week.
    Week,
    /// Each month.
    Month,
    /// Never.
    Ever,
}

impl Window {
    /// `minute`, `hour`, `day`, `week`, `month` or `ever`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Ever => "ever",
        }
    }

    /// The window of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Ever]
            .into_iter()
            .find(|window| window.name() == name)
    }

    /// When the window that holds this moment began; 1970 for [`Window::Ever`].
    #[must_use]
    pub fn start(self, at: Timestamp) -> Timestamp {
        let floor = |width: i64| {
            let millis = at.as_millis();
            Timestamp::from_millis(millis.saturating_sub(millis.rem_euclid(width)))
        };
        match self {
            Self::Minute => floor(60_000),
            Self::Hour => floor(3_600_000),
            Self::Day => floor(86_400_000),
            Self::Week => {
                let day = Self::Day.start(at);
                let since_monday = utc(day).map_or(0, |time| u64::from(time.weekday().num_days_from_monday()));
                shifted(day, |time| time.checked_sub_days(Days::new(since_monday)))
            }
            Self::Month => shifted(Self::Day.start(at), |time| time.with_day(1)),
            Self::Ever => Timestamp::from_millis(0),
        }
    }

    /// When the window that holds this moment ends; never for [`Window::Ever`].
    #[must_use]
    pub fn end(self, at: Timestamp) -> Option<Timestamp> {
        let start = self.start(at);
        let after = |width: i64| Some(Timestamp::from_millis(start.as_millis().saturating_add(width)));
        match self {
            Self::Minute => after(60_000),
            Self::Hour => after(3_600_000),
            Self::Day => after(86_400_000),
            Self::Week => after(7 * 86_400_000),
            Self::Month => Some(shifted(start, |time| time.checked_add_months(Months::new(1)))),
            Self::Ever => None,
        }
    }
}

fn utc(at: Timestamp) -> Option<DateTime<Utc>> {
    Utc.timestamp_millis_opt(at.as_millis()).single()
}

/// A moment moved by the calendar; the same where it lies beyond the calendar.
fn shifted(at: Timestamp, shift: impl FnOnce(DateTime<Utc>) -> Option<DateTime<Utc>>) -> Timestamp {
    utc(at).and_then(shift).map_or(at, |time| Timestamp::from_millis(time.timestamp_millis()))
}

impl Allowance {
    /// Whether it is a budget or a rate.
    #[must_use]
    pub const fn kind(&self) -> AllowanceKind {
        match self.window {
            Window::Minute | Window::Hour => AllowanceKind::Rate,
            Window::Day | Window::Week | Window::Month | Window::Ever => AllowanceKind::Budget,
        }
    }
}

/// Allowances as decisions are made from them: by the names of their units and windows. Absent where there are none, as
/// a token without any may spend what it likes.
pub(crate) fn budgets(allowances: &[Allowance]) -> Option<Vec<Budget>> {
    let budget = |one: &Allowance| Budget::new(one.unit.name(), one.window.name(), one.limit);
    (!allowances.is_empty()).then(|| allowances.iter().map(budget).collect())
}

/// The text is not an allowance.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}` is not a budget: {why}; write an amount, `requests`, `tokens` or `usd`, and a window of `minute`, `hour`, `day`, `week`, `month`, for example `25.50usd/month` or `60requests/minute`"
)]
pub struct AllowanceError {
    text: String,
    why: &'static str,
}

impl FromStr for Allowance {
    type Err = AllowanceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| AllowanceError { text: text.chars().take(64).collect(), why };
        let (amount, window) = match text.split_once('/') {
            Some((amount, window)) => {
                (amount, Window::from_name(window).ok_or_else(|| wrong("the window is not one"))?)
            }
            None => (text, Window::Ever),
        };
        let number = amount.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = amount.strip_prefix(number).and_then(|unit| Unit::from_name(unit.trim()));
        let unit = unit.ok_or_else(|| wrong("the unit is not one"))?;
        let limit = match unit {
            Unit::Money => dollars(number),
            Unit::Requests | Unit::Tokens => number.parse().ok(),
        };
        match limit {
            Some(limit) if limit <= AMOUNT_MAX => Ok(Self { limit, unit, window }),
            Some(_) => Err(wrong("the amount is too large")),
            None => Err(wrong("the amount is not a number")),
        }
    }
}

/// Dollars with up to nine decimals, in billionths.
fn dollars(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<9}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(NANOS_PER_DOLLAR)?.checked_add(fraction)
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Money => {
                let (whole, fraction) = (self.limit / NANOS_PER_DOLLAR, self.limit % NANOS_PER_DOLLAR);
                let fraction = format!("{fraction:09}");
                let shown = fraction.trim_end_matches('0');
                write!(f, "{whole}")?;
                if !shown.is_empty() {
                    write!(f, ".{shown:0<2}")?;
                }
            }
            Unit::Requests | Unit::Tokens => write!(f, "{}", self.limit)?,
        }
        f.write_str(self.unit.name())?;
        match self.window {
            Window::Ever => Ok(()),
            window => write!(f, "/{}", window.name()),
        }
    }
}

impl Serialize for Allowance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Allowance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_text_is_read_back() {
        for text in ["25.50usd/month", "60requests/minute", "1000000tokens/day", "100usd", "0.000000001usd/week"] {
            assert_eq!(text.parse::<Allowance>().unwrap().to_string(), text);
        }
        for text in ["", "5", "usd", "-1usd", "1.2requests", "1usd/year", "99999999999999999999usd", "1.0000000001usd"]
        {
            assert!(text.parse::<Allowance>().is_err(), "{text}");
        }
    }

    #[test]
    fn windows_are_those_of_the_calendar() {
        let moment = at("2026-02-27T23:59:59.999Z");
        for (window, start, end) in [
            (Window::Minute, "2026-02-27T23:59:00Z", "2026-02-28T00:00:00Z"),
            (Window::Day, "2026-02-27T00:00:00Z", "2026-02-28T00:00:00Z"),
            (Window::Week, "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"),
            (Window::Month, "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ] {
            assert_eq!((window.start(moment), window.end(moment)), (at(start), Some(at(end))), "{window:?}");
        }
        assert_eq!(Window::Ever.end(moment), None);
    }
}
