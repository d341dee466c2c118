//! An image's `USER` (`name`, `uid`, `name:group`, `uid:gid`) looked up in the image's own files, as a container
//! engine does for the processes it starts itself.

use std::fs;
use std::io;

/// Numbers that a process is to run with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) supplementary: Vec<u32>,
    /// Its home directory; `/` where none is known.
    pub(super) home: String,
}

impl Identity {
    /// Whether nothing has to be given up to be it.
    pub(super) fn is_root(&self) -> bool {
        self.user == 0 && self.group == 0
    }
}

/// Looks `text` up in `/etc/passwd` and `/etc/group`; empty is root.
pub(super) fn look_up(text: &str) -> io::Result<Identity> {
    // A comment may be in another encoding.
    let read = |path| fs::read(path).map(|content| String::from_utf8_lossy(&content).into_owned()).unwrap_or_default();
    look_up_in(text, &read("/etc/passwd"), &read("/etc/group"))
}

fn look_up_in(text: &str, passwd: &str, group: &str) -> io::Result<Identity> {
    let (user_text, group_text) = text.split_once(':').unwrap_or((text, ""));
    let user_text = if user_text.is_empty() { "0" } else { user_text };
    // passwd(5): name:password:uid:gid:… ; group(5): name:password:gid:member,member
    let entry = lines(passwd).find(|fields| fields.len() > 3 && (fields[0] == user_text || fields[2] == user_text));
    let home =
        entry.as_ref().and_then(|fields| fields.get(5)).filter(|home| !home.is_empty()).map_or("/", |home| *home).to_owned();
    let number = |text: &str, what: &str| {
        text.parse::<u32>().map_err(|_| io::Error::new(io::ErrorKind::NotFound, format!("the image has no {what} `{text}`")))
    };
    let (name, user, own_group) = match &entry {
        Some(fields) => (fields[0], number(fields[2], "user")?, number(fields[3], "group")?),
        None => ("", number(user_text, "user")?, 0),
    };
    if !group_text.is_empty() {
        let entry = lines(group).find(|fields| fields.len() > 2 && fields[0] == group_text);
        let chosen = number(entry.map_or(group_text, |fields| fields[2]), "group")?;
        return Ok(Identity { user, group: chosen, supplementary: vec![chosen], home });
    }
    let memberships =
        lines(group).filter(|fields| fields.len() > 3 && !name.is_empty() && fields[3].split(',').any(|member| member == name));
    let mut supplementary = vec![own_group];
    supplementary.extend(memberships.filter_map(|fields| fields[2].parse::<u32>().ok()).filter(|group| *group != own_group));
    Ok(Identity { user, group: own_group, supplementary, home })
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nredis:x:101:102::/var/lib/redis:/bin/false\n";
    const GROUP: &str = "root:x:0:\nredis:x:102:\nssl:x:110:www,redis\n";

    fn identity(user: u32, group: u32, supplementary: &[u32], home: &str) -> Identity {
        Identity { user, group, supplementary: supplementary.to_vec(), home: home.to_owned() }
    }

    #[test]
    fn names_and_numbers_are_looked_up() {
        let look_up = |text| look_up_in(text, PASSWD, GROUP).unwrap();
        assert_eq!(look_up(""), identity(0, 0, &[0], "/root"));
        assert_eq!(look_up("redis"), identity(101, 102, &[102, 110], "/var/lib/redis"));
        assert_eq!(look_up("101"), identity(101, 102, &[102, 110], "/var/lib/redis"));
        assert_eq!(look_up("redis:ssl"), identity(101, 110, &[110], "/var/lib/redis"));
        assert_eq!(look_up("65534:65534"), identity(65534, 65534, &[65534], "/"));
        assert_eq!(look_up("65534"), identity(65534, 0, &[0], "/"));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert_eq!(look_up_in("wrk", PASSWD, GROUP).unwrap_err().to_string(), "the image has no user `wrk`");
    }
}
