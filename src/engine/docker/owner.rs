//! Owners of what is made on an engine: processes, named so that no other process ever has the same name.

use std::fs;

/// A process that makes containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// Host name, boot id and pid namespace: two machines, one machine before and after a restart, and two containers differ.
    machine: String,
    pid: u32,
    /// Start of the process, in clock ticks since boot.
    start: String,
}

impl Owner {
    pub(super) fn current() -> Self {
        let pid = std::process::id();
        Self { machine: machine(), pid, start: start_of(pid).unwrap_or_default() }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, '/');
        let (start, pid, machine) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { machine: machine.to_owned(), pid: pid.parse().ok()?, start: start.to_owned() })
    }

    /// Whether the process lives. `None` where that cannot be seen from here: it ran on another machine, or in another pid namespace.
    pub(super) fn is_alive(&self) -> Option<bool> {
        (self.machine == machine()).then(|| start_of(self.pid).is_some_and(|start| start == self.start))
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}/{}", self.machine, self.pid, self.start)
    }
}

fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    // `pid:[4026531836]` (namespaces(7)).
    let namespace = fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{}:{}:{namespace}", read("/proc/sys/kernel/hostname"), read("/proc/sys/kernel/random/boot_id"))
}

/// The 22nd field of `/proc/[pid]/stat` (proc(5)).
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = String::from_utf8_lossy(&stat[end_of_name + 1..]).into_owned();
    rest.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_another_with_its_pid_is_not() {
        let owner = Owner::current();
        assert_eq!(owner.is_alive(), Some(true));
        assert_eq!(Owner::parse(&owner.to_string()), Some(owner.clone()));
        assert_eq!(Owner { start: "1".into(), ..owner.clone() }.is_alive(), Some(false));
        assert_eq!(Owner { machine: "elsewhere:1".into(), ..owner.clone() }.is_alive(), None);
        // The same host name and boot id in a container of its own.
        let (outside, _) = owner.machine.split_once(":pid:").unwrap();
        assert_eq!(Owner { machine: format!("{outside}:pid:[1]"), ..owner }.is_alive(), None);
    }
}
