//! One connection: served, watched from beside, and ended.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cedargate_http::reply::{self, Caller, Invalid, Refusal, Rejection, RequestId};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, timeout};
use tokio_rustls::TlsAcceptor;

use crate::activity::{Activity, Exchange, Over, Patience, Verdict};
use crate::body::ReplyBody;
use crate::checked::CheckedIo;
use crate::config::{Limits, Timeouts};
use crate::gateway::Gateway;
use crate::handle::Origin;
use crate::io::NotedIo;
use crate::metrics::Held;
use crate::serve::{Role, Stage};

/// How often a silent HTTP/2 connection is asked whether anybody is there.
const HTTP2_PING_EVERY: Duration = Duration::from_secs(20);

/// How long TLS may take to begin. A handshake is a few packets.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// A connection that was accepted.
pub(crate) struct Connection {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) role: Role,
    pub(crate) peer: SocketAddr,
    pub(crate) stage: watch::Receiver<Stage>,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
}

impl Connection {
    /// Serves requests until one of both sides ends.
    pub(crate) async fn serve(self, stream: TcpStream) {
        let gateway = Arc::clone(&self.gateway);
        let _counted = Held::new(&gateway.metrics.connections);
        if let Err(cause) = prepare(&stream, &self.timeouts) {
            tracing::debug!(%cause, "a connection was gone before it was served");
            return;
        }
        let activity = Arc::new(Activity::new(Patience::of(&self.timeouts)));
        let io = NotedIo::new(stream, Arc::clone(&activity));
        let Some(tls) = gateway.live.load().secured.shown.to(self.role) else {
            return self.speak(io, activity).await;
        };
        let patience = HANDSHAKE_MAX.min(self.timeouts.header);
        let mut stage = self.stage.clone();
        let shaken = tokio::select! {
            _ = stage.wait_for(|stage| *stage == Stage::Ended) => return,
            shaken = timeout(patience, TlsAcceptor::from(tls).accept(io)) => shaken,
        };
        match shaken.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(io) => self.speak(io, activity).await,
            Err(cause) => {
                gateway.metrics.ended_early(Over::Handshake);
                tracing::debug!(peer = %self.peer, %cause, "a connection did not come to speak TLS");
            }
        }
    }

    /// Speaks HTTP.
    async fn speak<S>(self, io: S, activity: Arc<Activity>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { gateway, role, peer, mut stage, limits, timeouts } = self;
        let patience = Patience::of(&timeouts);
        let io = CheckedIo::new(io, Arc::clone(&gateway), limits.header_bytes);
        let builder = builder(&limits, &activity);
        let service = service_fn(|request| {
            let exchange = activity.begin(&gateway);
            // Apart from the stream: what answering takes is given back before a peer that takes nothing is waited for.
            Box::pin(answer(Arc::clone(&gateway), exchange, role, peer, request))
        });
        let mut served = std::pin::pin!(builder.serve_connection(io, service));
        let mut looks = tokio::time::interval(patience.look_every());
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                    continue;
                }
                () = activity.rung() => {}
                _ = looks.tick() => {}
            }
            match activity.verdict() {
                Verdict::GoesOn => {}
                Verdict::Drains => served.as_mut().graceful_shutdown(),
                Verdict::Ends(over) => {
                    gateway.metrics.ended_early(over);
                    tracing::debug!(%peer, ?over, "a connection was ended");
                    return;
                }
            }
        }
    }
}

/// Sets what the system does for the connection.
fn prepare(stream: &TcpStream, timeouts: &Timeouts) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    // What the system took has not been taken by the peer: it gives up as the gateway does.
    #[cfg(target_os = "linux")]
    {
        let patience_ms = u32::try_from(timeouts.write.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(stream, patience_ms)?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = timeouts;
    Ok(())
}

fn builder(limits: &Limits, activity: &Arc<Activity>) -> Builder<StreamTasks> {
    let mut builder = Builder::new(StreamTasks { activity: Arc::clone(activity) });
    let header_bytes = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX);
    builder
        .http1()
        .timer(TokioTimer::new())
        // The connection's own watch counts from request to request.
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

/// Runs the streams of an HTTP/2 connection, each until its reply is handed over or given up. Dropped, a stream is reset.
#[derive(Clone)]
struct StreamTasks {
    activity: Arc<Activity>,
}

impl<F> Executor<F> for StreamTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        // INVARIANT: hyper runs a stream at once after it called the service, so that the latest exchange is its own.
        let exchange = self.activity.latest();
        tokio::spawn(async move {
            match exchange.as_deref().map(Exchange::is_given_up) {
                Some(given_up) => tokio::select! {
                    () = stream => {}
                    () = given_up => {}
                },
                None => stream.await,
            }
        });
    }
}

async fn answer(
    gateway: Arc<Gateway>,
    exchange: Arc<Exchange>,
    role: Role,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Infallible> {
    if request.method() == Method::HEAD {
        // Nobody asks for the body of such a reply.
        exchange.is_whole();
    }
    let response = match role {
        _ if has_two_lengths(request.headers()) => {
            let caller = Caller::of(&request.into_parts().0, RequestId::fresh());
            let refusal = Refusal::RequestInvalid(Invalid::BodyUnreadable);
            reply::reply(&Rejection::from(refusal), &caller).map(ReplyBody::full)
        }
        Role::Clients(listener) => gateway.handle(Origin { listener, peer: peer.ip() }, request).await,
        Role::Admin => gateway.administer(&request),
        Role::Control => gateway.control(peer.ip(), request).await,
    };
    Ok(response.map(|body| body.of(exchange)))
}

/// HTTP/2 says where a body ends; a request that says it twice besides is read otherwise by somebody.
fn has_two_lengths(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some()
}
