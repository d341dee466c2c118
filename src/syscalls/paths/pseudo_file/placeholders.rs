//! What stands for the parts of a path that differ from machine to machine or from run to run.
//!
//! The rules behind the table of the module above, component by component. Pure.

/// Words that the kernel names devices with, and puts a number behind.
const NUMBERED: &[&str] = &[
    "card",
    "controlC",
    "cooling_device",
    "cpu",
    "dm-",
    "event",
    "fb",
    "gpiochip",
    "hidraw",
    "hwmon",
    "hvc",
    "i2c-",
    "index",
    "input",
    "ipmi",
    "js",
    "loop",
    "lp",
    "md",
    "media",
    "memory",
    "mmcblk",
    "mouse",
    "mtd",
    "mtdblock",
    "nbd",
    "node",
    "nst",
    "nvme",
    "parport",
    "policy",
    "ptp",
    "pps",
    "ram",
    "renderD",
    "rtc",
    "rx-",
    "sg",
    "sr",
    "st",
    "state",
    "thermal_zone",
    "tpm",
    "tpmrm",
    "tty",
    "ttyACM",
    "ttyAMA",
    "ttyS",
    "ttyUSB",
    "tx-",
    "ubi",
    "vcs",
    "vcsa",
    "vcsu",
    "video",
    "virtio",
    "watchdog",
    "zram",
];

/// What the kernel begins the names of disks with that have letters instead of numbers, the longest first.
const LETTERED: &[&str] = &["xvd", "sd", "vd", "hd"];

/// What stands for this component behind its parents, if it is one of those that differ.
pub(super) fn replaced(parents: &[&str], component: &str) -> Option<String> {
    let fixed = |placeholder: &str| Some(placeholder.to_owned());
    match parents {
        ["proc"] if is_number(component) => fixed("[pid]"),
        ["proc", _, "task"] if is_number(component) => fixed("[tid]"),
        ["proc", _, "fd" | "fdinfo"] | ["proc", _, "task", _, "fd" | "fdinfo"] | ["dev", "fd"] if is_number(component) => {
            fixed("[fd]")
        }
        ["proc", _, "map_files"] if is_range(component) => fixed("[range]"),
        ["dev", "block" | "char"] | ["sys", "dev" | "class", _] if is_device(component) => fixed("[device]"),
        ["dev", "mapper"] if component == "control" => None,
        ["dev", "shm" | "mqueue" | "hugepages" | "mapper"] | ["dev", "disk", _] => fixed("[name]"),
        ["dev", "snd"] | ["sys", .., "hwmon[n]" | "thermal_zone[n]"] => every_number(component),
        ["sys", "fs" | "module", ..] => None,
        ["sys", "block"]
        | ["sys", "class", "block"]
        | ["sys", "devices", .., "block"]
        | ["sys", .., "[disk]", "holders" | "slaves"] => fixed("[disk]"),
        ["sys", .., "[disk]"] if is_disk(component) => fixed("[partition]"),
        ["sys", "class", "net"] if component == "bonding_masters" => None,
        ["sys", "class", "net"]
        | ["sys", "devices", .., "net"]
        | ["proc", "sys", "net", _, "conf" | "neigh"]
        | ["proc", .., "net", "dev_snmp6"] => interface(component),
        ["dev", "pts" | "cpu" | "vfio"] | ["dev", "bus", "usb", ..] | ["proc", "irq"] | ["proc", "bus", "pci"] | ["sys", ..]
            if is_number(component) =>
        {
            fixed("[n]")
        }
        ["sys", ..] if is_bus_address(component) => fixed("[pci]"),
        ["sys", "devices"] if component.strip_prefix("pci").is_some_and(is_bus) => fixed("pci[n]"),
        ["sys", "bus", _, "devices"] => numbered(component).or_else(|| fixed("[device]")),
        ["dev" | "sys", ..] => numbered(component).or_else(|| lettered(component).filter(|_| parents == ["dev"])),
        _ => None,
    }
}

