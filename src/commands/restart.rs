//! Restarts background tasks that panic.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;

/// Runs a task, and again after a pause whenever it panics, until it ends or `stop` turns true.
pub(super) async fn restart_on_panic<F: Future<Output = ()>>(
    name: &'static str,
    pause: Duration,
    mut stop: watch::Receiver<bool>,
    task: impl Fn() -> F,
) {
    while AssertUnwindSafe(task()).catch_unwind().await.is_err() {
        tracing::error!(task = name, "a background task panicked; it is started again");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_until_it_ends() {
        let runs = AtomicU32::new(0);
        let (_stop, stopped) = watch::channel(false);
        let task = || async {
            assert!(runs.fetch_add(1, Ordering::Relaxed) == 2, "not yet");
        };
        restart_on_panic("test", Duration::from_millis(1), stopped, task).await;
        assert_eq!(runs.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_stopped_server_does_not_wait_for_a_task_that_panics() {
        let (stop, stopped) = watch::channel(false);
        stop.send_replace(true);
        restart_on_panic("test", Duration::from_millis(1), stopped, || async { panic!("always") }).await;
    }
}
