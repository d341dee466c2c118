//! Which numbers a table has, written as ranges: `0-334` or `0-334,424`. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Far above every number that Linux has given away.
const LIMIT: u32 = 65_536;

/// A set of numbers of system calls, as ranges in ascending order that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers(Vec<(u32, u32)>);

impl Numbers {
    /// The numbers in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }
}

impl FromIterator<u32> for Numbers {
    fn from_iter<T: IntoIterator<Item = u32>>(numbers: T) -> Self {
        let mut sorted: Vec<_> = numbers.into_iter().collect();
        sorted.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for number in sorted {
            match ranges.last_mut() {
                Some((_, last)) if number <= last.saturating_add(1) => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        Self(ranges)
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let separator = if index > 0 { "," } else { "" };
            if first == last {
                write!(formatter, "{separator}{first}")?;
            } else {
                write!(formatter, "{separator}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number < LIMIT);
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            number(first).zip(number(last)).filter(|(first, last)| first <= last)
        };
        let ranges: Option<Vec<_>> = text.split(',').filter(|part| !part.is_empty()).map(range).collect();
        let ranges = ranges.ok_or_else(|| format!("`{text}` is no list of numbers, such as `0-334,424`"))?;
        Ok(ranges.into_iter().flat_map(|(first, last)| first..=last).collect())
    }
}

impl Serialize for Numbers {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_as_short_as_can_be() {
        let text = |numbers: &[u32]| numbers.iter().copied().collect::<Numbers>().to_string();
        assert_eq!(text(&[3, 1, 2, 0, 9, 7, 8, 20]), "0-3,7-9,20");
        assert_eq!(text(&[]), "");
        for wrong in ["3-1", "x", "1-", "-1", "0-99999999999", "0-65536"] {
            assert!(wrong.parse::<Numbers>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_set_round_trips(numbers in prop::collection::btree_set(0_u32..500, 0..60)) {
            let ranges: Numbers = numbers.iter().copied().collect();
            prop_assert_eq!(ranges.iter().collect::<Vec<_>>(), numbers.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(ranges.to_string().parse::<Numbers>(), Ok(ranges));
        }
    }
}
