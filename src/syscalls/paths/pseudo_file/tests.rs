//! Which paths are pseudo-files, and what is left of them.

use super::*;
use proptest::prelude::*;

fn text(path: &str) -> Option<String> {
    normalise(path).map(|file| file.to_string())
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    for (path, expected) in [
        ("/proc/1234/stat", "/proc/[pid]/stat"),
        ("/proc/self/status", "/proc/self/status"),
        ("/proc/self/task/77/comm", "/proc/self/task/[tid]/comm"),
        ("/proc/12/task/13/fd/4", "/proc/[pid]/task/[tid]/fd/[fd]"),
        ("/proc/thread-self/attr/current", "/proc/thread-self/attr/current"),
        ("/proc/self/fdinfo/9", "/proc/self/fdinfo/[fd]"),
        ("/proc/self/map_files/400000-452000", "/proc/self/map_files/[range]"),
        ("/proc/irq/17/smp_affinity", "/proc/irq/[n]/smp_affinity"),
        ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("/proc/sys/kernel/random/uuid", "/proc/sys/kernel/random/uuid"),
        ("/dev/null", "/dev/null"),
        ("/dev/urandom", "/dev/urandom"),
        ("/dev/tty", "/dev/tty"),
        ("/dev/tty7", "/dev/tty[n]"),
        ("/dev/pts/3", "/dev/pts/[n]"),
        ("/dev/pts/ptmx", "/dev/pts/ptmx"),
        ("/dev/fd/63", "/dev/fd/[fd]"),
        ("/dev/loop0", "/dev/loop[n]"),
        ("/dev/loop-control", "/dev/loop-control"),
        ("/dev/cpu/0/msr", "/dev/cpu/[n]/msr"),
        ("/dev/shm/PostgreSQL.1804289383", "/dev/shm/[name]"),
        ("/dev/shm", "/dev/shm"),
        ("/dev/mapper/control", "/dev/mapper/control"),
        ("/dev/mapper/vg-root", "/dev/mapper/[name]"),
        ("/dev/disk/by-uuid/0a1b-2c3d", "/dev/disk/by-uuid/[name]"),
        ("/sys/devices/system/cpu/cpu3/cache/index0/size", "/sys/devices/system/cpu/cpu[n]/cache/index[n]/size"),
        ("/sys/devices/system/cpu/online", "/sys/devices/system/cpu/online"),
        ("/sys/devices/system/cpu/vulnerabilities/spectre_v2", "/sys/devices/system/cpu/vulnerabilities/spectre_v2"),
        (
            "/sys/devices/system/node/node0/hugepages/hugepages-2048kB",
            "/sys/devices/system/node/node[n]/hugepages/hugepages-2048kB",
        ),
        ("/sys/devices/pci0000:00/0000:00:1f.2/vendor", "/sys/devices/pci[n]/[pci]/vendor"),
        ("/sys/bus/pci/devices/0000:00:1f.2", "/sys/bus/pci/devices/[pci]"),
        ("/sys/bus/usb/devices/1-1.2:1.0/bInterfaceClass", "/sys/bus/usb/devices/[device]/bInterfaceClass"),
        ("/sys/bus/cpu/devices/cpu3", "/sys/bus/cpu/devices/cpu[n]"),
        ("/sys/class/bdi/253:0/read_ahead_kb", "/sys/class/bdi/[device]/read_ahead_kb"),
        ("/sys/dev/block/8:16/queue/rotational", "/sys/dev/block/[device]/queue/rotational"),
        ("/sys/class/hwmon/hwmon2/temp1_input", "/sys/class/hwmon/hwmon[n]/temp[n]_input"),
        ("/sys/class/hwmon/hwmon2/name", "/sys/class/hwmon/hwmon[n]/name"),
        ("/sys/class/i2c-adapter/i2c-4/name", "/sys/class/i2c-adapter/i2c-[n]/name"),
        ("/dev/snd/pcmC0D3p", "/dev/snd/pcmC[n]D[n]p"),
        ("/dev/bus/usb/001/014", "/dev/bus/usb/[n]/[n]"),
        ("/dev/nvme0", "/dev/nvme[n]"),
        ("/dev/nvme0n1p12", "/dev/nvme[n]n[n]p[n]"),
        ("/dev/mmcblk0p1", "/dev/mmcblk[n]p[n]"),
        ("/dev/sda", "/dev/sd[x]"),
        ("/dev/vdb12", "/dev/vd[x][n]"),
        ("/dev/sdcard", "/dev/sdcard"),
        ("/dev/stdin", "/dev/stdin"),
        ("/dev/stderr", "/dev/stderr"),
        ("/dev/ptmx", "/dev/ptmx"),
        ("/dev/ppp", "/dev/ppp"),
        ("/sys/fs/ext4/features", "/sys/fs/ext4/features"),
        ("/sys/fs/cgroup/cpu0/1/cpu.max", "/sys/fs/cgroup/cpu0/1/cpu.max"),
        ("/sys/kernel/iommu_groups/4", "/sys/kernel/iommu_groups/[n]"),
    ] {
        assert_eq!(text(path).as_deref(), Some(expected), "{path}");
    }
}

