// SPDX-License-Identifier: Apache-2.0
// The `etcd` driver: values in etcd, through the JSON gateway of its version 3. record.hpp has the form of a value,
// operations.hpp what etcd is asked to do, cluster.hpp how the members are reached, leases.hpp how values expire,
// listing.hpp how keys are listed, watch.hpp how changes are reported.
#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore/etag_number.hpp>
#include <omnistore/lag.hpp>
#include <omnistore_schema.h>

#include "cluster.hpp"
#include "leases.hpp"
#include "listing.hpp"
#include "operations.hpp"
#include "watch.hpp"

namespace etcd {
namespace {

using omnistore::as_bytes, omnistore::as_view, omnistore::Failure;
using Call = omnistore::Call;

constexpr omnistore_traits TRAITS = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG |
                   OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_DEPTH |
                   OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS |
                   OMNISTORE_WATCHES_OWN;
  t.keeps = OMNISTORE_KEEPS_POWER;
  t.order = OMNISTORE_ORDER_KEYS;
  return t;
}();

/// What a request has besides the value, the user's meta and the prefix.
constexpr std::uint64_t BESIDE = OMNISTORE_MAX_KEY_SIZE + BESIDE_VALUE + 1024;
constexpr int MOST_TRIES = 16; ///< of a write that reads first, while others write the same key

omnistore_status give(const Found &found, const omnistore_get_request &request, omnistore_sink &sink, bool with_value) {
  const Record record = found.record();
  omnistore_meta meta = omnistore::make_meta(record.value.size(), record.mtime, record.expiry);
  const omnistore::NumberEtag etag(static_cast<std::uint64_t>(found.etag()));
  if (request.flags & OMNISTORE_GET_META) meta.etag = as_bytes(etag.text());
  if (request.flags & OMNISTORE_GET_USER) omnistore::add_user(meta, record.user);
  if (!with_value) return omnistore::give(sink, meta);
  return omnistore::give(sink, meta, omnistore::part_of(record.value, request));
}

class Etcd {
public:
  Etcd(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits)
      : host_(host), prefix_(options.string("prefix", "")),
        most_bytes_(static_cast<std::uint64_t>(options.integer("maxRequestBytes", 1'572'864))), cluster_(options),
        leases_(cluster_) {
    if (BESIDE + prefix_.size() >= most_bytes_)
      throw Failure(OMNISTORE_INVALID, "option prefix: it is too long for maxRequestBytes");
    most_value_ = traits.max_value_size = most_bytes_ - BESIDE - prefix_.size();
  }

  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
    problems.check([&] { Cluster checked(options); });
  }

