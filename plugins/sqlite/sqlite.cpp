// SPDX-License-Identifier: Apache-2.0
// The `sqlite` driver: values in a table of an SQLite database. layout.hpp has its statements, pool.hpp says how
// threads share connections, reading.hpp how values go out, writing.hpp how they are written, incoming.hpp how long
// ones come in, listing.hpp how keys are listed, watch.hpp how the changes of others are found.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore/etag_number.hpp>
#include <omnistore/lag.hpp>
#include <omnistore/listing.hpp>
#include <omnistore/sweep_timer.hpp>
#include <omnistore_schema.h>

#include "connection.hpp"
#include "incoming.hpp"
#include "listing.hpp"
#include "pool.hpp"
#include "reading.hpp"
#include "watch.hpp"
#include "writing.hpp"

namespace sqlite {
namespace {

using omnistore::as_bytes, omnistore::as_view;
using Call = omnistore::Call;

constexpr omnistore_traits TRAITS = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG |
                   OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_LIST_RANGE |
                   OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS;
  t.keeps = OMNISTORE_KEEPS_PROCESS;
  t.order = OMNISTORE_ORDER_KEYS;
  return t;
}();

/// A row has its key and its user meta beside the value.
constexpr std::uint64_t BESIDE_VALUE = OMNISTORE_MAX_KEY_SIZE + OMNISTORE_MAX_USER_SIZE + 4096;
/// A batch of gets reads so many bytes before they go out.
constexpr std::size_t PIECE_BYTES = 4 << 20;
/// A clear and a sweep remove so many keys in one transaction, so that other writers need not wait for long.
constexpr std::int64_t PIECE_KEYS = 1000;

class Sqlite {
public:
  Sqlite(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
         std::span<const omnistore_store *const>, Call call)
      : host_(host), settings_(options), readers_(settings_.readers, opener(Connection::Kind::reader)),
        writers_(1, opener(settings_.read_only ? Connection::Kind::reader : Connection::Kind::writer)),
        watches_(
            host, settings_,
            [this](Call with, const std::function<void(Connection &)> &run) { run(*writers_.take(with)); }, waits_),
        sweep_(host, &Sqlite::sweep, this) {
    const Lease writer = writers_.take(call);
    settings_.layout.prepare(*writer, !settings_.read_only);
    settings_.layout.limit(traits);
    if (settings_.read_only) traits.capabilities |= OMNISTORE_READS_ONLY;
    traits.max_value_size =
        static_cast<std::uint64_t>(sqlite3_limit(writer->db(), SQLITE_LIMIT_LENGTH, -1)) - BESIDE_VALUE;
    if (settings_.synchronous == "FULL") traits.keeps = OMNISTORE_KEEPS_POWER;
    if (sweeps()) plan_sweep(*writer);
  }

  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
    problems.check([&] { Settings checked(options); });
  }

