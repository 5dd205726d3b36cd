// SPDX-License-Identifier: Apache-2.0
// The `lmdb` driver: values in an LMDB database. environment.hpp says how threads share it and how the map grows,
// record.hpp what lies in it, listing.hpp how keys are listed.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore/etag_number.hpp>
#include <omnistore/sweep_timer.hpp>
#include <omnistore_schema.h>

#include "environment.hpp"
#include "listing.hpp"
#include "record.hpp"

namespace lmdb {
namespace {

using omnistore::as_bytes, omnistore::as_view;
using Call = omnistore::Call;

constexpr omnistore_traits TRAITS = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG |
                   OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_LIST_RANGE |
                   OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS;
  t.max_key_size = 511; // MDB_MAXKEYSIZE, as Debian builds LMDB
  t.max_value_size = UINT32_MAX - OMNISTORE_MAX_USER_SIZE - sizeof(Head);
  t.keeps = OMNISTORE_KEEPS_PROCESS;
  t.order = OMNISTORE_ORDER_KEYS;
  return t;
}();

/// From this size on a value is lent to those who take loans, so that a slow reader does not keep a copy of it.
constexpr std::size_t LENT = 64 << 10;
/// A clear and a sweep remove so many keys in one transaction, so that other writers need not wait for long.
constexpr std::size_t PIECE_KEYS = 1000;

/// A key that ends in '$' is a layer's own, and has no user meta.
bool may_have_user(std::string_view key) { return !key.ends_with('$'); }

class Lmdb {
public:
  Lmdb(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
       std::span<const omnistore_store *const>, Call call)
      : host_(host), settings_{options.string("path"), static_cast<std::uint64_t>(options.integer("mapSize", 1 << 30)),
                               static_cast<std::uint64_t>(options.integer("maxBytes", 0))},
        flags_(flags_of(options.string("durability", "data"))), environment_(settings_, call),
        sweep_(host, &Lmdb::sweep, this) {
    traits.max_key_size = environment_->longest_key();
    if (flags_ == 0) traits.keeps = OMNISTORE_KEEPS_POWER;
    plan_sweep(call);
  }

