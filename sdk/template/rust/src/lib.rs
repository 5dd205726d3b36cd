// SPDX-License-Identifier: Apache-2.0
//! @NAME@: a driver that keeps its values in a map. Replace the map by your own store.
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

mod omnistore;
use omnistore::{Call, Clear, Condition, Failure, Host, ListRequest, Meta, Outcome, Page, Reply, SetRequest};
use omnistore::{Sink, Store, Traits};

struct Map {
    host: Host,
    capacity: usize,
    values: Mutex<BTreeMap<Vec<u8>, Value>>,
}

struct Value {
    bytes: Vec<u8>,
    mtime: i64,
}

impl Value {
    fn meta(&self) -> Meta<'_> {
        Meta { size: self.bytes.len() as u64, mtime: Some(self.mtime), ..Meta::default() }
    }
}

/// Reads the capacity. The host has checked the options against options.schema.json and filled in the default, so that
/// a number follows the only colon. For more options, use a JSON parser.
fn read_capacity(options: &str) -> Result<usize, Failure> {
    let number = options.split(|c| c == ':' || c == '}').nth(1).unwrap_or("");
    number.trim().parse().map_err(|_| Failure::refused(omnistore::INVALID, "option capacity: expected a number"))
}

impl Map {
    fn values(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Value>> {
        self.values.lock().unwrap()
    }
}

impl Store for Map {
    const TRAITS: Traits = Traits {
        capabilities: omnistore::NEVER_BLOCKS | omnistore::NESTS | omnistore::CAN_LIST_META,
        keeps: omnistore::KEEPS_NOTHING,
        order: omnistore::ORDER_KEYS,
        ..Traits::parallel()
    };

    fn open(options: &str, host: Host) -> Result<Self, Failure> {
        Ok(Map { host, capacity: read_capacity(options)?, values: Mutex::default() })
    }

    fn get(&self, _: &Call, key: &[u8], sink: Sink) -> Reply {
        match self.values().get(key) {
            Some(value) => sink.give(&value.meta(), &value.bytes),
            None => Ok(Outcome::NotFound),
        }
    }

    fn set(&self, _: &Call, key: &[u8], request: &SetRequest, _: Sink) -> Reply {
        let mut values = self.values();
        if values.len() >= self.capacity && !values.contains_key(key) {
            let message = format!("there are {} values already", self.capacity);
            return Err(Failure::refused(omnistore::NO_SPACE, message));
        }
        values.insert(key.to_vec(), Value { bytes: request.value.to_vec(), mtime: self.host.now() });
        Ok(Outcome::Done)
    }

    fn remove(&self, _: &Call, key: &[u8], _: Condition) -> Reply {
        Ok(if self.values().remove(key).is_some() { Outcome::Done } else { Outcome::NotFound })
    }

    fn list(&self, _: &Call, request: &ListRequest, page: &mut Page) -> Reply {
        let values = self.values();
        page.fill(request, |keys| values.range(keys).next().map(|(key, value)| (&key[..], value.meta())))
    }
}

impl Clear for Map {
    fn clear(&self, _: &Call, base: &[u8], removed: &mut Page) -> Reply {
        let mut values = self.values();
        let keys: Vec<_> = values.keys().filter(|key| key.starts_with(base)).cloned().collect();
        for key in keys {
            removed.emit(&key, None)?;
            values.remove(&key);
        }
        Ok(Outcome::Done)
    }
}

omnistore::export! {
    store: Map,
    name: "@NAME@",
    version: "0.1.0",
    summary: "Keeps values in a map",
    schema: include_str!("../options.schema.json"),
}

#[cfg(test)]
mod tests {
    use super::read_capacity;

    #[test]
    fn the_capacity_is_read_from_the_options() {
        assert!(matches!(read_capacity(r#"{"capacity":12}"#), Ok(12)));
        assert!(read_capacity("{}").is_err());
    }
}
