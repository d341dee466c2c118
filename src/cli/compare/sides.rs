//! What the two arguments of `loupe compare` stand for: a name among the results, or a folder of some.
//!
//! A name goes before a folder of the same name, and `./NAME` is always a folder.

use std::path::Path;

use crate::cli::show::failure;
use crate::cli::status::WrongUsage;
use crate::diff::{Place, Side};
use crate::store::{Store, StoreError};

/// How much one side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    Workload,
    App,
    Database,
}

/// One side as it was asked for.
#[derive(Debug)]
pub(super) struct Selection {
    store: Store,
    extent: Extent,
    /// Where it is, for people.
    pub(super) label: String,
    /// What it has, in order.
    pub(super) places: Vec<Place>,
}

impl Selection {
    /// What `argument` stands for; names are looked for in `results`.
    ///
    /// # Errors
    /// If there is no such thing, or it cannot be read.
    pub(super) fn of(argument: &str, results: &Path) -> anyhow::Result<Self> {
        let store = Store::open(results);
        let known = places(&store)?;
        let (app, workload) = match argument.split_once('/') {
            Some((app, workload)) => (app, Some(workload)),
            None => (argument, None),
        };
        let is_meant = |place: &&Place| place.app == app && workload.is_none_or(|workload| workload == place.workload);
        let chosen: Vec<_> = known.iter().filter(is_meant).cloned().collect();
        if !chosen.is_empty() {
            let extent = if workload.is_some() { Extent::Workload } else { Extent::App };
            let label = results.join(argument).display().to_string();
            return Ok(Self { store, extent, label, places: chosen });
        }
        if let Some(selection) = Self::of_folder(argument)? {
            return Ok(selection);
        }
        let hint = match known.len() {
            0 => format!("`{}` has no results at all", results.display()),
            _ => format!("`{}` has {}", results.display(), known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        };
        let message = format!("`{argument}` is neither an app with results nor a folder of results\nhint: {hint}");
        Err(WrongUsage(message).into())
    }

    /// The results in a folder: of a workload, of an app, or of many.
    fn of_folder(argument: &str) -> anyhow::Result<Option<Self>> {
        // Only the whole path has every name: `.` has none.
        let Ok(path) = std::fs::canonicalize(argument) else { return Ok(None) };
        if !path.is_dir() {
            return Ok(None);
        }
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let label = argument.to_owned();
        if ["verdicts.csv", "refused.json"].iter().any(|file| path.join(file).is_file()) {
            let (Some(app_folder), Some(workload)) = (path.parent(), name(&path)) else { return Ok(None) };
            let (Some(root), Some(app)) = (app_folder.parent(), name(app_folder)) else { return Ok(None) };
            let places = vec![Place { app, workload }];
            return Ok(Some(Self { store: Store::open(root), extent: Extent::Workload, label, places }));
        }
        let store = Store::open(&path);
        let all = places(&store)?;
        if !all.is_empty() {
            return Ok(Some(Self { store, extent: Extent::Database, label, places: all }));
        }
        let (Some(root), Some(app)) = (path.parent(), name(&path)) else { return Ok(None) };
        let store = Store::open(root);
        let of_app: Vec<_> = places(&store)?.into_iter().filter(|place| place.app == app).collect();
        Ok((!of_app.is_empty()).then_some(Self { store, extent: Extent::App, label, places: of_app }))
    }

    /// Leaves only what the other side asks for, where that asks for less: of a database the app, of an app the workload.
    pub(super) fn narrow(&mut self, other: &Self) {
        if other.extent >= self.extent {
            return;
        }
        let same_app =
            |place: &Place| self.extent != Extent::Database || other.places.iter().any(|theirs| theirs.app == place.app);
        let same_workload = |place: &Place| {
            other.extent != Extent::Workload || other.places.iter().any(|theirs| theirs.workload == place.workload)
        };
        let fitting: Vec<_> = self.places.iter().filter(|place| same_app(place) && same_workload(place)).cloned().collect();
        // An app with a single workload may call it something else.
        if !fitting.is_empty() || self.extent == Extent::Database {
            self.places = fitting;
        }
        self.extent = other.extent;
    }

    /// Whether it is one app, so that its name need not be that of the other side.
    pub(super) fn is_single_app(&self) -> bool {
        self.extent != Extent::Database
    }

    /// Everything that is stored of one place.
    ///
    /// # Errors
    /// If its files cannot be read or are broken.
    pub(super) fn read(&self, place: &Place) -> anyhow::Result<Side> {
        let stored = self.store.read(&place.app, &place.workload).map_err(failure)?;
        let trials = match &stored.finished {
            None => Vec::new(),
            Some(_) => match self.store.trials(&place.app, &place.workload) {
                // Results that come from elsewhere have no trials.
                Err(StoreError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                trials => trials.map_err(failure)?,
            },
        };
        Ok(Side { name: place.to_string(), stored, trials })
    }
}

fn places(store: &Store) -> anyhow::Result<Vec<Place>> {
    let list = store.list().map_err(failure)?;
    Ok(list.into_iter().map(|(app, workload)| Place { app, workload }).collect())
}
