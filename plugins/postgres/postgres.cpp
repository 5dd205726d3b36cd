// SPDX-License-Identifier: Apache-2.0
// The `postgres` driver: values in a table of a PostgreSQL database. statements.hpp has the table and the statements,
// connection.hpp runs them, pool.hpp says how threads share connections, gets.hpp how values are read, listing.hpp how
// keys are listed, watch.hpp how the changes of others are reported.
#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore/etag_number.hpp>
#include <omnistore/lag.hpp>
#include <omnistore/listing.hpp>
#include <omnistore/sweep_timer.hpp>
#include <omnistore_schema.h>

#include "gets.hpp"
#include "listing.hpp"
#include "pool.hpp"
#include "settings.hpp"
#include "statements.hpp"
#include "watch.hpp"

namespace postgres {
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
  t.keeps = OMNISTORE_KEEPS_PROCESS;
  t.order = OMNISTORE_ORDER_KEYS;
  t.max_key_size = 2600;           // an entry of a B-tree has at most 2704 bytes
  t.max_value_size = 256ull << 20; // values are in memory as a whole
  t.max_batch = 256;
  return t;
}();

constexpr std::int64_t PIECE_KEYS = 1000;
/// A transaction of a batch takes so many bytes of values.
constexpr std::size_t PIECE_BYTES = 64 << 20;

class Postgres {
public:
  Postgres(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
           std::span<const omnistore_store *const>, Call call)
      : host_(host), settings_(options), statements_(settings_.table),
        pool_(settings_.connections, [this](Call with) { return open(with); }), gets_(pool_, host),
        watches_(host, statements_, [this](Call with) { return open(with); }), sweep_(host, &Postgres::sweep, this) {
    bool triggers = settings_.triggers;
    try {
      const Pool::Lease lease = pool_.take(call);
      triggers = triggers || statements_.has_triggers(*lease, call);
      const Rows lasts = lease->text(
          call, "SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'");
      if (lasts.bytes(0, 0) == "t") traits.keeps = OMNISTORE_KEEPS_POWER;
      plan_sweep(*lease, call);
    } catch (const omnistore::Failure &failure) {
      if (failure.status() != OMNISTORE_UNAVAILABLE) throw;
      omnistore::log_line(host, OMNISTORE_LOG_WARN, std::string("opened without the server: ") + failure.what());
      sweep_.schedule(INT64_MAX, now());
    }
    if (triggers) traits.capabilities |= OMNISTORE_WATCHES_OWN;
  }