  // ------------------------------------------------------------------------------------------------------ one value

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    return read(call, key, request, sink, true);
  }
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    return read(call, key, request, sink, false);
  }
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    const omnistore_bytes keys[] = {as_bytes(key)};
    const omnistore_set_request *const requests[] = {&request};
    omnistore_sink *const results[] = {result};
    omnistore_status status = OMNISTORE_INTERNAL;
    set_many(call, keys, omnistore::Requests<omnistore_set_request>(requests), results, &status);
    return status;
  }
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request) {
    const omnistore_bytes keys[] = {as_bytes(key)};
    const omnistore_remove_request *const requests[] = {&request};
    omnistore_status status = OMNISTORE_INTERNAL;
    remove_many(call, keys, omnistore::Requests<omnistore_remove_request>(requests), &status);
    return status;
  }

  /// A value cannot be changed in part, so it is read and written again, if nobody has written it in between.
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request) {
    const bool user = request.flags & OMNISTORE_TOUCH_USER, expiry = request.flags & OMNISTORE_TOUCH_EXPIRY;
    if (user && key.ends_with('$')) return call.fail(OMNISTORE_INVALID, "a key that ends in '$' has no user meta");
    const std::string name = prefix_ + std::string(key);
    for (int tries = 0; tries < MOST_TRIES; ++tries) {
      const std::int64_t moment = now();
      const Found found = find(call, name);
      if (!found.is_there || found.record().expired(moment)) return OMNISTORE_NOT_FOUND;
      Record record = found.record();
      record.etag = found.etag();
      if (user) record.user = as_view(request.user);
      if (expiry) record.expiry = request.expiry;
      if (!fits(key, record)) return too_large(call, 0, key, record);
      const Outcome outcome = with_leases([&] {
        const std::string action = record.expired(moment)
                                       ? etcd::remove(name)
                                       : put(name, record.text(), leases_.lease(call, record.expiry, moment));
        return write_one(call, at_revision(name, action, found.revision));
      });
      if (outcome.done) return OMNISTORE_OK;
    }
    return busy(call);
  }

  // -------------------------------------------------------------------------------------------------------- batches

  using Gets = omnistore::Requests<omnistore_get_request>;

  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys, Gets requests,
                            omnistore_sink *const *sinks, omnistore_status *statuses) {
    return read_many(call, keys, requests, sinks, statuses, true);
  }
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys, Gets requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) {
    return read_many(call, keys, requests, sinks, statuses, false);
  }

  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    const std::int64_t moment = now();
    std::vector<Write> writes;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const omnistore_set_request &request = requests[i];
      Record record;
      record.mtime = moment;
      record.expiry = request.expiry;
      record.user = as_view(request.user);
      record.value = as_view(request.value);
      if (!fits(as_view(keys[i]), record)) {
        statuses[i] = too_large(call, static_cast<std::uint32_t>(i), as_view(keys[i]), record);
        continue;
      }
      Write write{i, prefix_ + std::string(as_view(keys[i])), record, !record.expired(moment), request.condition};
      if (request.condition == OMNISTORE_IF_MATCH && !parse_etag(as_view(request.etag), write.revision))
        statuses[i] = OMNISTORE_CONFLICT;
      else
        writes.push_back(std::move(write));
    }
    write_all(call, moment, writes, statuses, OMNISTORE_CONFLICT);
    for (const Write &each : writes) {
      omnistore_sink *const sink = results ? results[each.item] : nullptr;
      if (statuses[each.item] != OMNISTORE_OK || !sink) continue;
      omnistore_meta meta = omnistore::make_meta(each.record.value.size(), each.record.mtime, each.record.expiry);
      const omnistore::NumberEtag etag(static_cast<std::uint64_t>(each.written));
      meta.etag = as_bytes(etag.text());
      statuses[each.item] = omnistore::give(*sink, meta);
    }
    return OMNISTORE_OK;
  }

  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
    std::vector<Write> writes;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const bool matches = requests[i].condition == OMNISTORE_IF_MATCH;
      Write write{
          i, prefix_ + std::string(as_view(keys[i])), {}, false, matches ? OMNISTORE_IF_MATCH : OMNISTORE_IF_PRESENT};
      if (matches && !parse_etag(as_view(requests[i].etag), write.revision))
        statuses[i] = OMNISTORE_CONFLICT;
      else
        writes.push_back(std::move(write));
    }
    write_all(call, now(), writes, statuses, OMNISTORE_NOT_FOUND);
    return OMNISTORE_OK;
  }

  // ----------------------------------------------------------------------------------------------------- whole bases

  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) {
    return etcd::list(call, cluster_, prefix_, now(), request, page);
  }
  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    return etcd::clear(call, cluster_, prefix_, as_view(request.base), removed);
  }

  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
    *watch = new Watch(cluster_, host_, call, prefix_, as_view(request.base), watcher);
    return OMNISTORE_OK;
  }
  void unwatch(void *watch) { delete static_cast<Watch *>(watch); }
  std::int64_t lag(void *watch) const { return static_cast<const Watch *>(watch)->lag(); }
  const void *extension(const char *id) { return omnistore::lag_extension<Etcd>(id); }

  /// A read that needs a majority of the members, and the right to read.
  omnistore_status health(Call call) {
    find(call, prefix_ + "health");
    return OMNISTORE_OK;
  }

