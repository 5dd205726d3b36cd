// SPDX-License-Identifier: Apache-2.0
#include "jobs/values.hpp"

#include <cstdlib>

#include <boost/json/parse.hpp>

#include "jobs/digest.hpp"
#include "storage/sidecar.hpp"

namespace omnistore::jobs {
namespace {

/// The user's own part of what lies under `key$`.
std::string user_part(const std::string &text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos || text[first] != '{') return {};
  return with_expiry(text, 0);
}

void fill(Taken &taken, const Meta &meta) {
  taken.size = meta.size;
  taken.mtime = meta.mtime;
  taken.expiry = meta.expiry;
  taken.etag = meta.etag;
  taken.user = user_part(meta.user);
}

GetOptions with_meta() {
  GetOptions options;
  options.meta = true;
  return options;
}

/// Whether two texts are one JSON value, however they are written.
bool same_json(const std::string &one, const std::string &other) {
  if (one == other) return true;
  boost::system::error_code broken;
  const boost::json::value first = boost::json::parse(one, broken);
  if (broken) return false;
  const boost::json::value second = boost::json::parse(other, broken);
  return !broken && first == second;
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
  const std::size_t count = keys.size();
  std::vector<std::string> all(keys.begin(), keys.end());
  all.reserve(2 * count);
  for (const std::string &key : keys) all.push_back(key + '$');
  GetOptions options = with_meta();
  options.length = short_value + 1;
  std::vector<EntryOutcome> outcomes = storage.get_many(all, options);
  std::vector<Taken> result(count);
  for (std::size_t i = 0; i < count; ++i) {
    EntryOutcome &outcome = outcomes[i], &sidecar = outcomes[count + i];
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
    if (sidecar.status == Status::ok && taken.user.empty()) {
      if (sidecar.entry.value.size() > short_value) // what was got is not all of it
        sidecar.entry.value = storage.get(all[count + i]).value_or("");
      taken.user = user_part(sidecar.entry.value);
    } else if (sidecar.status != Status::ok && sidecar.status != Status::not_found) {
      taken.state = Taken::State::failed;
      taken.failure = std::move(sidecar);
    }
  }
  return result;
}

void take_whole(const Storage &storage, const std::string &key, Taken &taken) {
  const std::string user = std::move(taken.user);
  std::optional<Entry> entry = storage.entry(key);
  taken = {};
  if (!entry) return;
  fill(taken, entry->meta);
  taken.state = Taken::State::held;
  taken.value = std::move(entry->value);
  taken.size = taken.value.size();
  if (taken.user.empty()) taken.user = user;
}

std::string digest_of(const Storage &storage, const std::string &key, Taken &taken) {
  DigestReader reader;
  taken = {};
  if (!storage.read(key, reader, with_meta())) return {};
  fill(taken, reader.meta);
  taken.size = reader.size;
  taken.state = Taken::State::is_long;
  if (taken.user.empty()) taken.user = user_part(storage.get(key + '$').value_or(""));
  return reader.digest.hex();
}

bool same_meta(const Taken &one, const Taken &other) {
  constexpr std::int64_t rounded = 2000;
  if ((one.expiry == 0) != (other.expiry == 0)) return false;
  if (one.expiry != 0 && std::abs(one.expiry - other.expiry) > rounded) return false;
  return same_json(one.user, other.user);
}

} // namespace omnistore::jobs
