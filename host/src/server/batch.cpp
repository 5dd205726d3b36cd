// SPDX-License-Identifier: Apache-2.0
#include "server/batch.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <omnistore/view.hpp>

#include "base/printable.hpp"
#include "config/formats.hpp"
#include "config/names.hpp"
#include "server/base64.hpp"
#include "server/defects.hpp"
#include "server/reply.hpp"
#include "storage/key.hpp"

namespace omnistore::server {

namespace {

namespace json = boost::json;

constexpr std::size_t most_items = 10'000;
constexpr std::size_t got_at_once = 64; // values that are in memory before it is looked at how long they are

[[noreturn]] void malformed(const std::string &place, const std::string &expected) {
  throw Error(Status::invalid, base::printable(place) + ": expected " + expected);
}

std::string text_of(const json::value &value) { return {value.get_string().data(), value.get_string().size()}; }

std::string key_of(const json::value &value, const std::string &place) {
  if (!value.is_string()) malformed(place, "a key, which is a string");
  return text_of(value);
}

std::chrono::milliseconds ttl_of(const json::value &value, const std::string &place) {
  std::int64_t milliseconds = 0;
  const std::string wrong = config::read_ttl(value, milliseconds);
  if (!wrong.empty()) throw Error(Status::invalid, base::printable(place) + ": " + base::printable(wrong));
  return std::chrono::milliseconds(milliseconds);
}

SetItem set_item(const json::value &value, const std::string &place) {
  if (!value.is_object()) malformed(place, "an object with key and value");
  SetItem item;
  int values = 0;
  bool has_key = false;
  for (const auto &[name, field] : value.get_object()) {
    const std::string at = place + "." + std::string(name.data(), name.size());
    if (name == "key") {
      item.key = key_of(field, at);
      has_key = true;
    } else if (name == "value") {
      if (!field.is_string()) malformed(at, "a string");
      item.value = text_of(field);
      ++values;
    } else if (name == "base64") {
      std::optional<std::string> bytes;
      if (field.is_string()) bytes = from_base64(text_of(field));
      if (!bytes) malformed(at, "base64");
      item.value = std::move(*bytes);
      ++values;
    } else if (name == "ttl") {
      item.options.ttl = ttl_of(field, at);
    } else {
      malformed(at, "no such field; there are key, value, base64 and ttl");
    }
  }
  if (!has_key) malformed(place, "a key");
  if (values != 1) malformed(place, "either value or base64");
  return item;
}

/// What the body asks for.
struct Asked {
  std::vector<std::string> order; ///< "get", "set", "remove", as they stood
  std::vector<std::string> gets, removes;
  std::vector<SetItem> sets;
};

void take_list(const std::string &name, const json::array &list, Asked &asked) {
  std::size_t index = 0;
  for (const json::value &item : list) {
    const std::string place = name + "[" + std::to_string(index++) + "]";
    if (name == "set") {
      asked.sets.push_back(set_item(item, place));
    } else {
      (name == "get" ? asked.gets : asked.removes).push_back(key_of(item, place));
    }
  }
  asked.order.push_back(name);
}

Asked read_body(std::string_view text) {
  boost::system::error_code broken;
  const json::value body = json::parse({text.data(), text.size()}, broken);
  if (broken) malformed("The body", "JSON: " + broken.message());
  if (!body.is_object()) malformed("The body", "an object with get, set or remove");
  Asked asked;
  std::size_t count = 0;
  for (const auto &[key, list] : body.get_object()) {
    const std::string name(key.data(), key.size());
    if (name != "get" && name != "set" && name != "remove")
      malformed(name, "no such field; there are get, set and remove");
    if (!list.is_array()) malformed(name, "an array");
    count += list.get_array().size();
    if (count > most_items) malformed("The body", "at most " + std::to_string(most_items) + " items");
    take_list(name, list.get_array(), asked);
  }
  return asked;
}

json::object outcome_of(const std::string &key, const Outcome &outcome) {
  json::object shown{{"key", key}, {"status", outcome.status == Status::ok ? 200 : http_status(outcome.status)}};
  log_defect(outcome.status, outcome.message);
  if (outcome.status != Status::ok) shown["message"] = outcome.message;
  return shown;
}

json::object meta_of(const Meta &meta, std::uint64_t size) {
  json::object shown{{"size", size}, {"mtime", nullptr}, {"expiry", nullptr}, {"etag", nullptr}};
  if (meta.mtime != 0) shown["mtime"] = meta.mtime;
  if (meta.expiry != 0) shown["expiry"] = meta.expiry;
  if (!meta.etag.empty()) shown["etag"] = meta.etag;
  return shown;
}

/// Takes a value of at most so many bytes.
class Bounded final : public Reader {
public:
  struct TooLong {};

  explicit Bounded(std::uint64_t most) : most_(most) {}

  char *begin(const Meta &given) override {
    if (given.size != UINT64_MAX && given.size > most_) throw TooLong();
    entry.meta = given;
    entry.value.clear();
    return nullptr;
  }
  void write(std::string_view bytes) override {
    if (bytes.size() > most_ - entry.value.size()) throw TooLong();
    entry.value += bytes;
  }

  Entry entry;

private:
  const std::uint64_t most_;
};

/// One batch, as a token may do it.
class Batch {
public:
  Batch(Storage &storage, const Guard &guard, std::uint64_t most, const Request &request)
      : view_(storage.prefixed(request.key)), storage_(storage), guard_(guard), left_(most), request_(request),
        base_(request.key.empty() ? "" : request.key + ":") {}

