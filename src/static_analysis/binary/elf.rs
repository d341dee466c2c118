//! One shared object or program: an ELF file as the dynamic loader would see it (elf(5), the System V ABI's generic part and its
//! supplements for x86-64 and 64-bit ARM). Pure.
//!
//! It reads headers, symbols and relocations, and finds the functions; what is in them is for others. Where section headers are
//! missing the dynamic segment has to do. Whatever is broken in a file is an error or is left out; nothing of it can make the
//! analysis panic.

use std::ops::Range;

use bytes::Bytes;
use object::LittleEndian;
use object::elf;
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _, SectionHeader as _, SectionTable};

use super::functions::{self, Function};
use super::memory::{Memory, Segment};
use super::relocations::{Pointer, Relocations};
use super::symbols::{Labels, Symbol, Symbols};
use crate::syscalls::Architecture;

/// The header of the ELF files that Loupe reads: those of 64-bit little-endian machines.
pub(super) type Header = elf::FileHeader64<LittleEndian>;

/// How long a name in a file may be; `PATH_MAX` of `linux/limits.h`.
const NAME_LIMIT: usize = 4096;

/// Why a file can't be analysed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// It does not begin like an ELF file.
    #[error("it is no ELF file")]
    NotElf,
    /// It is for another kind of machine.
    #[error("it is {0}, and only 64-bit x86 and ARM can be analysed")]
    Foreign(String),
    /// It is neither a program nor a shared object.
    #[error("it is neither a program nor a shared object")]
    NotLinked,
    /// Its headers contradict each other or the file's length.
    #[error("it is broken: {0}")]
    Broken(String),
}

impl From<object::read::Error> for ElfError {
    fn from(error: object::read::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// One program or shared object.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) architecture: Architecture,
    /// Whether it can only stand at the addresses in the file, so that code and data hold addresses without saying so.
    pub(super) fixed: bool,
    /// Whether Go's compiler made it, which keeps nothing in registers over a call.
    pub(super) go: bool,
    /// Where the kernel enters it; 0 for nowhere.
    pub(super) entry: u64,
    /// Its dynamic loader.
    pub(super) interpreter: Option<String>,
    pub(super) dynamic: Dynamic,
    pub(super) memory: Memory,
    /// Where the file's own headers are mapped, which hold addresses as well.
    pub(super) headers: Range<u64>,
    /// Where instructions are, in order and without overlap.
    pub(super) code: Vec<Range<u64>>,
    pub(super) symbols: Symbols,
    pub(super) relocations: Relocations,
    pub(super) labels: Labels,
    /// In order and without overlap; together they are all of `code`.
    pub(super) functions: Vec<Function>,
}

/// What the dynamic segment says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dynamic {
    pub(super) soname: Option<String>,
    pub(super) needed: Vec<String>,
    pub(super) rpath: Option<String>,
    pub(super) runpath: Option<String>,
    /// Functions that the loader calls by their addresses: `DT_INIT` and `DT_FINI`.
    pub(super) called: Vec<u64>,
    /// Arrays of functions that the loader calls: `DT_INIT_ARRAY` and the like.
    pub(super) called_arrays: Vec<Range<u64>>,
    /// `DT_PLTGOT`: where the global offset table begins.
    pub(super) global_offsets: Option<u64>,
    entries: Vec<(i64, u64)>,
}

impl Dynamic {
    /// The value of the first entry with that tag.
    pub(super) fn value(&self, tag: elf::DynamicTag) -> Option<u64> {
        self.entries.iter().find(|(candidate, _)| *candidate == tag.0).map(|(_, value)| *value)
    }

    /// The range of memory whose address and size these entries give.
    pub(super) fn range(&self, address: elf::DynamicTag, size: elf::DynamicTag) -> Option<Range<u64>> {
        let (address, size) = (self.value(address)?, self.value(size)?);
        Some(address..address.saturating_add(size))
    }

