//! A day, as it is recorded beside results. Pure: where it comes from is others' business, and no clock is asked here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A day of the Gregorian calendar; later days are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A text that is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no date (YEAR-MONTH-DAY, such as 2023-08-14)")]
pub struct NotADate(pub String);

impl Date {
    /// A day; `None` if there is none of that number.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return None,
        };
        (year <= 9999 && (1..=days).contains(&day)).then_some(Self { year, month, day })
    }

    /// The day, in UTC, that began `days` days after 1970-01-01; `None` after the year 9999.
    ///
    /// Source: the algorithm `civil_from_days` of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    #[must_use]
    pub fn from_days(days: u64) -> Option<Self> {
        // Days since 0000-03-01, as years that begin in March have their leap day at the end.
        let days = days.checked_add(719_468)?;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Self::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{:04}-{:02}-{:02}", self.year, self.month, self.day))
    }
}

impl FromStr for Date {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let bytes = text.as_bytes();
            let plain = bytes.len() == 10
                && bytes.iter().enumerate().all(|(index, byte)| match index {
                    4 | 7 => *byte == b'-',
                    _ => byte.is_ascii_digit(),
                });
            plain.then(|| Self::new(text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?))?
        };
        parse().ok_or_else(|| NotADate(text.to_owned()))
    }
}

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip_and_are_in_order() {
        let dates = ["0999-12-31", "2022-05-16", "2023-08-14", "2024-02-29"].map(|text| text.parse::<Date>().unwrap());
        assert!(dates.is_sorted());
        assert_eq!(dates[3].to_string(), "2024-02-29");
        assert_eq!(serde_json::from_str::<Date>(&serde_json::to_string(&dates[1]).unwrap()).unwrap(), dates[1]);
    }

    #[test]
    fn every_day_follows_the_day_before() {
        let text = |days| Date::from_days(days).map(|date| date.to_string());
        assert_eq!(text(0).as_deref(), Some("1970-01-01"));
        assert_eq!(text(11_016).as_deref(), Some("2000-02-29"));
        assert_eq!(text(19_583).as_deref(), Some("2023-08-14"));
        assert_eq!((text(2_932_896).as_deref(), text(2_932_897), text(u64::MAX)), (Some("9999-12-31"), None, None));
        let mut before = Date::from_days(0).unwrap();
        for days in 1..200_000 {
            let date = Date::from_days(days).unwrap();
            let next = Date::new(before.year, before.month, before.day + 1)
                .or_else(|| Date::new(before.year, before.month + 1, 1))
                .or_else(|| Date::new(before.year + 1, 1, 1));
            assert_eq!(Some(date), next);
            before = date;
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in
            ["2023-02-29", "1900-02-29", "2023-13-01", "2023-00-01", "2023-04-31", "2023-1-01", "20230101", "", "2023-01-0é"]
        {
            assert_eq!(text.parse::<Date>(), Err(NotADate(text.to_owned())));
        }
    }
}
