// SPDX-License-Identifier: Apache-2.0
// The `redis` driver: values in a Redis server. client.hpp says how threads share connections, listing.hpp how keys are
// listed, watch.hpp how changes come in; here is what each operation asks the server.
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

#include "client.hpp"
#include "layout.hpp"
#include "listing.hpp"
#include "script.hpp"
#include "watch.hpp"

namespace redis {
namespace {

using omnistore::as_bytes, omnistore::as_view;

constexpr omnistore_traits TRAITS = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG |
                   OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_LIST_META | OMNISTORE_WATCHES_OWN;
  t.max_value_size = 512 << 20; // the server's proto-max-bulk-len, as it comes
  t.keeps = OMNISTORE_KEEPS_PROCESS;
  t.order = OMNISTORE_ORDER_KEYS;
  return t;
}();

/// A batch goes out in pieces of so many items, and of so many bytes where values go with it.
constexpr std::size_t PIECE = 512, PIECE_BYTES = 8 << 20;

bool is_whole(const omnistore_get_request &request) { return request.offset == 0 && request.length == UINT64_MAX; }
bool wants_meta(const omnistore_get_request &request) { return request.flags & OMNISTORE_GET_META; }

class Redis {
public:
  Redis(const omnistore_host &host, omnistore::Options options, omnistore_traits &,
        std::span<const omnistore_store *const>, omnistore::Call call)
      : host_(host), layout_(options.string("base", "")), ttl_(options.integer("ttl", 0)),
        notify_(options.boolean("notify", false)),
        client_(host, parse_url(options.string("url", "redis://127.0.0.1:6379")),
                milliseconds(options.integer("connectTimeout", 1000)),
                milliseconds(options.integer("commandTimeout", 2000)),
                static_cast<std::size_t>(options.integer("poolSize", 2))),
        listings_(host, client_, layout_, static_cast<std::uint32_t>(options.integer("scanCount", 1000))) {
    client_.open(call);
  }

  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
    problems.check([&] { parse_url(options.string("url", "redis://127.0.0.1:6379")); });
  }

  // ------------------------------------------------------------------------------------------------------ one value

  omnistore_status get(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    if (!is_whole(request)) return get_range(call, key, request, sink);
    if (wants_meta(request)) return get_with_meta(call, key, sink);
    Commands commands;
    commands.add("GET", full(key)).add("PEXPIRETIME", full(key));
    const Replies replies = client_.run(call, commands, Again::yes);
    if (is_nil(not_error(*replies[0]))) return OMNISTORE_NOT_FOUND;
    const long long expiry = integer_of(*replies[1]);
    if (expiry == GONE) return OMNISTORE_NOT_FOUND;
    const std::string_view value = string_of(*replies[0]);
    return omnistore::give(sink, omnistore::make_meta(value.size(), 0, std::max(expiry, 0LL)), value);
  }

