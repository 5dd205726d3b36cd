// SPDX-License-Identifier: Apache-2.0
// The `redis` driver: keeps values in a Redis server. This file has the operations: each builds commands
// (values/value_commands.hpp), runs them (connection/client.hpp) and reads the replies (values/replies.hpp).
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <omnistore/driver.hpp>
#include <omnistore/lag.hpp>
#include <omnistore_schema.h>

#include "connection/client.hpp"
#include "listing/listing.hpp"
#include "values/layout.hpp"
#include "values/replies.hpp"
#include "values/script.hpp"
#include "values/value_commands.hpp"
#include "watching/watch.hpp"

namespace redis {
namespace {

using omnistore::as_bytes, omnistore::as_view;

constexpr omnistore_traits driver_traits = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG |
                   OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_LIST_META | OMNISTORE_WATCHES_OWN | OMNISTORE_CAN_META;
  t.max_value_size = 512 << 20; // the default of the server's proto-max-bulk-len
  t.keeps = OMNISTORE_KEEPS_PROCESS;
  t.order = OMNISTORE_ORDER_KEYS;
  return t;
}();

/// A batch is sent in pieces. A piece has at most this many items, and sets also at most about this many bytes.
constexpr std::size_t piece_items = 512, piece_bytes = 8 << 20;

/// For each item of a batch, the number of commands up to its last one.
using Items = std::vector<std::size_t>;

bool is_alike(const omnistore_get_request &one, const omnistore_get_request &other) {
  return is_whole(one) && is_whole(other) && one.flags == other.flags;
}

/// Returns the status of one item. A failure that `outcome` throws is the item's own.
template <class Outcome>
omnistore_status of_item(omnistore::Call call, std::size_t item, Outcome outcome) {
  try {
    return outcome();
  } catch (const omnistore::Failure &failure) {
    return call.fail(static_cast<std::uint32_t>(item), failure.status(), failure.what());
  }
}

/// Runs a batch piece by piece: `run(from)` handles some items from `from` on and returns how many. A failure that it
/// throws is the failure of all remaining items.
template <class Run>
void in_pieces(omnistore::Call call, std::size_t count, omnistore_status *statuses, Run run) {
  for (std::size_t from = 0; from < count;) {
    try {
      from += run(from);
    } catch (const omnistore::Failure &failure) {
      for (; from < count; ++from)
        statuses[from] =
            call.fail(static_cast<std::uint32_t>(from), failure.status(), failure.what(), failure.details());
    }
  }
}

constexpr const char *default_url = "redis://127.0.0.1:6379";

TlsOptions tls_of(const omnistore::Options &options) {
  return {options.string("ca", ""), options.string("cert", ""), options.string("key", ""),
          options.string("serverName", "")};
}

Endpoint endpoint_of(const omnistore::Options &options) {
  Endpoint endpoint = parse_url(options.string("url", default_url));
  const TlsOptions tls = tls_of(options);
  check_tls(endpoint, tls);
  if (endpoint.secure) endpoint.tls = std::make_shared<const TlsSettings>(tls);
  return endpoint;
}

class Redis {
public:
  Redis(const omnistore_host &host, omnistore::Options options, omnistore_traits &,
        std::span<const omnistore_store *const>, omnistore::Call call)
      : host_(host), layout_(options.string("base", "")), ttl_(options.integer("ttl", 0)),
        notify_(options.boolean("notify", false)),
        client_(host, endpoint_of(options), milliseconds(options.integer("connectTimeout", 1000)),
                milliseconds(options.integer("commandTimeout", 2000)),
                static_cast<std::size_t>(options.integer("poolSize", 2))),
        listings_(host, client_, layout_, static_cast<std::uint32_t>(options.integer("scanCount", 1000))) {
    client_.open(call);
  }

  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
    problems.check([&] { check_tls(parse_url(options.string("url", default_url)), tls_of(options)); });
  }

  // ------------------------------------------------------------------------------------------------------ one value

