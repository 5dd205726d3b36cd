// SPDX-License-Identifier: Apache-2.0
#include "routes/batch.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <omnistore/view.hpp>

#include "base/encoding.hpp"
#include "base/printable.hpp"
#include "config/names.hpp"
#include "http/reply.hpp"
#include "routes/batch_body.hpp"
#include "routes/defects.hpp"
#include "storage/key.hpp"

namespace omnistore::routes {

namespace {

constexpr std::size_t most_items = 10'000;
constexpr std::size_t got_at_once = 64;                 // values that are read together
constexpr std::uint64_t held_at_once = 4 * 1024 * 1024; // bytes that they may have; longer ones are read by themselves

void put_meta(Buffer &out, const Meta &meta, std::uint64_t size) {
  const auto put = [&](std::string_view name, std::int64_t number) {
    out.append(name);
    number == 0 ? out.append("null") : append_number(out, static_cast<std::uint64_t>(number));
  };
  out.append(",\"meta\":{\"size\":");
  size == UINT64_MAX ? out.append("null") : append_number(out, size);
  put(",\"mtime\":", meta.mtime);
  put(",\"expiry\":", meta.expiry);
  out.append(",\"etag\":");
  meta.etag.empty() ? out.append("null") : append_json(out, meta.etag);
  out.append("}");
}

/// Takes a value of at most so many bytes.
class Bounded final : public Reader {
public:
  struct TooLong {};

  Bounded(http::MemoryBudget *budget, std::uint64_t most) : value(budget), most_(most) {}

  char *begin(const Meta &given) override {
    if (given.size != UINT64_MAX && given.size > most_) throw TooLong();
    meta = given;
    value.clear(0);
    if (given.size == UINT64_MAX) return nullptr;
    char *const place = value.room(given.size);
    value.grew(given.size);
    return place;
  }
  void write(std::string_view bytes) override {
    if (bytes.size() > most_ - value.size()) throw TooLong();
    value.append(bytes);
  }

  Buffer value;
  Meta meta;

private:
  const std::uint64_t most_;
};

/// Runs one batch with the rights of a token, and appends its response to `out` as it comes.
class Batch {
public:
  Batch(Storage &storage, const Guard &guard, std::uint64_t most, const Request &request, Buffer &out)
      : view_(storage.prefixed(request.key)), guard_(guard), left_(most), request_(request),
        base_(request.key.empty() ? "" : request.key + ":"), out_(out) {}

  void get(const std::vector<std::string> &keys) {
    for (std::size_t from = 0; from < keys.size(); from += got_at_once) {
      const std::span<const std::string> some(keys.data() + from, std::min(got_at_once, keys.size() - from));
      // Values that do not fit together are read one by one.
      http::MemoryShare held(out_.budget(), http::MemoryBudget::always);
      const std::uint64_t wanted = std::min(left_, held_at_once);
      const bool has_room = wanted <= http::MemoryBudget::always || held.try_add(wanted - http::MemoryBudget::always);
      const std::vector<EntryOutcome> outcomes = get_some(some, has_room ? wanted : http::MemoryBudget::always);
      std::size_t bytes = 0;
      for (const EntryOutcome &outcome : outcomes) bytes += outcome.entry.value.size();
      held.shrink(bytes);
      for (std::size_t i = 0; i < some.size(); ++i) {
        if (outcomes[i].status == Status::too_large) { // together with the others, or at all
          get_alone(some[i]);
        } else {
          put_value(some[i], outcomes[i], outcomes[i].entry.value, outcomes[i].entry.meta);
        }
      }
    }
  }

  void stat(const std::vector<std::string> &keys) {
    for (const std::string &key : keys) {
      Outcome outcome = judge(key, false);
      std::optional<Meta> meta;
      if (outcome.status == Status::ok) {
        try {
          meta = view_.meta(key, request_.limited(MetaOptions{.user = false}));
          if (!meta) outcome = {Status::not_found, "KV value not found"};
        } catch (const Error &error) {
          outcome = {error.status(), error.what()};
        }
      }
      if (!meta) {
        put_outcome(key, outcome);
        continue;
      }
      open_item(key, outcome);
      put_meta(out_, *meta, meta->size);
      out_.append("}");
    }
  }