  // ------------------------------------------------------------------------------------------------------- one value

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    const bool is_plain = request.offset == 0 && request.length == UINT64_MAX && !(request.flags & OMNISTORE_GET_USER);
    Found found;
    if (is_plain) found = gets_.get(call, key);
    if (!is_plain || !found.is_whole)
      found = reading(pool_, call, [&](Connection &connection) { return read(connection, call, key, request, now()); });
    return found.is_there ? found.give(sink, request.flags, key, found.bytes) : OMNISTORE_NOT_FOUND;
  }

  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    const bool user = request.flags & OMNISTORE_GET_USER;
    const Found found =
        reading(pool_, call, [&](Connection &connection) { return look_at(connection, call, key, user, now()); });
    return found.is_there ? found.give_meta(sink, request.flags, key) : OMNISTORE_NOT_FOUND;
  }

  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    const std::int64_t moment = now();
    const std::optional<Step> step = setting(key, request, moment);
    if (!step) return OMNISTORE_CONFLICT;
    std::int64_t version = 0;
    {
      const Pool::Lease lease = pool_.take(call);
      if (!was_set(*step, request, lease->run(call, step->query, step->params), version)) return OMNISTORE_CONFLICT;
    }
    return written(key, request, version, moment, result);
  }

  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request) {
    const std::optional<Step> step = removing(key, request, now());
    if (!step) return OMNISTORE_CONFLICT;
    const Pool::Lease lease = pool_.take(call);
    return removed(request, lease->run(call, step->query, step->params).changed() > 0);
  }

  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request) {
    const bool user = request.flags & OMNISTORE_TOUCH_USER, expiry = request.flags & OMNISTORE_TOUCH_EXPIRY;
    if (user && key.ends_with('$'))
      return call.fail(OMNISTORE_INVALID, "a key that ends in '$' has no user meta", omnistore::nothing_done);
    const std::int64_t moment = now();
    const bool ends = expiry && request.expiry != 0 && request.expiry <= moment;
    Params params;
    params.bytes(key).integer(moment);
    if (!ends)
      params.integer(expiry).integer_or_null(request.expiry).integer(user).bytes_or_null(as_view(request.user));
    {
      const Pool::Lease lease = pool_.take(call);
      if (lease->run(call, ends ? Query::remove : Query::touch, params).changed() == 0) return OMNISTORE_NOT_FOUND;
    }
    if (expiry && request.expiry != 0) sweep_.schedule(request.expiry, moment);
    return OMNISTORE_OK;
  }

  // --------------------------------------------------------------------------------------------------------- batches

  using GetRequests = omnistore::Requests<omnistore_get_request>;
  using SetRequests = omnistore::Requests<omnistore_set_request>;
  using RemoveRequests = omnistore::Requests<omnistore_remove_request>;

  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys, GetRequests requests,
                            omnistore_sink *const *sinks, omnistore_status *statuses) {
    const std::vector<Found> all = find_many(call, keys, requests, true);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Found &found = all[i];
      const std::string_view key = as_view(keys[i]);
      item(call, i, statuses[i], [&]() -> omnistore_status {
        if (!found.is_there) return OMNISTORE_NOT_FOUND;
        if (found.is_whole)
          return found.give(*sinks[i], requests[i].flags, key, omnistore::part_of(found.bytes, requests[i]));
        const Found long_one = reading(
            pool_, call, [&](Connection &connection) { return read(connection, call, key, requests[i], now()); });
        return long_one.is_there ? long_one.give(*sinks[i], requests[i].flags, key, long_one.bytes)
                                 : OMNISTORE_NOT_FOUND;
      });
    }
    return OMNISTORE_OK;
  }

  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys, GetRequests requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) {
    const std::vector<Found> all = find_many(call, keys, requests, false);
    for (std::size_t i = 0; i < keys.size(); ++i)
      statuses[i] =
          all[i].is_there ? all[i].give_meta(*sinks[i], requests[i].flags, as_view(keys[i])) : OMNISTORE_NOT_FOUND;
    return OMNISTORE_OK;
  }

  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys, SetRequests requests,
                            omnistore_sink *const *results, omnistore_status *statuses) {
    const std::int64_t moment = now();
    for (std::size_t from = 0, to = 0; from < keys.size(); from = to) {
      std::size_t bytes = 0;
      bool plain = true;
      for (; to < keys.size() && (to == from || bytes + requests[to].value.size <= PIECE_BYTES); ++to) {
        bytes += requests[to].value.size;
        plain = plain && requests[to].condition == OMNISTORE_ALWAYS &&
                (requests[to].expiry == 0 || requests[to].expiry > moment);
      }
      std::vector<std::int64_t> versions(to - from);
      piece(call, from, to, statuses, [&] {
        if (plain)
          set_arrays(call, keys.subspan(from, to - from), requests.from(from), moment, versions);
        else
          set_pipeline(call, keys.subspan(from, to - from), requests.from(from), moment, versions, statuses + from);
      });
      for (std::size_t i = from; i < to; ++i)
        if (statuses[i] == OMNISTORE_OK)
          statuses[i] =
              written(as_view(keys[i]), requests[i], versions[i - from], moment, results ? results[i] : nullptr);
    }
    return OMNISTORE_OK;
  }

  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys, RemoveRequests requests,
                               omnistore_status *statuses) {
    const std::int64_t moment = now();
    bool plain = true;
    for (std::size_t i = 0; i < keys.size(); ++i) plain = plain && requests[i].condition != OMNISTORE_IF_MATCH;
    if (plain) {
      std::vector<std::string_view> wanted;
      for (const omnistore_bytes key : keys) wanted.push_back(as_view(key));
      const Pool::Lease lease = pool_.take(call);
      const Rows rows = lease->run(call, Query::remove_many, Params().array(wanted).integer(moment));
      std::vector<std::string_view> gone;
      for (int row = 0; row < rows.count(); ++row) gone.push_back(rows.bytes(row, 0));
      for (std::size_t i = 0; i < keys.size(); ++i)
        statuses[i] = std::erase(gone, wanted[i]) != 0 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
      return OMNISTORE_OK;
    }
    std::vector<Step> steps;
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      statuses[i] = OMNISTORE_CONFLICT;
      if (std::optional<Step> step = removing(as_view(keys[i]), requests[i], moment)) {
        steps.push_back(std::move(*step));
        items.push_back(i);
      }
    }
    const std::vector<Rows> rows = pool_.take(call)->pipeline(call, steps);
    for (std::size_t k = 0; k < items.size(); ++k)
      statuses[items[k]] = removed(requests[items[k]], rows[k].changed() > 0);
    return OMNISTORE_OK;
  }

  // ----------------------------------------------------------------------------------------------------- whole bases

  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) {
    return postgres::list(call, pool_, now(), request, page);
  }

  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    const std::string from(as_view(request.base)), to = from.empty() ? "\xff" : omnistore::after(from);
    if (!removed) {
      pool_.take(call)->run(call, Query::clear, Params().bytes(from).bytes(to));
      return OMNISTORE_OK;
    }
    for (bool more = true, first = true; more; first = false) {
      const auto run = [&] {
        return pool_.take(call)->run(call, Query::clear_some, Params().bytes(from).bytes(to).integer(PIECE_KEYS));
      };
      const Rows rows = first ? run() : omnistore::partly_done(run);
      more = rows.count() == PIECE_KEYS;
      for (int row = 0; row < rows.count(); ++row)
        if (const omnistore_status status = removed->emit(removed, as_bytes(rows.bytes(row, 0)), nullptr);
            status != OMNISTORE_OK)
          return status;
    }
    return OMNISTORE_OK;
  }

  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
    *watch = watches_.add(call, as_view(request.base), watcher);
    return OMNISTORE_OK;
  }
  void unwatch(void *watch) { watches_.end(watch); }
  std::int64_t lag(void *) const { return watches_.lag(); }
  const void *extension(const char *id) { return omnistore::lag_extension<Postgres>(id); }

  omnistore_status health(Call call) {
    reading(pool_, call, [&](Connection &connection) { return connection.text(call, "SELECT 1"); });
    return OMNISTORE_OK;
  }

  std::string stats(Call) const {
    return "{\"counters\":{\"connects\":" + std::to_string(connects_.load()) +
           ",\"expired\":" + std::to_string(expired_.load()) +
           "},\"gauges\":{\"connections_in_use\":" + std::to_string(pool_.in_use()) + "}}";
  }

