//! `--shard K/N`: the part of a batch that one of several machines does. Pure.

use std::fmt;
use std::str::FromStr;

/// The `number`-th of `of` parts; counted from 1.
///
/// Which part an app belongs to follows from its position in name order alone, so machines that see the same apps need not
/// talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    number: usize,
    of: usize,
}

impl Shard {
    /// The items of this part; they have to be in the same order on every machine.
    pub(super) fn select<T>(self, items: Vec<T>) -> Vec<T> {
        let belongs = |index: usize| index % self.of == self.number - 1;
        items.into_iter().enumerate().filter(|(index, _)| belongs(*index)).map(|(_, item)| item).collect()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.number, self.of)
    }
}

/// A text that names no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a shard is K/N with 1 <= K <= N, such as 1/4")]
pub(super) struct BadShard;

impl FromStr for Shard {
    type Err = BadShard;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, of) = text.split_once('/').ok_or(BadShard)?;
        let (number, of) = (number.parse().map_err(|_| BadShard)?, of.parse().map_err(|_| BadShard)?);
        if (1..=of).contains(&number) { Ok(Self { number, of }) } else { Err(BadShard) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_take_every_app_exactly_once_and_differ_by_one_at_most() {
        for of in 1..6 {
            let parts: Vec<Vec<u32>> =
                (1..=of).map(|number| format!("{number}/{of}").parse::<Shard>().unwrap().select((0..13).collect())).collect();
            let mut all = parts.concat();
            all.sort_unstable();
            assert_eq!(all, (0..13).collect::<Vec<_>>());
            let sizes = parts.iter().map(Vec::len);
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
    }

    #[test]
    fn the_position_in_the_list_decides() {
        let shard: Shard = "2/3".parse().unwrap();
        assert_eq!(shard.select(vec!["a", "b", "c", "d", "e"]), ["b", "e"]);
        assert_eq!(shard.select(vec!["a"]), [""; 0]);
    }

    #[test]
    fn what_names_no_part_is_refused() {
        for text in ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1.0/4"] {
            assert_eq!(text.parse::<Shard>(), Err(BadShard), "{text}");
        }
        assert_eq!("4/4".parse::<Shard>().unwrap().to_string(), "4/4");
    }
}
