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

/// What ends the reading; it never leaves this file.
struct SyntaxError {
  std::string message;
  Places::Place place;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

class Reader {
public:
  Reader(std::string_view text, std::vector<Problem> &problems) : text_(text), problems_(problems) {}

  Node whole() {
    if (text_.size() > max_text) fail("the file is larger than " + std::to_string(max_text) + " bytes");
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3; // a byte order mark, as some editors write
    skip_blanks();
    Node root = value({}, 0);
    skip_blanks();
    if (!ended()) fail("expected the end of the file, found " + found());
    return root;
  }

private:
  bool ended() const { return at_ == text_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  Places::Place place() const { return {line_, column_}; }

  void step() {
    char c = text_[at_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((c & 0xC0) != 0x80) { // every byte but those that go on with a character
      ++column_;
    }
  }
  void step(std::size_t bytes) {
    while (bytes-- > 0) step();
  }

  [[noreturn]] void fail(const std::string &message) const { throw SyntaxError{message, place()}; }
  [[noreturn]] static void fail_at(Places::Place place, const std::string &message) {
    throw SyntaxError{message, place};
  }

  /// The character here, for messages: one alone, since a whole word might be a secret without its quotes.
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
    Places::Place begin = place();
    bool line = peek(1) == '/';
    step(2);
    while (!ended() && !(line ? peek() == '\n' : peek() == '*' && peek(1) == '/')) step();
    if (line) return;
    if (ended()) fail_at(begin, "the comment that begins here has no end");
    step(2);
  }

  Node value(const std::string &path, unsigned depth) {
    Places::Place begin = place();
    Node node;
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
      fail("expected a value, found '; text stands in double quotes");
    } else {
      fail("expected a value, found " + found());
    }
    node.place = begin;
    return node;
  }

  /// Steps over the comma between two elements, or over `close`; whether it was that.
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

  Node object(const std::string &path, unsigned depth) {
    Node node;
    node.kind = Node::Kind::object;
    std::map<std::string, Places::Place, std::less<>> names;
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
        problems_.push_back({inner,
                             "stands here a second time; the first is in line " + std::to_string(first->second.line),
                             member.place.line, member.place.column});
    } while (!closed('}', "',' or '}' after the value"));
    return node;
  }

  Node array(const std::string &path, unsigned depth) {
    Node node;
    node.kind = Node::Kind::array;
    step();
    skip_blanks();
    if (peek() == ']') return step(), node;
    do node.items.push_back(value(join(path, node.items.size()), depth + 1));
    while (!closed(']', "',' or ']' after the value"));
    return node;
  }

  json::value string() {
    Places::Place begin = place();
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

  /// Leaves the last character of the escape to be stepped over.
  void escape() {
    Places::Place begin = place();
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
    Places::Place begin = place();
    std::size_t start = at_;
    while (is_digit(peek()) || is_letter(peek()) || peek() == '.' || peek() == '+' || peek() == '-') step();
    std::string_view token = text_.substr(start, at_ - start);
    if (token.find_first_not_of("0123456789.+-eE") != std::string_view::npos)
      fail_at(begin, "expected a number, found letters in it; text, and a number with a unit, stands in double quotes");
    json::error_code error;
    json::value out = json::parse(token, error);
    if (error) fail_at(begin, "this is not a number of JSON, as 10, -1.5 or 2e9 are");
    if (out.is_double() && !std::isfinite(out.get_double())) fail_at(begin, "this number is too large");
    return out;
  }

  json::value word() {
    Places::Place begin = place();
    std::size_t start = at_;
    while (is_letter(peek()) || is_digit(peek())) step();
    std::string_view token = text_.substr(start, at_ - start);
    if (token == "true") return true;
    if (token == "false") return false;
    if (token == "null") return nullptr;
    fail_at(begin, "expected a value, found '" + std::string(1, token.front()) +
                       "'; text stands in double quotes, and the words are true, false and null");
  }

  std::string_view text_;
  std::vector<Problem> &problems_;
  std::size_t at_ = 0;
  unsigned line_ = 1, column_ = 1;
};

} // namespace

Node *Node::find(std::string_view name) {
  for (auto &member : members)
    if (member.name == name) return &member.value;
  return nullptr;
}

std::optional<Node> read(std::string_view text, std::vector<Problem> &problems) {
  try {
    return Reader(text, problems).whole();
  } catch (const SyntaxError &error) {
    problems.push_back({{}, error.message, error.place.line, error.place.column});
    return std::nullopt;
  }
}

json::value to_json(const Node &node, const std::string &path, Places &places) {
  if (path.empty()) places.add({}, node.place);
  if (!node.written.empty()) places.add_written(path, node.written);
  if (node.kind == Node::Kind::scalar) return node.scalar;
  if (node.kind == Node::Kind::array) {
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