private:
  std::int64_t now() const { return host_.now(&host_); }

  std::unique_ptr<Connection> open(Call call) {
    auto connection = std::make_unique<Connection>(settings_, statements_, call);
    ++connects_;
    if (!is_prepared_) {
      statements_.prepare_table(*connection, call);
      if (settings_.triggers) statements_.install_triggers(*connection, call);
      is_prepared_ = true;
    }
    return connection;
  }

  // --------------------------------------------------------------------------------------------------------- reading

  std::vector<Found> find_many(Call call, std::span<const omnistore_bytes> keys, GetRequests requests, bool bytes) {
    std::vector<std::string_view> wanted;
    bool user = false;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      wanted.push_back(as_view(keys[i]));
      user = user || (requests[i].flags & OMNISTORE_GET_USER) != 0;
    }
    return reading(pool_, call,
                   [&](Connection &connection) { return read_many(connection, call, wanted, bytes, user, now()); });
  }

  // --------------------------------------------------------------------------------------------------------- writing

  /// The statement of a set; nothing if its condition cannot hold.
  static std::optional<Step> setting(std::string_view key, const omnistore_set_request &request, std::int64_t moment) {
    const auto version = omnistore::NumberEtag::parse(as_view(request.etag));
    const bool matches = request.condition == OMNISTORE_IF_MATCH;
    if (matches && !version) return std::nullopt;
    Step step{Query::set, {}};
    if (request.expiry != 0 && request.expiry <= moment) { // it removes the key
      step.query = matches                                     ? Query::remove_if_match
                   : request.condition == OMNISTORE_IF_PRESENT ? Query::remove
                   : request.condition == OMNISTORE_IF_ABSENT  ? Query::is_present
                                                               : Query::remove_any;
      step.params.bytes(key);
      if (step.query != Query::remove_any) step.params.integer(moment);
    } else {
      step.query = matches                                     ? Query::set_if_match
                   : request.condition == OMNISTORE_IF_PRESENT ? Query::set_if_present
                   : request.condition == OMNISTORE_IF_ABSENT  ? Query::set_if_absent
                                                               : Query::set;
      step.params.bytes(key).integer(moment).integer_or_null(request.expiry);
      step.params.bytes_or_null(as_view(request.user)).bytes(as_view(request.value));
    }
    if (matches) step.params.integer(static_cast<std::int64_t>(*version));
    return step;
  }

  /// Whether the condition of a set held.
  static bool was_set(const Step &step, const omnistore_set_request &, const Rows &rows, std::int64_t &version) {
    switch (step.query) {
    case Query::is_present:
      return rows.count() == 0;
    case Query::remove_any:
      return true;
    case Query::remove:
    case Query::remove_if_match:
      return rows.changed() > 0;
    default:
      if (rows.count() == 0) return false;
      version = rows.integer(0, 0);
      return true;
    }
  }

  /// After a set has been committed.
  omnistore_status written(std::string_view key, const omnistore_set_request &request, std::int64_t version,
                           std::int64_t moment, omnistore_sink *result) {
    if (request.expiry != 0) sweep_.schedule(request.expiry, moment);
    if (!result) return OMNISTORE_OK;
    Found found;
    found.version = version;
    found.mtime = moment;
    found.expiry = request.expiry;
    found.size = request.value.size;
    return found.give_meta(*result, OMNISTORE_GET_META, key);
  }

  /// Sets without conditions, in one statement. The last one of a key wins. The order of keys prevents deadlocks.
  void set_arrays(Call call, std::span<const omnistore_bytes> keys, SetRequests requests, std::int64_t moment,
                  std::vector<std::int64_t> &versions) {
    std::map<std::string_view, std::size_t> last;
    for (std::size_t i = 0; i < keys.size(); ++i) last[as_view(keys[i])] = i;
    std::vector<std::string_view> names, users, values;
    std::vector<std::int64_t> expiries;
    for (const auto &each : last) {
      const omnistore_set_request &request = requests[each.second];
      names.push_back(each.first);
      users.push_back(as_view(request.user));
      values.push_back(as_view(request.value));
      expiries.push_back(request.expiry);
    }
    Params params;
    params.array(names).integer(moment).array(expiries).array(users, true).array(values);
    const Pool::Lease lease = pool_.take(call);
    const Rows rows = lease->run(call, Query::set_many, params);
    std::map<std::string_view, std::int64_t> found;
    for (int row = 0; row < rows.count(); ++row) found[rows.bytes(row, 0)] = rows.integer(row, 1);
    for (std::size_t i = 0; i < keys.size(); ++i) versions[i] = found[as_view(keys[i])];
  }

  /// Sets with conditions, in one round trip and one transaction.
  void set_pipeline(Call call, std::span<const omnistore_bytes> keys, SetRequests requests, std::int64_t moment,
                    std::vector<std::int64_t> &versions, omnistore_status *statuses) {
    std::vector<Step> steps;
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      std::optional<Step> step = setting(as_view(keys[i]), requests[i], moment);
      if (!step) {
        statuses[i] = OMNISTORE_CONFLICT;
        continue;
      }
      steps.push_back(std::move(*step));
      items.push_back(i);
    }
    const std::vector<Rows> rows = pool_.take(call)->pipeline(call, steps);
    for (std::size_t k = 0; k < items.size(); ++k)
      if (!was_set(steps[k], requests[items[k]], rows[k], versions[items[k]])) statuses[items[k]] = OMNISTORE_CONFLICT;
  }

  static std::optional<Step> removing(std::string_view key, const omnistore_remove_request &request,
                                      std::int64_t moment) {
    const bool matches = request.condition == OMNISTORE_IF_MATCH;
    const auto version = omnistore::NumberEtag::parse(as_view(request.etag));
    if (matches && !version) return std::nullopt;
    Step step{matches ? Query::remove_if_match : Query::remove, {}};
    step.params.bytes(key).integer(moment);
    if (matches) step.params.integer(static_cast<std::int64_t>(*version));
    return step;
  }
  static omnistore_status removed(const omnistore_remove_request &request, bool was_there) {
    return was_there                                 ? OMNISTORE_OK
           : request.condition == OMNISTORE_IF_MATCH ? OMNISTORE_CONFLICT
                                                     : OMNISTORE_NOT_FOUND;
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

  /// Runs one transaction of a batch; its failure is that of its items.
  template <class Work>
  static void piece(Call call, std::size_t from, std::size_t to, omnistore_status *statuses, Work work) {
    std::fill(statuses + from, statuses + to, OMNISTORE_OK);
    try {
      work();
    } catch (const omnistore::Failure &failure) {
      for (std::size_t i = from; i < to; ++i)
        statuses[i] = call.fail(static_cast<std::uint32_t>(i), failure.status(), failure.what(), failure.details());
    }
  }

  // -------------------------------------------------------------------------------------------------------- expiring

  static void OMNISTORE_CALL sweep(void *self, omnistore_call *call) noexcept {
    Postgres &store = *static_cast<Postgres *>(self);
    try {
      if (store.sweep_.begin(store.now())) store.remove_expired(Call(call));
    } catch (const std::exception &error) {
      omnistore::log_line(store.host_, OMNISTORE_LOG_WARN, std::string("removing expired values: ") + error.what());
      store.sweep_.schedule(INT64_MAX, store.now());
    }
  }

  void remove_expired(Call call) {
    const Pool::Lease lease = pool_.take(call);
    const Rows rows = lease->run(call, Query::expire, Params().integer(now()).integer(PIECE_KEYS));
    expired_ += static_cast<std::uint64_t>(rows.count());
    for (int row = 0; row < rows.count(); ++row) {
      const omnistore_event event{
          sizeof event, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, 0, as_bytes(rows.bytes(row, 0)), 0};
      host_.event(&host_, &event);
    }
    plan_sweep(*lease, call);
  }

  /// Looks again after a while even if nothing expires: another host may set what does.
  void plan_sweep(Connection &connection, Call call) {
    const Rows rows = connection.run(call, Query::next_expiry, Params());
    sweep_.schedule(rows.is_null(0, 0) ? INT64_MAX : rows.integer(0, 0), now());
  }

  const omnistore_host &host_;
  const Settings settings_;
  const Statements statements_;
  std::atomic<bool> is_prepared_{false};
  std::atomic<std::uint64_t> connects_{0}, expired_{0};
  Pool pool_;
  Gets gets_;
  Watches watches_;
  omnistore::SweepTimer sweep_;
};

} // namespace
} // namespace postgres

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<postgres::Postgres>("postgres", "1.0.0",
                                                                    "Keeps values in a table of a PostgreSQL database",
                                                                    OMNISTORE_OPTIONS_SCHEMA, postgres::TRAITS))
