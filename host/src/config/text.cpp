// SPDX-License-Identifier: Apache-2.0
#include "text.hpp"

#include <cctype>
#include <cmath>
#include <cstdio>
#include <map>

#include <boost/json/parse.hpp>

#include "base/utf8.hpp"
#include "names.hpp"

namespace omnistore::config {

namespace json = boost::json;

namespace {

/// Ends the parsing. It never leaves this file.
struct SyntaxError {
  std::string message;
  SourceMap::Position place;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

class TextParser {
public:
  TextParser(std::string_view text, std::vector<Problem> &problems) : text_(text), problems_(problems) {}

  TextNode whole() {
    if (text_.size() > max_text) fail("the file is larger than " + std::to_string(max_text) + " bytes");
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3; // a byte order mark, which some editors write
    skip_blanks();
    TextNode root = value({}, 0);
    skip_blanks();
    if (!ended()) fail("expected the end of the file, found " + found());
    return root;
  }

private:
  bool ended() const { return at_ == text_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  SourceMap::Position place() const { return {line_, column_}; }

  void step() {
    char c = text_[at_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((c & 0xC0) != 0x80) { // every byte that starts a character
      ++column_;
    }
  }
  void step(std::size_t bytes) {
    while (bytes-- > 0) step();
  }

  [[noreturn]] void fail(const std::string &message) const { throw SyntaxError{message, place()}; }
  [[noreturn]] static void fail_at(SourceMap::Position place, const std::string &message) {
    throw SyntaxError{message, place};
  }

  /// Returns one character for a message. A whole word might be a secret without its quotes.
  std::string found() const {
    if (ended()) return "the end of the file";
    auto byte = static_cast<unsigned char>(peek());
    if (byte > ' ' && byte < 0x7F) return std::string("'") + peek() + "'";
    if (const std::size_t size = base::utf8_length(text_, at_); size > 1)
      return "'" + std::string(text_.substr(at_, size)) + "'";
    char shown[16];
    std::snprintf(shown, sizeof shown, "the byte 0x%02X", byte);
    return shown;
  }

  void skip_blanks() {
    while (!ended()) {
      char c = peek();
      if (c == '/' && (peek(1) == '/' || peek(1) == '*'))
        skip_comment();
      else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
        step();
      else
        return;
    }
  }

  void skip_comment() {
    SourceMap::Position begin = place();
    bool line = peek(1) == '/';
    step(2);
    while (!ended() && !(line ? peek() == '\n' : peek() == '*' && peek(1) == '/')) step();
    if (line) return;
    if (ended()) fail_at(begin, "the comment that begins here has no end");
    step(2);
  }

  TextNode value(const std::string &path, unsigned depth) {
    SourceMap::Position begin = place();
    TextNode node;
    char c = peek();
    if (ended()) fail("expected a value, found the end of the file");
    if (c == '{' || c == '[') {
      if (depth == max_depth) fail("more than " + std::to_string(max_depth) + " objects and arrays in each other");
      node = c == '{' ? object(path, depth) : array(path, depth);
    } else if (c == '"') {
      node.scalar = string();
    } else if (c == '-' || is_digit(c)) {
      node.scalar = number();
    } else if (is_letter(c)) {
      node.scalar = word();
    } else if (c == '\'') {
      fail("expected a value, found '; a text needs double quotes");
    } else {
      fail("expected a value, found " + found());
    }
    node.place = begin;
    return node;
  }

  /// Skips the comma between two elements, or `close`. Returns true if it was `close`.
  bool closed(char close, const char *expected) {
    skip_blanks();
    if (peek() == ',') {
      step();
      skip_blanks();
      if (peek() != close) return false;
    } else if (peek() != close) {
      fail(std::string("expected ") + expected + ", found " + found());
    }
    step();
    return true;
  }

  TextNode object(const std::string &path, unsigned depth) {
    TextNode node;
    node.kind = TextNode::Kind::object;
    std::map<std::string, SourceMap::Position, std::less<>> names;
    step();
    skip_blanks();
    if (peek() == '}') return step(), node;
    do {
      if (peek() != '"') fail("expected a name in double quotes or '}', found " + found());
      Member member{{}, place(), {}};
      member.name = std::string(string().get_string());
      skip_blanks();
      if (peek() != ':') fail("expected ':' after the name, found " + found());
      step();
      skip_blanks();
      std::string inner = join(path, member.name);
      member.value = value(inner, depth + 1);
      auto [first, fresh] = names.emplace(member.name, member.place);
      if (fresh)
        node.members.push_back(std::move(member));
      else
        problems_.push_back({inner, "is given twice; the first one is in line " + std::to_string(first->second.line),
                             member.place.line, member.place.column});
    } while (!closed('}', "',' or '}' after the value"));
    return node;
  }

  TextNode array(const std::string &path, unsigned depth) {
    TextNode node;
    node.kind = TextNode::Kind::array;
    step();
    skip_blanks();
    if (peek() == ']') return step(), node;
    do node.items.push_back(value(join(path, node.items.size()), depth + 1));
    while (!closed(']', "',' or ']' after the value"));
    return node;
  }

  json::value string() {
    SourceMap::Position begin = place();
    std::size_t start = at_;
    for (step(); peek() != '"'; step()) {
      if (ended()) fail_at(begin, "the text that begins here has no closing quote");
      if (static_cast<unsigned char>(peek()) < 0x20) {
        if (peek() == '\n' || peek() == '\r')
          fail_at(begin, "the text that begins here has no closing quote in its line");
        fail("a text cannot hold " + found() + "; write control characters as \\u and four hexadecimal digits");
      }
      if (peek() == '\\') escape();
    }
    step();
    std::string_view token = text_.substr(start, at_ - start);
    json::error_code error;
    json::value out = json::parse(token, error);
    if (error)
      fail_at(begin,
              valid_utf8(token) ? "a \\u escape in this text is half of a pair" : "this text is not valid UTF-8");
    return out;
  }

  /// Does not skip the last character of the escape.
  void escape() {
    SourceMap::Position begin = place();
    step();
    if (peek() != 'u') {
      if (ended() || std::string_view("\"\\/bfnrt").find(peek()) == std::string_view::npos)
        fail_at(begin, "expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u; write \\\\ for a backslash");
      return;
    }
    for (int i = 1; i <= 4; ++i)
      if (std::isxdigit(static_cast<unsigned char>(peek(1))))
        step();
      else
        fail_at(begin, "expected four hexadecimal digits after \\u");
  }

  json::value number() {
    SourceMap::Position begin = place();
    std::size_t start = at_;
    while (is_digit(peek()) || is_letter(peek()) || peek() == '.' || peek() == '+' || peek() == '-') step();
    std::string_view token = text_.substr(start, at_ - start);
    if (token.find_first_not_of("0123456789.+-eE") != std::string_view::npos)
      fail_at(begin, "expected a number, found letters in it; a text, or a number with a unit, needs double quotes");
    json::error_code error;
    json::value out = json::parse(token, error);
    if (error) fail_at(begin, "this is not a JSON number such as 10, -1.5 or 2e9");
    if (out.is_double() && !std::isfinite(out.get_double())) fail_at(begin, "this number is too large");
    return out;
  }

  json::value word() {
    SourceMap::Position begin = place();
    std::size_t start = at_;
    while (is_letter(peek()) || is_digit(peek())) step();
    std::string_view token = text_.substr(start, at_ - start);
    if (token == "true") return true;
    if (token == "false") return false;
    if (token == "null") return nullptr;
    fail_at(begin, "expected a value, found '" + std::string(1, token.front()) +
                       "'; a text needs double quotes, and the only words are true, false and null");
  }

  std::string_view text_;
  std::vector<Problem> &problems_;
  std::size_t at_ = 0;
  unsigned line_ = 1, column_ = 1;
};

} // namespace

TextNode *TextNode::find(std::string_view name) {
  for (auto &member : members)
    if (member.name == name) return &member.value;
  return nullptr;
}

std::optional<TextNode> read(std::string_view text, std::vector<Problem> &problems) {
  try {
    return TextParser(text, problems).whole();
  } catch (const SyntaxError &error) {
    problems.push_back({{}, error.message, error.place.line, error.place.column});
    return std::nullopt;
  }
}

json::value to_json(const TextNode &node, const std::string &path, SourceMap &places) {
  if (path.empty()) places.add({}, node.place);
  if (!node.written.empty()) places.add_written(path, node.written);
  if (node.kind == TextNode::Kind::scalar) return node.scalar;
  if (node.kind == TextNode::Kind::array) {
    json::array out;
    for (const auto &item : node.items) {
      std::string inner = join(path, out.size());
      places.add(inner, item.place);
      out.push_back(to_json(item, inner, places));
    }
    return out;
  }
  json::object out;
  for (const auto &member : node.members) {
    std::string inner = join(path, member.name);
    places.add(inner, member.value.place, member.place);
    out.insert_or_assign(member.name, to_json(member.value, inner, places));
  }
  return out;
}

} // namespace omnistore::config
