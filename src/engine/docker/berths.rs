//! Places where a trial can begin at once, made ahead of need.
//!
//! A [`Berth`] is a sidecar that has just moved into a network namespace which never existed before, and a fresh container of
//! the app in that namespace whose shim waits for its command. Making one takes the engine a tenth of a second or more, most of
//! it processor time of its own; so while trials run, the next berths are made. Each is used once: afterwards its container is
//! removed, and its sidecar makes a network namespace for the next.
//!
//! On a *stage* (`crate::shim`) the app's container is made by the shim, inside a container of the engine that stays, in
//! milliseconds. Such a berth is used again and again; as many as trials will run side by side are made while the first ones run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::containers::{Container, Containers, lock};
use super::conversation::{Broken, Conversation};
use crate::engine::supervisor::Conversation as _;
use crate::trial::Trouble;
use crate::trial::wire::{Command, Event};

/// Longest wait for a berth to be there.
const SETUP_LIMIT: Duration = Duration::from_secs(90);
/// Berths that are made ahead, beside one for each trial that waits.
const AHEAD: usize = 4;
/// Berths that are made at the same time: an engine asked for more does not make them sooner.
const AT_ONCE: usize = 4;

/// A sidecar container with the conversation with its init. Removed when it goes out of scope.
#[derive(Debug)]
pub(super) struct Slot {
    container: Container,
    pub(super) conversation: Conversation,
}

impl Slot {
    /// The sidecar's container.
    pub(super) fn id(&self) -> &str {
        &self.container.id
    }

    pub(super) async fn say(&mut self, command: &Command) -> Result<(), Trouble> {
        self.conversation.send(command).await.map_err(|broken| sidecar_trouble(&broken))
    }

    /// Waits until the sidecar says this.
    async fn hear_until(&mut self, event: &Event) -> Result<(), Trouble> {
        while self.hear().await? != *event {}
        Ok(())
    }

    /// The next event of the sidecar; its troubles are errors.
    pub(super) async fn hear(&mut self) -> Result<Event, Trouble> {
        match self.conversation.next().await.map_err(|broken| sidecar_trouble(&broken))? {
            Event::Trouble { message } | Event::NotStarted { message } => Err(Trouble::Sidecar(message)),
            event => Ok(event),
        }
    }
}

fn sidecar_trouble(broken: &Broken) -> Trouble {
    Trouble::Sidecar(broken.to_string())
}

/// Who makes the container of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// The engine.
    Engine,
    /// The shim, on a stage.
    Stage,
}

/// Where one trial can begin.
#[derive(Debug)]
pub(super) struct Berth {
    pub(super) slot: Slot,
    /// The app's container, or the stage that it is made on.
    pub(super) container: Container,
    /// The conversation with its shim, which waits for the command to launch the app.
    pub(super) app: Conversation,
    pub(super) maker: Maker,
}

#[derive(Debug, Default)]
struct Counts {
    /// Trials that wait for a berth.
    waiting: usize,
    /// Berths that are ready, being made, or whose making failed, which has not been told yet.
    made: usize,
    /// Berths that trials have, or had and did not give back.
    taken: usize,
}

/// The berths of one maker.
#[derive(Debug)]
struct Pool {
    counts: Mutex<Counts>,
    sender: mpsc::UnboundedSender<Result<Berth, Trouble>>,
    ready: tokio::sync::Mutex<mpsc::UnboundedReceiver<Result<Berth, Trouble>>>,
}

impl Default for Pool {
    fn default() -> Self {
        let (sender, ready) = mpsc::unbounded_channel();
        Self { counts: Mutex::default(), sender, ready: tokio::sync::Mutex::new(ready) }
    }
}

/// Trials that will follow.
#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    /// At most so many, as far as anybody said.
    trials: Option<usize>,
    /// At most so many at the same time.
    at_once: usize,
}