  // ------------------------------------------------------------------------------------------------------ one value

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    std::string bytes;
    std::optional<Lease> lease(readers_.take(call));
    Found found = look_up(**lease, key, request, now(), bytes, true);
    if (!found.is_there) return OMNISTORE_NOT_FOUND;
    if (found.blob) return give_long(call, *lease, found, key, request, sink);
    lease.reset();
    return found.known.give(sink, request.flags, gives_etags(), key, bytes);
  }

  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    const Found found = look_at(*readers_.take(call), key, request, now());
    if (!found.is_there) return OMNISTORE_NOT_FOUND;
    return found.known.give(sink, request.flags, gives_etags(), key);
  }

  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    if (settings_.read_only) return refuse(call);
    Incoming value;
    if (const omnistore_status status = value.gather(call, request, settings_.folder); status != OMNISTORE_OK)
      return status;
    Known known = fresh();
    const omnistore_status status = write(*writers_.take(call), key, request, value, known);
    return status == OMNISTORE_OK ? written(key, known, result) : status;
  }

  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request) {
    if (settings_.read_only) return refuse(call);
    return sqlite::remove(*writers_.take(call), key, request, now());
  }

  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request) {
    if (settings_.read_only) return refuse(call);
    const bool user = request.flags & OMNISTORE_TOUCH_USER, expiry = request.flags & OMNISTORE_TOUCH_EXPIRY;
    if (user && key.ends_with('$')) return call.fail(OMNISTORE_INVALID, "a key that ends in '$' has no user meta");
    const std::int64_t moment = now();
    if (const omnistore_status status = sqlite::touch(call, *writers_.take(call), key, request, moment);
        status != OMNISTORE_OK)
      return status;
    if (expiry && request.expiry != 0) sweep_.schedule(request.expiry, moment);
    return OMNISTORE_OK;
  }

  // -------------------------------------------------------------------------------------------------------- batches

  using Gets = omnistore::Requests<omnistore_get_request>;

  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys, Gets requests,
                            omnistore_sink *const *sinks, omnistore_status *statuses) {
    for (std::size_t from = 0; from < keys.size();) from += get_piece(call, from, keys, requests, sinks, statuses);
    return OMNISTORE_OK;
  }

  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys, Gets requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) {
    std::vector<Found> found(keys.size());
    {
      const Lease reader = readers_.take(call);
      Transaction transaction(*reader, Query::begin);
      for (std::size_t i = 0; i < keys.size(); ++i) found[i] = look_at(*reader, as_view(keys[i]), requests[i], now());
      transaction.commit();
    }
    for (std::size_t i = 0; i < keys.size(); ++i)
      statuses[i] = found[i].is_there
                        ? found[i].known.give(*sinks[i], requests[i].flags, gives_etags(), as_view(keys[i]))
                        : OMNISTORE_NOT_FOUND;
    return OMNISTORE_OK;
  }

  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    if (settings_.read_only) return refuse(call);
    std::vector<Known> known(keys.size());
    std::vector<Incoming> values(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      statuses[i] = OMNISTORE_OK;
      if (requests[i].source)
        item(call, i, statuses[i], [&] { return values[i].gather(call, requests[i], settings_.folder); });
    }
    in_one_transaction(call, keys.size(), statuses, [&](Connection &writer, std::size_t i) {
      if (!requests[i].source) values[i].gather(call, requests[i], settings_.folder);
      known[i] = fresh();
      return write(writer, as_view(keys[i]), requests[i], values[i], known[i]);
    });
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (statuses[i] == OMNISTORE_OK)
        statuses[i] = written(as_view(keys[i]), known[i], results ? results[i] : nullptr);
    return OMNISTORE_OK;
  }

  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
    if (settings_.read_only) return refuse(call);
    std::fill_n(statuses, keys.size(), OMNISTORE_OK);
    in_one_transaction(call, keys.size(), statuses, [&](Connection &writer, std::size_t i) {
      return sqlite::remove(writer, as_view(keys[i]), requests[i], now());
    });
    return OMNISTORE_OK;
  }

  // ----------------------------------------------------------------------------------------------------- whole bases

  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) {
    return sqlite::list(call, readers_, now(), gives_etags(), request, page);
  }

  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    if (settings_.read_only) return refuse(call);
    const std::string_view base = as_view(request.base);
    if (base.empty() && !removed) {
      const Lease writer = writers_.take(call);
      Run(*writer, Query::clear_all).row();
      return OMNISTORE_OK;
    }
    bool more = true;
    for (bool first = true; more; first = false) {
      std::vector<std::string> keys;
      const auto run = [&] { keys = remove_some(*writers_.take(call), base, more); };
      if (first)
        run();
      else
        omnistore::partly_done(run);
      for (const std::string &key : keys)
        if (const omnistore_status status = removed ? removed->emit(removed, as_bytes(key), nullptr) : OMNISTORE_OK;
            status != OMNISTORE_OK)
          return status;
      if (more && call.remaining() == 0) return call.fail(call.late(), "not all keys were removed in time");
    }
    return OMNISTORE_OK;
  }

  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
    *watch = watches_.add(call, as_view(request.base), watcher);
    return OMNISTORE_OK;
  }
  void unwatch(void *watch) { watches_.end(watch); }
  std::int64_t lag(void *) const { return watches_.lag(); }
  const void *extension(const char *id) { return omnistore::lag_extension<Sqlite>(id); }

  // ---------------------------------------------------------------------------------------------------------- reports

  omnistore_status health(Call call) {
    const Lease reader = readers_.take(call);
    int moved = 0;
    sqlite3_file_control(reader->db(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (moved)
      return call.fail(OMNISTORE_UNAVAILABLE,
                       settings_.path + " was moved or removed while it was open; reload the mount");
    Run(*reader, Query::stat).text(1, "").row();
    return OMNISTORE_OK;
  }

  std::string stats(Call) const {
    return "{\"counters\":{\"busy_waits\":" + std::to_string(waits_.load()) +
           ",\"expired\":" + std::to_string(expired_.load()) +
           "},\"gauges\":{\"bytes\":" + std::to_string(size_of_files()) +
           ",\"connections_in_use\":" + std::to_string(readers_.in_use() + writers_.in_use()) + "}}";
  }

private:
  /// Returns the bytes of the database and of its log.
  std::uintmax_t size_of_files() const {
    std::uintmax_t size = 0;
    for (const char *end : {"", "-wal"}) {
      std::error_code missing;
      const std::uintmax_t part = std::filesystem::file_size(settings_.path + end, missing);
      if (!missing) size += part;
    }
    return size;
  }
  std::int64_t now() const { return host_.now(&host_); }
  bool gives_etags() const { return !settings_.layout.is_db0(); }
  bool sweeps() const { return !settings_.read_only && !settings_.layout.is_db0(); }

  Pool::Open opener(Connection::Kind kind) {
    return [this, kind](Call call) { return std::make_unique<Connection>(settings_, kind, call, waits_); };
  }

  omnistore_status refuse(Call call) const {
    return call.fail(OMNISTORE_READ_ONLY, settings_.path + " was opened with readOnly", omnistore::nothing_done);
  }

  // ---------------------------------------------------------------------------------------------------------- reading

  /// The items from `from` on whose bytes are read in one transaction. Returns how many.
  std::size_t get_piece(Call call, std::size_t from, std::span<const omnistore_bytes> keys, Gets requests,
                        omnistore_sink *const *sinks, omnistore_status *statuses) {
    std::vector<Found> found;
    std::vector<std::size_t> ends;
    std::string bytes;
    {
      const Lease reader = readers_.take(call);
      Transaction transaction(*reader, Query::begin);
      const std::int64_t moment = now();
      for (std::size_t i = from; i < keys.size() && bytes.size() < PIECE_BYTES; ++i) {
        found.push_back(look_up(*reader, as_view(keys[i]), requests[i], moment, bytes, false));
        ends.push_back(bytes.size());
      }
      transaction.commit();
    }
    std::size_t begin = 0;
    for (std::size_t k = 0; k < found.size(); begin = ends[k++]) {
      const std::size_t i = from + k;
      const std::string_view key = as_view(keys[i]);
      item(call, i, statuses[i], [&]() -> omnistore_status {
        if (!found[k].is_there) return OMNISTORE_NOT_FOUND;
        if (found[k].known.size == OMNISTORE_UNKNOWN_SIZE) return get(call, key, requests[i], *sinks[i]);
        return found[k].known.give(*sinks[i], requests[i].flags, gives_etags(), key,
                                   std::string_view(bytes).substr(begin, ends[k] - begin));
      });
    }
    return found.size();
  }

  // ---------------------------------------------------------------------------------------------------------- writing

  /// A new version of now.
  Known fresh() {
    Known known;
    known.version = static_cast<std::int64_t>(versions_.next());
    known.mtime = now();
    return known;
  }

  /// After the commit of a set.
  omnistore_status written(std::string_view key, const Known &known, omnistore_sink *result) {
    if (known.expiry != 0) sweep_.schedule(known.expiry, known.mtime);
    return result ? known.give(*result, OMNISTORE_GET_META, gives_etags(), key) : OMNISTORE_OK;
  }

  /// Runs one item of a batch; its failure is its own.
  template <class Work>
  static void item(Call call, std::size_t i, omnistore_status &status, Work work) {
    try {
      status = work();
    } catch (const omnistore::Failure &failure) {
      status = call.fail(static_cast<std::uint32_t>(i), failure.status(), failure.what(), failure.details());
    }
  }

  /// Runs work(writer, i) for each item whose status is OMNISTORE_OK. A failure that ends the transaction is that of
  /// all items.
  template <class Work>
  void in_one_transaction(Call call, std::size_t count, omnistore_status *statuses, Work work) {
    const Lease writer = writers_.take(call);
    Transaction transaction(*writer, Query::begin_write);
    for (std::size_t i = 0; i < count; ++i) {
      if (statuses[i] != OMNISTORE_OK) continue;
      try {
        statuses[i] = work(*writer, i);
      } catch (const omnistore::Failure &failure) {
        if (!writer->in_transaction() || failure.status() != OMNISTORE_TOO_LARGE) throw;
        statuses[i] = call.fail(static_cast<std::uint32_t>(i), failure.status(), failure.what(), failure.details());
      }
    }
    transaction.commit();
  }

  // ---------------------------------------------------------------------------------------------------------- removing

  /// Removes some keys under a base; `more`: there may be others.
  static std::vector<std::string> remove_some(Connection &writer, std::string_view base, bool &more) {
    std::vector<std::string> keys;
    const std::string end = base.empty() ? "\xff" : omnistore::after(base); // no key has this byte
    Run run(writer, Query::clear);
    run.text(1, base).text(2, end).integer(3, PIECE_KEYS);
    while (run.row()) keys.emplace_back(run.bytes_at(0));
    more = keys.size() == static_cast<std::size_t>(PIECE_KEYS);
    return keys;
  }

  static void OMNISTORE_CALL sweep(void *self, omnistore_call *call) noexcept {
    Sqlite &store = *static_cast<Sqlite *>(self);
    try {
      if (store.sweep_.begin(store.now())) store.remove_expired(Call(call));
    } catch (const std::exception &error) {
      omnistore::log_line(store.host_, OMNISTORE_LOG_WARN, std::string("removing expired values: ") + error.what());
      store.sweep_.schedule(INT64_MAX, store.now());
    }
  }

  void remove_expired(Call call) {
    std::vector<std::string> keys;
    {
      const Lease writer = writers_.take(call);
      Run run(*writer, Query::expire);
      run.integer(7, now()).integer(3, PIECE_KEYS);
      while (run.row()) keys.emplace_back(run.bytes_at(0));
    }
    expired_ += keys.size();
    for (const std::string &key : keys) {
      const omnistore_event event{sizeof event, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, 0, as_bytes(key), 0};
      host_.event(&host_, &event);
    }
    plan_sweep(*readers_.take(call));
  }

  /// Looks again after a while even if nothing expires: another process may set what does.
  void plan_sweep(Connection &connection) {
    Run run(connection, Query::next_expiry);
    run.row();
    sweep_.schedule(run.is_null(0) ? INT64_MAX : run.integer_at(0), now());
  }

  const omnistore_host &host_;
  const Settings settings_;
  std::atomic<std::uint64_t> waits_{0}, expired_{0};
  omnistore::EtagNumbers versions_;
  Pool readers_, writers_;
  Watches watches_;
  omnistore::SweepTimer sweep_;
};

} // namespace
} // namespace sqlite

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<sqlite::Sqlite>("sqlite", "1.0.0",
                                                                "Keeps values in a table of an SQLite database",
                                                                OMNISTORE_OPTIONS_SCHEMA, sqlite::TRAITS))