private:
  struct Write {
    std::size_t item;
    std::string key;
    Record record;
    bool puts; ///< or else it removes
    std::uint32_t condition;
    std::int64_t revision = 0; ///< for OMNISTORE_IF_MATCH
    std::int64_t written = 0;  ///< the revision that it made
  };

  std::int64_t now() const { return host_.now(&host_); }

  static bool parse_etag(std::string_view etag, std::int64_t &revision) {
    const auto number = omnistore::NumberEtag::parse(etag);
    if (number) revision = static_cast<std::int64_t>(*number);
    return number.has_value();
  }

  bool fits(std::string_view key, const Record &record) const {
    return record.value.size() <= most_value_ && size_of(key, record) <= most_bytes_ - 1024;
  }
  std::uint64_t size_of(std::string_view key, const Record &record) const {
    return prefix_.size() + key.size() + BESIDE_VALUE + record.user.size() + record.value.size();
  }
  omnistore_status too_large(Call call, std::uint32_t item, std::string_view key, const Record &record) const {
    return call.fail(item, OMNISTORE_TOO_LARGE,
                     "the value takes " + std::to_string(size_of(key, record)) +
                         " bytes with its key and meta, and etcd "
                         "takes requests of up to " +
                         std::to_string(most_bytes_) +
                         "; raise etcd's --max-request-bytes and the option maxRequestBytes",
                     omnistore::nothing_done);
  }
  static omnistore_status busy(Call call) {
    return call.fail(OMNISTORE_UNAVAILABLE, "others kept writing the same key", {true, 10});
  }

  Found find(Call call, std::string_view name) {
    const std::string text = cluster_.post(call, "/v3/kv/range", R"({"key":)" + quoted(name) + "}", Kind::read);
    return found_in(parse(text));
  }

  omnistore_status read(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink,
                        bool with_value) {
    const Found found = find(call, prefix_ + std::string(key));
    if (!found.is_there || found.record().expired(now())) return OMNISTORE_NOT_FOUND;
    return give(found, request, sink, with_value);
  }

  /// Runs one item of a batch; what it throws becomes the item's failure.
  template <class F>
  static void item(Call call, std::size_t i, omnistore_status &status, F run) {
    try {
      status = run();
    } catch (const Failure &failure) {
      status = call.fail(static_cast<std::uint32_t>(i), failure.status(), failure.what(), failure.details());
    }
  }

  omnistore_status read_many(Call call, std::span<const omnistore_bytes> keys, Gets requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses, bool with_value) {
    for (std::size_t from = 0; from < keys.size(); from += MOST_OPERATIONS) {
      const std::size_t end = std::min(from + MOST_OPERATIONS, keys.size());
      std::vector<std::string> operations;
      for (std::size_t i = from; i < end; ++i) operations.push_back(range(prefix_ + std::string(as_view(keys[i]))));
      const std::string text = cluster_.post(call, "/v3/kv/txn", transaction(operations), Kind::read);
      const Json whole = parse(text);
      const std::vector<Json> &responses = whole["responses"].items;
      if (responses.size() != operations.size())
        throw Failure(OMNISTORE_CORRUPT, "etcd's response has not as many parts as the request");
      const std::int64_t moment = now();
      for (std::size_t i = from; i < end; ++i) {
        item(call, i, statuses[i], [&] {
          const Found found = found_in(responses[i - from]["response_range"]);
          if (!found.is_there || found.record().expired(moment)) return OMNISTORE_NOT_FOUND;
          return give(found, requests[i], *sinks[i], with_value);
        });
      }
    }
    return OMNISTORE_OK;
  }

  /// Runs a write again, with new leases, if one of those that it named has gone.
  template <class F>
  std::invoke_result_t<F> with_leases(F run) {
    try {
      return run();
    } catch (const Refused &refused) {
      if (!refused.lost_lease()) throw;
      leases_.forget();
      return run();
    }
  }

  std::string operation(Call call, std::int64_t moment, const Write &write, bool at_exactly) {
    const std::string action =
        write.puts ? put(write.key, write.record.text(), leases_.lease(call, write.record.expiry, moment))
                   : etcd::remove(write.key);
    return at_exactly ? at_revision(write.key, action, write.revision)
                      : conditional(write.key, action, write.condition, write.revision, moment);
  }

  Outcome write_one(Call call, std::string operation, std::int64_t *revision = nullptr) {
    const std::string text = cluster_.post(call, "/v3/kv/txn", transaction({std::move(operation)}), Kind::write);
    const Json whole = parse(text);
    if (revision) *revision = whole["header"]["revision"].number();
    const std::vector<Json> &responses = whole["responses"].items;
    return responses.empty() ? Outcome() : outcome_of(responses[0]);
  }

  /// Does the writes in transactions. `not_held` is the status of one whose condition does not hold.
  void write_all(Call call, std::int64_t moment, std::vector<Write> &writes, omnistore_status *statuses,
                 omnistore_status not_held) {
    for (std::size_t from = 0; from < writes.size();) {
      std::vector<std::string> operations;
      const auto prepare = [&] {
        operations.clear();
        std::set<std::string_view> keys; // etcd takes a key once in a transaction
        std::size_t bytes = 0;
        for (std::size_t i = from; i < writes.size() && operations.size() < MOST_OPERATIONS; ++i) {
          if (!keys.insert(writes[i].key).second) break;
          bytes += writes[i].key.size() * 6 + writes[i].record.value.size() + writes[i].record.user.size() + 256;
          if (!operations.empty() && bytes > most_bytes_) break;
          operations.push_back(operation(call, moment, writes[i], false));
        }
      };
      try {
        const std::string text = with_leases([&] {
          prepare();
          return cluster_.post(call, "/v3/kv/txn", transaction(operations), Kind::write);
        });
        const Json whole = parse(text);
        const std::vector<Json> &responses = whole["responses"].items;
        if (responses.size() != operations.size())
          throw Failure(OMNISTORE_CORRUPT, "etcd's response has not as many parts as the request");
        const std::int64_t revision = whole["header"]["revision"].number();
        for (std::size_t i = 0; i < operations.size(); ++i) {
          Write &write = writes[from + i];
          write.written = revision;
          item(call, write.item, statuses[write.item],
               [&] { return finish(call, moment, write, outcome_of(responses[i]), not_held); });
        }
      } catch (const Failure &failure) {
        for (std::size_t i = from; i < from + std::max<std::size_t>(operations.size(), 1); ++i)
          statuses[writes[i].item] = call.fail(static_cast<std::uint32_t>(writes[i].item), failure.status(),
                                               failure.what(), failure.details());
      }
      from += std::max<std::size_t>(operations.size(), 1);
    }
  }

  /// A value that was touched has kept its etag and has another revision: it is then written at that one.
  omnistore_status finish(Call call, std::int64_t moment, Write &write, Outcome outcome, omnistore_status not_held) {
    if (write.condition != OMNISTORE_IF_MATCH) return outcome.done ? OMNISTORE_OK : not_held;
    const std::int64_t etag = write.revision;
    for (int tries = 0; tries < MOST_TRIES; ++tries) {
      if (outcome.done) return OMNISTORE_OK;
      const Found &found = outcome.found;
      if (!found.is_there || found.etag() != etag || found.record().expired(moment)) return OMNISTORE_CONFLICT;
      write.revision = found.revision;
      outcome = with_leases([&] { return write_one(call, operation(call, moment, write, true), &write.written); });
    }
    return busy(call);
  }

  const omnistore_host &host_;
  const std::string prefix_;
  const std::uint64_t most_bytes_; ///< of a request
  std::uint64_t most_value_ = 0;   ///< bytes of a value
  Cluster cluster_;
  Leases leases_;
};

} // namespace
} // namespace etcd

OMNISTORE_PLUGIN(omnistore::driver<etcd::Etcd>("etcd", "1.0.0", "Values in a cluster of etcd", OMNISTORE_OPTIONS_SCHEMA,
                                               etcd::TRAITS))
