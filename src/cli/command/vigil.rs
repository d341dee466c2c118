//! A campaign, and beside it a look at whether its criterion still holds: output and files that three runs agreed on within a moment may
//! depend on the time, and then every trial fails for no reason.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use super::super::waiting::{course, saying};
use super::{RUNS, Setting};
use crate::campaign::{CampaignEnd, Rehearsal, Stop};
use crate::engine::Engine;
use crate::spec::AppSpec;
use crate::store::Freshness;

/// How long after the beginning it is looked at first: the seconds of a clock have changed by then.
const FIRST_LOOK: Duration = Duration::from_millis(1100);

/// How a campaign came out.
pub(super) enum Held {
    /// The criterion held to the end.
    Yes(CampaignEnd),
    /// Output or files change by themselves, as a later run showed, so what the campaign found is void.
    No(Rehearsal),
}

impl Setting<'_> {
    /// Runs the campaign of `app`, whose standard output and files have to be what they were.
    pub(super) async fn campaign_while_criterion_holds<E: Engine>(
        &self,
        engine: &E,
        app: &AppSpec,
        results: &Path,
        freshness: Freshness,
    ) -> anyhow::Result<Held> {
        let own_stop = Stop::default();
        let changed = std::sync::OnceLock::new();
        let forward = async {
            self.stop.wait().await;
            own_stop.request();
            std::future::pending::<Infallible>().await
        };
        let vigil = async {
            tokio::time::sleep(FIRST_LOOK).await;
            // Whatever is wrong with this run, the campaign will tell.
            if let Ok(Some(later)) = self.once_more(engine, app).await
                && !later.agrees_with(&app.workloads[0].success)
            {
                let _ = changed.set(later);
                own_stop.request();
            }
            std::future::pending::<Infallible>().await
        };
        let end = tokio::select! {
            end = self.campaign(engine, app, results, freshness, &own_stop) => end?,
            never = forward => match never {},
            never = vigil => match never {},
        };
        if self.stop.requested() {
            return Ok(Held::Yes(end));
        }
        if let Some(later) = changed.into_inner() {
            return Ok(Held::No(later));
        }
        match &end {
            // Nothing was run, or nothing could be.
            CampaignEnd::UpToDate(_) | CampaignEnd::Failed { .. } | CampaignEnd::Interrupted => Ok(Held::Yes(end)),
            CampaignEnd::Measured(_) | CampaignEnd::Incomplete { .. } | CampaignEnd::Refused { .. } => {
                let run = self.once_more(engine, app);
                Ok(match saying(self.printer, || "one more run without any intervention".to_owned(), run).await? {
                    Some(later) if later.agrees_with(&app.workloads[0].success) => Held::Yes(end),
                    Some(later) => Held::No(later),
                    None => Held::Yes(CampaignEnd::Interrupted),
                })
            }
        }
    }

    /// One more run without any intervention; `None` if asked to stop.
    async fn once_more<E: Engine>(&self, engine: &E, app: &AppSpec) -> anyhow::Result<Option<Rehearsal>> {
        // What is waited for is said by the campaign beside it, or by the caller.
        let (tell, _) = course(self.printer, RUNS);
        self.rehearse(engine, app, 1, tell).await
    }
}
