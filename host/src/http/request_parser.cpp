// SPDX-License-Identifier: Apache-2.0
#include "http/request_parser.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <boost/beast/http/basic_parser.hpp>

#include "base/ascii.hpp"
#include "http/header_values.hpp"
#include "http/headers.hpp"

namespace omnistore::http {

namespace beast = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

namespace {

/// A piece of the message, by position, since the buffer may move while the head is read.
struct Span {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  bool there = false;
  bool joined = false; ///< of several lines: `offset` is its place among State::joined
};

struct Head {
  Method method = Method::other;
  unsigned version = 11;
  bool keep_alive = true;
  Span method_text, target;
  std::array<Span, static_cast<std::size_t>(Header::count)> headers;
};

Method method_of(beast::verb verb) {
  switch (verb) {
  case beast::verb::get:
    return Method::get;
  case beast::verb::head:
    return Method::head;
  case beast::verb::put:
    return Method::put;
  case beast::verb::delete_:
    return Method::remove;
  case beast::verb::post:
    return Method::post;
  case beast::verb::patch:
    return Method::patch;
  case beast::verb::options:
    return Method::options;
  default:
    return Method::other;
  }
}

/// The headers whose names the parser below knows by number.
const std::array<Header, 512> headers_by_number = [] {
  std::array<Header, 512> headers;
  headers.fill(Header::count);
  for (const HeaderName &each : header_names) {
    const auto number = static_cast<std::size_t>(beast::string_to_field({each.name.data(), each.name.size()}));
    if (number != static_cast<std::size_t>(beast::field::unknown)) headers.at(number) = each.header;
  }
  return headers;
}();

/// Header::count: nobody looks at it.
Header header_of(beast::field number, std::string_view name) {
  if (number != beast::field::unknown) return headers_by_number[static_cast<std::size_t>(number)];
  const auto known = std::find_if(header_names.begin(), header_names.end(), [&](const HeaderName &each) {
    return each.name.size() == name.size() && base::equal_ignoring_case(each.name, name);
  });
  return known == header_names.end() ? Header::count : known->header;
}

bool is_list(Header field) { return header_names[static_cast<std::size_t>(field)].is_list; }

constexpr std::array<bool, 256> in_tokens = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}();

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return in_tokens[c]; });
}

/// Judges a request line without its line end: 0, or the status that it is refused with.
unsigned judge_request_line(std::string_view line) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || last - first < 2 || !is_token(line.substr(0, first))) return 400;
  const std::string_view target = line.substr(first + 1, last - first - 1), version = line.substr(last + 1);
  if (std::any_of(target.begin(), target.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; })) return 400;
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
      !is_digit(version[7]))
    return 400;
  return version == "HTTP/1.1" || version == "HTTP/1.0" ? 0 : 505;
}

/// Judges the value of Transfer-Encoding: 0, or the status that it is refused with. If chunked is not the last coding,
/// the end of the body is unknown.
unsigned judge_transfer_codings(std::string_view list) {
  unsigned codings = 0, chunked = 0;
  bool is_last = false;
  while (!list.empty()) {
    const std::string_view coding = next_element(list);
    if (coding.empty()) continue;
    is_last = base::equal_ignoring_case(coding, "chunked");
    chunked += is_last;
    ++codings;
  }
  if (!is_last || chunked != 1) return 400;
  return codings == 1 ? 0 : 501;
}

constexpr const char *malformed_line = "malformed request line: expected METHOD TARGET HTTP/1.1 and then CR LF";

} // namespace

class RequestParser::Parser final : public beast::basic_parser<true> {
public:
  Parser(State &owner, std::uint32_t max_header);

private:
  void on_request_impl(beast::verb method, string_view method_text, string_view target, int version,
                       error_code &error) override;
  void on_field_impl(beast::field name, string_view name_text, string_view value, error_code &error) override;
  void on_header_impl(error_code &) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t> &, error_code &) override {}
  std::size_t on_body_impl(string_view bytes, error_code &) override { return bytes.size(); }
  void on_chunk_header_impl(std::uint64_t size, string_view, error_code &error) override;
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code &error) override;
  void on_finish_impl(error_code &) override {}
  void on_response_impl(int, string_view, int, error_code &) override {}

  State &state_;
};

