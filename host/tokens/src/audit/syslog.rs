//! The head of the log, sent to the system's log.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process;
use std::sync::Arc;

use super::{Sealed, Witness};

/// Where the system's log listens, as a rule.
pub const SYSLOG_SOCKET: &str = "/dev/log";

/// Facility 10, messages about security, and severity 6, for information: RFC 3164, 4.1.1.
const PRIORITY: u8 = 10 * 8 + 6;

/// Tells the system's log, at a Unix socket for datagrams. Nobody waits for it: what cannot be sent is said in this
/// process's log, with the head.
///
/// # Errors
///
/// What the system says, where no socket can be made.
pub fn syslog(socket: &Path) -> io::Result<Witness> {
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    let socket = socket.to_owned();
    Ok(Arc::new(move |Sealed { number, head }| {
        // Whoever receives it knows the time and the machine.
        let message = format!("<{PRIORITY}>cedargate[{}]: audit entry={number} head={head}", process::id());
        if let Err(error) = sender.send_to(message.as_bytes(), &socket) {
            tracing::error!(socket = %socket.display(), %error, number, %head, "the audit head cannot be sent");
        }
    }))
}
