//! What an object exports and imports, and what its addresses are called. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use object::LittleEndian;
use object::elf;
use object::pod;
use object::read::elf::{GnuHashTable, HashTable, SectionTable, Sym as _, VersionTable};
use object::read::{StringTable, SymbolIndex};

use super::elf::{Dynamic, Header};
use super::memory::Memory;

/// A symbol of the dynamic symbol table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) name: String,
    /// 0 where it is not defined.
    pub(super) address: u64,
    /// In bytes; 0 where it is not told.
    pub(super) size: u64,
    /// Whether the object itself has it; otherwise it wants it of another.
    pub(super) defined: bool,
    /// Whether the program works without it.
    pub(super) weak: bool,
    /// Whether it is known to be data.
    pub(super) data: bool,
    pub(super) version: Option<Arc<str>>,
}

/// The dynamic symbol table.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// By their place in the table, which relocations refer to.
    pub(super) all: Vec<Symbol>,
    by_name: HashMap<String, Vec<usize>>,
}

type RawSymbol = elf::Sym64<LittleEndian>;

impl Symbols {
    /// `used` is how many entries relocations make use of.
    pub(super) fn new(sections: &SectionTable<'_, Header>, data: &[u8], dynamic: &Dynamic, memory: &Memory, used: usize) -> Self {
        let table = sections.symbols(LittleEndian, data, elf::SHT_DYNSYM).ok().filter(|table| !table.is_empty());
        let versions = sections.versions(LittleEndian, data).ok().flatten().unwrap_or_default();
        let (raw, strings) = match &table {
            Some(table) => (table.symbols(), table.strings()),
            None => from_dynamic(dynamic, memory, used),
        };
        let all = symbols(raw, strings, &versions);
        let mut by_name = HashMap::<_, Vec<_>>::new();
        for (index, symbol) in all.iter().enumerate().filter(|(_, symbol)| symbol.defined) {
            by_name.entry(symbol.name.clone()).or_default().push(index);
        }
        Self { all, by_name }
    }

    /// The exported symbols of that name that a reference with that version may be bound to (`check_match` of glibc's
    /// `elf/dl-lookup.c`): those with the version, or with none.
    pub(super) fn exported(&self, name: &str, version: Option<&str>) -> impl Iterator<Item = &Symbol> {
        self.named(name).filter(move |symbol| match (version, &symbol.version) {
            (Some(wanted), Some(has)) => wanted == &**has,
            // Which one an unversioned reference means depends on the age of either side: all of them.
            (Some(_), None) | (None, _) => true,
        })
    }

    /// The same, whatever the version.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &Symbol> {
        self.by_name.get(name).into_iter().flatten().map(|index| &self.all[*index])
    }
}

fn symbols(raw: &[RawSymbol], strings: StringTable<'_>, versions: &VersionTable<'_, Header>) -> Vec<Symbol> {
    let symbol = |(index, symbol): (usize, &RawSymbol)| {
        let index = versions.version_index(LittleEndian, SymbolIndex(index));
        let version = versions.version(index.index()).ok().flatten();
        let defined = !symbol.is_undefined(LittleEndian) && symbol.st_bind() != elf::STB_LOCAL;
        Symbol {
            name: name(symbol, strings),
            address: if defined { symbol.st_value(LittleEndian) } else { 0 },
            size: symbol.st_size(LittleEndian),
            defined,
            weak: symbol.st_bind() == elf::STB_WEAK,
            data: matches!(symbol.st_type(), elf::STT_OBJECT | elf::STT_TLS | elf::STT_COMMON),
            version: version.map(|version| String::from_utf8_lossy(version.name()).into()),
        }
    };
    raw.iter().enumerate().map(symbol).collect()
}

fn name(symbol: &RawSymbol, strings: StringTable<'_>) -> String {
    symbol.name(LittleEndian, strings).map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default()
}

/// The table where only the dynamic segment tells of it. Its length stands in a hash table, if there is one of the old kind; that of
/// GNU knows only of what is exported.
fn from_dynamic<'data>(dynamic: &Dynamic, memory: &'data Memory, used: usize) -> (&'data [RawSymbol], StringTable<'data>) {
    let at = |tag| dynamic.value(tag).map(|address| memory.from(address)).unwrap_or_default();
    let plain = HashTable::<Header>::parse(LittleEndian, at(elf::DT_HASH)).ok().map(|table| table.symbol_table_length());
    let gnu = || GnuHashTable::<Header>::parse(LittleEndian, at(elf::DT_GNU_HASH)).ok()?.symbol_table_length(LittleEndian);
    let count = (plain.or_else(gnu).unwrap_or(0) as usize).max(used);
    let bytes = at(elf::DT_SYMTAB);
    let count = count.min(bytes.len() / size_of::<RawSymbol>());
    let raw = pod::slice_from_bytes::<RawSymbol>(bytes, count).map_or(&[][..], |(symbols, _)| symbols);
    let strings = at(elf::DT_STRTAB);
    (raw, StringTable::new(strings, 0, strings.len() as u64))
}

/// What addresses of code are called: by the full symbol table where the file has one, else by what it exports.
#[derive(Debug, Default)]
pub(super) struct Labels(Vec<(u64, u64, String)>);

impl Labels {
    pub(super) fn new(sections: &SectionTable<'_, Header>, data: &[u8], symbols: &Symbols) -> Self {
        let mut labels: Vec<_> = symbols
            .all
            .iter()
            .filter(|symbol| symbol.defined && !symbol.data && !symbol.name.is_empty())
            .map(|symbol| (symbol.address, symbol.size, symbol.name.clone()))
            .collect();
        if let Ok(table) = sections.symbols(LittleEndian, data, elf::SHT_SYMTAB) {
            let functions = table.iter().filter(|symbol| matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC));
            labels.extend(
                functions
                    .filter(|symbol| !symbol.is_undefined(LittleEndian))
                    .map(|symbol| (symbol.st_value(LittleEndian), symbol.st_size(LittleEndian), name(symbol, table.strings()))),
            );
        }
        // Of several names the one with the fewest decorations; the order of the file's tables must not matter.
        labels.sort_by(|one, other| {
            let key = |label: &(u64, u64, String)| (label.0, label.2.len(), label.2.clone());
            key(one).cmp(&key(other))
        });
        labels.dedup_by_key(|(address, _, _)| *address);
        Self(labels)
    }

    /// The addresses that have a name.
    pub(super) fn addresses(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|(address, _, _)| *address)
    }

    /// Where what has a name ends.
    pub(super) fn ends(&self) -> impl Iterator<Item = u64> {
        self.0.iter().filter(|(_, size, _)| *size > 0).map(|(address, size, _)| address.saturating_add(*size))
    }

    /// The name of the function that begins at `start` and goes to `end`: the last one that is not behind it.
    pub(super) fn function(&self, start: u64, end: u64) -> Option<&str> {
        let after = self.0.partition_point(|(address, _, _)| *address <= start);
        let (address, size, name) = self.0[..after].last()?;
        if *address == start || start < address.saturating_add(*size) {
            return Some(name);
        }
        // A function whose unwinding begins before its name, as that of a signal's return does.
        self.0[after..].first().filter(|(address, _, _)| *address < end).map(|(_, _, name)| name.as_str())
    }
}