struct RequestParser::State {
  std::uint32_t max_header;
  std::optional<Parser> parser;
  Head head;
  std::string_view message; ///< what the running call of head() was given
  std::size_t used = 0;     ///< how much of the message the parser took
  std::size_t line = 0;     ///< the beginning of the line that has not ended yet
  std::size_t scanned = 0;  ///< all lines that end before this were checked
  bool lines_done = false;  ///< the empty line that ends the head was seen
  std::vector<std::string> joined;
  bool head_done = false;
  std::uint64_t chunked = 0; ///< how much of a chunked body was read
  std::uint64_t most = 0;    ///< how much there may be
  Buffer *body = nullptr;    ///< the running call of chunks() appends to it
  unsigned status = 400;
  std::string failure;

  Progress fail(unsigned code, std::string why) {
    status = code;
    failure = std::move(why);
    return Progress::failed;
  }

  /// Returns the place of a piece in the message.
  Span locate(string_view piece) const {
    if (piece.empty()) return {0, 0, true, false};
    return {static_cast<std::uint32_t>(piece.data() - message.data()), static_cast<std::uint32_t>(piece.size()), true,
            false};
  }
  std::string_view text(const char *from, Span span) const {
    if (!span.there) return {};
    return span.joined ? std::string_view(joined[span.offset]) : std::string_view(from + span.offset, span.size);
  }
  /// Adds a further line of a list.
  void join(Span &span, std::string_view value) {
    std::string whole(text(message.data(), span));
    whole.append(", ").append(value);
    if (!span.joined) {
      span = {static_cast<std::uint32_t>(joined.size()), 0, true, true};
      joined.emplace_back();
    }
    joined[span.offset] = std::move(whole);
  }
  bool check_lines();
};

RequestParser::Parser::Parser(State &owner, std::uint32_t max_header) : state_(owner) {
  header_limit(max_header);
  body_limit(boost::none);
}

void RequestParser::Parser::on_request_impl(beast::verb method, string_view method_text, string_view target,
                                            int version, error_code &) {
  state_.head.method = method_of(method);
  state_.head.method_text = state_.locate(method_text);
  state_.head.target = state_.locate(target);
  state_.head.version = static_cast<unsigned>(version);
}

void RequestParser::Parser::on_field_impl(beast::field name, string_view name_text, string_view value,
                                          error_code &error) {
  if (state_.head_done) return; // a trailer
  const Header kept = header_of(name, {name_text.data(), name_text.size()});
  if (kept == Header::count) return;
  Span &span = state_.head.headers[static_cast<std::size_t>(kept)];
  if (!span.there) {
    span = state_.locate(value);
  } else if (is_list(kept)) {
    state_.join(span, {value.data(), value.size()});
  } else {
    state_.failure = "The " + std::string(name_text) + " header may come only once";
    error = beast::error::bad_field;
  }
}

void RequestParser::Parser::on_chunk_header_impl(std::uint64_t size, string_view extension, error_code &error) {
  const auto is_control = [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; };
  if (std::any_of(extension.begin(), extension.end(), is_control)) {
    error = beast::error::bad_chunk_extension;
    return;
  }
  if (state_.chunked > state_.most || size > state_.most - state_.chunked) error = beast::error::body_limit;
}

std::size_t RequestParser::Parser::on_chunk_body_impl(std::uint64_t, string_view bytes, error_code &) {
  state_.chunked += bytes.size();
  state_.body->append({bytes.data(), bytes.size()});
  return bytes.size();
}

/// Checks the lines of the head that have ended since the last call. Returns false if one is malformed.
bool RequestParser::State::check_lines() {
  if (line == 0 && !is_token(message.substr(0, 1))) { // TLS, for example: there may never be a line end
    fail(400, malformed_line);
    return false;
  }
  while (!lines_done) {
    const std::size_t end = message.find('\n', scanned);
    scanned = std::min(end, message.size());
    if (end == std::string_view::npos) return true;
    const std::string_view whole = message.substr(line, end - line);
    const bool is_first = line == 0, is_sound = whole.ends_with('\r');
    if (const unsigned code = is_first && is_sound ? judge_request_line(whole.substr(0, whole.size() - 1)) : 0) {
      fail(code, code == 505 ? "This is a server of HTTP/1.1 and HTTP/1.0" : malformed_line);
      return false;
    }
    if (!is_sound) {
      fail(400, is_first ? malformed_line : "A line of the head ends in LF without CR");
      return false;
    }
    if (whole.starts_with(' ') || whole.starts_with('\t')) {
      fail(400, "A header is folded over several lines");
      return false;
    }
    lines_done = whole.size() == 1;
    scanned = line = end + 1;
  }
  return true;
}

