// SPDX-License-Identifier: Apache-2.0
//! Where a store gives a value to.
use super::abi::*;
use super::call::{check, Failure, Outcome, Reply};
use super::requests::Meta;
use std::marker::PhantomData;
use std::ops::Range;
use std::os::raw::c_void;

/// Takes one value, or its meta alone if that is all that was requested. It leaves out what was not requested. Give it a
/// value under a lock only if the traits state NEVER_BLOCKS: else the reader may be slow.
pub struct Sink<'a> {
    pub(super) raw: *mut RawSink, // null if nobody wants it
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) wanted: u32,
    pub(super) bytes: bool,
    pub(super) life: PhantomData<&'a mut RawSink>,
}

impl<'a> Sink<'a> {
    /// Returns true if the bytes of the value are requested, rather than its meta alone.
    pub fn wants_bytes(&self) -> bool {
        self.bytes
    }
    pub fn wants_etag(&self) -> bool {
        self.wanted & GET_META != 0
    }
    /// Returns true if the user's own meta is requested. Else spend nothing on it.
    pub fn wants_user(&self) -> bool {
        self.wanted & GET_USER != 0
    }
    /// Returns the part of a value of `size` bytes that is requested: the whole value without CAN_RANGE.
    pub fn range(&self, size: u64) -> Range<u64> {
        let start = self.offset.min(size);
        start..start + self.length.min(size - start)
    }
    /// Gives a value that is in memory as a whole.
    pub fn give(self, meta: &Meta, value: &[u8]) -> Reply {
        let range = self.range(value.len() as u64);
        let bytes = self.bytes;
        let mut writer = self.begin(meta)?;
        if bytes {
            writer.write(&value[range.start as usize..range.end as usize])?;
        }
        Ok(Outcome::Done)
    }
    /// Gives the meta alone: of a new value, or if `wants_bytes` is false.
    pub fn give_meta(self, meta: &Meta) -> Reply {
        self.begin(meta).map(|_| Outcome::Done)
    }
    /// Announces a value whose bytes follow one after another: those of `range`, unless `wants_bytes` is false.
    pub fn begin(self, meta: &Meta) -> Result<Writer<'a>, Failure> {
        if !self.raw.is_null() {
            check(unsafe { ((*self.raw).begin)(self.raw, &meta.raw(self.wanted), std::ptr::null_mut()) })?;
        }
        Ok(Writer { sink: self })
    }
}

pub struct Writer<'a> {
    sink: Sink<'a>,
}

impl Writer<'_> {
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() || self.sink.raw.is_null() || !self.sink.bytes {
            return Ok(());
        }
        let raw = self.sink.raw;
        check(unsafe { ((*raw).write)(raw, bytes.as_ptr() as *const c_void, bytes.len() as u64) })
    }
}
