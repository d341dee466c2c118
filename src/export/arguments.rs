//! Which arguments a call was seen with, as conditions of a seccomp filter. Pure.
//!
//! Only what stands in registers can be told there. For each place of a call, the conditions let through the values that were seen, and
//! no flag that was not; flags that were seen may come in any combination, and a field that was seen may be absent.

use std::collections::BTreeSet;

use crate::syscalls::features::{Condition, Dimension, Feature, Kind, Place, Test, dimensions};
use crate::syscalls::{Architecture, Sysno};

/// The ways in which a call is let through: in each, all tests have to hold. None at all if nothing in registers tells its uses apart.
#[must_use]
pub fn ways(call: Sysno, seen: &BTreeSet<Feature>, architecture: Architecture) -> Vec<Vec<Test>> {
    let mut places: Vec<Place> = Vec::new();
    for place in dimensions(call).map(Dimension::place) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let mut ways = vec![Vec::new()];
    for place in places {
        let of_place = alternatives(call, place, seen, architecture);
        if !of_place.is_empty() {
            ways = ways.iter().flat_map(|way| of_place.iter().map(|tests| [&way[..], tests].concat())).collect();
        }
    }
    ways.retain(|way| !way.is_empty());
    ways
}

/// What may stand at one place of the call; nothing if anything may.
fn alternatives(call: Sysno, place: Place, seen: &BTreeSet<Feature>, architecture: Architecture) -> Vec<Vec<Test>> {
    let tests_of = |feature: &Feature| match feature.condition(architecture)? {
        Condition::Register(tests) => Some(tests),
        Condition::Memory { .. } => None,
    };
    let mut alternatives: Vec<Vec<Test>> = Vec::new();
    for dimension in dimensions(call).filter(|dimension| dimension.place() == place) {
        let here = seen.iter().filter(|feature| feature.call() == call && std::ptr::eq(feature.dimension(), dimension));
        let mut values: Vec<Vec<Test>> = here.filter_map(tests_of).collect();
        match (dimension.kind(), place) {
            // No dimension has flags or fields in two registers.
            (_, Place::Memory { .. })
            | (Kind::Zero { .. }, _)
            | (Kind::Field { .. } | Kind::Flags { .. }, Place::Registers { .. }) => continue,
            (Kind::Value { .. }, _) => {}
            (Kind::Field { mask }, Place::Register(argument)) => values.push(vec![Test { argument, mask, value: 0 }]),
            (Kind::Flags { mask }, Place::Register(argument)) => {
                let known = values.iter().flatten().fold(0, |known, test| known | test.value);
                values = vec![vec![Test { argument, mask: mask & !known, value: 0 }]];
            }
        }
        // A kind of value that was not seen at all was measured before the catalogue had it.
        if values.is_empty() {
            continue;
        }
        alternatives = if alternatives.is_empty() {
            values
        } else {
            alternatives.iter().flat_map(|one| values.iter().map(|other| joined(one, other))).collect()
        };
    }
    alternatives
}