/// A path to a disk or an interface through the machine's buses, as the one through the kernel's list of them.
pub(super) fn listed<'a>(path: &[&'a str]) -> Vec<&'a str> {
    if let ["sys", "devices", below @ ..] = path {
        let begins = |list: &str, member: &str| below.windows(2).position(|pair| pair == [list, member]);
        if let Some(at) = begins("block", "[disk]") {
            return [&["sys"], &below[at..]].concat();
        }
        if let Some(at) = begins("net", "[interface]").or_else(|| begins("net", "lo")) {
            return [&["sys", "class"], &below[at..]].concat();
        }
    }
    path.to_vec()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Two hexadecimal numbers with a dash, as in `map_files` (proc(5)).
fn is_range(text: &str) -> bool {
    text.split_once('-').is_some_and(|(begin, end)| is_hexadecimal(begin) && is_hexadecimal(end))
}

/// Major and minor number of a device.
fn is_device(text: &str) -> bool {
    text.split_once(':').is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

/// Domain and bus.
fn is_bus(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(domain, bus)| domain.len() == 4 && bus.len() == 2 && is_hexadecimal(domain) && is_hexadecimal(bus))
}

/// Domain, bus, device and function.
fn is_bus_address(text: &str) -> bool {
    let Some((address, function)) = text.split_once('.') else { return false };
    let Some((bus, device)) = address.rsplit_once(':') else { return false };
    is_bus(bus) && device.len() == 2 && is_hexadecimal(device) && function.len() == 1 && is_hexadecimal(function)
}

/// Whether a name is one that the kernel gives disks and their partitions.
fn is_disk(component: &str) -> bool {
    lettered(component).or_else(|| numbered(component)).is_some()
}

/// An interface's name; those that every machine has mean something.
fn interface(component: &str) -> Option<String> {
    (!matches!(component, "lo" | "all" | "default")).then(|| "[interface]".to_owned())
}

/// A word with its numbers taken away: that of a device and, of a disk, those of a name space and a partition (`nvme0n1p2`).
fn numbered(component: &str) -> Option<String> {
    let is_whole =
        |text: &str| text.split_once('p').map_or_else(|| is_number(text), |(disk, part)| is_number(disk) && is_number(part));
    let are_numbers =
        |text: &str| text.split_once('n').map_or_else(|| is_whole(text), |(device, space)| is_number(device) && is_whole(space));
    let (word, numbers) =
        NUMBERED.iter().find_map(|word| Some((word, component.strip_prefix(word).filter(|rest| are_numbers(rest))?)))?;
    Some(format!("{word}{}", every_number(numbers)?))
}

/// A disk's name with its letters taken away, and the number of the partition.
fn lettered(component: &str) -> Option<String> {
    let (kind, rest) = LETTERED.iter().find_map(|kind| Some((kind, component.strip_prefix(kind)?)))?;
    let letters = rest.trim_end_matches(|character: char| character.is_ascii_digit());
    // Three letters name more disks than any machine has.
    let known = (1..=3).contains(&letters.len()) && letters.bytes().all(|byte| byte.is_ascii_lowercase());
    known.then(|| format!("{kind}[x]{}", if letters.len() < rest.len() { "[n]" } else { "" }))
}

/// A name with each of its numbers taken away, if it has any. The kernel's own names have letters, numbers and dashes alone.
fn every_number(component: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !component.bytes().all(is_plain) || !component.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut text = String::with_capacity(component.len() + 4);
    let mut rest = component;
    while let Some(begin) = rest.find(|character: char| character.is_ascii_digit()) {
        text.push_str(&rest[..begin]);
        text.push_str("[n]");
        rest = rest[begin..].trim_start_matches(|character: char| character.is_ascii_digit());
    }
    text.push_str(rest);
    Some(text)
}