    fn new(raw: &[elf::Dyn64<LittleEndian>], memory: &Memory) -> Self {
        let pairs = raw.iter().map(|entry| (entry.d_tag(LittleEndian).0, entry.d_val(LittleEndian)));
        let entries = pairs.take_while(|(tag, _)| *tag != elf::DT_NULL.0).collect();
        let mut dynamic = Self { entries, ..Self::default() };
        let strings = dynamic.value(elf::DT_STRTAB).unwrap_or_default();
        let text = |offset: u64| memory.text(strings.checked_add(offset)?, NAME_LIMIT).map(str::to_owned);
        dynamic.soname = dynamic.value(elf::DT_SONAME).and_then(text);
        dynamic.rpath = dynamic.value(elf::DT_RPATH).and_then(text);
        dynamic.runpath = dynamic.value(elf::DT_RUNPATH).and_then(text);
        let needed = dynamic.entries.iter().filter(|(tag, _)| *tag == elf::DT_NEEDED.0);
        dynamic.needed = needed.filter_map(|(_, offset)| text(*offset)).collect();
        dynamic.called = [elf::DT_INIT, elf::DT_FINI].iter().filter_map(|tag| dynamic.value(*tag)).collect();
        let arrays = [
            (elf::DT_PREINIT_ARRAY, elf::DT_PREINIT_ARRAYSZ),
            (elf::DT_INIT_ARRAY, elf::DT_INIT_ARRAYSZ),
            (elf::DT_FINI_ARRAY, elf::DT_FINI_ARRAYSZ),
        ];
        dynamic.called_arrays = arrays.iter().filter_map(|(address, size)| dynamic.range(*address, *size)).collect();
        dynamic.global_offsets = dynamic.value(elf::DT_PLTGOT);
        dynamic
    }
}

impl Object {
    /// Reads a file.
    pub(super) fn parse(bytes: &Bytes) -> Result<Self, ElfError> {
        let header = header(bytes)?;
        let architecture = match header.e_machine(LittleEndian) {
            elf::EM_X86_64 => Architecture::X86_64,
            elf::EM_AARCH64 => Architecture::Aarch64,
            other => return Err(ElfError::Foreign(format!("for machine {} of elf.h", other.0))),
        };
        let fixed = match header.e_type(LittleEndian) {
            elf::ET_EXEC => true,
            elf::ET_DYN => false,
            _ => return Err(ElfError::NotLinked),
        };
        let data = &**bytes;
        let programs = header.program_headers(LittleEndian, data)?;
        let mut segments = Vec::new();
        let (mut code, mut interpreter, mut raw_dynamic, mut unwinding) = (Vec::new(), None, &[][..], None);
        for program in programs {
            let address = program.p_vaddr(LittleEndian);
            let flags = program.p_flags(LittleEndian);
            match program.p_type(LittleEndian) {
                elf::PT_LOAD => {
                    let (offset, size) = program.file_range(LittleEndian);
                    let file = offset_range(offset, size);
                    if flags.contains(elf::PF_X) {
                        code.push(address..address.saturating_add(size));
                    }
                    segments.push(Segment { address, file, writable: flags.contains(elf::PF_W) });
                }
                elf::PT_INTERP => interpreter = program.interpreter(LittleEndian, data)?,
                elf::PT_DYNAMIC => raw_dynamic = program.dynamic(LittleEndian, data)?.unwrap_or_default(),
                elf::PT_GNU_EH_FRAME => unwinding = Some(address),
                _ => {}
            }
        }
        let headers = segments.iter().find(|segment| segment.file.start == 0).map_or(0, |segment| segment.address);
        let length = header.e_phoff(LittleEndian).saturating_add(size_of_val(programs) as u64);
        let memory = Memory::new(bytes.clone(), segments);
        // Section headers are for debuggers: a program works without them, and with wrong ones.
        let sections = header.sections(LittleEndian, data).unwrap_or_default();
        if let Some(ranges) = executable_sections(&sections, &code) {
            code = ranges;
        }
        code = merged(code, &memory);
        let dynamic = Dynamic::new(raw_dynamic, &memory);
        let relocations = Relocations::new(architecture, &dynamic, &memory);
        let symbols = Symbols::new(&sections, data, &dynamic, &memory, relocations.symbols);
        let mut object = Self {
            architecture,
            fixed,
            go: sections.section_by_name(LittleEndian, b".go.buildinfo").is_some()
                || sections.section_by_name(LittleEndian, b".gopclntab").is_some(),
            entry: header.e_entry(LittleEndian),
            interpreter: interpreter.map(|path| String::from_utf8_lossy(path).into_owned()),
            relocations,
            labels: Labels::new(&sections, data, &symbols),
            symbols,
            dynamic,
            memory,
            headers: headers..headers.saturating_add(length),
            code,
            functions: Vec::new(),
        };
        let frames = sections.section_by_name(LittleEndian, b".eh_frame").map(|(_, section)| section.sh_addr(LittleEndian));
        object.functions = functions::find(&object, frames.filter(|address| *address != 0), unwinding);
        Ok(object)
    }

