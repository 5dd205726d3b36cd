// SPDX-License-Identifier: Apache-2.0
#include "jobs/values.hpp"

#include <cstdlib>

#include "jobs/digest.hpp"
#include "jobs/endpoint.hpp"

namespace omnistore::jobs {
namespace {

void fill(Taken &taken, const Meta &meta) {
  taken.size = meta.size;
  taken.mtime = meta.mtime;
  taken.expiry = meta.expiry;
  taken.etag = meta.etag;
  taken.user = meta.user;
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

std::vector<Taken> take(const Storage &storage, std::span<const std::string> keys) {
  GetOptions options = with_meta();
  options.length = short_value + 1;
  std::vector<EntryOutcome> outcomes = storage.get_many(keys, options);
  std::vector<Taken> result(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EntryOutcome &outcome = outcomes[i];
    Taken &taken = result[i];
    if (outcome.status == Status::not_found) continue;
    if (outcome.status != Status::ok) {
      taken.state = Taken::State::failed;
      taken.failure = std::move(outcome);
      continue;
    }
    fill(taken, outcome.entry.meta);
    // A size that is not known beforehand is told by how much came.
    if (taken.size == UINT64_MAX && outcome.entry.value.size() <= short_value) taken.size = outcome.entry.value.size();
    taken.state = taken.size > short_value ? Taken::State::is_long : Taken::State::held;
    if (taken.state == Taken::State::held) taken.value = std::move(outcome.entry.value);
  }
  return result;
}

void take_whole(const Storage &storage, const std::string &key, Taken &taken) {
  std::optional<Entry> entry = storage.entry(key, with_meta());
  taken = {};
  if (!entry) return;
  fill(taken, entry->meta);
  taken.state = Taken::State::held;
  taken.value = std::move(entry->value);
  taken.size = taken.value.size();
}

std::string digest_of(const Storage &storage, const std::string &key, Taken &taken) {
  DigestReader reader;
  taken = {};
  if (!storage.read(key, reader, with_meta())) return {};
  fill(taken, reader.meta);
  taken.size = reader.size;
  taken.state = Taken::State::is_long;
  if (!reader.meta.user_known) taken.user = user_of(storage, key);
  return reader.digest.hex();
}

std::string user_of(const Storage &storage, const std::string &key) {
  std::optional<Meta> meta = storage.meta(key);
  return meta ? std::move(meta->user) : std::string();
}

bool same_meta(const Taken &one, const Taken &other) {
  constexpr std::int64_t rounded = 2000;
  if ((one.expiry == 0) != (other.expiry == 0)) return false;
  if (one.expiry != 0 && std::abs(one.expiry - other.expiry) > rounded) return false;
  return one.user == other.user;
}

} // namespace omnistore::jobs
