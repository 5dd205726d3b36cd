// SPDX-License-Identifier: Apache-2.0
#include "reading.hpp"

#include <algorithm>
#include <memory>

namespace sqlite {
namespace {

constexpr std::uint64_t PIECE = 256 << 10;

} // namespace

Known Known::from(const Run &run, bool with_version, bool with_user) {
  Known known;
  known.mtime = run.integer_at(1);
  known.expiry = run.integer_at(2);
  if (with_version) known.version = run.integer_at(3);
  if (with_user) known.user = run.bytes_at(5);
  return known;
}

omnistore_status Known::give(omnistore_sink &sink, std::uint32_t flags, bool gives_etags, std::string_view key,
                             std::string_view bytes) const {
  return with_meta(flags, gives_etags, key,
                   [&](const omnistore_meta &meta) { return omnistore::give(sink, meta, bytes); });
}

namespace {

/// The row of a live value; nothing else is read of it yet.
bool find(Run &run, std::string_view key, bool with_version, bool with_user, std::int64_t now, Found &found) {
  if (!run.text(1, key).row()) return false;
  found.known = Known::from(run, with_version, with_user);
  found.is_there = found.known.expiry == 0 || found.known.expiry > now;
  return found.is_there;
}

bool wants_user(const omnistore_get_request &request) { return request.flags & OMNISTORE_GET_USER; }

} // namespace

Found look_up(Connection &reader, std::string_view key, const omnistore_get_request &request, std::int64_t now,
              std::string &bytes, bool opens_blob) {
  Found found;
  const bool user = wants_user(request), version = user || (request.flags & OMNISTORE_GET_META) != 0;
  Run run(reader, user ? Query::get_with_user : version ? Query::get_with_version : Query::get);
  if (!find(run, key, version, user, now, found)) return found;
  if (!run.is_null(0)) {
    const std::string_view value = run.bytes_at(0);
    found.known.size = value.size();
    bytes += omnistore::part_of(value, request);
  } else if (reader.settings().layout.is_db0()) {
    found.is_there = false;            // neither column has a value
  } else if (opens_blob && !version) { // again, with the number of its row
    omnistore_get_request with_version = request;
    with_version.flags |= OMNISTORE_GET_META;
    return look_up(reader, key, with_version, now, bytes, true);
  } else if (opens_blob) {
    found.blob = std::make_unique<Blob>(reader, run.integer_at(4),
                                        false); // of the same snapshot, since the statement still runs
    found.known.size = found.blob->size();
  } else {
    found.known.size = OMNISTORE_UNKNOWN_SIZE;
  }
  return found;
}

Found look_at(Connection &reader, std::string_view key, const omnistore_get_request &request, std::int64_t now) {
  Found found;
  const bool user = wants_user(request);
  Run run(reader, user ? Query::stat_with_user : Query::stat);
  if (!find(run, key, true, user, now, found)) return found;
  found.is_there = !run.is_null(0);
  found.known.size = static_cast<std::uint64_t>(run.integer_at(0));
  return found;
}

omnistore_status give_long(omnistore::Call call, Lease &lease, Found &found, std::string_view key,
                           const omnistore_get_request &request, omnistore_sink &sink) {
  lease.make_long();
  Blob &blob = *found.blob;
  const Known &known = found.known;
  const std::uint64_t first = std::min(request.offset, known.size);
  const std::uint64_t count = std::min(request.length, known.size - first);
  void *room = nullptr;
  const omnistore_status begun = known.with_meta(
      request.flags, true, key, [&](const omnistore_meta &meta) { return sink.begin(&sink, &meta, &room); });
  if (begun != OMNISTORE_OK) return begun;
  const auto own = room ? nullptr : std::make_unique<char[]>(static_cast<std::size_t>(std::min(PIECE, count)));
  for (std::uint64_t done = 0; done < count;) {
    const std::uint64_t size = std::min(PIECE, count - done);
    char *const at = room ? static_cast<char *>(room) + done : own.get();
    blob.read(at, static_cast<std::size_t>(size), first + done);
    if (const omnistore_status status = sink.write(&sink, at, size); status != OMNISTORE_OK) return status;
    done += size;
    if (done < count && call.remaining() == 0) return call.fail(call.late(), "the value was not read in time");
  }
  return OMNISTORE_OK;
}

} // namespace sqlite
