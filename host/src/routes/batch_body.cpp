// SPDX-License-Identifier: Apache-2.0
#include "routes/batch_body.hpp"

#include <optional>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value.hpp>

#include "base/encoding.hpp"
#include "base/printable.hpp"
#include "config/formats.hpp"

namespace omnistore::routes {

namespace json = boost::json;

namespace {

constexpr std::size_t taken_by_item = 256; // bytes that a storage takes for one while it works

[[noreturn]] void malformed(const std::string &place, const std::string &expected) {
  throw Error(Status::invalid, base::printable(place) + ": expected " + expected);
}

/// Takes the values that the parser finds, one after the other.
class Taker {
public:
  static constexpr std::size_t max_object_size = SIZE_MAX, max_array_size = SIZE_MAX, max_key_size = SIZE_MAX,
                               max_string_size = SIZE_MAX;
  using error_code = json::error_code;
  using string_view = json::string_view;

  Taker(std::size_t most, http::MemoryShare &memory) : most_(most), memory_(memory) {}

  BatchBody body;

  bool on_document_begin(error_code &) { return true; }
  bool on_document_end(error_code &) { return true; }

  bool on_object_begin(error_code &) {
    if (depth_ == Depth::list && list_ == "set") {
      add_item();
      item_ = {};
      has_key_ = false;
      values_ = 0;
    } else if (depth_ != Depth::outside) {
      wrong_value("an object");
    }
    depth_ = depth_ == Depth::outside ? Depth::body : Depth::item;
    return true;
  }
  bool on_object_end(std::size_t, error_code &) {
    if (depth_ == Depth::item) {
      if (!has_key_) malformed(item_place(), "a key");
      if (values_ != 1) malformed(item_place(), "either value or base64");
      body.sets.push_back(std::move(item_));
    }
    depth_ = depth_ == Depth::item ? Depth::list : Depth::outside;
    return true;
  }
  bool on_array_begin(error_code &) {
    if (depth_ != Depth::body) wrong_value("an array");
    depth_ = Depth::list;
    index_ = 0;
    return true;
  }
  bool on_array_end(std::size_t, error_code &) {
    depth_ = Depth::body;
    return true;
  }

  bool on_key_part(string_view part, std::size_t, error_code &) {
    name_.append(part.data(), part.size());
    return true;
  }
  bool on_key(string_view rest, std::size_t, error_code &) {
    name_.append(rest.data(), rest.size());
    if (depth_ == Depth::body) {
      list_ = std::exchange(name_, {});
      if (list_ != "get" && list_ != "stat" && list_ != "set" && list_ != "remove")
        malformed(list_, "no such field; there are get, stat, set and remove");
      for (const std::string &known : body.order)
        if (known == list_) malformed(list_, "this field once");
      body.order.push_back(list_);
    } else {
      field_ = std::exchange(name_, {});
    }
    return true;
  }

  bool on_string_part(string_view part, std::size_t, error_code &) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(string_view rest, std::size_t, error_code &) {
    text_.append(rest.data(), rest.size());
    take_text(std::exchange(text_, {}));
    return true;
  }
  bool on_number_part(string_view, error_code &) { return true; }
  bool on_int64(std::int64_t number, string_view, error_code &) { return take_number(number); }
  bool on_uint64(std::uint64_t number, string_view, error_code &) { return take_number(number); }
  bool on_double(double number, string_view, error_code &) { return take_number(number); }
  bool on_bool(bool, error_code &) { wrong_value("true or false"); }
  bool on_null(error_code &) { wrong_value("null"); }
  bool on_comment_part(string_view, error_code &) { return true; }
  bool on_comment(string_view, error_code &) { return true; }

private:
  enum class Depth { outside, body, list, item };

  std::string item_place() const { return list_ + "[" + std::to_string(index_ - 1) + "]"; }
  std::string field_place() const { return item_place() + "." + field_; }

  void add_item() {
    ++index_;
    if (++count_ > most_) malformed("The body", "at most " + std::to_string(most_) + " items");
    // A list that grows takes twice its size; the storage has a key of its own for each item, and an outcome.
    memory_.add(list_ == "set" ? 2 * sizeof(SetItem) + taken_by_item : 2 * sizeof(std::string) + taken_by_item);
  }

  void take_text(std::string text) {
    if (depth_ == Depth::list && list_ != "set") {
      add_item();
      (list_ == "get" ? body.gets : list_ == "stat" ? body.stats : body.removes).push_back(std::move(text));
    } else if (depth_ != Depth::item) {
      wrong_value("a string");
    } else if (field_ == "key") {
      if (std::exchange(has_key_, true)) malformed(field_place(), "this field once");
      item_.key = std::move(text);
    } else if (field_ == "value") {
      item_.value = std::move(text);
      ++values_;
    } else if (field_ == "base64") {
      std::optional<std::string> bytes = base::from_base64(text);
      if (!bytes) malformed(field_place(), "base64");
      item_.value = std::move(*bytes);
      ++values_;
    } else if (field_ == "ttl") {
      take_ttl(json::value(text));
    } else {
      malformed(field_place(), "no such field; there are key, value, base64 and ttl");
    }
  }

  template <typename Number>
  bool take_number(Number number) {
    if (depth_ != Depth::item || field_ != "ttl") wrong_value("a number");
    take_ttl(json::value(number));
    return true;
  }

  void take_ttl(const json::value &value) {
    std::int64_t milliseconds = 0;
    const std::string wrong = config::read_ttl(value, milliseconds);
    if (!wrong.empty()) throw Error(Status::invalid, base::printable(field_place()) + ": " + base::printable(wrong));
    item_.options.ttl = std::chrono::milliseconds(milliseconds);
  }

  /// Refuses a value that does not belong in its place.
  [[noreturn]] void wrong_value(const std::string &found) {
    switch (depth_) {
    case Depth::outside:
      malformed("The body", "an object with get, set or remove, found " + found);
    case Depth::body:
      malformed(list_, "an array, found " + found);
    case Depth::list:
      add_item();
      malformed(item_place(),
                (list_ == "set" ? "an object with key and value, found " : "a key, which is a string, found ") + found);
    case Depth::item:
      break;
    }
    if (field_ == "key") malformed(field_place(), "a key, which is a string, found " + found);
    if (field_ == "value") malformed(field_place(), "a string, found " + found);
    if (field_ == "base64") malformed(field_place(), "base64, found " + found);
    if (field_ == "ttl") malformed(field_place(), "a ttl, found " + found);
    malformed(field_place(), "no such field; there are key, value, base64 and ttl");
  }

  const std::size_t most_;
  http::MemoryShare &memory_;
  Depth depth_ = Depth::outside;
  std::string list_, field_, name_, text_;
  std::size_t index_ = 0; ///< items of this list, until now
  std::size_t count_ = 0; ///< of all lists
  SetItem item_;
  bool has_key_ = false;
  int values_ = 0;
};

} // namespace

BatchBody read_batch(std::string_view text, std::size_t most, http::MemoryShare &memory) {
  memory.add(text.size()); // the keys and values
  json::basic_parser<Taker> parser(json::parse_options(), most, memory);
  json::error_code broken;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), broken);
  if (!broken && read < text.size()) broken = json::error::extra_data;
  if (broken) malformed("The body", "JSON: " + broken.message());
  return std::move(parser.handler().body);
}

} // namespace omnistore::routes
