//! A gateway at work.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use cedargate_tokens::{Actor, Tokens};
use tokio::time::timeout;

use crate::config::Config;
use crate::gateway::Gateway;
use crate::reload::{ReloadError, Reloader, Watch};
use crate::serve::Stage;

/// A gateway at work. Dropped, it ends without waiting for anybody; [`shutdown`](Self::shutdown) waits.
#[must_use]
pub struct Running {
    gateway: Arc<Gateway>,
    reloader: Arc<Reloader>,
    _watch: Watch,
    addresses: Addresses,
}

/// Where a gateway listens.
pub(crate) struct Addresses {
    pub(crate) clients: Vec<SocketAddr>,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) control: Option<SocketAddr>,
}

impl Running {
    pub(crate) fn new(gateway: Arc<Gateway>, reloader: Arc<Reloader>, watch: Watch, addresses: Addresses) -> Self {
        Self { gateway, reloader, _watch: watch, addresses }
    }

    /// Where clients connect, in the order of the listeners.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses.clients
    }

    /// Where health and metrics are served.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.addresses.admin
    }

    /// Where tokens are made and changed over HTTP.
    #[must_use]
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.addresses.control
    }

    /// The name of this gateway.
    #[must_use]
    pub fn gateway_id(&self) -> String {
        self.gateway.live.load().config.gateway_id.clone()
    }

    /// The digest of the policies in force, by which events name them.
    #[must_use]
    pub fn policy_set(&self) -> String {
        self.gateway.pdp.info().digest().to_owned()
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Config {
        self.gateway.live.load().config.clone()
    }

    /// The tokens of this gateway. A change is seen by every request that begins after it returned.
    #[must_use]
    pub fn tokens(&self, actor: Actor) -> Tokens {
        self.gateway.tokens.acting_as(actor)
    }

    /// Reads configuration and policies again and puts them in force, both or neither. A recording goes on in the file
    /// that has its name now.
    ///
    /// # Errors
    ///
    /// [`ReloadError`]; what was in force stays in force.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        if let Some(recording) = &self.gateway.recording {
            recording.reopen();
        }
        self.reloader.everything().await
    }

    /// Writes what was recorded and spent so far.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn flush(&self) -> Result<(), cedargate_tokens::StoreError> {
        self.gateway.ledger.flush().await?;
        self.gateway.recorder.flush().await
    }

    /// Serves until the process is told to end: by SIGINT or SIGTERM. SIGHUP is a reload.
    ///
    /// # Errors
    ///
    /// What the system says, where signals cannot be received.
    #[cfg(unix)]
    pub async fn until_signalled(&self) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = hangup.recv() => {
                    // What went wrong was said in the log.
                    let _ = self.reload().await;
                }
            }
        }
    }

    /// Takes no further request, waits for those in flight for as long as the configuration says, writes what was
    /// recorded, and ends.
    pub async fn shutdown(self) {
        let patience = self.gateway.live.load().config.timeouts.shutdown;
        tracing::info!(patience_s = patience.as_secs(), "draining");
        self.gateway.stage.send_replace(Stage::Draining);
        if timeout(patience, self.gateway.stage.closed()).await.is_err() {
            tracing::warn!("some requests did not end in time, and are cut off");
            self.gateway.stage.send_replace(Stage::Ended);
            self.gateway.stage.closed().await;
        }
        if let Err(error) = self.gateway.ledger.flush().await {
            tracing::error!(%error, "what was spent last could not be settled, and counts as spent with all that was leased");
        }
        if let Err(error) = self.gateway.recorder.flush().await {
            tracing::error!(%error, "the last events could not be written");
        }
        tracing::info!("ended");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.gateway.stage.send_replace(Stage::Ended);
    }
}
