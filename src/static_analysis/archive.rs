//! A root in a tar archive, such as an exported image. Pure: it reads from whatever can be read and sought in.
//!
//! Only an index is kept in memory, so that images of any size can be analysed.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tar::EntryType;

use super::root::{Entry, Root, RootError};

/// A root in a tar archive.
#[derive(Debug)]
pub struct Archive<R> {
    reader: Mutex<R>,
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug, Clone)]
enum Node {
    File {
        executable: bool,
        offset: u64,
        length: u64,
    },
    /// Another name of a file.
    Same(String),
    Folder,
    Link(String),
    Other,
}

impl<R: Read + Seek> Archive<R> {
    /// Indexes the whole archive.
    ///
    /// # Errors
    /// When it can't be read or is no tar archive.
    pub fn index(mut reader: R) -> io::Result<Self> {
        let mut nodes = BTreeMap::new();
        reader.seek(SeekFrom::Start(0))?;
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            let path = absolute(&entry.path_bytes());
            let link = || entry.link_name_bytes().map(|target| String::from_utf8_lossy(&target).into_owned()).unwrap_or_default();
            let node = match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Node::File {
                    executable: entry.header().mode()? & 0o111 != 0,
                    offset: entry.raw_file_position(),
                    length: entry.size(),
                },
                EntryType::Link => Node::Same(absolute(link().as_bytes())),
                EntryType::Symlink => Node::Link(link()),
                EntryType::Directory => Node::Folder,
                _ => Node::Other,
            };
            // Archives need not name the folders that their files are in.
            for (slash, _) in path.match_indices('/').skip(1) {
                nodes.entry(path[..slash].to_owned()).or_insert(Node::Folder);
            }
            nodes.insert(path, node);
        }
        Ok(Self { reader: Mutex::new(archive.into_inner()), nodes })
    }

    fn node(&self, path: &str) -> Option<&Node> {
        match self.nodes.get(path) {
            Some(Node::Same(other)) => self.nodes.get(other).filter(|node| !matches!(node, Node::Same(_))),
            node => node,
        }
    }
}

/// The path in the root; what an archive calls `./usr/bin/` or `usr/bin` is `/usr/bin`.
fn absolute(path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    path.split('/').filter(|part| !part.is_empty() && *part != ".").fold(String::new(), |path, part| path + "/" + part)
}

impl<R: Read + Seek + Send> Root for Archive<R> {
    fn entry(&self, path: &str) -> Result<Option<Entry>, RootError> {
        Ok(self.node(path).map(|node| match node {
            Node::File { executable, .. } => Entry::File { executable: *executable },
            Node::Folder => Entry::Folder,
            Node::Link(target) => Entry::Link(target.clone()),
            Node::Same(_) | Node::Other => Entry::Other,
        }))
    }

    fn read(&self, path: &str) -> Result<Bytes, RootError> {
        let Some(&Node::File { offset, length, .. }) = self.node(path) else {
            return Err(RootError::of(path)(io::ErrorKind::NotFound.into()));
        };
        // A poisoned lock only says that another reader panicked; where it stood does not matter.
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut content = Vec::new();
        let read = reader.seek(SeekFrom::Start(offset)).and_then(|_| reader.by_ref().take(length).read_to_end(&mut content));
        match read {
            Ok(count) if count as u64 == length => Ok(Bytes::from(content)),
            Ok(_) => Err(RootError::of(path)(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(RootError::of(path)(error)),
        }
    }

    fn names(&self, path: &str) -> Result<Vec<String>, RootError> {
        let folder = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let below = self.nodes.range(folder.clone()..).take_while(|(name, _)| name.starts_with(&folder));
        Ok(below.map(|(name, _)| &name[folder.len()..]).filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::root::{find, find_file, names_in};
    use super::*;

    fn archive() -> Archive<Cursor<Vec<u8>>> {
        let mut builder = tar::Builder::new(Vec::new());
        let header = |kind: EntryType, size: u64, mode: u32| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(size);
            header.set_mode(mode);
            header
        };
        let mut file = |name: &str, content: &[u8], mode: u32| {
            builder.append_data(&mut header(EntryType::Regular, content.len() as u64, mode), name, content).unwrap();
        };
        file("usr/bin/tool", b"\x7fELF tool", 0o755);
        file("etc/ld.so.conf", b"/opt/lib\n", 0o644);
        builder.append_link(&mut header(EntryType::Symlink, 0, 0o777), "bin", "usr/bin").unwrap();
        builder.append_link(&mut header(EntryType::Link, 0, 0o755), "usr/bin/alias", "usr/bin/tool").unwrap();
        builder.append_data(&mut header(EntryType::Fifo, 0, 0o600), "pipe", &b""[..]).unwrap();
        Archive::index(Cursor::new(builder.into_inner().unwrap())).unwrap()
    }

    #[test]
    fn files_are_read_through_links_of_both_kinds() {
        let archive = archive();
        for name in ["/bin/tool", "/bin/alias", "/usr/bin/tool"] {
            let found = find_file(&archive, name).unwrap().unwrap();
            assert_eq!(found.entry, Entry::File { executable: true }, "{name}");
            assert_eq!(archive.read(&found.path).unwrap(), &b"\x7fELF tool"[..], "{name}");
        }
        assert_eq!(find(&archive, "/etc/ld.so.conf").unwrap().unwrap().entry, Entry::File { executable: false });
        assert_eq!(find(&archive, "/pipe").unwrap().unwrap().entry, Entry::Other);
    }

    #[test]
    fn folders_are_there_even_if_the_archive_names_only_their_files() {
        let archive = archive();
        assert_eq!(names_in(&archive, "/").unwrap(), ["bin", "etc", "pipe", "usr"]);
        assert_eq!(names_in(&archive, "/bin").unwrap(), ["alias", "tool"]);
        assert_eq!(find(&archive, "/usr").unwrap().unwrap().entry, Entry::Folder);
        assert!(archive.read("/usr").is_err());
    }

    #[test]
    fn broken_archives_are_errors() {
        assert!(Archive::index(Cursor::new(vec![b'x'; 2000])).is_err());
    }
}
