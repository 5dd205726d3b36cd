// SPDX-License-Identifier: Apache-2.0
// The `memcached` driver: keeps values in memcached, one item for each. The text protocol cannot decide a condition, or
// change an expiry, in one step. So the item is read with its CAS number, and written only if it still has that number.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

#include "item.hpp"
#include "servers.hpp"

namespace memcached_driver {
namespace {

using omnistore::as_bytes, omnistore::as_view, omnistore::Call, omnistore::Failure;

/// The most bytes that an item takes beside its own: its head, its CAS number, its name and its flags.
constexpr std::uint64_t item_overhead = 384;
/// Unless the server says otherwise, the size of the largest item.
constexpr std::uint64_t default_item_size = 1 << 20;
/// A time that has passed, which is more than 30 days after 1970: a smaller number would be a span.
constexpr time_t long_ago = 60 * 60 * 24 * 30 + 1;
/// How often an item is read again because others have changed it since.
constexpr int most_tries = 100;
constexpr std::size_t longest_base = 100;
/// A batch of sets is sent in pieces. A piece has at most this many items, and about this many bytes.
constexpr std::size_t piece_items = 512, piece_bytes = 8 << 20;

constexpr omnistore_traits driver_traits = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CANNOT_LIST | OMNISTORE_CAN_TTL | OMNISTORE_CAN_META |
                   OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH;
  t.max_value_size = default_item_size - item_overhead - header_size;
  t.keeps = OMNISTORE_KEEPS_PROCESS;
  t.order = OMNISTORE_ORDER_NONE;
  return t;
}();

/// An item as it was read.
struct Found {
  std::string bytes;
  std::uint32_t flags = 0;
  std::uint64_t cas = 0;