  void set(const std::vector<SetItem> &items) {
    write(
        "set", items, [](const SetItem &item) -> const std::string & { return item.key; },
        [this](std::span<const SetItem> some) { return view_.set_many(some, request_.limits(), true); },
        [this](const std::string &key, const Outcome &outcome) { put_outcome(key, outcome); });
  }

  void remove(const std::vector<std::string> &keys) {
    write(
        "remove", keys, [](const std::string &key) -> const std::string & { return key; },
        [this](std::span<const std::string> some) { return view_.remove_many(some, request_.limits()); },
        [this](const std::string &key, const Outcome &outcome) { put_removed(key, outcome); });
  }

  bool wrote() const { return wrote_; }

private:
  /// Returns the outcome of an item that may not be done. If it is ok, the item may be done, or the store reports what
  /// is wrong with the key.
  Outcome judge(const std::string &key, bool write) const {
    try {
      const Key whole(base_, key);
      if (guard_.judge(request_.message, request_.token.get(), write, whole.view(), false) == Guard::Verdict::granted)
        return {};
      return {Status::denied, "This token may not do this with " + base::printable(key)};
    } catch (const Error &) {
      return {};
    }
  }

  std::vector<EntryOutcome> get_some(std::span<const std::string> keys, std::uint64_t most) {
    std::vector<EntryOutcome> outcomes(keys.size());
    std::vector<std::string> together;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      static_cast<Outcome &>(outcomes[i]) = judge(keys[i], false);
      if (outcomes[i].status != Status::ok) continue;
      together.push_back(keys[i]);
      places.push_back(i);
    }
    auto options = request_.limited(GetOptions());
    options.meta = true;
    options.most = most;
    std::vector<EntryOutcome> got = view_.get_many(together, options);
    for (std::size_t i = 0; i < got.size(); ++i) outcomes[places[i]] = std::move(got[i]);
    return outcomes;
  }

  void get_alone(const std::string &key) {
    auto options = request_.limited(GetOptions());
    options.meta = true;
    Bounded reader(out_.budget(), left_);
    Outcome outcome;
    try {
      if (!view_.read(key, reader, options)) outcome = {Status::not_found, "KV value not found"};
    } catch (const Bounded::TooLong &) {
      outcome = {Status::too_large, does_not_fit};
    } catch (const http::OverBudget &) {
      outcome = {Status::unavailable, no_memory};
    } catch (const Error &error) {
      outcome = {error.status(), error.what()};
    }
    put_value(key, outcome, reader.value.view(), reader.meta);
  }

  void put_value(const std::string &key, Outcome outcome, std::string_view value, const Meta &meta) {
    if (outcome.status == Status::ok && value.size() > left_) outcome = {Status::too_large, does_not_fit};
    if (outcome.status == Status::ok) {
      const std::size_t mark = out_.size();
      try {
        open_item(key, outcome);
        if (config::valid_utf8(value)) {
          out_.append(",\"value\":");
          append_json(out_, value);
        } else {
          out_.append(",\"base64\":\"");
          for (std::size_t at = 0; at < value.size(); at += base64_slice)
            out_.append(base::to_base64(value.substr(at, base64_slice)));
          out_.append("\"");
        }
        put_meta(out_, meta, value.size());
        out_.append("}");
        left_ -= value.size();
        return;
      } catch (const http::OverBudget &) {
        out_.truncate(mark);
        outcome = {Status::unavailable, no_memory};
      }
    }
    put_outcome(key, outcome);
  }

  void open_item(const std::string &key, const Outcome &outcome) {
    out_.append(out_.view().ends_with('[') ? "{\"key\":" : ",{\"key\":");
    append_json(out_, key);
    out_.append(",\"status\":");
    append_number(out_, status_of(outcome));
  }
  /// A remove of an absent key has status 200, as DELETE has, and `"found":false`.
  void put_removed(const std::string &key, const Outcome &outcome) {
    if (outcome.status != Status::not_found) return put_outcome(key, outcome);
    open_item(key, {});
    out_.append(",\"found\":false}");
  }
  void put_outcome(const std::string &key, const Outcome &outcome) {
    open_item(key, outcome);
    log_defect(outcome.status, outcome.message);
    if (outcome.status != Status::ok) {
      out_.append(",\"message\":");
      append_json(out_, outcome.message);
    }
    if (!outcome.etag.empty()) {
      out_.append(",\"etag\":");
      append_json(out_, outcome.etag);
    }
    out_.append("}");
  }

