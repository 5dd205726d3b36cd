// SPDX-License-Identifier: Apache-2.0
#include "records.hpp"

#include <utility>
#include <vector>

namespace cache {

using omnistore::Call;

namespace {

/// Of one shard. What is forgotten is read again from beside its copy, or costs a question to the origin.
constexpr std::size_t MOST_RECORDS = 4096;

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
  if (copies_.read(call, record_key(key), text) == OMNISTORE_OK) record = Record::parse(text.bytes);
  Shard &part = shard(key);
  const std::lock_guard lock(part.mutex);
  const auto found = part.records.find(key);
  if (found != part.records.end() && found->second != before) return found->second; // put since it was read
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
  return status == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : status;
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
    const omnistore_list_request request{sizeof request,      0,    omnistore::as_bytes(base),
                                         OMNISTORE_ANY_DEPTH, 1000, omnistore::as_bytes(cursor)};
    if (copies_.list(call, request, page) != OMNISTORE_OK) return;
    for (const std::string &key : keys) {
      omnistore::ValueSink text;
      if (copies_.read(call, record_key(key), text) != OMNISTORE_OK) continue;
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

void Records::forget(std::string_view key) {
  Shard &part = shard(key);
  const std::lock_guard lock(part.mutex);
  if (const auto found = part.records.find(key); found != part.records.end()) part.records.erase(found);
}

void Records::remember(Shard &part, std::string_view key, const Record &record) {
  if (part.records.size() >= MOST_RECORDS) part.records.clear();
  part.records.insert_or_assign(std::string(key), record);
}

} // namespace cache
