//! A campaign, and beside it a look at whether its criterion still holds: output that three runs agreed on within a moment may
//! depend on the time, and then every trial fails for no reason.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use super::super::waiting::{course, saying};
use super::{RUNS, Setting};
use crate::campaign::{CampaignEnd, Stop};
use crate::engine::Engine;
use crate::spec::AppSpec;
use crate::store::Freshness;

/// How long after the beginning it is looked at first: the seconds of a clock have changed by then.
const FIRST_LOOK: Duration = Duration::from_millis(1100);

/// How a campaign came out.
pub(super) enum Held {
    /// The criterion held to the end.
    Yes(CampaignEnd),
    /// The output changes by itself, so what the campaign found is void.
    No,
}

impl Setting<'_> {
    /// Runs the campaign of `app`, whose standard output has to be what it was.
    pub(super) async fn campaign_while_output_holds<E: Engine>(
        &self,
        engine: &E,
        app: &AppSpec,
        results: &Path,
        freshness: Freshness,
    ) -> anyhow::Result<Held> {
        let own_stop = Stop::default();
        let forward = async {
            self.stop.wait().await;
            own_stop.request();
            std::future::pending::<Infallible>().await
        };
        let vigil = async {
            tokio::time::sleep(FIRST_LOOK).await;
            // Whatever is wrong with this run, the campaign will tell.
            let changed = matches!(self.still_agrees(engine, app).await, Ok(Some(false)));
            if changed {
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
        if own_stop.requested() {
            return Ok(Held::No);
        }
        match &end {
            // Nothing was run, or nothing could be.
            CampaignEnd::UpToDate(_) | CampaignEnd::Failed { .. } | CampaignEnd::Interrupted => Ok(Held::Yes(end)),
            CampaignEnd::Measured(_) | CampaignEnd::Incomplete { .. } | CampaignEnd::Refused { .. } => {
                let agreeing = self.still_agrees(engine, app);
                Ok(match saying(self.printer, || "one more run without any intervention".to_owned(), agreeing).await? {
                    Some(true) => Held::Yes(end),
                    Some(false) => Held::No,
                    None => Held::Yes(CampaignEnd::Interrupted),
                })
            }
        }
    }

    /// Whether one more run without any intervention prints what it has to; `None` if asked to stop.
    async fn still_agrees<E: Engine>(&self, engine: &E, app: &AppSpec) -> anyhow::Result<Option<bool>> {
        // What is waited for is said by the campaign beside it, or by the caller.
        let (tell, _) = course(self.printer, RUNS);
        let rehearsal = self.rehearse(engine, app, 1, tell).await?;
        Ok(rehearsal.map(|rehearsal| rehearsal.agrees_with(&app.workloads[0].success)))
    }
}
