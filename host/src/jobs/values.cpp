// SPDX-License-Identifier: Apache-2.0
#include "jobs/values.hpp"

#include <cstdlib>

#include "jobs/digest.hpp"
#include "jobs/endpoint.hpp"

namespace omnistore::jobs {
namespace {

void fill(StoredValue &value, const Meta &meta) {
  value.size = meta.size;
  value.mtime = meta.mtime;
  value.expiry = meta.expiry;
  value.etag = meta.etag;
  value.user = meta.user;
}

GetOptions with_meta() {
  GetOptions options;
  options.caller = &background;
  options.meta = options.user = true;
  return options;
}

class DigestReader : public Reader {
public:
  char *begin(const Meta &given) override {
    meta = given;
    digest = {};
    size = 0;
    return nullptr;
  }
  void write(std::string_view bytes) override {
    digest.add(bytes);
    size += bytes.size();
  }

  Meta meta;
  Digest digest;
  std::uint64_t size = 0;
};

} // namespace

std::vector<StoredValue> read_values(const Storage &storage, std::span<const std::string> keys) {
  GetOptions options = with_meta();
  options.length = short_value + 1;
  std::vector<EntryOutcome> outcomes = storage.get_many(keys, options);
  std::vector<StoredValue> result(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EntryOutcome &outcome = outcomes[i];
    StoredValue &value = result[i];
    if (outcome.status == Status::not_found) continue;
    if (outcome.status != Status::ok) {
      value.state = StoredValue::State::failed;
      value.failure = std::move(outcome);
      continue;
    }
    fill(value, outcome.entry.meta);
    // If the size is unknown, the number of bytes that came is the size.
    if (value.size == UINT64_MAX && outcome.entry.value.size() <= short_value) value.size = outcome.entry.value.size();
    value.state = value.size > short_value ? StoredValue::State::is_long : StoredValue::State::loaded;
    if (value.state == StoredValue::State::loaded) value.bytes = std::move(outcome.entry.value);
  }
  return result;
}

void read_whole(const Storage &storage, const std::string &key, StoredValue &value) {
  std::optional<Entry> entry = storage.entry(key, with_meta());
  value = {};
  if (!entry) return;
  fill(value, entry->meta);
  value.state = StoredValue::State::loaded;
  value.bytes = std::move(entry->value);
  value.size = value.bytes.size();
}

std::string digest_of(const Storage &storage, const std::string &key, StoredValue &value) {
  DigestReader reader;
  value = {};
  if (!storage.read(key, reader, with_meta())) return {};
  fill(value, reader.meta);
  value.size = reader.size;
  value.state = StoredValue::State::is_long;
  if (!reader.meta.user_known) value.user = user_of(storage, key);
  return reader.digest.hex();
}

std::string user_of(const Storage &storage, const std::string &key) {
  std::optional<Meta> meta = storage.meta(key);
  return meta ? std::move(meta->user) : std::string();
}

bool store_failed(Status status) {
  return status == Status::timeout || status == Status::cancelled || status == Status::unavailable ||
         status == Status::internal;
}

bool same_meta(const StoredValue &one, const StoredValue &other) {
  constexpr std::int64_t rounded = 2000;
  if ((one.expiry == 0) != (other.expiry == 0)) return false;
  if (one.expiry != 0 && std::abs(one.expiry - other.expiry) > rounded) return false;
  return one.user == other.user;
}

} // namespace omnistore::jobs