    /// Whether it is started by itself, other than a shared object, which may have an entry and a loader as well.
    pub(super) fn is_program(&self) -> bool {
        let says_so = self.dynamic.value(elf::DT_FLAGS_1).is_some_and(|flags| flags & elf::DF_1_PIE.0 != 0);
        self.fixed || says_so || (self.interpreter.is_some() && self.dynamic.soname.is_none())
    }

    /// Whether instructions stand at `address`.
    pub(super) fn is_code(&self, address: u64) -> bool {
        let after = self.code.partition_point(|range| range.start <= address);
        after.checked_sub(1).is_some_and(|index| self.code[index].contains(&address))
    }

    /// The bytes from `address` to the end of the code that it stands in.
    pub(super) fn code_from(&self, address: u64) -> &[u8] {
        let after = self.code.partition_point(|range| range.start <= address);
        match after.checked_sub(1).map(|index| &self.code[index]) {
            Some(range) if range.contains(&address) => self.memory.range(&(address..range.end)),
            _ => &[],
        }
    }

    /// The function that `address` stands in, by its place in `functions`.
    pub(super) fn function_at(&self, address: u64) -> Option<usize> {
        let index = self.functions.partition_point(|function| function.range.start <= address).checked_sub(1)?;
        self.functions[index].range.contains(&address).then_some(index)
    }

    /// The addresses of code that stand in that range, each with its place.
    pub(super) fn words(&self, range: &Range<u64>) -> Vec<(u64, u64)> {
        let words = self.memory.range(range).chunks_exact(8);
        let words = words.map(|word| word.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)));
        (range.start..).step_by(8).zip(words).filter(|(_, address)| self.is_code(*address)).collect()
    }

    /// Every address of code that the file holds in data, and what the loader puts there.
    pub(super) fn pointers(&self) -> impl Iterator<Item = Pointer> {
        self.relocations.pointers.iter().copied()
    }

    /// The symbols that it exports.
    pub(super) fn exports(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.all.iter().filter(|symbol| symbol.defined)
    }
}

/// The header of a file that this module can read.
fn header(bytes: &[u8]) -> Result<&Header, ElfError> {
    if bytes.get(..4) != Some(&elf::ELFMAG[..]) {
        return Err(ElfError::NotElf);
    }
    match (bytes.get(4), bytes.get(5)) {
        (Some(2), Some(1)) => {}
        (Some(1), _) => return Err(ElfError::Foreign("a 32-bit file".to_owned())),
        (Some(2), Some(2)) => return Err(ElfError::Foreign("for a big-endian machine".to_owned())),
        _ => return Err(ElfError::Broken("its class or byte order is none".to_owned())),
    }
    Ok(Header::parse(bytes)?)
}

/// The range in the file; memory will cut it down to what is there.
fn offset_range(offset: u64, size: u64) -> Range<usize> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    start..usize::try_from(offset.saturating_add(size)).unwrap_or(usize::MAX)
}

/// The executable sections, if there are any and they cover all of the segments that begin with one. An executable segment may
/// hold more than code, which sections tell apart.
fn executable_sections(sections: &SectionTable<'_, Header>, segments: &[Range<u64>]) -> Option<Vec<Range<u64>>> {
    let executable = sections.iter().filter(|section| {
        let flags = section.sh_flags(LittleEndian);
        flags.contains(elf::SHF_EXECINSTR) && flags.contains(elf::SHF_ALLOC) && section.sh_type(LittleEndian) == elf::SHT_PROGBITS
    });
    let ranges: Vec<_> = executable
        .map(|section| {
            let address = section.sh_addr(LittleEndian);
            address..address.saturating_add(section.sh_size(LittleEndian))
        })
        .filter(|range| segments.iter().any(|segment| segment.start <= range.start && range.end <= segment.end))
        .collect();
    // If a segment has none, the headers are not to be trusted.
    let all = segments.iter().all(|segment| ranges.iter().any(|range| segment.contains(&range.start)));
    (all && !ranges.is_empty()).then_some(ranges)
}

/// The ranges in order, without overlap, as far as they are mapped.
fn merged(mut ranges: Vec<Range<u64>>, memory: &Memory) -> Vec<Range<u64>> {
    for range in &mut ranges {
        range.end = range.start + memory.range(range).len() as u64;
    }
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}
