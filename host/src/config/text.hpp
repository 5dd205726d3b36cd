// SPDX-License-Identifier: Apache-2.0
// Parses the text of a config into a tree that has the position of each part. The text is JSON with // and /* */
// comments and with commas allowed after the last item of a list.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include <omnistore/config.hpp>

#include "source_map.hpp"

namespace omnistore::config {

constexpr std::size_t max_text = 1024 * 1024; ///< bytes
constexpr unsigned max_depth = 64;            ///< the nesting of objects and arrays

struct Member;

struct TextNode {
  enum class Kind { scalar, object, array };
  Kind kind = Kind::scalar;
  SourceMap::Position place;
  boost::json::value scalar;
  std::string written;         ///< the original text, if variables in it were replaced
  std::vector<Member> members; ///< of an object, each name once
  std::vector<TextNode> items; ///< of an array

  TextNode *find(std::string_view name);
  const TextNode *find(std::string_view name) const { return const_cast<TextNode *>(this)->find(name); }
  /// Returns the text of a scalar string, else null.
  const boost::json::string *text() const { return scalar.if_string(); }
};

struct Member {
  std::string name;
  SourceMap::Position place;
  TextNode value;
};

/// Parses a text. Adds every name that an object has twice to the problems. After a syntax error, it adds that and
/// returns nullopt.
std::optional<TextNode> read(std::string_view text, std::vector<Problem> &problems);

/// Converts the tree to JSON, and stores the positions of its parts in `places`.
boost::json::value to_json(const TextNode &node, const std::string &path, SourceMap &places);

} // namespace omnistore::config
