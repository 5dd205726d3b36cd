// SPDX-License-Identifier: Apache-2.0
#include "copies/records.hpp"

#include <utility>
#include <vector>

namespace cache {

using omnistore::Call;

namespace {

/// In one shard. A record that is evicted is read again from beside its copy, or costs a request to the origin.
constexpr std::size_t max_records = 4096;

/// The clears under way are stored as the record of this key, which is reserved and so has no record of its own.
constexpr std::string_view clears_key = "cache$:clears";

} // namespace

Records::Records(omnistore::Child copies)
    : copies_(copies), keeps_(copies.can(OMNISTORE_SHARED) || copies.traits().keeps != OMNISTORE_KEEPS_NOTHING) {}

std::optional<Record> Records::known(std::string_view key) const {
  const Shard &part = shard(key);
  const std::lock_guard lock(part.mutex);
  const auto found = part.records.find(key);
  if (found == part.records.end()) return std::nullopt;
  return found->second;
}

std::optional<Record> Records::find(Call call, std::string_view key) {
  std::optional<Record> record = known(key);
  return record ? record : read_again(call, key);
}

std::optional<Record> Records::read_again(Call call, std::string_view key) {
  const std::optional<Record> before = known(key);
  if (!keeps_) return before;
  omnistore::ValueSink text;
  std::optional<Record> record;
  if (!is_distrusted(key) && copies_.read(call, record_key(key), text) == OMNISTORE_OK)
    record = Record::parse(text.bytes);
  Shard &part = shard(key);
  const std::lock_guard lock(part.mutex);
  const auto found = part.records.find(key);
  if (found != part.records.end() && found->second != before) return found->second; // it was put since it was read
  if (record)
    remember(part, key, *record);
  else if (found != part.records.end())
    part.records.erase(found);
  return record;
}

omnistore_status Records::put(Call call, std::string_view key, const Record &record, std::int64_t until) {
  if (keeps_) {
    const omnistore_status status = copies_.write(call, record_key(key), record.text(), until);
    if (status != OMNISTORE_OK) return forget(key), status;
    trust(key);
  }
  Shard &part = shard(key);
  const std::lock_guard lock(part.mutex);
  remember(part, key, record);
  return OMNISTORE_OK;
}

omnistore_status Records::drop(Call call, std::string_view key) {
  forget(key);
  if (!keeps_) return OMNISTORE_OK;
  const omnistore_status status = copies_.remove(call, record_key(key));
  if (!is_surely_absent(status)) return distrust(key), status;
  trust(key);
  return OMNISTORE_OK;
}

bool Records::is_distrusted(std::string_view key) const {
  if (!has_distrusted_.load(std::memory_order_acquire)) return false;
  const std::lock_guard lock(distrust_mutex_);
  return distrusts_all_ || distrusted_.contains(std::string(key));
}

void Records::distrust(std::string_view key) {
  constexpr std::size_t most = 65'536;
  const std::lock_guard lock(distrust_mutex_);
  if (distrusted_.size() >= most) distrusted_.clear(), distrusts_all_ = true;
  distrusted_.emplace(key);
  has_distrusted_.store(true, std::memory_order_release);
}

void Records::trust(std::string_view key) {
  if (!has_distrusted_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(distrust_mutex_);
  distrusted_.erase(std::string(key));
  has_distrusted_.store(distrusts_all_ || !distrusted_.empty(), std::memory_order_release);
}

void Records::postpone_clear(std::string_view base) {
  const std::lock_guard lock(clears_mutex_);
  postponed_.emplace(base);
  settled_.store(false, std::memory_order_release);
}

void Records::doubt(Call call, std::string_view base) {
  for (Shard &part : shards_) {
    const std::lock_guard lock(part.mutex);
    for (auto &[key, record] : part.records)
      if (key.starts_with(base)) record.doubtful = true;
  }
  if (!keeps_) return;
  std::vector<std::string> keys;
  omnistore::PageSink page([&](std::string_view key, const omnistore_meta *) -> omnistore_status {
    keys.emplace_back(key);
    return OMNISTORE_OK;
  });
  std::string cursor;
  do {
    keys.clear();
    cursor = std::exchange(page.cursor, {});
    const omnistore_list_request request{
        sizeof request, 0, omnistore::as_bytes(base), OMNISTORE_ANY_DEPTH, 1000, omnistore::as_bytes(cursor), {}, {}};
    if (copies_.list(call, request, page) != OMNISTORE_OK || !page.skipped.empty()) return postpone_clear(base);
    for (const std::string &key : keys) {
      omnistore::ValueSink text;
      const omnistore_status status = copies_.read(call, record_key(key), text);
      if (status != OMNISTORE_OK) {
        if (!is_surely_absent(status)) drop(call, key);
        continue;
      }
      std::optional<Record> record = Record::parse(text.bytes);
      if (!record || record->doubtful) continue;
      record->doubtful = true;
      if (put(call, key, *record, text.expiry) != OMNISTORE_OK) drop(call, key);
    }
  } while (!page.cursor.empty());
}

omnistore_status Records::clear(Call call, std::string_view base) {
  for (Shard &part : shards_) {
    const std::lock_guard lock(part.mutex);
    std::erase_if(part.records, [&](const auto &item) { return item.first.starts_with(base); });
  }
  if (!keeps_) return OMNISTORE_OK;
  const std::string records = record_base(base);
  return copies_.clear(call, {sizeof(omnistore_clear_request), 0, omnistore::as_bytes(records)});
}

omnistore_status Records::begin_clear(Call call, std::string_view base) {
  const std::lock_guard lock(clears_mutex_);
  clears_.emplace(base);
  return write_clears(call);
}

void Records::end_clear(Call call, std::string_view base) {
  const std::lock_guard lock(clears_mutex_);
  clears_.erase(clears_.find(base));
  write_clears(call); // if it fails, the records are removed once more at the next start
}

/// The caller holds the mutex.
omnistore_status Records::write_clears(Call call) {
  if (!keeps_) return OMNISTORE_OK;
  const std::string key = record_key(clears_key);
  if (clears_.empty() && postponed_.empty()) return copies_.remove(call, key);
  std::string text;
  for (const std::string &base : clears_) text.append(base) += '\n';
  for (const std::string &base : postponed_) text.append(base) += '\n';
  return copies_.write(call, key, text, 0);
}

bool Records::settle_clears(Call call) {
  const std::lock_guard lock(clears_mutex_);
  if (!keeps_ || is_settled()) return settled_ = true;
  omnistore::ValueSink text;
  const omnistore_status status = copies_.read(call, record_key(clears_key), text);
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return false;
  std::string_view left = text.bytes;
  for (std::size_t end; (end = left.find('\n')) != left.npos; left.remove_prefix(end + 1))
    if (clear(call, left.substr(0, end)) != OMNISTORE_OK) return false;
  for (; !postponed_.empty(); postponed_.erase(postponed_.begin()))
    if (clear(call, *postponed_.begin()) != OMNISTORE_OK) return false;
  if (status == OMNISTORE_OK) write_clears(call);
  return settled_ = true;
}

void Records::forget(std::string_view key) {
  Shard &part = shard(key);
  const std::lock_guard lock(part.mutex);
  if (const auto found = part.records.find(key); found != part.records.end()) part.records.erase(found);
}

void Records::remember(Shard &part, std::string_view key, const Record &record) {
  if (part.records.size() >= max_records) part.records.clear();
  part.records.insert_or_assign(std::string(key), record);
}

} // namespace cache