  // ------------------------------------------------------------------------------------------------------ one value

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    Reader reader(*environment_, call);
    const std::optional<Record> record = find(reader.txn(), key);
    return record ? give(std::move(reader), *record, key, request, sink) : OMNISTORE_NOT_FOUND;
  }

  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    const Reader reader(*environment_, call);
    const std::optional<Record> record = find(reader.txn(), key);
    return record ? begin(*record, key, request.flags, sink, nullptr) : OMNISTORE_NOT_FOUND;
  }

  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    Head head;
    omnistore_status status = OMNISTORE_INTERNAL;
    environment_->write(call, flags_, [&](MDB_txn *txn) { status = put(call, 0, txn, key, request, head); });
    return status == OMNISTORE_OK ? written(head, request, result) : status;
  }

  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request) {
    omnistore_status status = OMNISTORE_INTERNAL;
    environment_->write(call, flags_, [&](MDB_txn *txn) { status = remove(txn, key, request); });
    return status;
  }

  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request) {
    const bool has_user = request.flags & OMNISTORE_TOUCH_USER, has_expiry = request.flags & OMNISTORE_TOUCH_EXPIRY;
    if (has_user && !may_have_user(key)) return call.fail(OMNISTORE_INVALID, "a key that ends in '$' has no user meta");
    omnistore_status status = OMNISTORE_OK;
    environment_->write(call, flags_, [&](MDB_txn *txn) {
      const std::optional<Record> record = find(txn, key);
      status = record ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
      if (!record) return;
      const std::string user(has_user ? as_view(request.user) : record->user);
      const std::string value(record->value); // what lies in the map goes when the record is written
      Head head = record->head;
      if (has_expiry) head.expiry = request.expiry;
      erase(txn, key, record->head);
      if (head.is_live(now())) store(txn, key, head, user, value);
    });
    if (status == OMNISTORE_OK && has_expiry && request.expiry != 0) sweep_.schedule(request.expiry, now());
    return status;
  }

  // -------------------------------------------------------------------------------------------------------- batches

  using Gets = omnistore::Requests<omnistore_get_request>;

  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys, Gets requests,
                            omnistore_sink *const *sinks, omnistore_status *statuses) {
    struct Copied {
      std::size_t item;
      void *data;
      std::size_t size;
    };
    std::vector<Copied> copied; // values in the host's memory are handed over after the transaction
    copied.reserve(keys.size());
    {
      const Reader reader(*environment_, call);
      for (std::size_t i = 0; i < keys.size(); ++i) {
        statuses[i] = item(call, i, [&]() -> omnistore_status {
          const std::optional<Record> record = find(reader.txn(), as_view(keys[i]));
          if (!record) return OMNISTORE_NOT_FOUND;
          void *room = nullptr;
          const omnistore_status begun = begin(*record, as_view(keys[i]), requests[i].flags, *sinks[i], &room);
          const std::string_view part = omnistore::part_of(record->value, requests[i]);
          if (begun != OMNISTORE_OK || part.empty()) return begun;
          if (!room) return sinks[i]->write(sinks[i], part.data(), part.size());
          std::memcpy(room, part.data(), part.size());
          copied.push_back({i, room, part.size()});
          return OMNISTORE_OK;
        });
      }
    }
    for (const Copied &each : copied)
      statuses[each.item] = sinks[each.item]->write(sinks[each.item], each.data, each.size);
    return OMNISTORE_OK;
  }

  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys, Gets requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) {
    const Reader reader(*environment_, call);
    for (std::size_t i = 0; i < keys.size(); ++i)
      statuses[i] = item(call, i, [&]() -> omnistore_status {
        const std::string_view key = as_view(keys[i]);
        const std::optional<Record> record = find(reader.txn(), key);
        return record ? begin(*record, key, requests[i].flags, *sinks[i], nullptr) : OMNISTORE_NOT_FOUND;
      });
    return OMNISTORE_OK;
  }

  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    std::vector<Head> heads(keys.size());
    environment_->write(call, flags_, [&](MDB_txn *txn) {
      for (std::size_t i = 0; i < keys.size(); ++i)
        statuses[i] = put(call, i, txn, as_view(keys[i]), requests[i], heads[i]);
    });
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (statuses[i] == OMNISTORE_OK) statuses[i] = written(heads[i], requests[i], results ? results[i] : nullptr);
    return OMNISTORE_OK;
  }

  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
    environment_->write(call, flags_, [&](MDB_txn *txn) {
      for (std::size_t i = 0; i < keys.size(); ++i) statuses[i] = remove(txn, as_view(keys[i]), requests[i]);
    });
    return OMNISTORE_OK;
  }

  // ----------------------------------------------------------------------------------------------------- whole bases

  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) {
    return lmdb::list(call, *environment_, now(), request, page);
  }

  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    const std::string_view base = as_view(request.base);
    if (base.size() > environment_->longest_key()) return OMNISTORE_OK;
    std::vector<std::string> keys;
    for (bool first = true; first || keys.size() == PIECE_KEYS; first = false) {
      if (!first && call.remaining() == 0) return call.fail(call.late(), "not all keys were removed in time");
      const auto run = [&] { environment_->write(call, flags_, [&](MDB_txn *txn) { keys = clear_some(txn, base); }); };
      if (first)
        run();
      else
        omnistore::partly_done(run);
      for (const std::string &key : keys)
        if (const omnistore_status status = removed ? removed->emit(removed, as_bytes(key), nullptr) : OMNISTORE_OK;
            status != OMNISTORE_OK)
          return status;
    }
    return OMNISTORE_OK;
  }

  // ---------------------------------------------------------------------------------------------------------- reports

  omnistore_status health(Call call) {
    if (environment_->was_moved())
      return call.fail(OMNISTORE_UNAVAILABLE,
                       settings_.path + " was moved or removed while it was open; reload the mount");
    const Reader reader(*environment_, call);
    return OMNISTORE_OK;
  }

  std::string stats(Call) const {
    return "{\"counters\":{\"expired\":" + std::to_string(expired_.load()) +
           ",\"times_grown\":" + std::to_string(environment_->times_grown()) +
           "},\"gauges\":{\"bytes\":" + std::to_string(environment_->used_size()) +
           ",\"map_bytes\":" + std::to_string(environment_->map_size()) + "}}";
  }