/// Both at once. libseccomp takes one condition for each argument, so those of the same one become one.
fn joined(one: &[Test], other: &[Test]) -> Vec<Test> {
    let mut tests = one.to_vec();
    for test in other {
        match tests.iter_mut().find(|known| known.argument == test.argument) {
            Some(known) => {
                known.mask |= test.mask;
                known.value |= test.value;
            }
            None => tests.push(*test),
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::features;

    fn seen(features: &[&str]) -> BTreeSet<Feature> {
        features.iter().map(|feature| feature.parse().unwrap()).collect()
    }

    /// Whether a call with these arguments is let through.
    fn passes(name: &str, features: &[&str], arguments: [u64; 6]) -> bool {
        let ways = ways(name.parse().unwrap(), &seen(features), Architecture::X86_64);
        assert!(!ways.is_empty(), "{name}");
        for way in &ways {
            let arguments: BTreeSet<_> = way.iter().map(|test| test.argument).collect();
            assert_eq!(arguments.len(), way.len(), "libseccomp takes one condition for each argument");
            assert!(way.iter().all(|test| test.value & !test.mask == 0));
        }
        ways.iter().any(|way| way.iter().all(|test| test.holds(&arguments)))
    }

    #[test]
    fn values_that_were_seen_pass_and_no_others() {
        let requests = &["ioctl(FIONREAD)", "ioctl(TIOCGWINSZ)"];
        assert!(passes("ioctl", requests, [3, 0x541b, 0, 0, 0, 0]) && passes("ioctl", requests, [3, 0x5413, 0, 0, 0, 0]));
        // The kernel takes 32 bits of a request.
        assert!(passes("ioctl", requests, [3, 0xffff_ffff_0000_541b, 0, 0, 0, 0]));
        assert!(!passes("ioctl", requests, [3, 0x5401, 0, 0, 0, 0]));
        let options = &["setsockopt(SOL_SOCKET:SO_REUSEADDR)", "setsockopt(IPPROTO_TCP:TCP_NODELAY)"];
        assert!(passes("setsockopt", options, [3, 1, 2, 0, 4, 0]) && passes("setsockopt", options, [3, 6, 1, 0, 4, 0]));
        assert!(!passes("setsockopt", options, [3, 6, 2, 0, 4, 0]));
    }

    #[test]
    fn flags_that_were_seen_pass_in_any_combination() {
        let flags = &["mprotect(PROT_READ)", "mprotect(PROT_WRITE)"];
        for (protection, expected) in [(0, true), (1, true), (3, true), (4, false), (7, false)] {
            assert_eq!(passes("mprotect", flags, [0, 0, protection, 0, 0, 0]), expected, "{protection}");
        }
        // Value and flags share an argument; two arguments have to fit both.
        let sockets = &["socket(AF_INET)", "socket(AF_UNIX)", "socket(SOCK_STREAM)", "socket(SOCK_CLOEXEC)"];
        for (domain, kind, expected) in
            [(2, 1, true), (1, 0o2_000_001, true), (10, 1, false), (2, 2, false), (2, 0o2_004_001, false)]
        {
            assert_eq!(passes("socket", sockets, [domain, kind, 0, 0, 0, 0]), expected, "{domain} {kind:o}");
        }
        // What was seen to have a signal may come without.
        let clone = &["clone(CLONE_CHILD_SETTID)", "clone(SIGCHLD)"];
        assert!(passes("clone", clone, [0x0100_0011, 0, 0, 0, 0, 0]) && passes("clone", clone, [0x0100_0000, 0, 0, 0, 0, 0]));
        assert!(!passes("clone", clone, [0x0100_0009, 0, 0, 0, 0, 0]) && !passes("clone", clone, [0x1000_0011, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn a_call_whose_uses_cannot_be_told_apart_has_no_conditions() {
        for (call, features) in
            [("read", &[][..]), ("clone3", &["clone3(CLONE_VM)"]), ("ioctl", &[]), ("epoll_wait", &["ioctl(FIONREAD)"])]
        {
            assert_eq!(ways(call.parse().unwrap(), &seen(features), Architecture::X86_64), Vec::<Vec<Test>>::new(), "{call}");
        }
    }

    #[test]
    fn whatever_was_seen_passes() {
        for call in Sysno::all().filter(|call| call.number(Architecture::X86_64).is_some()) {
            for number in [0, 1, 2, 3, 6, 0x11, 0x22, 0x802, 0x541b, 0x8_0000, 0x8000_0001, u64::MAX] {
                let arguments = [number; 6];
                let seen: BTreeSet<_> =
                    features::seen_on(Architecture::X86_64, call, &arguments, &mut |_, _| false).into_iter().collect();
                let ways = ways(call, &seen, Architecture::X86_64);
                let passes = ways.is_empty() || ways.iter().any(|way| way.iter().all(|test| test.holds(&arguments)));
                assert!(passes, "{call} with {number:#x}: {seen:?}");
            }
        }
    }
}
