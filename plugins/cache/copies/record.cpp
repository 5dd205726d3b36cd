// SPDX-License-Identifier: Apache-2.0
#include "copies/record.hpp"

#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>
#include <omnistore/value.hpp>

namespace cache {

using omnistore::as_view;

namespace {

constexpr std::string_view record_space = "cache$:";

/// An etag is printable ASCII without quotes, so that only a backslash needs an escape.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

} // namespace

void Record::take(const omnistore_meta &origin, std::int64_t asked) {
  // A later change within the same tick of the origin's clock would have the same mtime. A tick is a second, or about
  // the 20 ms of a kernel's clock.
  const std::int64_t grain = origin.mtime % 1000 == 0 ? 1000 : 20;
  absent = doubtful = false;
  etag = as_view(origin.etag);
  mtime = origin.mtime;
  settled = mtime + grain <= asked;
  expiry = origin.expiry;
  size = origin.value_size;
  user = origin.flags & OMNISTORE_META_USER ? digest_of(as_view(origin.user)) : std::string();
}

bool Record::same(const omnistore_meta &origin) const {
  if (absent) return false;
  if (!etag.empty() && origin.etag.size != 0) return etag == as_view(origin.etag);
  return settled && mtime != 0 && mtime == origin.mtime && size != OMNISTORE_UNKNOWN_SIZE && size == origin.value_size;
}

std::string Record::text() const {
  std::string out = "{\"checked\":" + std::to_string(checked);
  if (doubtful) out += ",\"doubtful\":true";
  if (absent) return out + ",\"absent\":true}";
  out += ",\"of\":" + in_quotes(of);
  if (!etag.empty()) out += ",\"etag\":" + in_quotes(etag);
  if (mtime != 0) out += ",\"mtime\":" + std::to_string(mtime);
  if (settled) out += ",\"settled\":true";
  if (expiry != 0) out += ",\"expiry\":" + std::to_string(expiry);
  if (size != OMNISTORE_UNKNOWN_SIZE) out += ",\"size\":" + std::to_string(size);
  if (!user.empty()) out += ",\"user\":" + in_quotes(user);
  return out + "}";
}

std::string digest_of(std::string_view user) {
  std::uint64_t hash = 14695981039346656037u; // FNV-1a
  for (const char c : user) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return std::to_string(hash);
}

std::optional<Record> Record::parse(std::string_view text) {
  try {
    const omnistore::Options from(text);
    Record record;
    record.checked = from.integer("checked");
    record.absent = from.boolean("absent", false);
    record.doubtful = from.boolean("doubtful", false);
    record.of = from.string("of", "");
    record.etag = from.string("etag", "");
    record.user = from.string("user", "");
    record.mtime = from.integer("mtime", 0);
    record.settled = from.boolean("settled", false);
    record.expiry = from.integer("expiry", 0);
    const std::int64_t size = from.integer("size", -1);
    if (size >= 0) record.size = static_cast<std::uint64_t>(size);
    return record;
  } catch (const omnistore::Failure &) {
    return std::nullopt;
  }
}

std::string state_of(const omnistore_meta &copy) {
  if (copy.etag.size != 0) return std::string(as_view(copy.etag));
  return std::to_string(copy.mtime) + "," + std::to_string(copy.value_size);
}

std::string record_key(std::string_view key) { return std::string(record_space).append(key) + '$'; }
std::string record_base(std::string_view base) { return std::string(record_space).append(base); }
bool is_reserved(std::string_view key) { return key.starts_with(record_space); }

} // namespace cache
