//! Runs in flight: submitted now, awaited later.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use super::Outputs;
use crate::error::{Error, Result};

#[cfg(not(target_arch = "wasm32"))]
type Work = Pin<Box<dyn Future<Output = Result<Outputs>> + Send>>;
#[cfg(target_arch = "wasm32")]
type Work = Pin<Box<dyn Future<Output = Result<Outputs>>>>;

/// A run that was submitted, by [`Session::submit`](crate::Session::submit): a future of its results. It needs no
/// executor in particular; [`Run::wait`] blocks, [`Run::try_take`] looks.
///
/// A run keeps what it needs: it comes to its end without the session. If a run is dropped, its results are.
///
/// ```
/// use convgpu::{Desc, Device, Graph, Tensor};
///
/// let mut graph = Graph::new();
/// let x = graph.input("x", Desc::f32([2]))?;
/// let y = graph.softmax(x, 0)?;
/// graph.output("y", y);
/// let session = graph.compile(&Device::cpu())?;
///
/// // The device computes the first while the second is prepared.
/// let first = session.submit(&[("x", &Tensor::from([0.0f32, 0.0]))])?;
/// let second = session.submit(&[("x", &Tensor::from([1.0f32, 1.0]))])?;
/// assert_eq!(first.wait()?["y"], second.wait()?["y"]);
/// # Ok::<(), convgpu::Error>(())
/// ```
pub struct Run(Arc<Flight>);

/// What a run and its session share.
struct Flight {
    state: Mutex<State>,
    /// Whether the work is at its end.
    over: AtomicBool,
    /// Whether somebody found the state locked.
    missed: AtomicBool,
    /// Whether the run was dropped.
    abandoned: AtomicBool,
    /// Who waits for the end of the work.
    waiting: Arc<Waiting>,
}

enum State {
    /// Its place is taken; the work comes at once.
    Starting,
    Running(Work),
    Done(Result<Outputs>),
    Taken,
}

#[derive(Default)]
struct Waiting(Mutex<Vec<Waker>>);

impl Waiting {
    fn add(&self, waker: &Waker) {
        let mut waiting = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if !waiting.iter().any(|w| w.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(|e| e.into_inner()));
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// The state of a flight, locked. Who finds it locked is woken when it is no more.
struct Locked<'a> {
    state: Option<MutexGuard<'a, State>>,
    flight: &'a Flight,
}

impl Deref for Locked<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        self.state.as_ref().expect("it is there until the end")
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.state.as_mut().expect("it is there until the end")
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.state = None;
        self.flight.drop_abandoned();
        if self.flight.missed.swap(false, Ordering::SeqCst) {
            self.flight.waiting.clone().wake();
        }
    }
}

impl Flight {
    fn lock(&self) -> Locked<'_> {
        Locked { state: Some(self.state.lock().unwrap_or_else(PoisonError::into_inner)), flight: self }
    }

    /// `None` if another thread has it, which will wake those who wait.
    fn try_lock(&self) -> Option<Locked<'_>> {
        let attempt = || match self.state.try_lock() {
            Ok(state) => Some(Locked { state: Some(state), flight: self }),
            Err(TryLockError::Poisoned(e)) => Some(Locked { state: Some(e.into_inner()), flight: self }),
            Err(TryLockError::WouldBlock) => None,
        };
        attempt().or_else(|| {
            self.missed.store(true, Ordering::SeqCst);
            attempt()
        })
    }

    /// Takes the work out, or the results, if the run was dropped. Whoever has the state locked does this afterwards.
    fn drop_abandoned(&self) {
        let state = self.abandoned.load(Ordering::SeqCst).then(|| self.state.try_lock());
        if let Some(Ok(mut state)) = state {
            let gone = std::mem::replace(&mut *state, State::Taken);
            drop(state);
            drop(gone);
        }
    }

    fn set(&self, state: State) {
        *self.lock() = state;
        self.waiting.clone().wake();
    }

    /// Whether the work is at its end. Anyone who waits for that does the work, one at a time.
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        self.waiting.add(context.waker());
        if self.over.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let Some(mut state) = self.try_lock() else { return Poll::Pending };
        let outputs = match &mut *state {
            State::Done(_) | State::Taken => return Poll::Ready(()),
            State::Starting => return Poll::Pending,
            State::Running(work) => {
                let all = Waker::from(self.waiting.clone());
                std::task::ready!(work.as_mut().poll(&mut Context::from_waker(&all)))
            }
        };
        *state = State::Done(outputs);
        self.over.store(true, Ordering::Release);
        drop(state);
        self.waiting.clone().wake();
        Poll::Ready(())
    }

    fn take(&self) -> Result<Outputs> {
        match std::mem::replace(&mut *self.lock(), State::Taken) {
            State::Done(outputs) => outputs,
            _ => Err(Error::argument("the results of this run were taken before")),
        }
    }
}