  /// Its parts are in `bytes`. Throws Failure.
  Item item() const {
    const std::optional<Item> read = Item::parse(bytes, flags);
    if (!read) throw Failure(OMNISTORE_CORRUPT, "the item has the flags of this driver, but no whole header");
    return *read;
  }
};

milliseconds duration(const omnistore::Options &options, const char *name, std::int64_t fallback) {
  return milliseconds(options.integer(name, fallback));
}

ServerSettings settings_of(const omnistore::Options &options) {
  return {options.strings("servers", std::vector<std::string>{"127.0.0.1:11211"}),
          duration(options, "connectTimeout", 1000), duration(options, "commandTimeout", 2000),
          static_cast<std::size_t>(options.integer("poolSize", 8))};
}

std::string prefix_of(const omnistore::Options &options) {
  std::string base = options.string("base", "");
  if (base.size() > longest_base)
    throw Failure(OMNISTORE_INVALID, "option base: it has more than " + std::to_string(longest_base) + " bytes");
  return base.empty() || base.ends_with(':') ? base : base + ":";
}

class Memcached {
public:
  Memcached(const omnistore_host &host, omnistore::Options options, omnistore_traits &traits,
            std::span<const omnistore_store *const>, Call call)
      : host_(host), prefix_(prefix_of(options)), servers_(host, settings_of(options)) {
    if (const std::uint64_t size = servers_.item_size_max(call); size > item_overhead + header_size)
      traits.max_value_size = size - item_overhead - header_size;
    capacity_ = traits.max_value_size;
  }

  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
    problems.check([&] { make_handle(settings_of(options).servers); });
    problems.check([&] { prefix_of(options); });
  }

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    const std::optional<Found> found = find_live(call, name_of(prefix_, key));
    return found ? give(found->item(), request, sink, true) : OMNISTORE_NOT_FOUND;
  }

  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    const std::optional<Found> found = find_live(call, name_of(prefix_, key));
    return found ? give(found->item(), request, sink, false) : OMNISTORE_NOT_FOUND;
  }

  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    const std::string name = name_of(prefix_, key);
    const Item item = item_of(request);
    check_size(item);
    const bool is_over = has_passed(request.expiry);
    omnistore_status status = OMNISTORE_OK;
    if (request.condition == OMNISTORE_ALWAYS && !is_over)
      store(call, name, item, &memcached_set);
    else if (request.condition == OMNISTORE_ALWAYS)
      erase(call, name);
    else
      status = set_if(call, name, request, item, is_over);
    return status == OMNISTORE_OK && result ? give_result(item, *result) : status;
  }

  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request) {
    const std::string name = name_of(prefix_, key);
    if (request.condition != OMNISTORE_IF_MATCH) {
      // For up to two seconds after its expiry memcached still has an item.
      if (!find_live(call, name)) return OMNISTORE_NOT_FOUND;
      return erase(call, name) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
    }
    return change(call, name, [&](const Item *found) {
      if (!found || etag_of(found->value) != as_view(request.etag)) return Step::refused();
      return Step::remove();
    });
  }

  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request) {
    const std::string name = name_of(prefix_, key);
    const omnistore_status status = change(call, name, [&](const Item *found) {
      if (!found) return Step::refused();
      Item item = *found;
      if (request.flags & OMNISTORE_TOUCH_EXPIRY) item.expiry = request.expiry;
      if (request.flags & OMNISTORE_TOUCH_USER) item.user = as_view(request.user);
      if (item.expiry != 0 && item.expiry <= now()) return Step::remove();
      check_size(item);
      return Step::write(item);
    });
    return status == OMNISTORE_CONFLICT ? OMNISTORE_NOT_FOUND : status;
  }

  using Gets = omnistore::Requests<omnistore_get_request>;

  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys, Gets requests,
                            omnistore_sink *const *sinks, omnistore_status *statuses) {
    return read_many(call, keys, requests, sinks, statuses, true);
  }
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys, Gets requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) {
    return read_many(call, keys, requests, sinks, statuses, false);
  }

  /// Sets without conditions are sent to each server in one go. With a condition each needs its own reading anyway.
  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    bool is_plain = true;
    for (std::size_t i = 0; i < keys.size(); ++i)
      is_plain = is_plain && requests[i].condition == OMNISTORE_ALWAYS && !has_passed(requests[i].expiry);
    std::vector<std::vector<PlainSet>> servers(servers_.count());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      statuses[i] = of_item(call, i, [&] {
        omnistore_sink *const result = results ? results[i] : nullptr;
        if (!is_plain) return set(call, as_view(keys[i]), requests[i], result);
        const Item item = item_of(requests[i]);
        check_size(item);
        std::string name = name_of(prefix_, as_view(keys[i]));
        auto &sets = servers[servers_.server_of(name)];
        sets.push_back({i, std::move(name), item, result});
        return OMNISTORE_OK;
      });
    }
    for (std::uint32_t server = 0; server < servers.size(); ++server) {
      const std::span<const PlainSet> sets = servers[server];
      for (std::size_t from = 0, end = 0; from < sets.size(); from = end) {
        for (std::size_t bytes = 0; end < sets.size() && end - from < piece_items && bytes < piece_bytes; ++end)
          bytes += sets[end].item.size();
        send_sets(call, server, sets.subspan(from, end - from), statuses);
      }
    }
    return OMNISTORE_OK;
  }

  /// Each server must reply, since each has a share of the keys. Libmemcached would not do: it sends `version` only
  /// once to each server.
  omnistore_status health(Call call) {
    for (std::uint32_t i = 0; i < servers_.count(); ++i) {
      std::vector<std::string> replies;
      bool sent = false;
      servers_.exchange(call, i, "version\r\n", 1, replies, sent);
      if (!replies.front().starts_with("VERSION ")) throw servers_.failure(i, replies.front());
    }
    return OMNISTORE_OK;
  }

