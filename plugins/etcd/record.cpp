// SPDX-License-Identifier: Apache-2.0
#include "record.hpp"

#include <omnistore/failure.hpp>

namespace etcd {
namespace {

constexpr std::string_view MARK("\0omniet\1", 8);

/// Big-endian, so that the order of the bytes is the order of the numbers.
void put(std::string &out, std::uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
}

std::uint64_t take(std::string_view &from, std::size_t bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i) number = number << 8 | static_cast<unsigned char>(from[i]);
  from.remove_prefix(bytes);
  return number;
}

} // namespace

std::string_view mark() { return MARK; }

std::string end_of_expired(std::int64_t now) {
  std::string end(MARK);
  put(end, static_cast<std::uint64_t>(now) + 1, 8);
  return end;
}

std::string Record::text() const {
  std::string out;
  out.reserve(BESIDE_VALUE + user.size() + value.size());
  out += MARK;
  put(out, static_cast<std::uint64_t>(expiry == 0 ? INT64_MAX : expiry), 8);
  put(out, static_cast<std::uint64_t>(etag), 8);
  put(out, static_cast<std::uint64_t>(mtime), 8);
  put(out, user.size(), 4);
  return (out += user) += value;
}

Record Found::record() const {
  Record record;
  record.value = text;
  if (!record.value.starts_with(MARK)) return record;
  if (text.size() < BESIDE_VALUE) throw omnistore::Failure(OMNISTORE_CORRUPT, "the value in etcd ends within its head");
  std::string_view rest = record.value.substr(MARK.size());
  const auto expiry = static_cast<std::int64_t>(take(rest, 8));
  record.expiry = expiry == INT64_MAX ? 0 : expiry;
  record.etag = static_cast<std::int64_t>(take(rest, 8));
  record.mtime = static_cast<std::int64_t>(take(rest, 8));
  const std::uint64_t user = take(rest, 4);
  if (user > rest.size()) throw omnistore::Failure(OMNISTORE_CORRUPT, "the value in etcd ends within its user meta");
  record.user = rest.substr(0, user);
  record.value = rest.substr(user);
  return record;
}

std::int64_t Found::etag() const {
  const std::int64_t kept = record().etag;
  return kept != 0 ? kept : revision;
}

} // namespace etcd
