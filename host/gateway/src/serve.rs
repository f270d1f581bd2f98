//! Listeners: whose connections are accepted, how many at once, and by whom.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::activity::Over;
use crate::config::{Limits, Timeouts};
use crate::connection::Connection;
use crate::descriptors::Aside;
use crate::gateway::Gateway;
use crate::peers::{PeerPlace, Peers};

/// How long to wait after a connection could not be accepted: most likely there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often the log says that connections are not served.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// Connections at once of those who ask for health and metrics: a few probes and scrapers.
const ADMIN_CONNECTIONS: usize = 128;

/// How long one of them may take to ask, so that silent ones do not keep a probe waiting.
const ADMIN_HEADER_MAX: Duration = Duration::from_secs(2);

/// Of them, how many one peer has.
const ADMIN_CONNECTIONS_PER_PEER: u32 = 32;

/// Connections at once of those who manage tokens: scripts and a console.
const CONTROL_CONNECTIONS: usize = 1_024;

/// Of them, how many one peer has that is no trusted proxy.
const CONTROL_CONNECTIONS_PER_PEER: u32 = 256;

/// What connections are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Go on.
    Serving,
    /// Take no further request, and end with the last one.
    Draining,
    /// End now.
    Ended,
}

/// Which requests a listener answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Those of clients, at the listener of this number.
    Clients(usize),
    /// Health and metrics.
    Admin,
    /// The control plane.
    Control,
}

/// A listener at work.
pub(crate) struct Serving {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) role: Role,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) stage: watch::Receiver<Stage>,
    /// What all listeners of clients share: there are only so many descriptors.
    pub(crate) descriptors: Arc<Semaphore>,
}

/// What a connection takes as long as it lasts.
struct Held {
    _place: OwnedSemaphorePermit,
    _descriptor: Option<OwnedSemaphorePermit>,
    peer: Option<PeerPlace>,
}

impl Serving {
    /// Accepts connections until the gateway drains.
    pub(crate) async fn run(mut self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(self.places()));
        let peers = Arc::new(Peers::default());
        let timeouts = match self.role {
            Role::Admin => Timeouts { header: self.timeouts.header.min(ADMIN_HEADER_MAX), ..self.timeouts },
            Role::Clients(_) | Role::Control => self.timeouts,
        };
        let mut aside = Aside::default();
        let (mut failed, mut refused) = (Seldom::default(), Seldom::default());
        loop {
            if !matches!(self.role, Role::Clients(_)) {
                aside.fill();
            }
            let accepted = tokio::select! {
                _ = self.stage.wait_for(|stage| *stage > Stage::Serving) => return,
                accepted = accept(&listener, &places, self.role, &self.descriptors) => accepted,
            };
            let (stream, peer, mut held) = match accepted {
                Ok(accepted) => accepted,
                Err(cause) => {
                    if let Some(others) = failed.due() {
                        tracing::warn!(%cause, others, "a connection cannot be accepted");
                    }
                    // What was kept aside is for the next.
                    if !aside.give() {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            };
            let most = self.connections_of(peer);
            if most > 0 {
                held.peer = peers.enter(peer.ip(), most);
                if held.peer.is_none() {
                    self.gateway.metrics.ended_early(Over::PeerLimit);
                    if let Some(others) = refused.due() {
                        tracing::warn!(peer = %peer.ip(), most, others, "a peer has as many connections as it may");
                    }
                    continue;
                }
            }
            let connection = Connection {
                gateway: Arc::clone(&self.gateway),
                role: self.role,
                peer,
                stage: self.stage.clone(),
                limits: self.limits,
                timeouts,
            };
            tokio::spawn(async move {
                connection.serve(stream).await;
                drop(held);
            });
        }
    }

    fn places(&self) -> usize {
        match self.role {
            Role::Clients(_) => {
                usize::try_from(self.limits.connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
            }
            Role::Admin => ADMIN_CONNECTIONS,
            Role::Control => CONTROL_CONNECTIONS,
        }
    }

    /// How many connections this peer may have; 0 where nobody counts.
    fn connections_of(&self, peer: SocketAddr) -> u32 {
        match self.role {
            Role::Clients(listener) => match self.gateway.live.load().place(listener) {
                // Behind a proxy are many.
                Some(place) if place.trusted.holds(peer.ip()) => 0,
                Some(place) => place.connections_per_peer,
                None => 0,
            },
            Role::Admin => ADMIN_CONNECTIONS_PER_PEER,
            Role::Control if self.gateway.live.load().control_trusted.holds(peer.ip()) => 0,
            Role::Control => CONTROL_CONNECTIONS_PER_PEER,
        }
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    role: Role,
    descriptors: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, Held)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let descriptor = match role {
        Role::Clients(_) => Some(Arc::clone(descriptors).acquire_owned().await.map_err(io::Error::other)?),
        Role::Admin | Role::Control => None,
    };
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, Held { _place: place, _descriptor: descriptor, peer: None }))
}

/// Something that is said now and then, however often it happens.
#[derive(Default)]
struct Seldom {
    said: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// Whether to say it now, with how often it was not said.
    fn due(&mut self) -> Option<u64> {
        if self.said.is_some_and(|said| said.elapsed() < SAID_EVERY) {
            self.unsaid = self.unsaid.saturating_add(1);
            return None;
        }
        self.said = Some(Instant::now());
        Some(std::mem::take(&mut self.unsaid))
    }
}
