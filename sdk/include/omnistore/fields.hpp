// SPDX-License-Identifier: Apache-2.0
//
// omnistore/fields.hpp - options as a plain struct. The SDK fills it from the host's JSON, and the
// compiler makes the schema that describes it to the host.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>

namespace omnistore::sdk {

/// A struct whose `static constexpr void fields(auto each)` declares each option with one call:
///
///     each("name", &S::member, default[, description]);
///     each.required("name", &S::member[, description]);  // no default: the config must have it
///     each("name", &S::member[, description]);           // a list or map, empty by default
///
/// Members are bool, integers, std::string, std::vector<std::string>, or std::map<std::string,
/// std::string>. A driver with options of other types, or with bounds, units and secrets, has an
/// options.schema.json and reads omnistore::Options.
struct FieldsProbe {
  template <class... A>
  constexpr void operator()(A &&...) const {}
  template <class... A>
  constexpr void required(A &&...) const {}
};
template <class S>
concept HasFields = std::default_initializable<S> && requires {
  S::fields(FieldsProbe{});
};

template <class M>
concept ListOfStrings = std::same_as<M, std::vector<std::string>>;
template <class M>
concept MapOfStrings = std::same_as<M, std::map<std::string, std::string>>;
template <class M>
concept ManyStrings = ListOfStrings<M> || MapOfStrings<M>;

/// Fills a struct from options.
template <class S>
struct Filler {
  S &into;
  const Options &from;

  void operator()(std::string_view name, bool S::*member, bool fallback,
                  std::string_view = {}) const {
    into.*member = from.boolean(name, fallback);
  }
  template <std::integral M>
  void operator()(std::string_view name, M S::*member, std::type_identity_t<M> fallback,
                  std::string_view = {}) const {
    into.*member = from.has(name) ? integer<M>(name) : fallback;
  }
  void operator()(std::string_view name, std::string S::*member, std::string_view fallback,
                  std::string_view = {}) const {
    into.*member = from.string(name, fallback);
  }
  template <ListOfStrings M>
  void operator()(std::string_view name, M S::*member, std::string_view = {}) const {
    into.*member = from.strings(name, M{});
  }
  template <MapOfStrings M>
  void operator()(std::string_view name, M S::*member, std::string_view = {}) const {
    into.*member = from.string_map(name, M{});
  }

  void required(std::string_view name, bool S::*member, std::string_view = {}) const {
    into.*member = from.boolean(name);
  }
  template <std::integral M>
  void required(std::string_view name, M S::*member, std::string_view = {}) const {
    into.*member = integer<M>(name);
  }
  void required(std::string_view name, std::string S::*member, std::string_view = {}) const {
    into.*member = from.string(name);
  }
  template <ListOfStrings M>
  void required(std::string_view name, M S::*member, std::string_view = {}) const {
    into.*member = from.strings(name);
  }
  template <MapOfStrings M>
  void required(std::string_view name, M S::*member, std::string_view = {}) const {
    into.*member = from.string_map(name);
  }

private:
  template <class M>
  M integer(std::string_view name) const {
    const std::int64_t value = from.integer(name);
    if (!std::in_range<M>(value)) {
      throw Failure(OMNISTORE_INVALID, "option " + std::string(name) +
                                           ": expected an integer from " +
                                           std::to_string(std::numeric_limits<M>::min()) + " to " +
                                           std::to_string(std::numeric_limits<M>::max()) +
                                           ", found " + std::to_string(value));
    }
    return static_cast<M>(value);
  }
};

/// Writes text, or only counts its bytes while `out` is null: the size of a constant must be known
/// before it is filled.
struct TextWriter {
  char *out;
  std::size_t size = 0;

