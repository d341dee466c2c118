//! Which results are held against which: by app and workload, or the only ones there are. Pure.

/// One app and workload of one side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The app's name.
    pub app: String,
    /// The workload's name.
    pub workload: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.app, self.workload)
    }
}

/// Two places that belong together; one of them may be missing.
pub type Pair = (Option<Place>, Option<Place>);

/// Why two sides cannot be held against each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    /// Nothing of one side belongs to anything of the other.
    #[error("nothing to compare: {before} on the first side, {after} on the second, and no workload is on both")]
    NothingInCommon {
        /// What the first side has.
        before: String,
        /// What the second side has.
        after: String,
    },
}

/// Pairs what two sides have. `single_app` says that each side is one app, so that the names of the apps need not agree: then the
/// workloads decide, and if each side has only one workload, these two belong together whatever they are called.
///
/// # Errors
///
/// If there is no pair at all that has both sides.
pub fn pair_up(before: &[Place], after: &[Place], single_app: bool) -> Result<Vec<Pair>, PairingError> {
    if let ([first], [second], true) = (before, after, single_app) {
        return Ok(vec![(Some(first.clone()), Some(second.clone()))]);
    }
    let same = |first: &Place, second: &Place| first.workload == second.workload && (single_app || first.app == second.app);
    let mut pairs: Vec<Pair> =
        before.iter().map(|first| (Some(first.clone()), after.iter().find(|second| same(first, second)).cloned())).collect();
    let alone = after.iter().filter(|second| !before.iter().any(|first| same(first, second)));
    pairs.extend(alone.map(|second| (None, Some(second.clone()))));
    if !pairs.iter().any(|(first, second)| first.is_some() && second.is_some()) {
        return Err(PairingError::NothingInCommon { before: names(before), after: names(after) });
    }
    pairs.sort_by_key(|(first, second)| first.clone().or_else(|| second.clone()));
    Ok(pairs)
}

fn names(places: &[Place]) -> String {
    const SHOWN: usize = 5;
    let mut names: Vec<_> = places.iter().take(SHOWN).map(|place| format!("`{place}`")).collect();
    if places.len() > SHOWN {
        names.push(format!("{} more", places.len() - SHOWN));
    }
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(names: &[&str]) -> Vec<Place> {
        let place = |name: &&str| {
            let (app, workload) = name.split_once('/').unwrap();
            Place { app: app.to_owned(), workload: workload.to_owned() }
        };
        names.iter().map(place).collect()
    }

    fn paired(before: &[&str], after: &[&str], single_app: bool) -> Result<Vec<String>, PairingError> {
        let show = |place: &Option<Place>| place.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let pairs = pair_up(&places(before), &places(after), single_app)?;
        Ok(pairs.iter().map(|(first, second)| format!("{} {}", show(first), show(second))).collect())
    }

    #[test]
    fn databases_are_paired_by_app_and_workload_and_nothing_is_left_out() {
        assert_eq!(
            paired(&["a/x", "b/x", "c/x"], &["b/x", "c/y", "d/x"], false).unwrap(),
            ["a/x -", "b/x b/x", "c/x -", "- c/y", "- d/x"]
        );
    }

    #[test]
    fn two_apps_are_paired_by_workload_whatever_they_are_called() {
        assert_eq!(paired(&["a@1/x", "a@1/y"], &["a@2/x", "a@2/y"], true).unwrap(), ["a@1/x a@2/x", "a@1/y a@2/y"]);
        assert_eq!(paired(&["a/x"], &["b/y"], true).unwrap(), ["a/x b/y"]);
        assert_eq!(paired(&["a/x", "a/z"], &["b/y", "b/z"], true).unwrap(), ["a/x -", "a/z b/z", "- b/y"]);
    }

    #[test]
    fn nothing_in_common_is_an_error_that_names_both_sides() {
        let error = paired(&["a/x"], &["b/x"], false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "nothing to compare: `a/x` on the first side, `b/x` on the second, and no workload is on both"
        );
        assert!(paired(&[], &["b/x", "b/y"], true).unwrap_err().to_string().contains("nothing on the first side"));
    }
}
