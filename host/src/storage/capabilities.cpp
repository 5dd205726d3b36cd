// SPDX-License-Identifier: Apache-2.0
#include "storage/capabilities.hpp"

namespace omnistore {
namespace {

using How = StoreInfo::Capability::How;

/// Returns true if a lock of the host can stand in for conditions that the driver lacks. Other writers do not respect
/// that lock, so the store must have none. A match also needs the driver's etags.
bool can_lock(const omnistore_traits &traits) { return !(traits.capabilities & OMNISTORE_SHARED); }

} // namespace

omnistore_traits emulated(const omnistore_traits &traits) {
  omnistore_traits result = traits;
  result.thread_model = OMNISTORE_PARALLEL;
  result.capabilities |= OMNISTORE_CAN_RANGE | OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META |
                         OMNISTORE_CAN_META | OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_FOLDERS;
  if (traits.capabilities & OMNISTORE_READS_ONLY) return result;
  result.capabilities |= OMNISTORE_CAN_TTL;
  if (can_lock(traits)) {
    result.capabilities |= OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT;
    if (traits.capabilities & OMNISTORE_CAN_ETAG) result.capabilities |= OMNISTORE_CAN_IF_MATCH;
  }
  return result;
}

std::vector<StoreInfo::Capability> capabilities(const omnistore_driver &driver, const omnistore_traits &traits) {
  const bool writes = !(traits.capabilities & OMNISTORE_READS_ONLY);
  const bool lists = !(traits.capabilities & OMNISTORE_CANNOT_LIST);
  auto bit = [&](std::uint64_t which, bool emulates) {
    return traits.capabilities & which ? How::native : emulates ? How::emulated : How::no;
  };
  auto entry = [](auto *function, bool emulates = true) {
    return function ? How::native : emulates ? How::emulated : How::no;
  };
  const bool touches = driver.touch && traits.capabilities & OMNISTORE_CAN_TTL;
  return {
      {"write", writes ? How::native : How::no},
      {"ttl", bit(OMNISTORE_CAN_TTL, writes)},
      {"touch", touches                                                ? How::native
                : writes && !(traits.capabilities & OMNISTORE_CAN_TTL) ? How::emulated
                                                                       : How::no},
      {"meta", bit(OMNISTORE_CAN_META, writes)},
      {"etag", bit(OMNISTORE_CAN_ETAG, false)},
      {"if-absent", bit(OMNISTORE_CAN_IF_ABSENT, writes && can_lock(traits))},
      {"if-present", bit(OMNISTORE_CAN_IF_PRESENT, writes && can_lock(traits))},
      {"if-match", bit(OMNISTORE_CAN_IF_MATCH, writes && can_lock(traits) && traits.capabilities & OMNISTORE_CAN_ETAG)},
      {"range", bit(OMNISTORE_CAN_RANGE, true)},
      {"stream", bit(OMNISTORE_CAN_STREAM, writes)},
      {"depth", bit(OMNISTORE_CAN_DEPTH, lists)},
      {"list-meta", bit(OMNISTORE_CAN_LIST_META, lists)},
      {"list-range", bit(OMNISTORE_CAN_LIST_RANGE, lists)},
      {"list-reverse", bit(OMNISTORE_CAN_LIST_REVERSE, false)},
      {"list-folders", bit(OMNISTORE_CAN_LIST_FOLDERS, lists)},
      {"nesting", bit(OMNISTORE_NESTS, false)},
      {"clear", entry(driver.clear, writes && lists)},
      {"get-many", entry(driver.get_many)},
      {"set-many", entry(driver.set_many, writes)},
      {"remove-many", entry(driver.remove_many, writes)},
      {"watch", entry(driver.watch)},
  };
}

} // namespace omnistore
