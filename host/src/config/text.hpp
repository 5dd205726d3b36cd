// SPDX-License-Identifier: Apache-2.0
// The text of a config as a tree that knows where each part stands. JSON, with // and /* */ comments and with commas
// allowed after the last of a list.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include <omnistore/config.hpp>

#include "places.hpp"

namespace omnistore::config {

constexpr std::size_t max_text = 1024 * 1024; ///< bytes
constexpr unsigned max_depth = 64;            ///< of objects and arrays in each other

struct Member;

struct Node {
  enum class Kind { scalar, object, array };
  Kind kind = Kind::scalar;
  Places::Place place;
  boost::json::value scalar;
  std::string written;         ///< the text with its variables, if there were any and their values are put in
  std::vector<Member> members; ///< of an object; no name twice
  std::vector<Node> items;     ///< of an array

  Node *find(std::string_view name);
  const Node *find(std::string_view name) const { return const_cast<Node *>(this)->find(name); }
  /// The text of a scalar string, else null.
  const boost::json::string *text() const { return scalar.if_string(); }
};

struct Member {
  std::string name;
  Places::Place place;
  Node value;
};

/// Reads a text. Adds every name that stands twice in an object to the problems; the first syntax error too, and
/// gives nothing then, since what follows it cannot be told.
std::optional<Node> read(std::string_view text, std::vector<Problem> &problems);

/// The tree as JSON; where its parts stand goes to `places`.
boost::json::value to_json(const Node &node, const std::string &path, Places &places);

} // namespace omnistore::config
