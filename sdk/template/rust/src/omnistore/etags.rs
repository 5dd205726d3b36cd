// SPDX-License-Identifier: Apache-2.0
//! Etags for a store whose backend has no versions of its own.
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// Gives etags, none twice: a counter that starts at random, mixed (splitmix64), so that also those of an earlier run and
/// of another store differ.
pub struct Etags(AtomicU64);

impl Etags {
    pub fn new() -> Self {
        Etags(AtomicU64::new(RandomState::new().build_hasher().finish()))
    }
    pub fn next(&self) -> Vec<u8> {
        let mut x = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        format!("{:016x}", x ^ (x >> 31)).into_bytes()
    }
}