#[test]
fn each_disk_and_each_interface_of_a_machine_is_the_same_item() {
    for (paths, expected) in [
        (
            &["/sys/block/loop0/size", "/sys/block/sda/size", "/sys/block/nvme0n1/size", "/sys/class/../block/vda/size"][..],
            "/sys/block/[disk]/size",
        ),
        (
            &["/sys/block/sda/sda1/start", "/sys/block/nvme0n1/nvme0n1p2/start", "/sys/block/loop3/loop3p1/start"],
            "/sys/block/[disk]/[partition]/start",
        ),
        (&["/sys/class/block/sda1/size", "/sys/class/block/zram0/size"], "/sys/class/block/[disk]/size"),
        (&["/sys/block/dm-0/slaves/sda2", "/sys/block/md0/slaves/sdb"], "/sys/block/[disk]/slaves/[disk]"),
        (&["/sys/block/vda/mq/0/cpu1", "/sys/block/loop0/mq/12/cpu0"], "/sys/block/[disk]/mq/[n]/cpu[n]"),
        (&["/sys/block/vda/queue"], "/sys/block/[disk]/queue"),
        (
            &[
                "/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/queue/zoned",
                "/sys/devices/virtual/block/loop1/queue/zoned",
            ],
            "/sys/block/[disk]/queue/zoned",
        ),
        (&["/sys/devices/virtual/block"], "/sys/devices/virtual/block"),
        (
            &["/sys/class/net/eth0/speed", "/sys/class/net/wlp3s0/speed", "/sys/devices/virtual/net/docker0/speed"],
            "/sys/class/net/[interface]/speed",
        ),
        (&["/sys/class/net/lo/mtu", "/sys/devices/virtual/net/lo/mtu"], "/sys/class/net/lo/mtu"),
        (&["/sys/class/net/bonding_masters"], "/sys/class/net/bonding_masters"),
        (&["/proc/sys/net/ipv6/conf/eth0/mtu", "/proc/sys/net/ipv6/conf/br-1a2b/mtu"], "/proc/sys/net/ipv6/conf/[interface]/mtu"),
        (&["/proc/sys/net/ipv6/conf/all/mtu"], "/proc/sys/net/ipv6/conf/all/mtu"),
        (&["/proc/net/dev_snmp6/eth0"], "/proc/net/dev_snmp6/[interface]"),
    ] {
        for path in paths {
            assert_eq!(text(path).as_deref(), Some(expected), "{path}");
            assert_eq!(expected.parse::<PseudoFile>().unwrap(), normalise(path).unwrap(), "{path}");
        }
    }
}

#[test]
fn paths_are_cleaned_before_they_are_judged() {
    for (path, expected) in [
        ("//proc///self/./stat/", Some("/proc/self/stat")),
        ("/usr/../proc/1/../2/maps", Some("/proc/[pid]/maps")),
        ("/../../dev/null", Some("/dev/null")),
        ("/dev/../etc/passwd", None),
        ("/proc/..", None),
        ("/proc", Some("/proc")),
        ("/sys/", Some("/sys")),
        ("/procfs/x", None),
        ("/", None),
        ("", None),
        ("proc/self", None),
        ("/home/user/proc/1", None),
    ] {
        assert_eq!(text(path).as_deref(), expected, "{path}");
    }
}

#[test]
fn a_path_ends_where_it_leaves_the_pseudo_file_systems() {
    for (path, expected) in [
        ("/proc/self/root/etc/passwd", "/proc/self/root"),
        ("/proc/77/cwd/../x", "/proc/[pid]/cwd"),
        ("/proc/self/fd/5/sub/file", "/proc/self/fd/[fd]"),
        ("/proc/self/task/1/root/x", "/proc/self/task/[tid]/root"),
        ("/dev/fd/5/file", "/dev/fd/[fd]"),
        ("/dev/shm/dir/file", "/dev/shm/[name]"),
        ("/proc/sys/root", "/proc/sys/root"),
    ] {
        assert_eq!(text(path).as_deref(), Some(expected), "{path}");
    }
}