private:
  std::int64_t now() const { return host_.now(&host_); }
  bool has_passed(std::int64_t expiry) const { return expiry != 0 && expiry <= now(); }
  static Item item_of(const omnistore_set_request &request) {
    return {as_view(request.value), request.expiry, as_view(request.user)};
  }
  /// Returns the status of one item of a batch. A failure that `outcome` throws is the item's own.
  template <class Outcome>
  static omnistore_status of_item(Call call, std::size_t item, Outcome outcome) {
    try {
      return outcome();
    } catch (const Failure &failure) {
      return call.fail(static_cast<std::uint32_t>(item), failure.status(), failure.what(), failure.details());
    }
  }
  void check_size(const Item &item) const {
    const std::uint64_t size = item.value.size() + item.user.size();
    if (size <= capacity_) return;
    throw Failure(OMNISTORE_TOO_LARGE,
                  "value and user meta have " + std::to_string(size) + " bytes; the servers take " +
                      std::to_string(capacity_) + " (their setting item_size_max, memcached -I)",
                  omnistore::nothing_done);
  }
  bool is_live(const Item &item) const { return item.expiry == 0 || item.expiry > now(); }

  // ---------------------------------------------------------------------------------------------------------- reading

  static omnistore_status give(const Item &item, const omnistore_get_request &request, omnistore_sink &sink,
                               bool with_value) {
    omnistore_meta meta = omnistore::make_meta(item.value.size(), 0, item.expiry);
    std::string etag;
    if (request.flags & OMNISTORE_GET_META) {
      etag = etag_of(item.value);
      meta.etag = as_bytes(etag);
    }
    if (request.flags & OMNISTORE_GET_USER) omnistore::add_user(meta, item.user);
    if (!with_value) return omnistore::give(sink, meta);
    return omnistore::give(sink, meta, omnistore::part_of(item.value, request));
  }

  /// Runs a command on the server that has the name. Throws Failure if the network fails. A command that reads is sent
  /// once more on a new connection, since the server may have closed the old one while it was idle.
  template <class Command>
  memcached_return_t run(Call call, std::string_view name, bool reads, Command command) {
    const std::uint32_t server = servers_.server_of(name);
    for (bool again = reads;; again = false) {
      if (call.remaining() <= 0) throw Failure(call.late(), "the call's time is over", {true, 0});
      servers_.check(server);
      Servers::Lease lease = servers_.lease(call);
      const memcached_return_t code = command(lease.get());
      if (!is_network_failure(code)) {
        servers_.note(server, lease.get(), code);
        return code;
      }
      const Failure why = servers_.failure(server, lease.get(), code);
      // If the call's own deadline has ended it, the server is not at fault.
      const bool is_late = code == MEMCACHED_TIMEOUT && call.remaining() <= 0;
      const bool is_tried_again = again && code != MEMCACHED_TIMEOUT;
      if (!is_late && !is_tried_again) servers_.note(server, lease.get(), code);
      lease.drop();
      if (is_tried_again) continue;
      if (reads) throw Failure(why.status(), why.what(), {true, 0});
      throw Failure(why.status(), std::string(why.what()) + "; the outcome is not known");
    }
  }

  /// Takes the results of a multi-get one by one, until the end.
  template <class Take>
  static memcached_return_t fetch(memcached_st *handle, Take take) {
    memcached_result_st result;
    memcached_result_create(handle, &result);
    memcached_return_t code = MEMCACHED_SUCCESS;
    while (memcached_fetch_result(handle, &result, &code)) take(result);
    memcached_result_free(&result);
    return code == MEMCACHED_END || code == MEMCACHED_NOTFOUND ? MEMCACHED_SUCCESS : code;
  }

  static void copy(memcached_result_st &from, Found &into) {
    into.bytes.assign(memcached_result_value(&from), memcached_result_length(&from));
    into.flags = memcached_result_flags(&from);
    into.cas = memcached_result_cas(&from);
  }

  /// Returns the item, also if its value has expired.
  std::optional<Found> find(Call call, const std::string &name) {
    std::optional<Found> found;
    const memcached_return_t code = run(call, name, true, [&](memcached_st *handle) {
      const char *names[] = {name.data()};
      const std::size_t sizes[] = {name.size()};
      found.reset();
      const memcached_return_t sent = memcached_mget(handle, names, sizes, 1);
      if (memcached_failed(sent)) return sent;
      return fetch(handle, [&](memcached_result_st &result) { copy(result, found.emplace()); });
    });
    if (code != MEMCACHED_SUCCESS) fail(name, code);
    return found;
  }
  /// Returns nothing if the value has expired.
  std::optional<Found> find_live(Call call, const std::string &name) {
    std::optional<Found> found = find(call, name);
    if (found && !is_live(found->item())) found.reset();
    return found;
  }

  [[noreturn]] void fail(std::string_view name, memcached_return_t code) {
    throw servers_.failure(servers_.server_of(name), nullptr, code);
  }

  /// Reads the keys of each server by one multi-get. A multi-get of several servers would hide the failure of one: its
  /// keys would look like misses.
  omnistore_status read_many(Call call, std::span<const omnistore_bytes> keys, Gets requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses, bool with_values) {
    std::unordered_map<std::string, std::vector<std::size_t>> places;
    for (std::size_t i = 0; i < keys.size(); ++i) places[name_of(prefix_, as_view(keys[i]))].push_back(i);
    std::vector<std::unordered_map<std::string, std::vector<std::size_t>>> servers(servers_.count());
    while (!places.empty()) {
      auto place = places.extract(places.begin());
      servers[servers_.server_of(place.key())].insert(std::move(place));
    }
    const auto take = [&](const std::vector<std::size_t> &at, const std::optional<Found> &found) {
      for (const std::size_t i : at) {
        try {
          const bool live = found && is_live(found->item());
          statuses[i] = live ? give(found->item(), requests[i], *sinks[i], with_values) : OMNISTORE_NOT_FOUND;
        } catch (const Failure &failure) {
          statuses[i] = call.fail(static_cast<std::uint32_t>(i), failure.status(), failure.what());
        }
      }
    };
    for (auto &wanted : servers) {
      if (wanted.empty()) continue;
      const std::string any = wanted.begin()->first;
      try {
        const memcached_return_t code = run(call, any, true, [&](memcached_st *handle) {
          std::vector<const char *> names;
          std::vector<std::size_t> sizes;
          for (const auto &each : wanted) names.push_back(each.first.data()), sizes.push_back(each.first.size());
          if (names.empty()) return MEMCACHED_SUCCESS; // the connection broke after the last value
          const memcached_return_t sent = memcached_mget(handle, names.data(), sizes.data(), names.size());
          if (memcached_failed(sent)) return sent;
          return fetch(handle, [&](memcached_result_st &result) {
            const auto place = wanted.find({memcached_result_key_value(&result), memcached_result_key_length(&result)});
            if (place == wanted.end()) return;
            Found found;
            copy(result, found);
            take(place->second, found);
            wanted.erase(place);
          });
        });
        if (code != MEMCACHED_SUCCESS) fail(any, code);
        for (const auto &missing : wanted) take(missing.second, {});
      } catch (const Failure &failure) {
        for (const auto &each : wanted)
          for (const std::size_t i : each.second)
            statuses[i] = call.fail(static_cast<std::uint32_t>(i), failure.status(), failure.what(), failure.details());
      }
    }
    return OMNISTORE_OK;
  }

  // ---------------------------------------------------------------------------------------------------------- writing

  using StoreFunction = memcached_return_t (*)(memcached_st *, const char *, size_t, const char *, size_t, time_t,
                                               std::uint32_t);

  /// Returns false if memcached_add() found an item.
  bool store(Call call, const std::string &name, const Item &item, StoreFunction function) {
    std::string space;
    const std::string_view bytes = item.bytes(space);
    const memcached_return_t code = run(call, name, false, [&](memcached_st *handle) {
      return function(handle, name.data(), name.size(), bytes.data(), bytes.size(), item.seconds(), item.flags());
    });
    if (code == MEMCACHED_NOTSTORED || code == MEMCACHED_DATA_EXISTS) return false;
    if (code != MEMCACHED_SUCCESS && code != MEMCACHED_STORED) fail(name, code);
    return true;
  }

  static omnistore_status give_result(const Item &item, omnistore_sink &result) {
    omnistore_meta meta = omnistore::make_meta(item.value.size(), 0, item.expiry);
    const std::string etag = etag_of(item.value);
    meta.etag = as_bytes(etag);
    return omnistore::give(result, meta);
  }

  /// A set of a batch that has no condition.
  struct PlainSet {
    std::size_t at; ///< its place in the batch
    std::string name;
    Item item;
    omnistore_sink *result;
  };

  /// Sends sets to one server, all before the first reply is awaited.
  void send_sets(Call call, std::uint32_t server, std::span<const PlainSet> sets, omnistore_status *statuses) {
    std::string commands, space;
    for (const PlainSet &each : sets)
      commands.append("set ")
          .append(each.name)
          .append(" " + std::to_string(each.item.flags()) + " " + std::to_string(each.item.seconds()) + " " +
                  std::to_string(each.item.size()) + "\r\n")
          .append(each.item.bytes(space))
          .append("\r\n");
    std::vector<std::string> replies;
    std::optional<Failure> problem;
    bool sent = false;
    try {
      servers_.exchange(call, server, commands, sets.size(), replies, sent);
    } catch (const Failure &failure) {
      problem.emplace(failure.status(), std::string(failure.what()) + (sent ? "; the outcome is not known" : ""),
                      omnistore::FailureDetails{!sent, failure.details().retry_after});
    }
    for (std::size_t i = 0; i < sets.size(); ++i) {
      statuses[sets[i].at] = of_item(call, sets[i].at, [&] {
        if (i >= replies.size()) throw *problem;
        if (replies[i] != "STORED") throw servers_.failure(server, replies[i]);
        return sets[i].result ? give_result(sets[i].item, *sets[i].result) : OMNISTORE_OK;
      });
    }
  }

  /// Returns false if there was no item.
  bool erase(Call call, const std::string &name) {
    const memcached_return_t code = run(
        call, name, false, [&](memcached_st *handle) { return memcached_delete(handle, name.data(), name.size(), 0); });
    if (code == MEMCACHED_NOTFOUND) return false;
    if (code != MEMCACHED_SUCCESS && code != MEMCACHED_DELETED) fail(name, code);
    return true;
  }

  /// The next step for an item that was read.
  struct Step {
    enum { refuse, unlink, put } what;
    Item item;

    static Step refused() { return {refuse, {}}; }
    static Step remove() { return {unlink, {}}; }
    static Step write(const Item &with) { return {put, with}; }
  };

  /// Reads an item and does what `decide` says about it, unless another client changes it in between: then it is read
  /// again. Returns CONFLICT if it is refused.
  template <class Decide>
  omnistore_status change(Call call, const std::string &name, Decide decide) {
    for (int i = 0; i < most_tries; ++i) {
      const std::optional<Found> found = find(call, name);
      const Item item = found ? found->item() : Item();
      const Step step = decide(found && is_live(item) ? &item : nullptr);
      if (step.what == Step::refuse) return OMNISTORE_CONFLICT;
      if (!found) {
        if (step.what == Step::unlink || store(call, name, step.item, &memcached_add)) return OMNISTORE_OK;
        continue;
      }
      std::string space;
      const std::string_view bytes = step.what == Step::put ? step.item.bytes(space) : std::string_view();
      const time_t seconds = step.what == Step::put ? step.item.seconds() : long_ago;
      const memcached_return_t code = run(call, name, false, [&](memcached_st *handle) {
        return memcached_cas(handle, name.data(), name.size(), bytes.data(), bytes.size(), seconds, step.item.flags(),
                             found->cas);
      });
      if (code == MEMCACHED_SUCCESS || code == MEMCACHED_STORED) return OMNISTORE_OK;
      if (code != MEMCACHED_DATA_EXISTS && code != MEMCACHED_NOTFOUND) fail(name, code);
    }
    throw Failure(OMNISTORE_UNAVAILABLE, "other clients change the item all the time", omnistore::nothing_done);
  }

  omnistore_status set_if(Call call, const std::string &name, const omnistore_set_request &request, const Item &item,
                          bool is_over) {
    return change(call, name, [&](const Item *found) {
      const bool holds = request.condition == OMNISTORE_IF_ABSENT ? found == nullptr
                         : request.condition == OMNISTORE_IF_MATCH
                             ? found != nullptr && etag_of(found->value) == as_view(request.etag)
                             : found != nullptr;
      if (!holds) return Step::refused();
      return is_over ? Step::remove() : Step::write(item);
    });
  }

  const omnistore_host &host_;
  const std::string prefix_;
  Servers servers_;
  std::uint64_t capacity_ = 0; ///< the most bytes of a value and its user meta
};

} // namespace
} // namespace memcached_driver

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<memcached_driver::Memcached>(
    "memcached", "1.0.0", "Keeps values in memcached", OMNISTORE_OPTIONS_SCHEMA, memcached_driver::driver_traits))
