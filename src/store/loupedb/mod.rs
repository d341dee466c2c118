//! The format of loupedb, the database published with the paper on Loupe (ASPLOS'24): a tree of CSV tables of numbers.
//!
//! Part of the store. [`Store::import`](super::Store::import) takes a tree over into a folder of results, with everything that
//! it takes to write the same tree again, which [`write_tree`] does; measured results are written in the same way. It reads and
//! writes files, and knows nothing of engines.
//!
//! - `numbers`: which rows a table has;
//! - `table`: the text of a table, in and out;
//! - `tree`: the tree on disk, read as a whole: all of its problems are found before anything is written;
//! - `import`: from a tree to results, all or nothing;
//! - `commit`: how all of it becomes visible at once;
//! - `export`: from results to a tree.

mod commit;
mod export;
mod import;
mod numbers;
mod table;
mod tree;

pub use export::{Tree, TreeReport, write_tree};
pub use import::{ImportOptions, ImportReport};
pub use numbers::Numbers;
pub use table::{
    ARCHITECTURE, Both, Cells, DynamicTable, Form, StaticTable, read_dynamic, read_static, write_dynamic, write_static,
};

pub(super) use commit::interrupted;