  omnistore_status stat(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    if (wants_meta(request)) return stat_with_etag(call, key, sink);
    Commands commands;
    commands.add("MULTI").add("STRLEN", full(key)).add("PEXPIRETIME", full(key)).add("EXEC");
    const Replies replies = client_.run(call, commands, Again::yes);
    redisReply *const *parts = executed(replies);
    const long long size = integer_of(*parts[0]), expiry = integer_of(*parts[1]);
    if (expiry == GONE) return OMNISTORE_NOT_FOUND;
    return omnistore::give(sink, omnistore::make_meta(static_cast<std::uint64_t>(size), 0, std::max(expiry, 0LL)));
  }

  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    const std::int64_t expiry = expiry_of(key, request);
    omnistore_status status;
    if (request.condition == OMNISTORE_IF_MATCH) {
      const Reply reply = run_script(call, scripts_.set_if_match, key, Again::no, as_view(request.etag),
                                     as_view(request.value), std::to_string(expiry));
      status = integer_of(*reply) == 1 ? OMNISTORE_OK : OMNISTORE_CONFLICT;
    } else if (request.condition == OMNISTORE_IF_PRESENT) {
      const Reply reply =
          run_script(call, scripts_.set_if_present, key, Again::no, as_view(request.value), std::to_string(expiry));
      status = integer_of(*reply) == 1 ? OMNISTORE_OK : OMNISTORE_CONFLICT;
    } else {
      Commands commands;
      add_set(commands, key, request, expiry);
      const bool if_absent = request.condition == OMNISTORE_IF_ABSENT;
      if (if_absent) commands.add("STRLEN", full(key)); // an error where what is there is no value
      const Replies replies = client_.run(call, commands, Again::no);
      status = outcome_of_set(*replies[0]);
      if (status == OMNISTORE_CONFLICT) not_error(*replies[1]);
    }
    if (status == OMNISTORE_OK && result) {
      omnistore_meta meta = omnistore::make_meta(request.value.size, 0, request.expiry == 0 ? expiry : request.expiry);
      const std::string etag = etag_of(as_view(request.value));
      meta.etag = as_bytes(etag);
      return omnistore::give(*result, meta);
    }
    return status;
  }

  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
    if (request.condition == OMNISTORE_IF_MATCH) {
      const Reply reply = run_script(call, scripts_.remove_if_match, key, Again::no, as_view(request.etag));
      return integer_of(*reply) == 1 ? OMNISTORE_OK : OMNISTORE_CONFLICT;
    }
    Commands commands;
    commands.add("UNLINK", full(key));
    return integer_of(*client_.run(call, commands, Again::no)[0]) == 1 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
  }

  omnistore_status touch(omnistore::Call call, std::string_view key, const omnistore_touch_request &request) {
    const std::int64_t expiry = request.expiry == 0 ? 0 : not_later_than_now(request.expiry);
    const Reply reply = run_script(call, scripts_.touch, key, Again::no, std::to_string(expiry));
    return integer_of(*reply) == 1 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
  }

  // -------------------------------------------------------------------------------------------------------- batches

  omnistore_status get_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            const omnistore_get_request &request, omnistore_sink *const *sinks,
                            omnistore_status *statuses) {
    in_pieces(call, keys.size(), statuses, [&](std::size_t from) {
      if (!is_whole(request)) {
        try {
          statuses[from] = get_range(call, as_view(keys[from]), request, *sinks[from]);
        } catch (const omnistore::Failure &failure) {
          if (failure.status() != OMNISTORE_CORRUPT) throw; // the connection's: it fails all that are left
          statuses[from] = call.fail(static_cast<std::uint32_t>(from), failure.status(), failure.what());
        }
        return std::size_t{1};
      }
      const std::size_t count = std::min(PIECE, keys.size() - from);
      get_piece(call, from, keys.subspan(from, count), request, sinks + from, statuses + from);
      return count;
    });
    return OMNISTORE_OK;
  }

  omnistore_status set_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            const omnistore_set_request *const *requests, omnistore_status *statuses) {
    in_pieces(call, keys.size(), statuses, [&](std::size_t from) {
      Commands commands;
      std::size_t count = 0;
      for (; from + count < keys.size() && count < PIECE && commands.bytes().size() < PIECE_BYTES; ++count) {
        const std::string_view key = as_view(keys[from + count]);
        const omnistore_set_request &each = *requests[from + count];
        add_set(commands, key, each, expiry_of(key, each));
      }
      each_reply(call, commands, from, statuses, [](const redisReply &reply) { return outcome_of_set(reply); });
      std::vector<std::size_t> refused;
      for (std::size_t i = from; i < from + count; ++i)
        if (statuses[i] == OMNISTORE_CONFLICT && requests[i]->condition == OMNISTORE_IF_ABSENT) refused.push_back(i);
      find_other_types(call, 0, keys, refused, statuses);
      return count;
    });
    return OMNISTORE_OK;
  }

  omnistore_status remove_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                               const omnistore_remove_request &request, omnistore_status *statuses) {
    const bool matches = request.condition == OMNISTORE_IF_MATCH;
    in_pieces(call, keys.size(), statuses, [&](std::size_t from) {
      Commands commands;
      for (const omnistore_bytes &key : keys.subspan(from, std::min(PIECE, keys.size() - from))) {
        if (matches)
          commands.add("EVAL", scripts_.remove_if_match.text, 1, full(as_view(key)), as_view(request.etag));
        else
          commands.add("UNLINK", full(as_view(key)));
      }
      return each_reply(call, commands, from, statuses, [&](const redisReply &reply) {
        return integer_of(reply) == 1 ? OMNISTORE_OK : matches ? OMNISTORE_CONFLICT : OMNISTORE_NOT_FOUND;
      });
    });
    return OMNISTORE_OK;
  }

  // ----------------------------------------------------------------------------------------------------- whole bases

  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page) {
    return listings_.list(call, request, page);
  }

  omnistore_status clear(omnistore::Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    omnistore_status status = OMNISTORE_OK;
    listings_.scan(call, as_view(request.base), [&](std::span<const std::string_view> keys) {
      if (keys.empty() || status != OMNISTORE_OK) return;
      watches_.expect_cleared(keys);
      Commands commands;
      for (const std::string_view key : keys) commands.add("UNLINK", full(key));
      const Replies replies = client_.run(call, commands, Again::no);
      for (std::size_t i = 0; i < keys.size() && status == OMNISTORE_OK; ++i) {
        if (integer_of(*replies[i]) == 1 && removed) status = removed->emit(removed, as_bytes(keys[i]), nullptr);
      }
    });
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

private:
  static constexpr long long GONE = -2; // PEXPIRETIME: no such key

  Joined full(std::string_view key) const { return {layout_.prefix(), key}; }
  std::int64_t now() const { return host_.now(&host_); }
  /// An expiry that has passed on the host's clock is one that has passed on the server's, whose clock may be behind.
  std::int64_t not_later_than_now(std::int64_t expiry) const { return expiry <= now() ? 1 : expiry; }

  std::int64_t expiry_of(std::string_view key, const omnistore_set_request &request) const {
    if (request.expiry != 0) return not_later_than_now(request.expiry);
    return ttl_ == 0 || key.ends_with('$') ? 0 : now() + ttl_; // a key's meta ends with the key
  }

  /// The elements of what EXEC answered; an error of a command is thrown.
  static redisReply *const *executed(const Replies &replies) {
    for (const Reply &reply : replies) not_error(*reply);
    return array_of(*replies.back(), replies.size() - 2);
  }

  template <class... Arguments>
  Reply run_script(omnistore::Call call, const Script &script, std::string_view key, Again again,
                   const Arguments &...arguments) {
    Commands commands;
    commands.add("EVALSHA", script.hash, 1, full(key), arguments...);
    Reply reply = std::move(client_.run(call, commands, again)[0]);
    if (!is_error(*reply) || !text_of(*reply).starts_with("NOSCRIPT")) return reply;
    Commands whole;
    whole.add("EVAL", script.text, 1, full(key), arguments...);
    return std::move(client_.run(call, whole, again)[0]);
  }

  omnistore_status get_with_meta(omnistore::Call call, std::string_view key, omnistore_sink &sink) {
    Commands commands;
    commands.add("MULTI").add("GET", full(key)).add("PEXPIRETIME", full(key)).add("EXEC");
    const Replies replies = client_.run(call, commands, Again::yes);
    redisReply *const *parts = executed(replies);
    return give_with_meta(*parts[0], *parts[1], sink);
  }

  static omnistore_status give_with_meta(const redisReply &found, const redisReply &expiry, omnistore_sink &sink) {
    if (is_nil(not_error(found))) return OMNISTORE_NOT_FOUND;
    const std::string_view value = string_of(found);
    const std::string etag = etag_of(value);
    omnistore_meta meta = omnistore::make_meta(value.size(), 0, std::max(integer_of(expiry), 0LL));
    meta.etag = as_bytes(etag);
    return omnistore::give(sink, meta, value);
  }

  omnistore_status get_range(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                             omnistore_sink &sink) {
    constexpr std::uint64_t FAR = INT64_MAX / 2; // beyond the end of every value
    const std::uint64_t first = std::min(request.offset, FAR);
    const std::uint64_t end = first + std::min(request.length, FAR); // behind the last byte
    Commands commands;
    commands.add("MULTI").add("STRLEN", full(key)).add("PEXPIRETIME", full(key));
    // The server reads an end of -1 as the value's own.
    if (end == 0)
      commands.add("GETRANGE", full(key), 1, 0);
    else
      commands.add("GETRANGE", full(key), first, end - 1);
    commands.add("EXEC");
    const Replies replies = client_.run(call, commands, Again::yes);
    redisReply *const *parts = executed(replies);
    const long long size = integer_of(*parts[0]), expiry = integer_of(*parts[1]);
    if (expiry == GONE) return OMNISTORE_NOT_FOUND;
    return omnistore::give(sink, omnistore::make_meta(static_cast<std::uint64_t>(size), 0, std::max(expiry, 0LL)),
                           string_of(*parts[2]));
  }

  omnistore_status stat_with_etag(omnistore::Call call, std::string_view key, omnistore_sink &sink) {
    const Reply reply = run_script(call, scripts_.stat, key, Again::yes);
    if (is_nil(not_error(*reply))) return OMNISTORE_NOT_FOUND;
    redisReply *const *parts = array_of(*reply, 3);
    omnistore_meta meta = omnistore::make_meta(static_cast<std::uint64_t>(integer_of(*parts[0])), 0,
                                               std::max(integer_of(*parts[1]), 0LL));
    meta.etag = as_bytes(string_of(*parts[2]));
    return omnistore::give(sink, meta);
  }

  void add_set(Commands &commands, std::string_view key, const omnistore_set_request &request,
               std::int64_t expiry) const {
    if (request.condition == OMNISTORE_IF_MATCH) {
      commands.add("EVAL", scripts_.set_if_match.text, 1, full(key), as_view(request.etag), as_view(request.value),
                   expiry);
      return;
    }
    if (request.condition == OMNISTORE_IF_PRESENT) {
      commands.add("EVAL", scripts_.set_if_present.text, 1, full(key), as_view(request.value), expiry);
      return;
    }
    const bool if_absent = request.condition == OMNISTORE_IF_ABSENT;
    commands.begin(3u + (expiry != 0 ? 2u : 0u) + (if_absent ? 1u : 0u));
    commands.word("SET");
    commands.word(full(key));
    commands.word(as_view(request.value));
    if (expiry != 0) commands.word("PXAT"), commands.word(expiry);
    if (if_absent) commands.word("NX");
  }

  /// Of SET, and of the scripts that set.
  static omnistore_status outcome_of_set(const redisReply &reply) {
    not_error(reply);
    const bool held = reply.type == REDIS_REPLY_INTEGER ? reply.integer == 1 : !is_nil(reply);
    return held ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  }

  /// Runs a batch piece by piece: `run(from)` sees to items from `from` on and returns how many. What fails a piece is
  /// told for all that are left.
  template <class Run>
  static void in_pieces(omnistore::Call call, std::size_t count, omnistore_status *statuses, Run run) {
    for (std::size_t from = 0; from < count;) {
      try {
        from += run(from);
      } catch (const omnistore::Failure &failure) {
        for (; from < count; ++from)
          statuses[from] = call.fail(static_cast<std::uint32_t>(from), failure.status(), failure.what());
      }
    }
  }

  /// Sends commands, one an item; each item's reply gives its status. Returns how many they were.
  template <class Outcome>
  std::size_t each_reply(omnistore::Call call, Commands &commands, std::size_t from, omnistore_status *statuses,
                         Outcome outcome) {
    const Replies replies = client_.run(call, commands, Again::no);
    for (std::size_t i = 0; i < replies.size(); ++i)
      statuses[from + i] = of_item(call, from + i, [&] { return outcome(*replies[i]); });
    return replies.size();
  }

  /// One item's status, from its reply: an error there is its own failure.
  template <class Outcome>
  static omnistore_status of_item(omnistore::Call call, std::size_t item, Outcome outcome) {
    try {
      return outcome();
    } catch (const omnistore::Failure &failure) {
      return call.fail(static_cast<std::uint32_t>(item), failure.status(), failure.what());
    }
  }

  /// Of these items, those whose key holds another type than a string are corrupt. `first`: the place of keys[0] in the
  /// whole batch.
  void find_other_types(omnistore::Call call, std::size_t first, std::span<const omnistore_bytes> keys,
                        std::span<const std::size_t> items, omnistore_status *statuses) {
    if (items.empty()) return;
    Commands commands;
    for (const std::size_t i : items) commands.add("STRLEN", full(as_view(keys[i])));
    const Replies replies = client_.run(call, commands, Again::yes);
    for (std::size_t i = 0; i < items.size(); ++i)
      if (is_error(*replies[i]))
        statuses[items[i]] = of_item(call, first + items[i], [&] { return not_error(*replies[i]), OMNISTORE_OK; });
  }

  /// `first`: the place of these keys in the whole batch. MGET gives nil for a key of another type, as for none. How
  /// many keys there are tells, in the same round trip, whether one of the nils is such a key.
  void get_piece(omnistore::Call call, std::size_t first, std::span<const omnistore_bytes> keys,
                 const omnistore_get_request &request, omnistore_sink *const *sinks, omnistore_status *statuses) {
    const bool meta = wants_meta(request);
    Commands commands;
    if (meta) commands.add("MULTI");
    add_keys(commands, "MGET", keys);
    if (meta) {
      for (const omnistore_bytes &key : keys) commands.add("PEXPIRETIME", full(as_view(key)));
      commands.add("EXEC");
    } else {
      add_keys(commands, "EXISTS", keys);
    }
    const Replies replies = client_.run(call, commands, Again::yes);
    redisReply *const *parts = meta ? executed(replies) : nullptr;
    redisReply *const *values = array_of(meta ? *parts[0] : *replies[0], keys.size());
    std::vector<std::size_t> missing, other;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!is_nil(*values[i])) {
        statuses[i] = of_item(call, first + i, [&] {
          return meta ? give_with_meta(*values[i], *parts[1 + i], *sinks[i])
                      : omnistore::give(*sinks[i], string_of(*values[i]));
        });
        continue;
      }
      statuses[i] = OMNISTORE_NOT_FOUND;
      missing.push_back(i);
      if (meta && integer_of(*parts[1 + i]) != GONE) other.push_back(i);
    }
    const auto held = static_cast<long long>(keys.size() - missing.size());
    if (!meta && integer_of(*replies[1]) > held) other = std::move(missing);
    find_other_types(call, first, keys, other, statuses);
  }

  /// A command with a batch's keys.
  void add_keys(Commands &commands, std::string_view name, std::span<const omnistore_bytes> keys) const {
    commands.begin(1 + keys.size());
    commands.word(name);
    for (const omnistore_bytes &key : keys) commands.word(full(as_view(key)));
  }

  const omnistore_host &host_;
  const Layout layout_;
  const Scripts scripts_;
  const std::int64_t ttl_;
  const bool notify_;
  Client client_;
  Listings listings_;
  Watches watches_;
};

} // namespace
} // namespace redis

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<redis::Redis>("redis", "1.0.0", "Keeps values in a Redis server",
                                                              OMNISTORE_OPTIONS_SCHEMA, redis::TRAITS))