/// Makes berths.
#[derive(Debug)]
pub(super) struct Berths {
    containers: Arc<Containers>,
    /// Slots without a trial.
    idle: Mutex<Vec<Slot>>,
    engines: Pool,
    /// Stages, each with a slot of its own.
    stages: Pool,
    /// One on which a container has been made already.
    tried: Mutex<Option<Berth>>,
    /// Whether there are stages: then they are made ahead, and no container of the engine's is.
    staged: AtomicBool,
    expected: Mutex<Expected>,
    permits: Semaphore,
    makers: Mutex<JoinSet<()>>,
    closed: AtomicBool,
}

impl Berths {
    pub(super) fn new(containers: Arc<Containers>) -> Self {
        Self {
            containers,
            idle: Mutex::default(),
            engines: Pool::default(),
            stages: Pool::default(),
            tried: Mutex::default(),
            staged: AtomicBool::new(false),
            expected: Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
            makers: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// Says how many trials will follow at most, so that no berth is made for none, and how many of them at the same time.
    pub(super) fn expect(&self, trials: usize, at_once: usize) {
        *lock(&self.expected) = Expected { trials: Some(trials), at_once };
    }

    fn pool(&self, maker: Maker) -> &Pool {
        match maker {
            Maker::Engine => &self.engines,
            Maker::Stage => &self.stages,
        }
    }

    /// The next berth. Others are made meanwhile and afterwards, as many as are wanted ahead of need.
    pub(super) async fn take(self: &Arc<Self>, maker: Maker) -> Result<Berth, Trouble> {
        let tried = if maker == Maker::Stage { lock(&self.tried).take() } else { None };
        if let Some(berth) = tried {
            return Ok(berth);
        }
        let pool = self.pool(maker);
        let waiting = Waiting::begin(pool);
        self.fill(maker);
        let berth = pool.ready.lock().await.recv().await;
        {
            let mut counts = lock(&pool.counts);
            counts.made -= 1;
            counts.taken += 1;
        }
        drop(waiting);
        self.fill(maker);
        if maker == Maker::Engine {
            self.fill(Maker::Stage);
        }
        let mut berth = berth.unwrap_or(Err(Trouble::Interrupted))?;
        if maker == Maker::Stage {
            timeout(SETUP_LIMIT, self.set(&mut berth)).await.map_err(|_| late())??;
        }
        Ok(berth)
    }

    /// Makes the first container on a stage, to find out whether that works here. From then on none is made ahead by the engine.
    pub(super) async fn try_stage(self: &Arc<Self>) -> Result<(), Trouble> {
        let berth = self.take(Maker::Stage).await?;
        *lock(&self.tried) = Some(berth);
        self.staged.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Has a container made on a stage.
    async fn set(&self, berth: &mut Berth) -> Result<(), Trouble> {
        let Berth { slot, app, .. } = berth;
        // The stage has cleared away what the last trial left; at first, it has found the sidecar.
        greeting(app).await?;
        slot.say(&Command::Network).await?;
        slot.hear_until(&Event::NetworkReady).await?;
        app.send(&Command::Stage(self.containers.on_stage())).await.map_err(|broken| Trouble::Shim(broken.to_string()))?;
        greeting(app).await
    }

    /// Takes back what can be used again of a berth whose sidecar, and stage, have answered everything they were asked.
    pub(super) fn give_back(&self, berth: Berth) {
        if self.closed.load(Ordering::SeqCst) {
            return;
        }
        match berth.maker {
            Maker::Engine => self.keep(berth.slot),
            Maker::Stage => {
                let mut counts = lock(&self.stages.counts);
                counts.made += 1;
                counts.taken = counts.taken.saturating_sub(1);
                // Without a receiver the session is gone, and the berth with it.
                drop(self.stages.sender.send(Ok(berth)));
            }
        }
    }

    /// Takes a slot back.
    pub(super) fn keep(&self, slot: Slot) {
        lock(&self.idle).push(slot);
    }

    /// Berths that are wanted beside one for each trial that waits. None on stages while a trial waits for the engine, which has enough
    /// to do with that.
    fn ahead(&self, maker: Maker, counts: &Counts) -> usize {
        if maker == Maker::Stage && lock(&self.engines.counts).waiting > 0 {
            return 0;
        }
        let Expected { trials, at_once } = *lock(&self.expected);
        let most = match (maker, self.staged.load(Ordering::SeqCst)) {
            (Maker::Engine, false) => AHEAD,
            (Maker::Stage, true) => at_once.saturating_sub(counts.taken + counts.waiting),
            (Maker::Engine, true) | (Maker::Stage, false) => 0,
        };
        trials.map_or(most, |trials| most.min(trials))
    }

    /// Has as many berths made as are wanted.
    fn fill(self: &Arc<Self>, maker: Maker) {
        if self.closed.load(Ordering::SeqCst) {
            return;
        }
        let mut counts = lock(&self.pool(maker).counts);
        let wanted = counts.waiting + self.ahead(maker, &counts);
        while counts.made < wanted {
            counts.made += 1;
            let berths = Arc::clone(self);
            lock(&self.makers).spawn(async move {
                let made = timeout(SETUP_LIMIT, berths.make(maker)).await.unwrap_or_else(|_| Err(late()));
                // Without a receiver the session is gone, and the berth with it.
                drop(berths.pool(maker).sender.send(made));
            });
        }
    }

    async fn make(&self, maker: Maker) -> Result<Berth, Trouble> {
        let _permit = self.permits.acquire().await.map_err(|_| Trouble::Interrupted)?;
        match maker {
            Maker::Engine => self.berth().await,
            Maker::Stage => self.stage().await,
        }
    }

    async fn stage(&self) -> Result<Berth, Trouble> {
        let mut slot = self.new_slot().await?;
        slot.hear_until(&Event::Hello).await?;
        let container = self.containers.create("nested", self.containers.stage_body(slot.id())).await?;
        let app = self.containers.start(&container.id).await?;
        Ok(Berth { slot, container, app, maker: Maker::Stage })
    }

    async fn berth(&self) -> Result<Berth, Trouble> {
        let mut slot = self.slot().await?;
        slot.say(&Command::Network).await?;
        let body = self.containers.app_body(&slot.container.id);
        let (network, container) = tokio::join!(slot.hear_until(&Event::NetworkReady), self.containers.create("app", body));
        network?;
        let container = container?;
        let mut app = self.containers.start(&container.id).await?;
        greeting(&mut app).await?;
        Ok(Berth { slot, container, app, maker: Maker::Engine })
    }

    /// An idle slot, or a new one.
    pub(super) async fn slot(&self) -> Result<Slot, Trouble> {
        let idle = lock(&self.idle).pop();
        if let Some(slot) = idle {
            return Ok(slot);
        }
        self.new_slot().await
    }

    async fn new_slot(&self) -> Result<Slot, Trouble> {
        let container = self.containers.create("sidecar", self.containers.sidecar_body()).await?;
        let conversation = self.containers.start(&container.id).await?;
        Ok(Slot { container, conversation })
    }

    /// Gives everything up that no trial has. Nothing is made any more.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let mut makers = std::mem::take(&mut *lock(&self.makers));
        makers.shutdown().await;
        lock(&self.idle).clear();
        drop(lock(&self.tried).take());
        for pool in [&self.engines, &self.stages] {
            let mut ready = pool.ready.lock().await;
            ready.close();
            while ready.try_recv().is_ok() {}
        }
    }
}

fn late() -> Trouble {
    Trouble::Engine(format!("no container was there within {SETUP_LIMIT:?}"))
}

/// Waits for a shim to say that it is there.
async fn greeting(app: &mut Conversation) -> Result<(), Trouble> {
    match app.next().await {
        Ok(Event::Hello) => Ok(()),
        Ok(Event::Trouble { message }) => Err(Trouble::Shim(message)),
        Ok(other) => Err(Trouble::Shim(format!("instead of a greeting: {other:?}"))),
        Err(broken) => Err(Trouble::Shim(format!("before the app was started: {broken}"))),
    }
}

/// Counts a trial that waits for a berth, for as long as it does.
struct Waiting<'a>(&'a Pool);

impl<'a> Waiting<'a> {
    fn begin(pool: &'a Pool) -> Self {
        lock(&pool.counts).waiting += 1;
        Self(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.0.counts).waiting -= 1;
    }
}
