//! Connections of clients: how they are accepted, bounded, served and ended.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::activity::{Activity, RequestGuard};
use crate::body::ReplyBody;
use crate::config::{Limits, Timeouts};
use crate::gateway::Gateway;
use crate::handle::Origin;
use crate::io::TimedIo;
use crate::metrics::Held;

/// How long to wait after a connection could not be accepted: most likely there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often a silent HTTP/2 connection is asked whether anybody is there.
const HTTP2_PING_EVERY: Duration = Duration::from_secs(20);

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
}

impl Serving {
    /// Accepts connections until the gateway drains.
    pub(crate) async fn run(mut self, listener: TcpListener) {
        let places = usize::try_from(self.limits.connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(places));
        let builder = Arc::new(builder(&self.limits));
        loop {
            let accepted = tokio::select! {
                _ = self.stage.wait_for(|stage| *stage > Stage::Serving) => return,
                accepted = accept(&listener, &places) => accepted,
            };
            let (stream, peer, place) = match accepted {
                Ok(accepted) => accepted,
                Err(cause) => {
                    tracing::warn!(%cause, "a connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let connection = Connection {
                gateway: Arc::clone(&self.gateway),
                role: self.role,
                peer,
                stage: self.stage.clone(),
                timeouts: self.timeouts,
            };
            let builder = Arc::clone(&builder);
            tokio::spawn(async move {
                connection.serve(stream, &builder).await;
                drop(place);
            });
        }
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let header_bytes = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX);
    builder
        .http1()
        .timer(TokioTimer::new())
        // The connection's own timer counts from request to request.
        .header_read_timeout(None)
        .max_headers(limits.headers.into())
        .max_buf_size(header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes)
        .max_concurrent_streams(limits.streams)
        .keep_alive_interval(HTTP2_PING_EVERY)
        .keep_alive_timeout(HTTP2_PING_EVERY);
    builder
}

struct Connection {
    gateway: Arc<Gateway>,
    role: Role,
    peer: SocketAddr,
    stage: watch::Receiver<Stage>,
    timeouts: Timeouts,
}

impl Connection {
    async fn serve(self, stream: TcpStream, builder: &Builder<TokioExecutor>) {
        let Self { gateway, role, peer, mut stage, timeouts } = self;
        let _counted = Held::new(&gateway.metrics.connections);
        if let Err(cause) = stream.set_nodelay(true) {
            tracing::debug!(%cause, "a connection was gone before it was served");
            return;
        }
        let activity = Arc::new(Activity::new());
        let io = TimedIo::new(stream, Arc::clone(&activity), timeouts.header, timeouts.write);
        let service = service_fn(|request| answer(Arc::clone(&gateway), Arc::clone(&activity), role, peer, request));
        let mut served = std::pin::pin!(builder.serve_connection(io, service));
        loop {
            let now = *stage.borrow_and_update();
            match now {
                Stage::Serving => {}
                Stage::Draining => served.as_mut().graceful_shutdown(),
                Stage::Ended => return,
            }
            tokio::select! {
                result = served.as_mut() => {
                    if let Err(cause) = result {
                        tracing::debug!(%cause, "a connection ended early");
                    }
                    return;
                }
                changed = stage.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

async fn answer(
    gateway: Arc<Gateway>,
    activity: Arc<Activity>,
    role: Role,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Infallible> {
    let guard = RequestGuard::new(Arc::clone(&gateway), activity);
    let response = match role {
        Role::Clients(listener) => gateway.handle(Origin { listener, peer: peer.ip() }, request).await,
        Role::Admin => gateway.administer(&request),
        Role::Control => gateway.control(peer.ip(), request).await,
    };
    Ok(response.map(|body| body.guarded(guard)))
}