#[test]
fn relative_paths_begin_at_their_directory() {
    let at = |directory: &str, path: &str| normalise_at(directory, path).map(|file| file.to_string());
    assert_eq!(at("/proc/1234", "stat").as_deref(), Some("/proc/[pid]/stat"));
    assert_eq!(at("/proc/self/fd", "../status").as_deref(), Some("/proc/self/status"));
    assert_eq!(at("/home/user", "../../dev/null").as_deref(), Some("/dev/null"));
    assert_eq!(at("/proc/self", "/dev/zero").as_deref(), Some("/dev/zero"));
    assert_eq!(at("/proc/self", ""), None);
    assert_eq!(at("/home", "proc"), None);
}

#[test]
fn a_pseudo_file_matches_the_paths_that_lead_to_it() {
    let file: PseudoFile = "/proc/[pid]/stat".parse().unwrap();
    assert!(file.matches("/proc/1/stat") && file.matches("/proc/./99/stat"));
    assert!(!file.matches("/proc/self/stat") && !file.matches("/proc/1/status") && !file.matches("/stat"));
}

#[test]
fn text_without_placeholders_is_normalised_and_other_text_refused() {
    assert_eq!("/proc/12/stat".parse::<PseudoFile>().unwrap().as_str(), "/proc/[pid]/stat");
    for text in ["/etc/passwd", "proc/self", "", "/dev/a b", "/proc/a,b", "/dev/\u{fc}"] {
        assert!(text.parse::<PseudoFile>().is_err(), "{text}");
    }
    let error = "/etc/passwd\n".parse::<PseudoFile>().unwrap_err().to_string();
    assert_eq!(error, "`/etc/passwd\\n` is not a path under /proc, /sys or /dev");
}

#[test]
fn what_was_recorded_under_older_placeholders_stays_what_it_was() {
    let [first, second] = ["/sys/block/loop[n]/dev", "/sys/block/vda/dev"].map(|text| PseudoFile::recorded(text).unwrap());
    assert_eq!((first.as_str(), second.as_str()), ("/sys/block/loop[n]/dev", "/sys/block/vda/dev"));
    for text in ["/proc/../etc", "/etc/passwd", "/proc//self", "/dev/a b", "proc", ""] {
        assert!(PseudoFile::recorded(text).is_err(), "{text}");
    }
}

#[test]
fn unusual_characters_are_encoded() {
    assert_eq!(text("/dev/a b,c%\u{fc}").as_deref(), Some("/dev/a%20b%2cc%25%c3%bc"));
}

#[cfg(feature = "cli")]
#[test]
fn pseudo_files_are_stored_as_their_text() {
    let file = normalise("/proc/3/maps").unwrap();
    assert_eq!(serde_json::to_string(&file).unwrap(), "\"/proc/[pid]/maps\"");
    assert_eq!(serde_json::from_str::<PseudoFile>("\"/proc/[pid]/maps\"").unwrap(), file);
    assert!(serde_json::from_str::<PseudoFile>("\"/etc\"").is_err());
}

fn path() -> impl Strategy<Value = String> {
    let component = prop_oneof![
        4 => proptest::sample::select(vec![
            "proc", "sys", "dev", "self", "[pid]", "task", "fd", "map_files", "1-2", "root", "cwd", "shm", "cpu0", "7", "..", ".", "",
            "block", "8:0", "devices", "0000:00:1f.2", "loop3", "etc", "pts", "mapper", "class", "net", "lo", "eth0", "sda", "sda1",
            "pci0000:00", "virtio1", "bus", "conf", "slaves", "hwmon1", "temp1_input", "snd",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,6}".prop_map(|text| text.replace('/', "")),
    ];
    let first = proptest::sample::select(vec!["/proc", "/sys", "/dev", "", "/x", "/proc/self"]);
    (first, proptest::collection::vec(component, 0..7)).prop_map(|(first, rest)| format!("{first}/{}", rest.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_pseudo_file_survives_its_text_and_matches_its_path(path in path()) {
        if let Some(file) = normalise(&path) {
            prop_assert!(file.matches(&path));
            prop_assert_eq!(file.to_string().parse(), Ok(file));
            prop_assert!(!file.as_str().contains([' ', ',', ';', '=', '\n', '"']));
            prop_assert!(file.as_str().is_ascii());
            let inside = |root: &str| file.as_str() == root || file.as_str().starts_with(&format!("{root}/"));
            prop_assert!(inside("/proc") || inside("/sys") || inside("/dev"), "{}", file);
        }
    }

    #[test]
    fn a_directory_and_a_relative_path_are_the_path_of_both(directory in path(), rest in "[a-z0-9./]{1,20}") {
        if !rest.starts_with('/') {
            prop_assert_eq!(normalise_at(&directory, &rest), normalise(&format!("{directory}/{rest}")));
        }
    }
}
