// SPDX-License-Identifier: Apache-2.0
#include "writing.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include <omnistore/etag_number.hpp>
#include <omnistore/value.hpp>

namespace sqlite {
namespace {

using omnistore::as_view;

/// A long value goes into its place in parts of this size.
constexpr std::size_t PART = 256 << 10;

void bind_user(Run &run, std::string_view user) {
  if (!run.takes(5)) return;
  if (user.empty())
    run.null(5);
  else
    run.blob(5, user);
}

Query query_of(std::uint32_t condition) {
  return condition == OMNISTORE_IF_ABSENT    ? Query::set_if_absent
         : condition == OMNISTORE_IF_PRESENT ? Query::set_if_present
         : condition == OMNISTORE_IF_MATCH   ? Query::set_if_match
                                             : Query::set;
}

/// Binds a row's new content. A long value only gets its room.
void bind_row(Run &run, std::string_view key, const Known &known, std::string_view user, const Incoming &value,
              bool is_db0) {
  run.text(1, key).integer(2, known.version).integer(3, known.mtime).expiry(4, known.expiry);
  bind_user(run, user);
  if (!value.in_memory())
    run.zeros(6, value.size());
  else if (is_db0 && value.is_text())
    run.text(6, value.bytes());
  else
    run.blob(6, value.bytes());
}

/// Writes a value that only has its room.
void fill(Connection &writer, std::string_view key, const Incoming &value) {
  std::int64_t row = 0;
  {
    Run run(writer, Query::stat);
    run.text(1, key).row();
    row = run.integer_at(4);
  }
  Blob blob(writer, row, true);
  const auto part = std::make_unique<char[]>(PART);
  for (std::uint64_t at = 0; at < value.size();) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(PART, value.size() - at));
    value.read(part.get(), size, at);
    blob.write(part.get(), size, at);
    at += size;
  }
}

/// A set whose expiry has passed: if its condition holds, it removes the key.
omnistore_status write_expired(Connection &writer, std::string_view key, const omnistore_set_request &request,
                               std::int64_t now) {
  if (request.condition == OMNISTORE_IF_PRESENT || request.condition == OMNISTORE_IF_MATCH) {
    omnistore_remove_request as_remove{sizeof(omnistore_remove_request), 0, request.condition, 0, request.etag};
    return remove(writer, key, as_remove, now) == OMNISTORE_OK ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  }
  if (request.condition == OMNISTORE_IF_ABSENT) { // a value that has expired is left to the sweep
    Run run(writer, Query::is_absent);
    run.text(1, key);
    if (run.takes(7)) run.integer(7, now);
    return run.row() ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  }
  Run(writer, Query::remove_any).text(1, key).row();
  return OMNISTORE_OK;
}

/// The bytes of a value in the table.
struct BlobSource : omnistore_source {
  Blob &blob;
  std::uint64_t at = 0;

  explicit BlobSource(Blob &from) : omnistore_source{sizeof(omnistore_source), 0, nullptr}, blob(from) {
    read = [](omnistore_source *source, void *buffer, std::uint64_t capacity, std::uint64_t *count) {
      auto &self = *static_cast<BlobSource *>(source);
      *count = std::min(capacity, self.blob.size() - self.at);
      self.blob.read(buffer, static_cast<std::size_t>(*count), self.at);
      self.at += *count;
      return OMNISTORE_OK;
    };
  }
};

bool is_long(Connection &writer, std::string_view key) {
  Run run(writer, Query::stat);
  return run.text(1, key).row() && run.integer_at(0) > static_cast<std::int64_t>(LONGEST_INLINE);
}

