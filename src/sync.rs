//! Events, results and locks that futures wait for. Wakers are called outside of every lock, since an executor may poll a
//! future, or drop it, where it is woken.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that happens once.
#[derive(Default)]
pub(crate) struct Event {
    happened: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Event {
    /// Wakes who waits.
    pub fn set(&self) {
        self.happened.store(true, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        waiting.into_iter().for_each(Waker::wake);
    }

    pub fn is_set(&self) -> bool {
        self.happened.load(Ordering::SeqCst)
    }

    pub async fn wait(&self) {
        poll_fn(|context| {
            if self.is_set() {
                return Poll::Ready(());
            }
            let mut waiting = lock(&self.waiting);
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            drop(waiting);
            // It may have happened meanwhile.
            if self.is_set() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await
    }
}

/// A lock. When it is free all who wait are woken, and the first that looks has it: one that is not polled any more keeps it from
/// nobody.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    held: bool,
    waiting: Vec<Waker>,
}

/// Held until it is dropped.
pub(crate) struct Turn(Turns);

impl Turns {
    pub async fn take(&self) -> Turn {
        poll_fn(|context| {
            let mut queue = lock(&self.0);
            if !queue.held {
                queue.held = true;
                return Poll::Ready(Turn(self.clone()));
            }
            if !queue.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                queue.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// Whether nobody has the lock.
    #[cfg(test)]
    pub fn are_free(&self) -> bool {
        !lock(&self.0).held
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = lock(&self.0.0);
            queue.held = false;
            std::mem::take(&mut queue.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Wake};

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn one_has_the_lock_and_who_does_not_look_keeps_it_from_nobody() {
        let turns = Turns::default();
        let Poll::Ready(first) = poll(pin!(turns.take())) else { panic!("it is free") };
        let (mut second, mut third) = (Box::pin(turns.take()), Box::pin(turns.take()));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        drop(first);
        // The second was woken and does not look.
        let Poll::Ready(turn) = poll(third.as_mut()) else { panic!("it is free") };
        assert!(poll(second.as_mut()).is_pending() && !turns.are_free());
        drop(turn);
        assert!(turns.are_free() && poll(second.as_mut()).is_ready());
    }

    /// A waker that looks at the event, as an executor does that polls where it is woken.
    struct Looks(Event, AtomicUsize);

    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            let ready = poll(pin!(self.0.wait())).is_ready();
            self.1.fetch_add(usize::from(ready), Ordering::SeqCst);
        }
    }

    #[test]
    fn who_is_woken_may_poll_there() {
        let looks = Arc::new(Looks(Event::default(), AtomicUsize::new(0)));
        let waker = Waker::from(looks.clone());
        assert!(pin!(looks.0.wait()).poll(&mut Context::from_waker(&waker)).is_pending());
        looks.0.set();
        assert_eq!(looks.1.load(Ordering::SeqCst), 1);
    }
}
