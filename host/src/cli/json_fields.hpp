// SPDX-License-Identifier: Apache-2.0
// Fields of a host's response. A field that is missing or of another type, as from a host of another version, is empty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace omnistore::cli {

inline std::string text(const boost::json::object &object, std::string_view name) {
  const boost::json::value *value = object.if_contains(name);
  const boost::json::string *found = value ? value->if_string() : nullptr;
  return found ? std::string(*found) : std::string();
}

inline double number(const boost::json::object &object, std::string_view name) {
  const boost::json::value *value = object.if_contains(name);
  return value && value->is_number() ? value->to_number<double>() : 0;
}

inline std::int64_t integer(const boost::json::object &object, std::string_view name) {
  const boost::json::value *value = object.if_contains(name);
  return value && value->is_number() ? value->to_number<std::int64_t>() : 0;
}

inline bool truth(const boost::json::object &object, std::string_view name, bool otherwise) {
  const boost::json::value *value = object.if_contains(name);
  return value && value->is_bool() ? value->get_bool() : otherwise;
}

inline const boost::json::object &object_in(const boost::json::object &object, std::string_view name) {
  static const boost::json::object none;
  const boost::json::value *value = object.if_contains(name);
  return value && value->is_object() ? value->get_object() : none;
}

inline const boost::json::array &array_in(const boost::json::object &object, std::string_view name) {
  static const boost::json::array none;
  const boost::json::value *value = object.if_contains(name);
  return value && value->is_array() ? value->get_array() : none;
}

} // namespace omnistore::cli
