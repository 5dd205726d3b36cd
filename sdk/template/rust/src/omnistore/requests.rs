// SPDX-License-Identifier: Apache-2.0
//! What a store is asked to do. Times are Unix milliseconds on the host's clock.
use super::abi::*;

/// The condition of a write. A store receives one other than Always only if its traits claim it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    Always,
    IfAbsent,
    IfPresent,
    /// There is a live value, and this is its etag.
    IfMatch(&'a [u8]),
}

impl Condition<'_> {
    /// Returns true if the condition holds for a key: `etag` is that of its live value, or None if there is none. A store
    /// without etags passes an empty one.
    pub fn holds(&self, etag: Option<&[u8]>) -> bool {
        match self {
            Condition::Always => true,
            Condition::IfAbsent => etag.is_none(),
            Condition::IfPresent => etag.is_some(),
            Condition::IfMatch(wanted) => etag == Some(wanted),
        }
    }
    /// Returns None for a condition that this interface does not know.
    pub(super) unsafe fn of<'a>(condition: u32, etag: Bytes) -> Option<Condition<'a>> {
        Some(match condition {
            ALWAYS => Condition::Always,
            IF_ABSENT => Condition::IfAbsent,
            IF_PRESENT => Condition::IfPresent,
            IF_MATCH => Condition::IfMatch(etag.slice()),
            _ => return None,
        })
    }
}

/// The properties of a value besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meta<'a> {
    /// The bytes of the whole value.
    pub size: u64,
    /// When the value was last set, if that is known.
    pub mtime: Option<i64>,
    /// When the value expires; None means never.
    pub expiry: Option<i64>,
    /// 1 to 64 bytes of printable ASCII without quotes. With CAN_ETAG.
    pub etag: Option<&'a [u8]>,
    /// The user's own meta, which is empty if the value has none. With CAN_META.
    pub user: Option<&'a [u8]>,
}

impl Meta<'_> {
    /// The size of a value whose size is unknown before its last byte.
    pub const UNKNOWN_SIZE: u64 = u64::MAX;

    /// `wanted` is GET_META, for the etag, and GET_USER, or both.
    pub(super) fn raw(&self, wanted: u32) -> RawMeta {
        let user = self.user.filter(|_| wanted & GET_USER != 0);
        RawMeta {
            size: std::mem::size_of::<RawMeta>() as u32,
            flags: if user.is_some() { META_USER } else { 0 },
            value_size: self.size,
            mtime: self.mtime.unwrap_or(0),
            expiry: self.expiry.unwrap_or(0),
            etag: Bytes::of(self.etag.filter(|_| wanted & GET_META != 0).unwrap_or(&[])),
            user: Bytes::of(user.unwrap_or(&[])),
        }
    }
}

#[derive(Clone, Copy)]
pub struct SetRequest<'a> {
    /// The whole value.
    pub value: &'a [u8],
    /// When the value expires; None means never. If the time has passed, the set removes the value. With CAN_TTL.
    pub expiry: Option<i64>,
    /// With CAN_IF_ABSENT, CAN_IF_PRESENT, CAN_IF_MATCH.
    pub condition: Condition<'a>,
    /// The user's own meta, which is stored with the value; empty means none. With CAN_META.
    pub user: &'a [u8],
}

/// The properties that a touch changes. The others stay.
#[derive(Clone, Copy)]
pub struct TouchRequest<'a> {
    /// Some(None) means that the value never expires from now on.
    pub expiry: Option<Option<i64>>,
    pub user: Option<&'a [u8]>,
}

/// Returns None for the 0 that stands for no time.
pub(super) fn time(time: i64) -> Option<i64> {
    if time == 0 { None } else { Some(time) }
}
