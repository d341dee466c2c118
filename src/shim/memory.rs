//! Whether the kernel killed processes of this container for want of memory.

use std::fs;

/// Where a control group tells, by version (`cgroup-v2.rst`, *memory.events*; `cgroup-v1/memory.rst`, `memory.oom_control`). A container
/// sees its own group there.
const COUNTERS: [&str; 2] = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/// How many processes of this control group were killed so far; `None` where that cannot be told.
pub(super) fn kills() -> Option<u64> {
    COUNTERS.iter().find_map(|path| parse(&fs::read_to_string(path).ok()?))
}

fn parse(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_read() {
        assert_eq!(parse("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
        assert_eq!(parse("low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n"), Some(1));
        assert_eq!(parse("oom_kill_disable 0\nunder_oom 0\n"), None);
    }
}