  static unsigned status_of(const Outcome &outcome) {
    return outcome.status == Status::ok ? 200 : http::http_status(outcome.status);
  }

  template <typename Item, typename KeyOf, typename Write, typename Put>
  void write(std::string_view operation, const std::vector<Item> &items, const KeyOf &key_of, const Write &write,
             const Put &put) {
    std::vector<Outcome> outcomes(items.size());
    std::vector<Item> granted;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < items.size(); ++i) {
      outcomes[i] = judge(key_of(items[i]), true);
      if (outcomes[i].status == Status::ok) places.push_back(i);
    }
    const bool all = places.size() == items.size(); // values are long: they are copied only if some do not go along
    if (!all)
      for (const std::size_t place : places) granted.push_back(items[place]);
    wrote_ = true;
    const std::vector<Outcome> done = write(all ? items : granted);
    for (std::size_t i = 0; i < done.size(); ++i) outcomes[places[i]] = done[i];
    if (request_.audit)
      for (const std::size_t place : places)
        request_.audit->write(request_, operation, base_ + key_of(items[place]), status_of(outcomes[place]));
    for (std::size_t i = 0; i < items.size(); ++i) put(key_of(items[i]), outcomes[i]);
  }

  static constexpr const char *does_not_fit = "The response is full: get this value by itself";
  static constexpr const char *no_memory =
      "Requests and responses take all the memory that they may; get this value later, or by itself";
  static constexpr std::size_t base64_slice = 48 * 1024; // bytes, a multiple of three

  View view_;
  const Guard &guard_;
  std::uint64_t left_; ///< bytes of values that the response may have still
  const Request &request_;
  const std::string base_;
  Buffer &out_;
  bool wrote_ = false;
};

/// Returns the lane of the store that all the batch's keys lead to, so that a batch waits for that store alone. The
/// lane has no name if there are several such stores, or if the store never blocks.
http::WorkerPool::Lane lane_of(const Storage &storage, const Request &request, const BatchBody &asked) {
  const std::string base = request.key.empty() ? "" : request.key + ":";
  Route only;
  const auto leads_elsewhere = [&](const std::string &key) {
    Route route = storage.route(base + key, false);
    if (route.never_blocks || route.store == only.store) return false;
    if (only.store != 0) return true;
    only = std::move(route);
    return false;
  };
  for (const auto *keys : {&asked.gets, &asked.stats, &asked.removes})
    if (std::any_of(keys->begin(), keys->end(), leads_elsewhere)) return {};
  for (const SetItem &item : asked.sets)
    if (leads_elsewhere(item.key)) return {};
  if (only.store == 0) return {};
  return {"mount " + only.mountpoint, only.store};
}

} // namespace

void respond_to_batch(Storage &storage, const Guard &guard, std::uint64_t most, const Request &request,
                      Response &response) {
  Buffer &out = response.out;
  http::MemoryShare parsed(out.budget(), 0);
  const BatchBody asked = read_batch(request.message.body, most_items, parsed);
  if (request.message.pool && request.route.several && !request.route.never_blocks) {
    response.lane = lane_of(storage, request, asked);
    response.retry = !response.lane.name.empty() && !request.message.pool->move(response.lane);
    if (response.retry) return;
  }
  Batch batch(storage, guard, most, request, out);
  begin_head(response, 200);
  out.append("Content-Type: application/json\r\n");
  const std::size_t length_at = end_head_with_room(request, response);
  const std::size_t begin = out.size();
  try {
    out.append("{");
    for (const std::string &name : asked.order) {
      out.append(&name == &asked.order.front() ? "\"" : ",\"");
      out.append(name);
      out.append("\":[");
      name == "get"    ? batch.get(asked.gets)
      : name == "stat" ? batch.stat(asked.stats)
      : name == "set"  ? batch.set(asked.sets)
                       : batch.remove(asked.removes);
      out.append("]");
    }
    out.append("}");
  } catch (const http::OverBudget &) {
    if (!batch.wrote()) throw;
    throw Error(Status::unavailable, "The sets and removes are done as far as possible, but there is no memory for "
                                     "the response with the outcome of each item");
  }
  put_length(out, length_at, out.size() - begin);
}

} // namespace omnistore::routes