omnistore_status touch_long(omnistore::Call call, Connection &writer, std::string_view key,
                            const omnistore_touch_request &request, std::int64_t now) {
  Transaction transaction(writer, Query::begin_write);
  Known known;
  std::int64_t row = 0;
  {
    Run run(writer, Query::stat_with_user);
    if (!run.text(1, key).row()) return OMNISTORE_NOT_FOUND;
    known = Known::from(run, true, true);
    row = run.integer_at(4);
  }
  if (known.expiry != 0 && known.expiry <= now) return OMNISTORE_NOT_FOUND;
  if (request.flags & OMNISTORE_TOUCH_EXPIRY) known.expiry = request.expiry;
  if (request.flags & OMNISTORE_TOUCH_USER) known.user = as_view(request.user);
  Incoming value;
  {
    Blob blob(writer, row, false);
    BlobSource source(blob);
    omnistore_set_request whole{};
    whole.size = sizeof whole;
    whole.source = &source;
    whole.source_size = blob.size();
    if (const omnistore_status status = value.gather(call, whole, writer.settings().folder); status != OMNISTORE_OK)
      return status;
  }
  {
    Run run(writer, Query::set);
    bind_row(run, key, known, known.user, value, false);
    run.row();
  }
  if (!value.in_memory()) fill(writer, key, value);
  transaction.commit();
  return OMNISTORE_OK;
}

} // namespace

omnistore_status write(Connection &writer, std::string_view key, const omnistore_set_request &request,
                       const Incoming &value, Known &known) {
  known.expiry = request.expiry;
  known.size = value.size();
  const auto version = omnistore::NumberEtag::parse(as_view(request.etag));
  if (request.condition == OMNISTORE_IF_MATCH && !version) return OMNISTORE_CONFLICT;
  if (request.expiry != 0 && request.expiry <= known.mtime) return write_expired(writer, key, request, known.mtime);
  std::optional<Transaction> transaction;
  if (!value.in_memory() && !writer.in_transaction()) transaction.emplace(writer, Query::begin_write);
  {
    Run run(writer, query_of(request.condition));
    bind_row(run, key, known, as_view(request.user), value, writer.settings().layout.is_db0());
    if (run.takes(7)) run.integer(7, known.mtime);
    if (run.takes(8)) run.integer(8, static_cast<std::int64_t>(*version));
    run.row();
  }
  if (!writer.changed()) return OMNISTORE_CONFLICT;
  if (!value.in_memory()) fill(writer, key, value);
  if (transaction) transaction->commit();
  return OMNISTORE_OK;
}

omnistore_status touch(omnistore::Call call, Connection &writer, std::string_view key,
                       const omnistore_touch_request &request, std::int64_t now) {
  const bool user = request.flags & OMNISTORE_TOUCH_USER, expiry = request.flags & OMNISTORE_TOUCH_EXPIRY;
  const bool ends = expiry && request.expiry != 0 && request.expiry <= now;
  if (!ends && is_long(writer, key)) return touch_long(call, writer, key, request, now);
  Run run(writer, ends             ? Query::remove
                  : user && expiry ? Query::touch_both
                  : user           ? Query::touch_user
                                   : Query::touch_expiry);
  run.text(1, key);
  if (!ends && expiry) run.expiry(4, request.expiry);
  if (!ends && user) bind_user(run, as_view(request.user));
  run.integer(7, now).row();
  return writer.changed() ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
}

omnistore_status remove(Connection &writer, std::string_view key, const omnistore_remove_request &request,
                        std::int64_t now) {
  const bool matches = request.condition == OMNISTORE_IF_MATCH;
  const auto version = omnistore::NumberEtag::parse(as_view(request.etag));
  if (matches && !version) return OMNISTORE_CONFLICT;
  Run run(writer, matches ? Query::remove_if_match : Query::remove);
  run.text(1, key);
  if (run.takes(7)) run.integer(7, now);
  if (run.takes(8)) run.integer(8, static_cast<std::int64_t>(*version));
  run.row();
  return writer.changed() ? OMNISTORE_OK : matches ? OMNISTORE_CONFLICT : OMNISTORE_NOT_FOUND;
}

} // namespace sqlite