  omnistore_status get(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    if (!is_whole(request)) return get_range(call, key, request, sink);
    if (wants_meta(request) || wants_user(request)) return get_with_meta(call, key, request, sink);
    Commands commands;
    commands.add("GET", values_.full(key)).add("PEXPIRETIME", values_.full(key));
    const Replies replies = client_.run(call, commands, OnBroken::resend);
    if (is_nil(not_error(*replies[0]))) return OMNISTORE_NOT_FOUND;
    const long long expiry = integer_of(*replies[1]);
    if (expiry == no_such_key) return OMNISTORE_NOT_FOUND;
    const std::string_view value = string_of(*replies[0]);
    return omnistore::give(sink, omnistore::make_meta(value.size(), 0, std::max(expiry, 0LL)), value);
  }

  omnistore_status stat(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    if (wants_user(request) && may_have_user(key))
      return give_meta_reply(
          *run_script(call, values_.scripts().stat_with_user, key, OnBroken::resend, OMNISTORE_MAX_USER_SIZE), request,
          sink);
    if (wants_meta(request))
      return give_meta_reply(*run_script(call, values_.scripts().stat, key, OnBroken::resend), request, sink);
    Commands commands;
    values_.add_stat(commands, key, request);
    return give_stat(client_.run(call, commands, OnBroken::resend), request, sink);
  }

  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    const std::int64_t expiry = expiry_of(key, request);
    omnistore_status status;
    if (ValueCommands::takes_script(request)) {
      const Reply reply =
          run_script(call, values_.scripts().set, key, OnBroken::fail, ValueCommands::condition_of(request),
                     as_view(request.value), expiry, as_view(request.user));
      status = outcome_of_set(*reply);
    } else {
      Commands commands;
      values_.add_set(commands, key, request, expiry);
      const Replies replies = client_.run(call, commands, OnBroken::fail);
      for (const Reply &reply : replies) not_error(*reply);
      status = outcome_of_set(*replies.back());
    }
    return status == OMNISTORE_OK && result ? give_result(*result, request, expiry) : status;
  }

  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
    if (request.condition == OMNISTORE_IF_MATCH) {
      const Reply reply =
          run_script(call, values_.scripts().remove_if_match, key, OnBroken::fail, as_view(request.etag));
      return integer_of(*reply) == 1 ? OMNISTORE_OK : OMNISTORE_CONFLICT;
    }
    Commands commands;
    values_.add_remove(commands, key);
    const Replies replies = client_.run(call, commands, OnBroken::fail);
    for (const Reply &reply : replies) not_error(*reply);
    return integer_of(*replies.back()) == 1 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
  }

  omnistore_status touch(omnistore::Call call, std::string_view key, const omnistore_touch_request &request) {
    const bool has_user = request.flags & OMNISTORE_TOUCH_USER;
    if (has_user && !may_have_user(key)) return call.fail(OMNISTORE_INVALID, "a key that ends in '$' has no user meta");
    std::string expiry;
    if (request.flags & OMNISTORE_TOUCH_EXPIRY)
      expiry = std::to_string(request.expiry == 0 ? 0 : not_later_than_now(request.expiry));
    const Reply reply =
        run_script(call, values_.scripts().touch, key, OnBroken::fail, expiry, has_user ? 1 : 0, as_view(request.user));
    return integer_of(*reply) == 1 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
  }

  // -------------------------------------------------------------------------------------------------------- batches

  using Gets = omnistore::Requests<omnistore_get_request>;

  omnistore_status get_many(omnistore::Call call, std::span<const omnistore_bytes> keys, Gets requests,
                            omnistore_sink *const *sinks, omnistore_status *statuses) {
    in_pieces(call, keys.size(), statuses, [&](std::size_t from) {
      const omnistore_get_request &request = requests[from];
      if (!is_whole(request)) {
        try {
          statuses[from] = get_range(call, as_view(keys[from]), request, *sinks[from]);
        } catch (const omnistore::Failure &failure) {
          if (failure.status() != OMNISTORE_CORRUPT) throw; // the connection failed: so do all remaining items
          statuses[from] = call.fail(static_cast<std::uint32_t>(from), failure.status(), failure.what());
        }
        return std::size_t{1};
      }
      std::size_t count = 1; // consecutive items with equal requests form a piece
      while (count < piece_items && from + count < keys.size() && is_alike(request, requests[from + count])) ++count;
      get_piece(call, from, keys.subspan(from, count), request, sinks + from, statuses + from);
      return count;
    });
    return OMNISTORE_OK;
  }

  omnistore_status stat_many(omnistore::Call call, std::span<const omnistore_bytes> keys, Gets requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) {
    in_pieces(call, keys.size(), statuses, [&](std::size_t from) {
      Commands commands;
      Items items;
      for (std::size_t i = from; i < keys.size() && items.size() < piece_items; ++i) {
        values_.add_stat(commands, as_view(keys[i]), requests[i]);
        items.push_back(commands.count());
      }
      const Replies replies = client_.run(call, commands, OnBroken::resend);
      for (std::size_t i = 0; i < items.size(); ++i)
        statuses[from + i] = of_item(call, from + i, [&] {
          return give_stat({replies.data() + (i == 0 ? 0 : items[i - 1]), replies.data() + items[i]},
                           requests[from + i], *sinks[from + i]);
        });
      return items.size();
    });
    return OMNISTORE_OK;
  }

  omnistore_status set_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    in_pieces(call, keys.size(), statuses, [&](std::size_t from) {
      Commands commands;
      Items items;
      std::vector<std::int64_t> expiries;
      for (std::size_t i = from; i < keys.size() && items.size() < piece_items && commands.bytes().size() < piece_bytes;
           ++i) {
        const std::string_view key = as_view(keys[i]);
        values_.add_set(commands, key, requests[i], expiries.emplace_back(expiry_of(key, requests[i])));
        items.push_back(commands.count());
      }
      const std::size_t count = each_reply(call, commands, from, items, statuses, outcome_of_set);
      for (std::size_t i = from; results && i < from + count; ++i)
        if (statuses[i] == OMNISTORE_OK && results[i])
          statuses[i] = give_result(*results[i], requests[i], expiries[i - from]);
      return count;
    });
    return OMNISTORE_OK;
  }

  omnistore_status remove_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
    in_pieces(call, keys.size(), statuses, [&](std::size_t from) {
      Commands commands;
      Items items;
      const std::size_t end = from + std::min(piece_items, keys.size() - from);
      for (std::size_t i = from; i < end; ++i) {
        if (requests[i].condition == OMNISTORE_IF_MATCH)
          values_.add_script(commands, "EVAL", values_.scripts().remove_if_match.text, as_view(keys[i]),
                             as_view(requests[i].etag));
        else
          values_.add_remove(commands, as_view(keys[i]));
        items.push_back(commands.count());
      }
      const std::size_t count = each_reply(call, commands, from, items, statuses, [](const redisReply &reply) {
        return integer_of(reply) == 1 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
      });
      for (std::size_t i = from; i < end; ++i)
        if (statuses[i] == OMNISTORE_NOT_FOUND && requests[i].condition == OMNISTORE_IF_MATCH)
          statuses[i] = OMNISTORE_CONFLICT;
      return count;
    });
    return OMNISTORE_OK;
  }

  omnistore_status health(omnistore::Call call) {
    Commands commands;
    commands.add("PING");
    const Replies replies = client_.run(call, commands, OnBroken::resend);
    // NOPERM: the user may not ping, but is logged in.
    if (!is_error(*replies[0]) || text_of(*replies[0]).starts_with("NOPERM")) return OMNISTORE_OK;
    throw failure_of(*replies[0]);
  }

  std::string stats(omnistore::Call) const {
    return "{\"gauges\":{\"connections_in_use\":" + std::to_string(client_.in_use()) + "}}";
  }

  // ----------------------------------------------------------------------------------------------------- whole bases

  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page) {
    return listings_.list(call, request, page);
  }

  omnistore_status clear(omnistore::Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    omnistore_status status = OMNISTORE_OK;
    const auto remove_found = [&](std::span<const std::string_view> found) {
      if (found.empty() || status != OMNISTORE_OK) return;
      std::vector<std::string_view> keys, owners;
      for (const std::string_view key : found) {
        if (is_user_meta(key))
          owners.push_back(owner_of(key));
        else
          keys.push_back(key);
      }
      watches_.expect_cleared(keys);
      Commands commands;
      Items items;
      for (const std::string_view key : keys) {
        values_.add_remove(commands, key);
        items.push_back(commands.count());
      }
      // The value of this user meta is not among the keys: either SCAN returns it another time, or there is none.
      std::vector<std::string_view> sorted = keys;
      std::sort(sorted.begin(), sorted.end());
      std::sort(owners.begin(), owners.end());
      owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
      for (const std::string_view owner : owners)
        if (!std::binary_search(sorted.begin(), sorted.end(), owner))
          values_.add_script(commands, "EVAL", values_.scripts().remove_orphan.text, owner);
      const Replies replies = client_.run(call, commands, OnBroken::fail);
      for (std::size_t i = 0; i < keys.size() && status == OMNISTORE_OK; ++i) {
        if (integer_of(*replies[items[i] - 1]) == 1 && removed)
          status = removed->emit(removed, as_bytes(keys[i]), nullptr);
      }
      for (const Reply &reply : replies) not_error(*reply);
    };
    omnistore::partly_done([&] { listings_.scan(call, as_view(request.base), remove_found); });
    return status;
  }

  omnistore_status watch(omnistore::Call, const omnistore_watch_request &request, omnistore_watcher &watcher,
                         void **watch) {
    *watch = watches_.add(
        {host_, client_.endpoint(), layout_, client_.connect_timeout(), client_.command_timeout(), notify_},
        as_view(request.base), watcher);
    return OMNISTORE_OK;
  }
  void unwatch(void *watch) { watches_.end(watch); }
  std::int64_t lag(void *watch) const { return static_cast<const Watch *>(watch)->lag(); }
  const void *extension(const char *id) { return omnistore::lag_extension<Redis>(id); }

