// SPDX-License-Identifier: Apache-2.0
//! Listings.
use super::abi::*;
use super::call::{check, Failure, Outcome, Reply};
use super::requests::Meta;
use std::marker::PhantomData;
use std::ops::Bound::{self, Excluded, Included, Unbounded};

/// One page of a listing. driver.h has the rules for ranges and folders.
pub struct ListRequest<'a> {
    /// Only keys that start with it; it ends in ':' or is empty.
    pub base: &'a [u8],
    /// What `Page::next` received in the page before; empty at the start.
    pub cursor: &'a [u8],
    /// Only keys with at most this many ':' after the base; None means all keys. With CAN_DEPTH.
    pub depth: Option<u32>,
    /// The most names to emit.
    pub limit: u32,
    /// Only names that are not less than `start` and are less than `end`; empty means no bound. With CAN_LIST_RANGE.
    pub start: &'a [u8],
    pub end: &'a [u8],
    /// Names come in descending order. With CAN_LIST_REVERSE.
    pub reverse: bool,
    /// Each key that `depth` leaves out is shown as its folder, once. With CAN_LIST_FOLDERS.
    pub folders: bool,
    /// The meta of each key is wanted. With CAN_LIST_META.
    pub meta: bool,
}

impl ListRequest<'_> {
    /// Returns the folder that stands for a key that lies too deep.
    fn folder_of<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let below = key.strip_prefix(self.base)?;
        let colons = below.iter().enumerate().filter(|(_, byte)| **byte == b':');
        let (at, _) = colons.into_iter().nth(self.depth? as usize)?;
        Some(&key[..self.base.len() + at + 1])
    }
    /// Returns the name that the listing shows for a key: the key, its folder, or None if it leaves the key out.
    pub fn name<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let name = match self.folder_of(key) {
            Some(folder) if self.folders => folder,
            Some(_) => return None,
            None => key,
        };
        let shown = name.starts_with(self.base) && name >= self.start && (self.end.is_empty() || name < self.end);
        if shown { Some(name) } else { None }
    }
    /// A folder is in the range if its name is, so a bound among the keys of a folder moves to their end.
    fn bound(&self, at: &[u8]) -> Vec<u8> {
        match self.folder_of(at) {
            Some(folder) if self.folders && folder != at => after(folder),
            _ => at.to_vec(),
        }
    }
    fn bounds(&self) -> Keys {
        let to = if self.base.is_empty() { Vec::new() } else { after(self.base) };
        let mut keys = Keys { from: self.base.to_vec(), to };
        if self.start > self.base {
            keys.from = self.bound(self.start);
        }
        if !self.end.is_empty() {
            keys.end_at(self.bound(self.end));
        }
        if !self.cursor.is_empty() {
            keys.pass(self.cursor, self.reverse);
        }
        keys
    }
}

/// A range of keys, such as `BTreeMap::range` takes.
pub type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The keys that are left to look at: from `from` on and before `to`, where an empty `to` is no bound.
struct Keys {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Keys {
    fn end_at(&mut self, to: Vec<u8>) {
        if self.to.is_empty() || to < self.to {
            self.to = to;
        }
    }
    /// Goes past a name and, if it is a folder, past its keys.
    fn pass(&mut self, name: &[u8], reverse: bool) {
        if reverse {
            self.end_at(name.to_vec());
        } else {
            self.from = std::mem::take(&mut self.from).max(after(name));
        }
    }
    fn range(&self) -> Option<KeyRange> {
        if self.to.is_empty() {
            Some((Included(self.from.clone()), Unbounded))
        } else if self.from < self.to {
            Some((Included(self.from.clone()), Excluded(self.to.clone())))
        } else {
            None
        }
    }
}

/// Returns the least bytes that come after a name and, if it is a folder, after its keys.
fn after(name: &[u8]) -> Vec<u8> {
    match name {
        [folder @ .., b':'] => [folder, b";"].concat(),
        _ => [name, b"\0"].concat(),
    }
}

/// Takes the keys of a listing, or those that a clear removed.
pub struct Page<'a> {
    pub(super) raw: *mut RawPage, // null if nobody wants it
    pub(super) left: u32,
    pub(super) meta: bool,
    pub(super) life: PhantomData<&'a mut RawPage>,
}

impl Page<'_> {
    /// Returns true if the page takes no more names. If there are more, call `next` and return.
    pub fn is_full(&self) -> bool {
        self.left == 0
    }
    /// Adds one whole key, with its meta if the request wants it.
    pub fn emit(&mut self, key: &[u8], meta: Option<&Meta>) -> Result<(), Failure> {
        self.left = self.left.saturating_sub(1);
        if self.raw.is_null() {
            return Ok(());
        }
        let meta = meta.filter(|_| self.meta).map(|meta| meta.raw(GET_META));
        let meta = meta.as_ref().map_or(std::ptr::null(), |meta| meta as *const RawMeta);
        check(unsafe { ((*self.raw).emit)(self.raw, Bytes::of(key), meta) })
    }
    /// Sets the cursor at which the next page starts. A page without it is the last one.
    pub fn next(&mut self, cursor: &[u8]) {
        if !self.raw.is_null() {
            unsafe { ((*self.raw).next)(self.raw, Bytes::of(cursor)) }
        }
    }
    /// Reports that everything under `base` (a prefix that ends in ':', or a key) is left out because of a lasting fault.
    pub fn skip(&mut self, base: &[u8], failure: &Failure) -> Result<(), Failure> {
        let long_enough = !self.raw.is_null() && unsafe { (*self.raw).size as usize } >= std::mem::size_of::<RawPage>();
        match if long_enough { unsafe { (*self.raw).skip } } else { None } {
            Some(skip) => {
                let message = Bytes::of(failure.message().as_bytes());
                check(unsafe { skip(self.raw, Bytes::of(base), failure.status(), message) })
            }
            None => Ok(()),
        }
    }
    /// Fills the page for a store that can seek in the order of keys. `seek` returns the first live key of a range with
    /// its meta, or the last one if the request is `reverse`. Depth, folders, range, limit and cursor need nothing else.
    pub fn fill<'k>(
        &mut self, request: &ListRequest, mut seek: impl FnMut(KeyRange) -> Option<(&'k [u8], Meta<'k>)>,
    ) -> Reply {
        let mut keys = request.bounds();
        let mut last: &[u8] = &[];
        while let Some((key, meta)) = keys.range().and_then(&mut seek) {
            if let Some(name) = request.name(key) {
                if self.is_full() {
                    self.next(last);
                    break;
                }
                self.emit(name, if name.len() == key.len() { Some(&meta) } else { None })?;
                last = name;
            }
            keys.pass(request.folder_of(key).unwrap_or(key), request.reverse);
        }
        Ok(Outcome::Done)
    }
}
