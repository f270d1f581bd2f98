//! Limits and time-outs.

use std::time::Duration;

use cedargate_tokens::Retention;
use toml::Spanned;

use super::Checker;
use crate::config::raw::{RawEvents, RawLimits, RawTimeouts};
use crate::config::{Limits, Timeouts};

/// The longest that anything is waited for.
const TIMEOUT_MS_MAX: u64 = 86_400_000;

/// The most events that a store keeps: about a hundred gigabytes.
const EVENTS_MAX: u64 = 200_000_000;

impl Checker<'_, '_> {
    pub(super) fn events(&mut self, raw: &RawEvents) -> Retention {
        let RawEvents { keep, keep_for } = raw;
        let events_max = keep.as_ref().map(|value| self.between(value, 1, EVENTS_MAX));
        let age_max = keep_for.as_ref().and_then(|text| Some((text, self.period(text)?)));
        if let Some((text, age)) = &age_max
            && age.duration().is_zero()
        {
            self.finder.at(text.span(), "events cannot be kept for no time at all", "write for example `90d`");
        }
        Retention {
            events_max: events_max.unwrap_or_else(|| Retention::default().events_max),
            age_max: age_max.map(|(_, age)| age),
        }
    }

    pub(super) fn limits(&mut self, raw: &RawLimits) -> Limits {
        let RawLimits {
            header_bytes,
            headers,
            body_bytes,
            bodies_bytes,
            connections,
            streams,
            response_bytes,
            record_bytes,
            principals,
            provider_keys,
        } = raw;
        let d = Limits::default();
        let mut pick = |value: &Option<Spanned<u64>>, least: u64, most: u64, default: u64| {
            value.as_ref().map_or(default, |value| self.between(value, least, most))
        };
        Limits {
            // Below 8 KiB, hyper cannot read a head at all.
            header_bytes: small(pick(header_bytes, 8 << 10, 1 << 20, d.header_bytes.into())),
            headers: u16::try_from(pick(headers, 16, 1_000, d.headers.into())).unwrap_or(d.headers),
            body_bytes: small(pick(body_bytes, 1 << 10, 1 << 30, d.body_bytes.into())),
            bodies_bytes: pick(bodies_bytes, 1 << 20, 1 << 40, d.bodies_bytes),
            connections: small(pick(connections, 1, 1_000_000, d.connections.into())),
            streams: small(pick(streams, 1, 10_000, d.streams.into())),
            response_bytes: pick(response_bytes, 1 << 10, 1 << 40, d.response_bytes),
            record_bytes: pick(record_bytes, 4 << 10, 1 << 50, d.record_bytes),
            principals: small(pick(principals, 1, 10_000_000, d.principals.into())),
            provider_keys: small(pick(provider_keys, 1, 1_000_000, d.provider_keys.into())),
        }
    }

    pub(super) fn timeouts(&mut self, raw: &RawTimeouts) -> Timeouts {
        let RawTimeouts {
            header_ms,
            body_ms,
            write_ms,
            reply_ms,
            connect_ms,
            first_byte_ms,
            idle_ms,
            response_ms,
            shutdown_ms,
            decision_ms,
        } = raw;
        let d = Timeouts::default();
        let mut pick = |value: &Option<Spanned<u64>>, default: Duration| {
            let ms = |value: &Spanned<u64>| Duration::from_millis(self.between(value, 1, TIMEOUT_MS_MAX));
            value.as_ref().map_or(default, ms)
        };
        Timeouts {
            header: pick(header_ms, d.header),
            body: pick(body_ms, d.body),
            write: pick(write_ms, d.write),
            reply: pick(reply_ms, d.reply),
            connect: pick(connect_ms, d.connect),
            first_byte: pick(first_byte_ms, d.first_byte),
            idle: pick(idle_ms, d.idle),
            response: pick(response_ms, d.response),
            shutdown: pick(shutdown_ms, d.shutdown),
            decision: pick(decision_ms, d.decision),
        }
    }

    pub(super) fn between(&mut self, value: &Spanned<u64>, least: u64, most: u64) -> u64 {
        let number = *value.get_ref();
        if !(least..=most).contains(&number) {
            self.finder.at(value.span(), format!("{number} is out of range"), format!("write {least} to {most}"));
        }
        number
    }
}

pub(super) fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