private:
  std::int64_t now() const { return host_.now(&host_); }

  static unsigned flags_of(const std::string &durability) {
    return durability == "none" ? MDB_NOSYNC : durability == "full" ? 0 : MDB_NOMETASYNC;
  }

  // ---------------------------------------------------------------------------------------------------------- reading

  std::optional<Record> find_any(MDB_txn *txn, std::string_view key) const {
    MDB_val name = val(key), found;
    const int code = mdb_get(txn, environment_->values(), &name, &found);
    if (code == MDB_NOTFOUND) return std::nullopt;
    environment_->check(code);
    return Record(found);
  }
  /// A live value.
  std::optional<Record> find(MDB_txn *txn, std::string_view key) const {
    std::optional<Record> record = find_any(txn, key);
    if (record && record->head.expiry != 0 && !record->head.is_live(now())) record.reset();
    return record;
  }

  static omnistore_status begin(const Record &record, std::string_view key, std::uint32_t flags, omnistore_sink &sink,
                                void **room) {
    omnistore_meta meta = omnistore::make_meta(record.value.size(), record.head.mtime, record.head.expiry);
    std::optional<omnistore::NumberEtag> etag;
    if (flags & OMNISTORE_GET_META) meta.etag = as_bytes(etag.emplace(record.head.version).text());
    if ((flags & OMNISTORE_GET_USER) && may_have_user(key)) omnistore::add_user(meta, record.user);
    return sink.begin(&sink, &meta, room);
  }

  /// The bytes go from the map to the place that the host names; then nothing is held while they are handed over. If
  /// they may go out slowly, the map can grow meanwhile.
  static omnistore_status give(Reader reader, const Record &record, std::string_view key,
                               const omnistore_get_request &request, omnistore_sink &sink) {
    std::string_view part = omnistore::part_of(record.value, request);
    const bool lends = part.size() >= LENT && omnistore::takes_loans(sink);
    void *room = nullptr;
    const omnistore_status begun = begin(record, key, request.flags, sink, lends ? nullptr : &room);
    if (begun != OMNISTORE_OK || part.empty()) return begun;
    if (!room) part = reader.keep(part);
    if (lends) return lend(std::move(reader), part, sink);
    if (!room) return sink.write(&sink, part.data(), part.size());
    std::memcpy(room, part.data(), part.size());
    reader.end();
    return sink.write(&sink, room, part.size());
  }

  /// The transaction lasts as long as the loan.
  static omnistore_status lend(Reader reader, std::string_view part, omnistore_sink &sink) {
    auto kept = std::make_unique<Reader>(std::move(reader));
    const omnistore_loan loan{sizeof loan, 0, [](void *, void *item) { delete static_cast<Reader *>(item); }, nullptr,
                              kept.get()};
    const omnistore_status status = sink.lend(&sink, part.data(), part.size(), &loan);
    if (status == OMNISTORE_OK) static_cast<void>(kept.release());
    return status;
  }

  // ---------------------------------------------------------------------------------------------------------- writing

  /// Removes a record and its entry in the index.
  void erase(MDB_txn *txn, std::string_view key, const Head &head) const {
    erase_expiry(txn, head);
    MDB_val name = val(key);
    environment_->check(mdb_del(txn, environment_->values(), &name, nullptr));
  }
  void erase_expiry(MDB_txn *txn, const Head &head) const {
    if (head.expiry == 0) return;
    ExpiryKey index = expiry_key(head);
    MDB_val place = val(index);
    if (const int code = mdb_del(txn, environment_->expiries(), &place, nullptr); code != MDB_NOTFOUND)
      environment_->check(code);
  }

  /// Writes a record in place of any older one, whose entry in the index is gone already.
  void store(MDB_txn *txn, std::string_view key, const Head &head, std::string_view user,
             std::string_view value) const {
    Head written = head;
    written.user_size = static_cast<std::uint32_t>(user.size());
    MDB_val name = val(key), room{static_cast<std::size_t>(record_size(user.size(), value.size())), nullptr};
    environment_->check(mdb_put(txn, environment_->values(), &name, &room, MDB_RESERVE));
    write_record(room.mv_data, written, user, value);
    if (head.expiry == 0) return;
    ExpiryKey index = expiry_key(head);
    MDB_val place = val(index);
    environment_->check(mdb_put(txn, environment_->expiries(), &place, &name, 0));
  }

  /// Returns true if the condition holds for the live value; null means that there is none.
  static bool holds(std::uint32_t condition, const omnistore_bytes &etag, const Record *record) {
    if (condition == OMNISTORE_IF_ABSENT) return !record;
    if (condition == OMNISTORE_IF_PRESENT) return record;
    if (condition == OMNISTORE_IF_MATCH)
      return record && omnistore::NumberEtag(record->head.version).text() == as_view(etag);
    return true;
  }

  /// One set in a transaction; a failure is reported for item `i`.
  omnistore_status put(Call call, std::size_t i, MDB_txn *txn, std::string_view key,
                       const omnistore_set_request &request, Head &head) {
    if (key.size() > environment_->longest_key())
      return call.fail(static_cast<std::uint32_t>(i), OMNISTORE_TOO_LARGE,
                       "LMDB takes keys of at most " + std::to_string(environment_->longest_key()) + " bytes",
                       omnistore::nothing_done);
    if (request.value.size > TRAITS.max_value_size)
      return call.fail(static_cast<std::uint32_t>(i), OMNISTORE_TOO_LARGE, "LMDB takes values of at most 4 GiB",
                       omnistore::nothing_done);
    head.version = versions_.next();
    head.mtime = now();
    head.expiry = request.expiry;
    const std::optional<Record> old = find_any(txn, key);
    const bool is_live = old && old->head.is_live(head.mtime);
    if (!holds(request.condition, request.etag, is_live ? &*old : nullptr)) return OMNISTORE_CONFLICT;
    if (!head.is_live(head.mtime)) { // it has ended already
      if (old) erase(txn, key, old->head);
      return OMNISTORE_OK;
    }
    if (old) erase_expiry(txn, old->head);
    store(txn, key, head, as_view(request.user), as_view(request.value));
    return OMNISTORE_OK;
  }

  omnistore_status remove(MDB_txn *txn, std::string_view key, const omnistore_remove_request &request) const {
    if (key.size() > environment_->longest_key()) return OMNISTORE_NOT_FOUND;
    const std::optional<Record> record = find(txn, key);
    const bool matches = request.condition == OMNISTORE_IF_MATCH;
    if (matches && !holds(request.condition, request.etag, record ? &*record : nullptr)) return OMNISTORE_CONFLICT;
    if (!record) return OMNISTORE_NOT_FOUND;
    erase(txn, key, record->head);
    return OMNISTORE_OK;
  }

  /// After the commit of a set.
  omnistore_status written(const Head &head, const omnistore_set_request &request, omnistore_sink *result) {
    if (head.expiry != 0) sweep_.schedule(head.expiry, head.mtime);
    if (!result) return OMNISTORE_OK;
    omnistore_meta meta = omnistore::make_meta(request.value.size, head.mtime, head.expiry);
    const omnistore::NumberEtag etag(head.version);
    meta.etag = as_bytes(etag.text());
    return omnistore::give(*result, meta);
  }

  /// Runs one item of a batch; its failure is its own.
  template <class Work>
  static omnistore_status item(Call call, std::size_t i, Work work) {
    try {
      return work();
    } catch (const omnistore::Failure &failure) {
      return call.fail(static_cast<std::uint32_t>(i), failure.status(), failure.what(), failure.details());
    }
  }

  // --------------------------------------------------------------------------------------------------------- removing

  std::vector<std::string> clear_some(MDB_txn *txn, std::string_view base) const {
    MDB_cursor *cursor = nullptr; // of a transaction that writes, which closes it
    environment_->check(mdb_cursor_open(txn, environment_->values(), &cursor));
    std::vector<std::string> keys;
    MDB_val key = val(base), value;
    int code = mdb_cursor_get(cursor, &key, &value, base.empty() ? MDB_FIRST : MDB_SET_RANGE);
    for (; code == MDB_SUCCESS && view(key).starts_with(base) && keys.size() < PIECE_KEYS;
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
      keys.emplace_back(view(key));
      erase_expiry(txn, Record(value).head);
      environment_->check(mdb_cursor_del(cursor, 0)); // MDB_NEXT then gives what followed it
    }
    mdb_cursor_close(cursor);
    if (code != MDB_NOTFOUND) environment_->check(code);
    return keys;
  }

  static void OMNISTORE_CALL sweep(void *self, omnistore_call *raw) noexcept {
    Lmdb &store = *static_cast<Lmdb *>(self);
    const Call call(raw);
    try {
      if (!store.sweep_.begin(store.now())) return;
      store.remove_expired(call);
      store.plan_sweep(call);
    } catch (const std::exception &error) {
      omnistore::log_line(store.host_, OMNISTORE_LOG_WARN, std::string("removing expired values: ") + error.what());
      store.sweep_.schedule(INT64_MAX, store.now());
    }
  }

  void remove_expired(Call call) {
    std::vector<std::string> keys;
    environment_->write(call, flags_, [&](MDB_txn *txn) {
      keys.clear();
      const std::int64_t moment = now();
      while (keys.size() < PIECE_KEYS) {
        MDB_val index, key;
        if (!first_expiry(txn, index, key) || expiry_of(index) > moment) break;
        const std::string name(view(key));
        const std::optional<Record> record = find_any(txn, name);
        if (record && !record->head.is_live(moment)) {
          erase(txn, name, record->head);
          keys.push_back(name);
        } else {
          environment_->check(mdb_del(txn, environment_->expiries(), &index, nullptr)); // of no value
        }
      }
    });
    expired_ += keys.size();
    for (const std::string &key : keys) {
      const omnistore_event event{sizeof event, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, 0, as_bytes(key), 0};
      host_.event(&host_, &event);
    }
  }

  /// The first entry of the index; false: it is empty.
  bool first_expiry(MDB_txn *txn, MDB_val &index, MDB_val &key) const {
    MDB_cursor *raw = nullptr;
    environment_->check(mdb_cursor_open(txn, environment_->expiries(), &raw));
    const int code = mdb_cursor_get(raw, &index, &key, MDB_FIRST);
    mdb_cursor_close(raw);
    if (code == MDB_NOTFOUND) return false;
    environment_->check(code);
    return true;
  }

  /// Looks again after a while even if nothing expires: another process may set what does.
  void plan_sweep(Call call) {
    const Reader reader(*environment_, call);
    MDB_val index, key;
    sweep_.schedule(first_expiry(reader.txn(), index, key) ? expiry_of(index) : INT64_MAX, now());
  }

  const omnistore_host &host_;
  const Settings settings_;
  const unsigned flags_;
  omnistore::EtagNumbers versions_;
  std::atomic<std::uint64_t> expired_{0};
  Handle environment_;
  omnistore::SweepTimer sweep_;
};

} // namespace
} // namespace lmdb

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<lmdb::Lmdb>("lmdb", "1.0.0", "Keeps values in an LMDB database",
                                                            OMNISTORE_OPTIONS_SCHEMA, lmdb::TRAITS))