RequestParser::RequestParser(std::uint32_t max_header) : state_(std::make_unique<State>()) {
  state_->max_header = max_header;
  reset();
}

RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  state_->parser.emplace(*state_, state_->max_header);
  state_->head = {};
  state_->used = 0;
  state_->line = 0;
  state_->scanned = 0;
  state_->lines_done = false;
  state_->joined.clear();
  state_->head_done = false;
  state_->chunked = 0;
  state_->failure.clear();
}

RequestParser::Progress RequestParser::head(std::string_view message) {
  State &state = *state_;
  state.message = message;
  if (!state.check_lines()) return Progress::failed;
  error_code error;
  state.used += state.parser->put(boost::asio::buffer(message.data() + state.used, message.size() - state.used), error);
  if (error == beast::error::need_more ? message.size() > state.max_header : state.used > state.max_header) {
    error = beast::error::header_limit;
  }
  if (error == beast::error::header_limit) {
    return state.fail(431, "The head is longer than " + std::to_string(state.max_header) + " bytes");
  }
  if (error == beast::error::need_more) return Progress::more;
  if (error) {
    return state.fail(400, state.failure.empty() ? "This is no HTTP request: " + error.message() : state.failure);
  }
  if (!state.parser->is_header_done()) return Progress::more;
  state.head_done = true;
  state.head.keep_alive = state.parser->keep_alive();
  const Span encoding = state.head.headers[static_cast<std::size_t>(Header::transfer_encoding)];
  if (encoding.there && state.head.version == 10) return state.fail(400, "HTTP/1.0 has no Transfer-Encoding");
  if (encoding.there) {
    const unsigned code = judge_transfer_codings(state.text(message.data(), encoding));
    if (code == 501) return state.fail(501, "The only transfer coding here is chunked");
    if (code != 0) return state.fail(400, "chunked must be the last transfer coding, and come only once");
  }
  return Progress::done;
}

bool RequestParser::begun() const { return state_->parser->got_some(); }

std::size_t RequestParser::head_size() const { return state_->used; }

void RequestParser::fill(const char *message, Request &request) const {
  const auto view = [&](Span span) { return state_->text(message, span); };
  const Head &head = state_->head;
  request.method = head.method;
  request.version = head.version;
  request.keep_alive = head.keep_alive;
  request.method_text = view(head.method_text);
  request.target = view(head.target);
  for (std::size_t i = 0; i < head.headers.size(); ++i) request.headers[i] = view(head.headers[i]);
  request.body = {};
}

std::optional<std::uint64_t> RequestParser::content_length() const {
  if (state_->parser->chunked()) return std::nullopt;
  const auto length = state_->parser->content_length();
  return length ? *length : 0;
}

RequestParser::Progress RequestParser::chunks(std::string_view bytes, std::size_t &used, Buffer &body,
                                              std::uint64_t max_body) {
  State &state = *state_;
  state.body = &body;
  error_code error;
  used = 0;
  state.parser->eager(true);
  state.most = max_body;
  if (!bytes.empty()) used = state.parser->put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (error == beast::error::body_limit) {
    return state.fail(413, "The body is longer than " + std::to_string(max_body) + " bytes");
  }
  if (error && error != beast::error::need_more) {
    return state.fail(400, "The body's chunks are malformed: " + error.message());
  }
  if (state.parser->is_done()) return Progress::done;
  if (bytes.size() - used > state.max_header) return state.fail(400, "A chunk's head is too long");
  return Progress::more;
}

unsigned RequestParser::status() const { return state_->status; }
const std::string &RequestParser::message() const { return state_->failure; }

} // namespace omnistore::http
