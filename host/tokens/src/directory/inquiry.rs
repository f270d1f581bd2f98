//! Secrets that are not known are looked for in the store, within bounds.
//!
//! A token that another process made a moment ago is not known yet. So nobody is called unknown before the store was
//! asked. Whoever guesses would have the store asked for each guess: the bounds hold for all callers together and for
//! each of them, and beyond them the answer comes from memory, which is at most as old as
//! [`poll_every`](super::DirectoryOptions::poll_every).

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::secret::SecretHash;

/// Questions in vain in any [`PERIOD`]: one that is answered from an index takes some 50 µs, so that all of them
/// take a thousandth of a core.
const QUESTIONS_MAX: usize = 20;

/// Questions in vain on behalf of one peer in any [`PERIOD`]: one who guesses leaves room for others.
const QUESTIONS_A_PEER_MAX: usize = 5;

/// For how long a question counts, and its answer holds.
const PERIOD: Duration = Duration::from_secs(1);

/// Bytes of an IPv6 address that tell peers apart: one customer has a whole network of that size.
const PEER_PREFIX_BYTES: usize = 8;

/// What the store says of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was taken over: look again.
    Known,
    /// The store does not know it either.
    Absent,
    /// The store could not be read.
    Unreadable,
}

/// Resolves with the answer once there is one.
pub(super) type Reply = watch::Receiver<Option<Answer>>;

/// The questions of the last second that no secret was found for.
///
/// INVARIANT: no more than [`QUESTIONS_MAX`] are kept, whoever asks for whatever.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    questions: Mutex<Vec<Question>>,
}

#[derive(Debug)]
struct Question {
    at: Instant,
    hash: SecretHash,
    peer: IpAddr,
    reply: Reply,
}

impl Question {
    /// Whether it still counts. Who presents a secret that there is does not guess, however many of them.
    fn counts(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < PERIOD && *self.reply.borrow() != Some(Answer::Known)
    }
}

/// What becomes of somebody who presents a secret that is not known.
pub(super) enum Turn {
    /// Somebody else asked for the same secret within the last second: this is what was or will be answered.
    Wait(Reply),
    /// Ask the store, and tell whoever waits.
    Ask(watch::Sender<Option<Answer>>, Reply),
    /// Too many asked: it is unknown.
    Decline,
}

impl Inquiry {
    pub(super) fn turn(&self, now: Instant, hash: SecretHash, peer: IpAddr) -> Turn {
        let peer = network(peer);
        // INVARIANT: nothing that is done under the lock stops half-way.
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.retain(|question| question.counts(now));
        if let Some(asked) = questions.iter().find(|question| question.hash == hash) {
            return Turn::Wait(asked.reply.clone());
        }
        let of_peer = questions.iter().filter(|question| question.peer == peer).count();
        if questions.len() >= QUESTIONS_MAX || of_peer >= QUESTIONS_A_PEER_MAX {
            return Turn::Decline;
        }
        let (tell, reply) = watch::channel(None);
        questions.push(Question { at: now, hash, peer, reply: reply.clone() });
        Turn::Ask(tell, reply)
    }
}

/// The address that stands for a peer.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets.iter_mut().skip(PEER_PREFIX_BYTES).for_each(|octet| *octet = 0);
            IpAddr::from(octets)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u32) -> SecretHash {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        SecretHash::from_bytes(bytes)
    }

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Asks for a secret, and says whether the store is to be asked.
    fn asks(inquiry: &Inquiry, now: Instant, n: u32, from: &str) -> bool {
        matches!(inquiry.turn(now, hash(n), peer(from)), Turn::Ask(..))
    }

    #[test]
    fn guesses_are_bounded_for_each_peer_and_for_all() {
        let inquiry = Inquiry::default();
        let start = Instant::now();
        let asked = (0..1_000).filter(|n| asks(&inquiry, start, *n, "192.0.2.1")).count();
        assert_eq!(asked, 5);
        // Mapped or not, it is the same; neighbours in one IPv6 network are one, too.
        assert!(!asks(&inquiry, start, 2_000, "::ffff:192.0.2.1"));
        let asked = (0..1_000).filter(|n| asks(&inquiry, start, 3_000 + n, &format!("2001:db8::{n:x}"))).count();
        assert_eq!(asked, 5);
        let asked = (0..1_000).filter(|n| asks(&inquiry, start, 5_000 + n, &format!("2001:db8:{n:x}::1"))).count();
        assert_eq!(asked, 10);
        // In any second, not only in those of a clock.
        for millis in [1, 500, 999] {
            assert!(!asks(&inquiry, start + Duration::from_millis(millis), 9_000, "198.51.100.7"), "{millis}");
        }
        assert!(asks(&inquiry, start + PERIOD, 9_000, "198.51.100.7"));
    }

    #[test]
    fn one_secret_is_asked_for_once() {
        let inquiry = Inquiry::default();
        let start = Instant::now();
        let Turn::Ask(tell, _) = inquiry.turn(start, hash(1), peer("192.0.2.1")) else { panic!("nobody asked") };
        let Turn::Wait(reply) = inquiry.turn(start, hash(1), peer("192.0.2.2")) else { panic!("asked twice") };
        tell.send(Some(Answer::Absent)).unwrap();
        assert_eq!(*reply.borrow(), Some(Answer::Absent));
        assert!(asks(&inquiry, start + PERIOD, 1, "192.0.2.2"), "what was absent may be there now");
    }

    #[test]
    fn who_presents_what_there_is_does_not_guess() {
        let inquiry = Inquiry::default();
        let start = Instant::now();
        for n in 0..1_000 {
            let Turn::Ask(tell, _) = inquiry.turn(start, hash(n), peer("192.0.2.1")) else {
                panic!("{n}: nobody asked")
            };
            tell.send_replace(Some(Answer::Known));
        }
        assert!(inquiry.questions.lock().unwrap().len() <= QUESTIONS_MAX);
    }
}