  json::array get(const std::vector<std::string> &keys) {
    json::array shown;
    for (std::size_t from = 0; from < keys.size(); from += got_at_once) {
      const std::span<const std::string> some(keys.data() + from, std::min(got_at_once, keys.size() - from));
      const std::vector<EntryOutcome> outcomes = get_some(some);
      for (std::size_t i = 0; i < some.size(); ++i) shown.push_back(show(some[i], outcomes[i]));
    }
    return shown;
  }

  json::array set(const std::vector<SetItem> &items) {
    return write(
        items, [](const SetItem &item) -> const std::string & { return item.key; },
        [this](std::span<const SetItem> some) { return view_.set_many(some, request_.limits()); });
  }

  json::array remove(const std::vector<std::string> &keys) {
    return write(
        keys, [](const std::string &key) -> const std::string & { return key; },
        [this](std::span<const std::string> some) {
          std::vector<Outcome> outcomes = view_.remove_many(some, request_.limits());
          for (Outcome &outcome : outcomes)
            if (outcome.status == Status::not_found) outcome = {}; // as DELETE: gone is gone
          return outcomes;
        });
  }

private:
  /// The outcome of what may not be done; ok: it may, or the store will say what is wrong with the key.
  Outcome judge(const std::string &key, bool write) const {
    try {
      const Key whole(base_, key);
      if (guard_.judge(request_[Field::authorization], write, whole.view(), false) == Guard::Verdict::granted)
        return {};
      return {Status::denied, "This token may not do this with " + base::printable(key)};
    } catch (const Error &) {
      return {};
    }
  }

  /// Values that may be longer than memory should hold are read one by one, and not beyond what is left.
  std::vector<EntryOutcome> get_some(std::span<const std::string> keys) {
    std::vector<EntryOutcome> outcomes(keys.size());
    std::vector<std::string> together;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      static_cast<Outcome &>(outcomes[i]) = judge(keys[i], false);
      if (outcomes[i].status != Status::ok) continue;
      if (storage_.streams(base_ + keys[i]).writes) {
        outcomes[i] = get_bounded(keys[i]);
      } else {
        together.push_back(keys[i]);
        places.push_back(i);
      }
    }
    auto options = request_.limited(GetOptions());
    options.meta = true;
    std::vector<EntryOutcome> got = view_.get_many(together, options);
    for (std::size_t i = 0; i < got.size(); ++i) outcomes[places[i]] = std::move(got[i]);
    return outcomes;
  }

  EntryOutcome get_bounded(const std::string &key) {
    EntryOutcome outcome;
    auto options = request_.limited(GetOptions());
    options.meta = true;
    Bounded reader(left_ - std::min(held_, left_));
    try {
      if (view_.read(key, reader, options)) {
        outcome.entry = std::move(reader.entry);
        held_ += outcome.entry.value.size();
      } else {
        outcome.status = Status::not_found;
        outcome.message = "KV value not found";
      }
    } catch (const Bounded::TooLong &) {
      outcome.status = Status::too_large;
      outcome.message = does_not_fit;
    } catch (const Error &error) {
      outcome.status = error.status();
      outcome.message = error.what();
    }
    return outcome;
  }

  json::object show(const std::string &key, EntryOutcome outcome) {
    const std::string &value = outcome.entry.value;
    if (outcome.status == Status::ok && value.size() > left_) {
      outcome.status = Status::too_large;
      outcome.message = does_not_fit;
    }
    json::object shown = outcome_of(key, outcome);
    if (outcome.status != Status::ok) return shown;
    left_ -= value.size();
    held_ = 0;
    if (config::valid_utf8(value)) {
      shown["value"] = value;
    } else {
      shown["base64"] = to_base64(value);
    }
    shown["meta"] = meta_of(outcome.entry.meta, value.size());
    return shown;
  }

  template <typename Item, typename KeyOf, typename Write>
  json::array write(const std::vector<Item> &items, const KeyOf &key_of, const Write &write) {
    std::vector<Outcome> outcomes(items.size());
    std::vector<Item> granted;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < items.size(); ++i) {
      outcomes[i] = judge(key_of(items[i]), true);
      if (outcomes[i].status != Status::ok) continue;
      granted.push_back(items[i]);
      places.push_back(i);
    }
    const std::vector<Outcome> done = write(granted);
    for (std::size_t i = 0; i < done.size(); ++i) outcomes[places[i]] = done[i];
    json::array shown;
    for (std::size_t i = 0; i < items.size(); ++i) shown.push_back(outcome_of(key_of(items[i]), outcomes[i]));
    return shown;
  }

  static constexpr const char *does_not_fit = "The answer is full: ask for this value by itself";

  View view_;
  Storage &storage_;
  const Guard &guard_;
  std::uint64_t left_;     ///< bytes of values that the answer may have still
  std::uint64_t held_ = 0; ///< bytes of values that were read and are not in the answer yet
  const Request &request_;
  const std::string base_;
};

} // namespace

void answer_batch(Storage &storage, const Guard &guard, std::uint64_t most, const Request &request,
                  Response &response) {
  const Asked asked = read_body(request.body);
  Batch batch(storage, guard, most, request);
  json::object answer;
  for (const std::string &name : asked.order) {
    answer[name] = name == "get"   ? batch.get(asked.gets)
                   : name == "set" ? batch.set(asked.sets)
                                   : batch.remove(asked.removes);
  }
  reply(request, response, 200, "application/json", base::printable_json(json::serialize(answer)));
}

} // namespace omnistore::server