impl Run {
    /// Waits for the results, on this thread.
    ///
    /// # Errors
    /// The device is lost; the network computes something that the device cannot hold.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(self) -> Result<Outputs> {
        crate::threads::block_on(self)
    }

    /// The results, if they are there; `None` if not yet. Later calls give an error. It does not wait for the device, but
    /// it may for a call of the driver: a software adapter may take a second submission only when the first is done.
    ///
    /// On a device of the program's own ([`Device::from_wgpu`](crate::Device::from_wgpu)) results come when the
    /// program polls it.
    pub fn try_take(&mut self) -> Option<Result<Outputs>> {
        let done = self.0.poll(&mut Context::from_waker(Waker::noop()));
        done.is_ready().then(|| self.0.take())
    }
}

impl Future for Run {
    type Output = Result<Outputs>;
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Outputs>> {
        self.0.poll(context).map(|()| self.0.take())
    }
}

/// The work is dropped, too: a run in parts stops at the next one. It waits for nobody.
impl Drop for Run {
    fn drop(&mut self) {
        let flight = &self.0;
        flight.over.store(true, Ordering::Release);
        flight.abandoned.store(true, Ordering::SeqCst);
        flight.drop_abandoned();
        flight.waiting.clone().wake();
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.over.load(Ordering::Acquire) { "Run(done)" } else { "Run(in flight)" })
    }
}

/// The runs of a session that are in flight.
pub(super) struct Flights {
    most: usize,
    oldest_first: Mutex<Vec<Weak<Flight>>>,
}

impl Flights {
    pub fn new(most: usize) -> Flights {
        Flights { most, oldest_first: Mutex::default() }
    }

    /// Whether there is no room.
    pub fn is_full(&self) -> bool {
        self.room().is_err()
    }

    /// A run that is still to be started, if there is room for it.
    pub fn try_reserve(&self) -> Option<Run> {
        self.room().ok()
    }

    /// A run that is still to be started. If there is no room, awaits the oldest one, whose results stay until they are taken.
    pub async fn reserve(&self) -> Run {
        loop {
            match self.room() {
                Ok(run) => return run,
                Err(oldest) => std::future::poll_fn(|context| oldest.poll(context)).await,
            }
        }
    }

    fn room(&self) -> Result<Run, Arc<Flight>> {
        let mut flights = self.oldest_first.lock().unwrap_or_else(|e| e.into_inner());
        let flying = |flight: &Weak<Flight>| flight.upgrade().is_some_and(|f| !f.over.load(Ordering::Acquire));
        flights.retain(flying);
        if flights.len() >= self.most
            && let Some(oldest) = flights.first().and_then(Weak::upgrade)
        {
            return Err(oldest);
        }
        let run = Arc::new(Flight {
            state: Mutex::new(State::Starting),
            over: AtomicBool::new(false),
            missed: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            waiting: Arc::default(),
        });
        flights.push(Arc::downgrade(&run));
        Ok(Run(run))
    }
}

impl Run {
    /// Gives the run its work, whose first poll submits it. What cannot begin is an error; what cannot go on yet is polled
    /// by those who wait for the run, or for its place.
    pub(super) fn start(self, work: Work) -> Result<Run> {
        self.0.set(State::Running(work));
        let flight = self.0.clone();
        let _ = flight.poll(&mut Context::from_waker(Waker::noop()));
        let failed = matches!(*flight.lock(), State::Done(Err(_)));
        if failed { Err(flight.take().expect_err("it failed")) } else { Ok(self) }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A waker that counts.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Who looks while another thread has the state would wait for ever if that thread did not wake it.
    #[test]
    fn who_finds_the_state_locked_is_woken() {
        let flights = Flights::new(1);
        let run = flights.try_reserve().unwrap();
        let flight = run.0.clone();
        flight.set(State::Done(Err(Error::argument("an end"))));
        let woken = Arc::new(Count::default());
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);

        let locked = flight.lock();
        assert!(flight.poll(&mut context).is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        drop(locked);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(flight.poll(&mut context).is_ready());
        drop(flight.lock());
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "nobody found it locked");
    }

    /// Who drops a run does not wait for a thread that does its work, and may be that thread.
    #[test]
    fn a_run_is_dropped_while_another_has_its_state() {
        let flights = Flights::new(1);
        let run = flights.try_reserve().unwrap();
        let flight = run.0.clone();
        flight.set(State::Running(Box::pin(std::future::pending())));
        let locked = flight.lock();
        drop(run);
        assert!(flights.try_reserve().is_some(), "there is room at once");
        assert!(matches!(*locked, State::Running(_)));
        drop(locked);
        assert!(matches!(*flight.lock(), State::Taken));
    }
}
