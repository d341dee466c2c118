//! What calls carry, the text of features, and the parts of the catalogue against each other.

mod values;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const ARCHITECTURES: [Architecture; 2] = [Architecture::X86_64, Architecture::Aarch64];

fn unreadable(_: u64, _: &mut [u8]) -> bool {
    false
}

fn feature(text: &str) -> Feature {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn texts(features: &[Feature]) -> Vec<String> {
    features.iter().map(ToString::to_string).collect()
}

fn call(name: &str) -> Sysno {
    name.parse().unwrap()
}

fn calls_with_features() -> Vec<Sysno> {
    Sysno::all().filter(|call| dimensions(*call).next().is_some()).collect()
}

/// The features of a call on x86_64, whose memory is `memory` wherever it points.
fn seen_with(name: &str, arguments: [u64; 6], memory: &[u8]) -> Vec<String> {
    let mut read = |_: u64, buffer: &mut [u8]| {
        let bytes = memory.get(..buffer.len());
        bytes.inspect(|bytes| buffer.copy_from_slice(bytes)).is_some()
    };
    texts(&seen_on(Architecture::X86_64, call(name), &arguments, &mut read))
}

#[test]
fn calls_show_what_they_carry() {
    let seen = |name, arguments| seen_with(name, arguments, &[]);
    assert_eq!(seen("ioctl", [0, 0x5401, 0, 0, 0, 0]), ["ioctl(TCGETS)"]);
    assert_eq!(seen("ioctl", [0, 0x5499, 0, 0, 0, 0]), ["ioctl(0x5499)"]);
    assert_eq!(
        seen("mmap", [0, 4096, 3, 0x8022, u64::MAX, 0]),
        ["mmap(PROT_READ)", "mmap(PROT_WRITE)", "mmap(MAP_PRIVATE)", "mmap(MAP_ANONYMOUS)", "mmap(MAP_POPULATE)"]
    );
    assert_eq!(
        seen("mmap", [0, 4096, 0, 0x5404_0002, u64::MAX, 0]),
        ["mmap(PROT_NONE)", "mmap(MAP_PRIVATE)", "mmap(MAP_HUGETLB)", "mmap(MAP_HUGE_2MB)"]
    );
    assert_eq!(seen("openat", [0, 0, 0x8_0000, 0, 0, 0]), ["openat(O_RDONLY)", "openat(O_CLOEXEC)"]);
    assert_eq!(seen("setsockopt", [3, 1, 2, 0, 4, 0]), ["setsockopt(SOL_SOCKET:SO_REUSEADDR)"]);
    assert_eq!(seen("futex", [0, 0x80 | 9, 0, 0, 0, 0]), ["futex(FUTEX_WAIT_BITSET)", "futex(FUTEX_PRIVATE_FLAG)"]);
    assert_eq!(
        seen("socket", [1, 0x8_0801, 0, 0, 0, 0]),
        ["socket(AF_UNIX)", "socket(SOCK_STREAM)", "socket(SOCK_NONBLOCK)", "socket(SOCK_CLOEXEC)"]
    );
    assert_eq!(seen("rt_sigaction", [13, 0, 0, 8, 0, 0]), ["rt_sigaction(SIGPIPE)"]);
    assert_eq!(seen("clone", [0x0100_0011, 0, 0, 0, 0, 0]), ["clone(CLONE_CHILD_SETTID)", "clone(SIGCHLD)"]);
    assert_eq!(seen("getpid", [1; 6]), [] as [&str; 0]);
}

#[test]
fn features_behind_pointers_are_read() {
    let mut clone_args = [0; 64];
    clone_args[..8].copy_from_slice(&0x1_0000_4100_u64.to_le_bytes());
    clone_args[32..40].copy_from_slice(&17_u64.to_le_bytes());
    let mut read = |address: u64, buffer: &mut [u8]| {
        let at = usize::try_from(address - 0x7000).unwrap();
        buffer.copy_from_slice(&clone_args[at..at + buffer.len()]);
        true
    };
    let features = seen_on(Architecture::X86_64, call("clone3"), &[0x7000, 64, 0, 0, 0, 0], &mut read);
    assert_eq!(texts(&features), ["clone3(CLONE_VM)", "clone3(CLONE_VFORK)", "clone3(CLONE_CLEAR_SIGHAND)", "clone3(SIGCHLD)"]);
    assert_eq!(
        seen_with("epoll_ctl", [4, 1, 5, 0x1000, 0, 0], &0x8000_0001_u32.to_le_bytes()),
        ["epoll_ctl(EPOLL_CTL_ADD)", "epoll_ctl(EPOLLIN)", "epoll_ctl(EPOLLET)"]
    );
    assert_eq!(seen_with("epoll_ctl", [4, 2, 5, 0, 0, 0], &[]), ["epoll_ctl(EPOLL_CTL_DEL)"]);
    // What it points to is of no interest to the kernel then.
    assert_eq!(seen_with("epoll_ctl", [4, 2, 5, 0x1000, 0, 0], &[0xff; 4]), ["epoll_ctl(EPOLL_CTL_DEL)"]);
    assert!(reads_memory(call("clone3")) && reads_memory(call("openat2")) && !reads_memory(call("openat")));
}

#[test]
fn a_name_for_several_bits_hides_those_for_fewer() {
    let seen = |flags| seen_with("open", [0, flags, 0, 0, 0, 0], &[]);
    assert_eq!(seen(0x41_0002), ["open(O_RDWR)", "open(O_TMPFILE)"]);
    assert_eq!(seen(0x1_0000), ["open(O_RDONLY)", "open(O_DIRECTORY)"]);
    assert_eq!(seen(0x40_0000), ["open(O_RDONLY)", "open(flags:0x400000)"]);
    assert_eq!(seen(0x10_1001), ["open(O_WRONLY)", "open(O_SYNC)"]);
    assert_eq!(seen(0x1001), ["open(O_WRONLY)", "open(O_DSYNC)"]);
}

#[test]
fn clocks_of_other_processes_have_one_name() {
    let clock = |pid: u32, kind: u32| seen_with("clock_gettime", [u64::from(!pid << 3 | kind), 0, 0, 0, 0, 0], &[]);
    assert_eq!(clock(1234, 2), ["clock_gettime(CPUCLOCK_SCHED)"]);
    assert_eq!(clock(99, 6), ["clock_gettime(CPUCLOCK_PERTHREAD_SCHED)"]);
    assert_eq!(clock(7, 3), ["clock_gettime(CLOCKFD)"]);
}

#[test]
fn names_stand_for_other_bits_on_another_architecture() {
    let directory = feature("openat(O_DIRECTORY)");
    let test = |architecture| match directory.condition(architecture).unwrap() {
        Condition::Register(tests) => tests[0],
        Condition::Memory { .. } => panic!("the flags of openat are in a register"),
    };
    // Both masks have the bit of O_TMPFILE as well, which contains O_DIRECTORY.
    assert_eq!(test(Architecture::X86_64), Test { argument: 2, mask: 0x41_0000, value: 0x1_0000 });
    assert_eq!(test(Architecture::Aarch64), Test { argument: 2, mask: 0x40_4000, value: 0x4000 });
}

#[test]
fn what_an_architecture_does_not_have_has_no_condition_there() {
    for (text, x86_64, aarch64) in [
        ("mmap(MAP_32BIT)", true, false),
        ("mprotect(PROT_BTI)", false, true),
        ("arch_prctl(ARCH_SET_FS)", true, false),
        ("open(O_CREAT)", true, false),
        // This bit is MAP_32BIT on x86_64, so a call there has that feature and never this one.
        ("mmap(flags:0x40)", false, true),
        ("mmap(flags:0x400)", true, true),
    ] {
        let has = ARCHITECTURES.map(|architecture| feature(text).condition(architecture).is_some());
        assert_eq!(has, [x86_64, aarch64], "{text}");
    }
}

#[test]
fn numbers_that_have_a_name_are_understood_as_it() {
    for (number, name) in [
        ("ioctl(0x5401)", "ioctl(TCGETS)"),
        ("mmap(flags:0x20)", "mmap(MAP_ANONYMOUS)"),
        ("setsockopt(0x1:0x2)", "setsockopt(SOL_SOCKET:SO_REUSEADDR)"),
        ("setsockopt(0x6:0x63)", "setsockopt(IPPROTO_TCP:0x63)"),
        ("socket(type:0x1)", "socket(SOCK_STREAM)"),
    ] {
        assert_eq!(feature(number).to_string(), name);
    }
}

#[test]
fn text_that_is_no_feature_is_refused_with_the_reason() {
    for (text, reason) in [
        ("ioctl", "it is not written `call(name)`"),
        ("ioctl(TCGETS", "it is not written `call(name)`"),
        ("ioctll(TCGETS)", "`ioctll` is not a Linux system call"),
        ("ioctl(MAP_SHARED)", "`ioctl` has no `MAP_SHARED`"),
        ("ioctl(5401)", "`ioctl` has no `5401`"),
        ("ioctl(0x+1)", "`ioctl` has no `0x+1`"),
        ("ioctl(0x100000000)", "the number cannot occur there"),
        ("ioctl(request:0x5499)", "`ioctl` has no `request:0x5499`"),
        ("mmap(flags:0x600)", "the number cannot occur there"),
        ("mmap(flags:0x1)", "the number cannot occur there"),
        ("mmap(access:0x0)", "the number cannot occur there"),
        ("mmap(0x400)", "a number of `mmap` needs one of the labels access, protection, kind, flags, huge, as in `access:0x400`"),
        ("openat(flags:0x4000)", "the number has different names on different architectures"),
        ("setsockopt(SOL_NONE:0x1)", "`setsockopt` has no `SOL_NONE:0x1`"),
        ("read(0x1)", "nothing is told apart within `read`"),
    ] {
        let error = text.parse::<Feature>().unwrap_err().to_string();
        assert_eq!(error, format!("`{text}` is not an argument feature: {reason}"));
    }
}

#[test]
fn features_are_ordered_by_call_dimension_and_name() {
    let mut features =
        ["openat(O_TRUNC)", "mmap(flags:0x400)", "openat(O_WRONLY)", "openat(O_APPEND)", "mmap(MAP_STACK)"].map(feature);
    features.sort();
    assert_eq!(
        texts(&features),
        ["mmap(MAP_STACK)", "mmap(flags:0x400)", "openat(O_WRONLY)", "openat(O_APPEND)", "openat(O_TRUNC)"]
    );
}

#[test]
fn names_and_labels_are_unambiguous_within_a_call() {
    for call in calls_with_features() {
        let labels: Vec<_> = dimensions(call).map(Dimension::label).collect();
        assert_eq!(labels.iter().collect::<BTreeSet<_>>().len(), labels.len(), "{call}: {labels:?}");
        let mut names = BTreeSet::new();
        for dimension in dimensions(call) {
            let of_dimension: BTreeSet<_> = dimension.all_names().collect();
            for name in of_dimension {
                assert!(names.insert(name), "{call}({name}) is ambiguous");
                let is_option = matches!(dimension.place(), Place::Registers { .. });
                let good =
                    |character: char| character.is_ascii_alphanumeric() || character == '_' || is_option && character == ':';
                assert!(name.chars().all(good) && !name.starts_with("0x"), "{call}({name})");
            }
        }
    }
}

#[test]
fn tables_can_be_searched_and_hold_only_what_can_be_seen() {
    for architecture in ARCHITECTURES {
        for dimension in catalogue::DIMENSIONS {
            let place = format!("{} of {:?}", dimension.label(), dimension.calls());
            let mut values = BTreeSet::new();
            for (name, value) in dimension.names(architecture) {
                assert!(values.insert(value), "{place}: {name} is no other value");
                assert_eq!(value & !dimension.kind().mask(), 0, "{place}: {name} has bits that do not count");
                assert_eq!(dimension.name(architecture, *value), Some(*name), "{place}: {name} is not found");
                match dimension.kind() {
                    Kind::Flags { .. } | Kind::Field { .. } => assert_ne!(*value, 0, "{place}: {name}"),
                    Kind::Zero { .. } => assert_eq!(*value, 0, "{place}: {name}"),
                    Kind::Value { .. } => {}
                }
            }
        }
    }
}

#[test]
fn every_named_feature_survives_its_text() {
    let mut count = 0;
    for named in Sysno::all().flat_map(named) {
        assert_eq!(named.to_string().parse(), Ok(named));
        assert!(ARCHITECTURES.iter().any(|architecture| named.condition(*architecture).is_some()), "{named} exists nowhere");
        count += 1;
    }
    assert!(count > 2000, "{count}");
}

#[cfg(feature = "cli")]
#[test]
fn features_are_stored_as_their_text() {
    let feature = feature("setsockopt(SOL_SOCKET:SO_REUSEADDR)");
    let json = serde_json::to_string(&feature).unwrap();
    assert_eq!(json, "\"setsockopt(SOL_SOCKET:SO_REUSEADDR)\"");
    assert_eq!(serde_json::from_str::<Feature>(&json).unwrap(), feature);
    assert!(serde_json::from_str::<Feature>("\"ioctl(X)\"").is_err());
}

/// A call with features, arguments that often mean something to it, and 64 bytes of memory (or none).
fn call_with_arguments() -> impl Strategy<Value = (Sysno, [u64; 6], Option<Vec<u8>>)> {
    let argument = |call: Sysno| {
        let names = dimensions(call).flat_map(|dimension| ARCHITECTURES.iter().flat_map(|on| dimension.names(*on)));
        let values: Vec<u64> = names.map(|(_, value)| *value).chain([0, u64::MAX]).collect();
        let one = proptest::sample::select(values.clone());
        let several = proptest::collection::vec(proptest::sample::select(values), 0..5);
        prop_oneof![
            3 => one,
            3 => several.prop_map(|values| values.into_iter().fold(0, |all, value| all | value)),
            1 => any::<u64>(),
            1 => any::<u32>().prop_map(u64::from),
            1 => (0..64_u32).prop_map(|bit| 1 << bit),
        ]
    };
    proptest::sample::select(calls_with_features()).prop_flat_map(move |call| {
        let memory = proptest::collection::vec(argument(call), 8)
            .prop_map(|numbers| numbers.iter().flat_map(|number| number.to_le_bytes()).collect());
        (Just(call), proptest::array::uniform6(argument(call)), proptest::option::weighted(0.8, memory))
    })
}

fn reader(memory: Option<&[u8]>) -> impl FnMut(u64, &mut [u8]) -> bool {
    move |address, buffer| {
        let Some(memory) = memory else { return false };
        for (offset, byte) in (0..).zip(buffer.iter_mut()) {
            *byte = memory[usize::try_from(address.wrapping_add(offset) % 64).unwrap()];
        }
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn what_is_seen_is_exactly_what_matches((call, arguments, memory) in call_with_arguments()) {
        for architecture in ARCHITECTURES {
            let read = &mut reader(memory.as_deref());
            let seen = seen_on(architecture, call, &arguments, read);
            prop_assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "something is seen twice");
            let exists = call.number(architecture).is_some();
            for feature in seen.iter().copied().chain(named(call)) {
                let condition = feature.condition(architecture);
                let holds = condition.is_some_and(|condition| condition.holds(&arguments, read));
                prop_assert_eq!(holds, exists && seen.contains(&feature), "{} on {}", feature, architecture);
            }
            if architecture == Architecture::NATIVE {
                prop_assert!(seen.iter().all(|feature| feature.matches(&arguments, read)));
            }
        }
    }

    #[test]
    fn what_is_seen_survives_its_text((call, arguments, memory) in call_with_arguments()) {
        for architecture in ARCHITECTURES {
            for feature in seen_on(architecture, call, &arguments, &mut reader(memory.as_deref())) {
                let text = feature.to_string();
                prop_assert!(!text.contains([' ', ',', ';', '=']), "{}", text);
                // A bit without a name here may have two names elsewhere, or one here and another there.
                match text.parse::<Feature>() {
                    Ok(parsed) => prop_assert_eq!(parsed, feature),
                    Err(error) => prop_assert!(error.to_string().contains("different names"), "{}", error),
                }
            }
        }
    }

    #[test]
    fn no_bit_that_counts_is_lost((call, arguments, memory) in call_with_arguments()) {
        for architecture in ARCHITECTURES {
            let read = &mut reader(memory.as_deref());
            let seen = seen_on(architecture, call, &arguments, read);
            for dimension in dimensions(call).filter(|dimension| dimension.kind() != (Kind::Zero { mask: dimension.kind().mask() })) {
                let Some(raw) = dimension.raw(&arguments, read) else { continue };
                let of_dimension = seen.iter().filter(|feature| std::ptr::eq(feature.dimension(), dimension));
                let value = |feature: &Feature| match feature.value {
                    Value::Unnamed(number) => number,
                    Value::Named(name) => dimension.names(architecture).find(|(candidate, _)| *candidate == name)
                        .map_or(raw & dimension.kind().mask(), |(_, value)| *value),
                };
                let together = of_dimension.fold(0, |all, feature| all | value(feature));
                prop_assert_eq!(together, raw & dimension.kind().mask(), "{} of {}", dimension.label(), call);
            }
        }
    }

    #[test]
    fn the_upper_half_of_a_short_argument_is_ignored((call, arguments, _) in call_with_arguments(), upper in any::<u32>()) {
        let short = dimensions(call).all(|dimension| match dimension.place() {
            Place::Register(_) => dimension.kind().mask() >> 32 == 0,
            Place::Registers { .. } => true,
            Place::Memory { .. } => false,
        });
        if short {
            let disturbed = arguments.map(|argument| argument & 0xffff_ffff | u64::from(upper) << 32);
            prop_assert_eq!(seen(call, &arguments, &mut unreadable), seen(call, &disturbed, &mut unreadable));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*", call in proptest::sample::select(calls_with_features()), inner in "[a-z:]{0,8}(0x)?[0-9a-fA-F:]{0,20}") {
        let _ = text.parse::<Feature>();
        let _ = format!("{call}({inner})").parse::<Feature>();
    }
}