private:
  std::int64_t now() const { return host_.now(&host_); }
  /// If an expiry has passed on the host's clock, returns one that has passed on the server's clock too.
  std::int64_t not_later_than_now(std::int64_t expiry) const { return expiry <= now() ? 1 : expiry; }

  std::int64_t expiry_of(std::string_view key, const omnistore_set_request &request) const {
    if (request.expiry != 0) return not_later_than_now(request.expiry);
    return ttl_ == 0 || key.ends_with('$') ? 0 : now() + ttl_; // the key of user meta expires with its value
  }

  template <class... Arguments>
  Reply run_script(omnistore::Call call, const Script &script, std::string_view key, OnBroken on_broken,
                   const Arguments &...arguments) {
    Commands commands;
    values_.add_script(commands, "EVALSHA", script.hash, key, arguments...);
    Reply reply = std::move(client_.run(call, commands, on_broken)[0]);
    if (!is_error(*reply) || !text_of(*reply).starts_with("NOSCRIPT")) return reply;
    Commands whole;
    values_.add_script(whole, "EVAL", script.text, key, arguments...);
    return std::move(client_.run(call, whole, on_broken)[0]);
  }

  omnistore_status get_with_meta(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                                 omnistore_sink &sink) {
    const bool user = wants_user(request) && may_have_user(key);
    Commands commands;
    commands.add("MULTI").add("GET", values_.full(key)).add("PEXPIRETIME", values_.full(key));
    if (user) commands.add("MGET", values_.full(key, "$"), values_.full(key, "$$"));
    commands.add("EXEC");
    const Replies replies = client_.run(call, commands, OnBroken::resend);
    redisReply *const *parts = executed(replies);
    return give_with_meta(*parts[0], *parts[1], user ? array_of(*parts[2], 2) : nullptr, wants_meta(request), sink);
  }

  omnistore_status get_range(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                             omnistore_sink &sink) {
    constexpr std::uint64_t past_any_end = INT64_MAX / 2; // greater than the size of any value
    const std::uint64_t first = std::min(request.offset, past_any_end);
    const std::uint64_t end = first + std::min(request.length, past_any_end); // one past the last byte
    Commands commands;
    commands.add("MULTI").add("STRLEN", values_.full(key)).add("PEXPIRETIME", values_.full(key));
    // To the server, an end of -1 would be the end of the value.
    if (end == 0)
      commands.add("GETRANGE", values_.full(key), 1, 0);
    else
      commands.add("GETRANGE", values_.full(key), first, end - 1);
    commands.add("EXEC");
    const Replies replies = client_.run(call, commands, OnBroken::resend);
    redisReply *const *parts = executed(replies);
    const long long size = integer_of(*parts[0]), expiry = integer_of(*parts[1]);
    if (expiry == no_such_key) return OMNISTORE_NOT_FOUND;
    return omnistore::give(sink, omnistore::make_meta(static_cast<std::uint64_t>(size), 0, std::max(expiry, 0LL)),
                           string_of(*parts[2]));
  }

  /// Runs a batch's commands. An item fails if one of its commands fails; otherwise its last reply gives its status.
  /// Returns the number of items.
  template <class Outcome>
  std::size_t each_reply(omnistore::Call call, Commands &commands, std::size_t from, const Items &items,
                         omnistore_status *statuses, Outcome outcome) {
    const Replies replies = client_.run(call, commands, OnBroken::fail);
    for (std::size_t i = 0; i < items.size(); ++i) {
      statuses[from + i] = of_item(call, from + i, [&] {
        for (std::size_t at = i == 0 ? 0 : items[i - 1]; at < items[i]; ++at) not_error(*replies[at]);
        return outcome(*replies[items[i] - 1]);
      });
    }
    return items.size();
  }

  /// Sets the status of those of the items whose key holds another type than a string. `first` is the place of keys[0]
  /// in the whole batch.
  void find_other_types(omnistore::Call call, std::size_t first, std::span<const omnistore_bytes> keys,
                        std::span<const std::size_t> items, omnistore_status *statuses) {
    if (items.empty()) return;
    Commands commands;
    for (const std::size_t i : items) commands.add("STRLEN", values_.full(as_view(keys[i])));
    const Replies replies = client_.run(call, commands, OnBroken::resend);
    for (std::size_t i = 0; i < items.size(); ++i)
      if (is_error(*replies[i]))
        statuses[items[i]] = of_item(call, first + items[i], [&] { return not_error(*replies[i]), OMNISTORE_OK; });
  }

  /// Gets some keys of a batch with equal requests. `first` is their place in the whole batch. MGET returns nil for a
  /// missing key, and also for a key of another type. EXISTS counts the keys in the same round trip, which shows
  /// whether a nil is such a key.
  void get_piece(omnistore::Call call, std::size_t first, std::span<const omnistore_bytes> keys,
                 const omnistore_get_request &request, omnistore_sink *const *sinks, omnistore_status *statuses) {
    const bool user = wants_user(request), meta = wants_meta(request) || user;
    Commands commands;
    if (meta) commands.add("MULTI");
    values_.add_keys(commands, "MGET", keys);
    if (meta) {
      for (const omnistore_bytes &key : keys) commands.add("PEXPIRETIME", values_.full(as_view(key)));
      if (user) {
        commands.begin(1 + 2 * keys.size());
        commands.word("MGET");
        for (const omnistore_bytes &key : keys) {
          commands.word(values_.full(as_view(key), "$"));
          commands.word(values_.full(as_view(key), "$$"));
        }
      }
      commands.add("EXEC");
    } else {
      values_.add_keys(commands, "EXISTS", keys);
    }
    const Replies replies = client_.run(call, commands, OnBroken::resend);
    redisReply *const *parts = meta ? executed(replies) : nullptr;
    redisReply *const *values = array_of(meta ? *parts[0] : *replies[0], keys.size());
    redisReply *const *users = user ? array_of(*parts[1 + keys.size()], 2 * keys.size()) : nullptr;
    std::vector<std::size_t> missing, other;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!is_nil(*values[i])) {
        statuses[i] = of_item(call, first + i, [&] {
          if (!meta) return omnistore::give(*sinks[i], string_of(*values[i]));
          const bool adds_user = user && may_have_user(as_view(keys[i]));
          return give_with_meta(*values[i], *parts[1 + i], adds_user ? users + 2 * i : nullptr, wants_meta(request),
                                *sinks[i]);
        });
        continue;
      }
      statuses[i] = OMNISTORE_NOT_FOUND;
      missing.push_back(i);
      if (meta && integer_of(*parts[1 + i]) != no_such_key) other.push_back(i);
    }
    const auto held = static_cast<long long>(keys.size() - missing.size());
    if (!meta && integer_of(*replies[1]) > held) other = std::move(missing);
    find_other_types(call, first, keys, other, statuses);
  }

  const omnistore_host &host_;
  const Layout layout_;
  const ValueCommands values_{layout_};
  const std::int64_t ttl_;
  const bool notify_;
  Client client_;
  Listings listings_;
  Watches watches_;
};

} // namespace
} // namespace redis

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<redis::Redis>("redis", "1.0.0", "Keeps values in a Redis server",
                                                              OMNISTORE_OPTIONS_SCHEMA, redis::driver_traits))
