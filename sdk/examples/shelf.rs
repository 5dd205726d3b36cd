// SPDX-License-Identifier: Apache-2.0
//! Keeps values in memory with expiries, conditions, user meta, listings in order, and watches. GUIDE-RUST.md explains it.
use std::collections::BTreeMap;
use std::sync::Mutex;

#[path = "../template/rust/src/omnistore/mod.rs"] // a project of `new-driver` has it beside this file
mod omnistore;
use omnistore::*;

struct Shelf {
    host: Host,
    etags: Etags,
    entries: Mutex<BTreeMap<Vec<u8>, Entry>>,
    watchers: Mutex<Vec<Watcher>>, // locked after `entries`
}

#[derive(Default)]
struct Entry {
    value: Vec<u8>,
    user: Vec<u8>,
    etag: Vec<u8>,
    mtime: i64,
    expiry: Option<i64>,
}

impl Entry {
    fn expired(&self, now: i64) -> bool {
        self.expiry.map_or(false, |expiry| now >= expiry)
    }
    fn meta(&self) -> Meta<'_> {
        Meta {
            size: self.value.len() as u64,
            mtime: Some(self.mtime),
            expiry: self.expiry,
            etag: Some(&self.etag),
            user: Some(&self.user),
        }
    }
}

impl Shelf {
    /// Returns the live entry of a key, and removes an expired one.
    fn live<'a>(&self, entries: &'a mut BTreeMap<Vec<u8>, Entry>, key: &[u8]) -> Option<&'a mut Entry> {
        if entries.get(key)?.expired(self.host.now()) {
            entries.remove(key);
            self.host.removed(key, Cause::Expired);
        }
        entries.get_mut(key)
    }
    /// Removes an entry, and reports it. Returns false if there was none.
    fn drop_entry(&self, entries: &mut BTreeMap<Vec<u8>, Entry>, key: &[u8]) -> bool {
        entries.remove(key).map(|_| self.report(|watcher| watcher.removed(key, Cause::Removed))).is_some()
    }
    fn report(&self, event: impl Fn(&Watcher)) {
        self.watchers.lock().unwrap().iter().for_each(event);
    }
}

impl Store for Shelf {
    const TRAITS: Traits = Traits {
        capabilities: NEVER_BLOCKS | NESTS | CAN_TTL | CAN_META | CAN_ETAG | CAN_IF_ABSENT | CAN_IF_PRESENT | CAN_IF_MATCH
            | CAN_RANGE | CAN_DEPTH | CAN_LIST_META | CAN_LIST_RANGE | CAN_LIST_REVERSE | CAN_LIST_FOLDERS | WATCHES_OWN,
        keeps: KEEPS_NOTHING,
        order: ORDER_KEYS,
        ..Traits::parallel()
    };

    fn open(_: &str, host: Host) -> Result<Self, Failure> {
        Ok(Shelf { host, etags: Etags::new(), entries: Mutex::default(), watchers: Mutex::default() })
    }

    fn get(&self, _: &Call, key: &[u8], sink: Sink) -> Reply {
        match self.live(&mut self.entries.lock().unwrap(), key) {
            Some(entry) => sink.give(&entry.meta(), &entry.value),
            None => Ok(Outcome::NotFound),
        }
    }

    fn set(&self, _: &Call, key: &[u8], request: &SetRequest, stored: Sink) -> Reply {
        let mut entries = self.entries.lock().unwrap();
        let old = self.live(&mut entries, key);
        if !request.condition.holds(old.map(|entry| &entry.etag[..])) {
            return Ok(Outcome::Conflict);
        }
        let (value, user) = (request.value.to_vec(), request.user.to_vec());
        let mtime = self.host.now();
        let entry = Entry { value, user, etag: self.etags.next(), mtime, expiry: request.expiry };
        if entry.expired(mtime) {
            self.drop_entry(&mut entries, key);
            return Ok(Outcome::Done);
        }
        stored.give_meta(&entry.meta())?;
        entries.insert(key.to_vec(), entry);
        self.report(|watcher| watcher.updated(key));
        Ok(Outcome::Done)
    }

    fn remove(&self, _: &Call, key: &[u8], condition: Condition) -> Reply {
        let mut entries = self.entries.lock().unwrap();
        let old = self.live(&mut entries, key).map(|entry| &entry.etag[..]);
        if matches!(condition, Condition::IfMatch(_)) && !condition.holds(old) {
            return Ok(Outcome::Conflict);
        }
        Ok(if self.drop_entry(&mut entries, key) { Outcome::Done } else { Outcome::NotFound })
    }

    fn list(&self, _: &Call, request: &ListRequest, page: &mut Page) -> Reply {
        let entries = self.entries.lock().unwrap();
        let now = self.host.now();
        page.fill(request, |keys| {
            let mut live = entries.range(keys).filter(|(_, entry)| !entry.expired(now));
            let found = if request.reverse { live.next_back() } else { live.next() };
            found.map(|(key, entry)| (&key[..], entry.meta()))
        })
    }
}

impl Touch for Shelf {
    fn touch(&self, _: &Call, key: &[u8], request: &TouchRequest) -> Reply {
        let mut entries = self.entries.lock().unwrap();
        let entry = match self.live(&mut entries, key) {
            Some(entry) => entry,
            None => return Ok(Outcome::NotFound),
        };
        entry.expiry = request.expiry.unwrap_or(entry.expiry);
        if let Some(user) = request.user {
            entry.user = user.to_vec();
        }
        if self.live(&mut entries, key).is_some() {
            self.report(|watcher| watcher.updated(key));
        }
        Ok(Outcome::Done)
    }
}

impl Watch for Shelf {
    fn watch(&self, _: &Call, watcher: Watcher) -> Result<(), Failure> {
        self.watchers.lock().unwrap().push(watcher);
        Ok(())
    }
    fn unwatch(&self, watcher: &Watcher) {
        self.watchers.lock().unwrap().retain(|each| each != watcher);
    }
}

export! { store: Shelf, name: "shelf", version: "1.0.0", summary: "Keeps values with all that belongs to them" }