  constexpr void put(char c) {
    if (out) out[size] = c;
    ++size;
  }
  constexpr void text(std::string_view text) {
    for (const char c : text) put(c);
  }
  constexpr void quoted(std::string_view text) {
    put('"');
    for (const char c : text) {
      if (c == '"' || c == '\\')
        put('\\'), put(c);
      else if (c == '\n')
        put('\\'), put('n');
      else
        put(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
    }
    put('"');
  }
  constexpr void integer(std::int64_t value) {
    if (value < 0) put('-');
    char digits[20] = {};
    std::size_t count = 0;
    do digits[count++] = static_cast<char>('0' + (value < 0 ? -(value % 10) : value % 10));
    while (value /= 10);
    while (count) put(digits[--count]);
  }
  constexpr void value(bool value) { text(value ? "true" : "false"); }
  constexpr void value(std::string_view value) { quoted(value); }
  template <std::integral M>
  constexpr void value(M value) {
    integer(static_cast<std::int64_t>(value));
  }
};

/// Writes the schema's properties.
template <class S>
struct PropertyWriter {
  TextWriter &to;
  bool &first;

  template <class M, class D>
  constexpr void operator()(std::string_view name, M S::*, const D &fallback,
                            std::string_view description = {}) const {
    if constexpr (ManyStrings<M>) {
      open<M>(name, fallback);
      to.text(ListOfStrings<M> ? ",\"default\":[]" : ",\"default\":{}");
    } else {
      open<M>(name, description);
      to.text(",\"default\":");
      if constexpr (std::same_as<M, std::string>)
        to.value(std::string_view(fallback));
      else
        to.value(static_cast<M>(fallback));
    }
    to.put('}');
  }
  template <ManyStrings M>
  constexpr void operator()(std::string_view name, M S::*member) const {
    (*this)(name, member, std::string_view());
  }
  template <class M>
  constexpr void required(std::string_view name, M S::*, std::string_view description = {}) const {
    open<M>(name, description);
    to.put('}');
  }

private:
  template <class M>
  constexpr void open(std::string_view name, std::string_view description) const {
    if (!std::exchange(first, false)) to.put(',');
    to.quoted(name);
    to.text(":{\"type\":");
    if constexpr (std::same_as<M, bool>)
      to.text("\"boolean\"");
    else if constexpr (std::same_as<M, std::string>)
      to.text("\"string\"");
    else if constexpr (ListOfStrings<M>)
      to.text("\"array\",\"items\":{\"type\":\"string\"}");
    else if constexpr (MapOfStrings<M>)
      to.text("\"object\",\"additionalProperties\":{\"type\":\"string\"}");
    else
      bounds<M>();
    if (description.empty()) return;
    to.text(",\"description\":");
    to.quoted(description);
  }
  template <class M>
  constexpr void bounds() const {
    static_assert(std::integral<M> && (std::is_signed_v<M> || sizeof(M) < 8),
                  "an option is a bool, an integer that fits in std::int64_t, a std::string, a "
                  "std::vector<std::string>, or a std::map<std::string, std::string>; write a "
                  "schema file for others");
    to.text("\"integer\"");
    if constexpr (sizeof(M) == 8) return;
    to.text(",\"minimum\":");
    to.value(std::numeric_limits<M>::min());
    to.text(",\"maximum\":");
    to.value(std::numeric_limits<M>::max());
  }
};

/// Writes the names of the required options.
struct RequiredWriter {
  TextWriter &to;
  bool &first;

  template <class... A>
  constexpr void operator()(A &&...) const {}
  template <class... A>
  constexpr void required(std::string_view name, A &&...) const {
    if (!std::exchange(first, false)) to.put(',');
    to.quoted(name);
  }
};

template <class S>
constexpr std::size_t write_schema(char *out) {
  TextWriter to{out};
  bool first = true;
  to.text("{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
  S::fields(PropertyWriter<S>{to, first});
  to.text("},\"required\":[");
  first = true;
  S::fields(RequiredWriter{to, first});
  to.text("]}");
  return to.size;
}

/// The JSON Schema of a struct's options: a constant, so that the plugin's entry allocates nothing.
template <class S>
inline constexpr auto schema_text = [] {
  std::array<char, write_schema<S>(nullptr) + 1> text{};
  write_schema<S>(text.data());
  return text;
}();

} // namespace omnistore::sdk
