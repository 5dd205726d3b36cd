// SPDX-License-Identifier: Apache-2.0
#include "cli/http_client.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <iterator>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <omnistore/error.hpp>

#include "cli/time_limit.hpp"

namespace omnistore::cli {
namespace {

namespace beast = boost::beast;
using tcp = boost::asio::ip::tcp;
using Code = boost::system::error_code;

constexpr auto connect_time = std::chrono::seconds(10);
constexpr auto idle_time = std::chrono::seconds(60);

struct Url {
  std::string host, folder;
  std::uint16_t port = 80;
};

Url parse_url(const std::string &text) {
  const auto bad = [&](const std::string &why) { return Error(Status::invalid, "URL " + text + ": " + why); };
  constexpr std::string_view scheme = "http://";
  std::string_view rest = text;
  if (rest.starts_with("https://")) throw bad("hosts speak http; put what ends TLS in front for others");
  if (!rest.starts_with(scheme)) throw bad("expected http://HOST:PORT");
  rest.remove_prefix(scheme.size());
  Url url;
  const std::string_view authority = rest.substr(0, rest.find('/'));
  url.folder = rest.substr(authority.size());
  while (url.folder.ends_with('/')) url.folder.pop_back();
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != authority.npos && (bracket == authority.npos || colon > bracket);
  url.host = authority.substr(0, has_port ? colon : authority.npos);
  if (url.host.empty() || url.host.find('@') != url.host.npos) throw bad("expected http://HOST:PORT");
  if (has_port) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (failed != std::errc{} || end != digits.data() + digits.size() || url.port == 0)
      throw bad("the port is no number from 1 to 65535");
  }
  return url;
}

} // namespace

const std::string *HttpAnswer::find(std::string_view name) const {
  for (const auto &[known, value] : headers)
    if (beast::iequals(known, beast::string_view(name.data(), name.size()))) return &value;
  return nullptr;
}

std::string HttpAnswer::header(std::string_view name) const {
  const std::string *value = find(name);
  return value ? *value : std::string();
}

std::string escape(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       byte == '-' || byte == '.' || byte == '_' || byte == '~';
    if (plain)
      result += c;
    else
      result.append({'%', digits[byte >> 4], digits[byte & 15]});
  }
  return result;
}

/// The operations are asynchronous ones that are waited for: only those have a deadline. Reads and writes are single
/// steps, so that the time allowed is for each of them and not for the whole of a long body.
class HttpClient::Impl {
public:
  explicit Impl(const std::string &url)
      : url_(parse_url(url)), address_(url_.host + ":" + std::to_string(url_.port)), stream_(context_),
        room_(64 * 1024) {}

  const Url &url() const { return url_; }

  void cancel() {
    cancelled_.store(true);
    boost::asio::post(context_, [this] { stream_.cancel(); });
  }

  HttpAnswer send(const HttpRequest &request, const std::function<void(const HttpAnswer &)> &head,
                  const std::function<void(std::string_view)> &piece) {
    connect();
    try {
      write(head_of(request));
      if (request.source) {
        if (!write_source(request)) return refusal(request);
      } else {
        write(request.body);
      }
    } catch (const Error &) {
      // A host that refuses a long body answers, and reads no more.
      if (std::optional<HttpAnswer> refusal = early_answer(request)) return *refusal;
      throw;
    }
    return read(request, head, piece);
  }

private:
  using Parser = beast::http::response_parser<beast::http::buffer_body>;

  /// One kind of handler for all operations: each kind costs seconds of compilation.
  struct Done {
    Code *code;
    std::size_t *moved;
    void operator()(Code result, std::size_t bytes) const { *code = result, *moved = bytes; }
    void operator()(Code result, const tcp::endpoint &) const { *code = result; }
  };

  [[noreturn]] void fail(const char *what, Code code) {
    connected_ = false;
    const Status status = code == beast::error::timeout ? Status::timeout : Status::unavailable;
    throw Error(status, std::string(what) + " " + address_ + ": " + code.message());
  }

  /// Starts an operation with begin(handler), and waits for it. Gives the bytes moved.
  template <class Begin>
  std::size_t wait(const char *what, std::chrono::seconds time, Begin begin) {
    Code result;
    std::size_t moved = 0;
    if (cancelled_.load()) fail(what, boost::asio::error::operation_aborted);
    stream_.expires_after(time);
    const WaitsForHost waits(address_);
    begin(Done{&result, &moved});
    context_.restart();
    context_.run();
    if (result) fail(what, result);
    return moved;
  }

  /// A connection that is idle has nothing to say: what can be read from it is its end.
  bool still_open() {
    if (!connected_ || !unread_.empty()) return false;
    Code code;
    stream_.socket().non_blocking(true, code);
    char byte = 0;
    stream_.socket().receive(boost::asio::buffer(&byte, 1), tcp::socket::message_peek, code);
    return code == boost::asio::error::would_block;
  }

  void connect() {
    if (still_open()) return;
    stream_.close();
    unread_ = {};
    std::string host = url_.host;
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    Code code;
    tcp::resolver resolver(context_);
    const auto found = resolver.resolve(host, std::to_string(url_.port), code);
    if (code) fail("resolve", code);
    wait("connect", connect_time, [&](Done done) { stream_.async_connect(found, done); });
    stream_.socket().set_option(tcp::no_delay(true), code);
    connected_ = true;
  }

  std::string head_of(const HttpRequest &request) const {
    std::string head = request.method + " " + url_.folder + request.target + " HTTP/1.1\r\nHost: " + address_ + "\r\n";
    for (const auto &[name, value] : request.headers) {
      if (value.find_first_of("\r\n") != value.npos)
        throw Error(Status::invalid, "header " + name + ": a line end cannot be sent");
      head += name + ": " + value + "\r\n";
    }
    if (request.source) {
      head += request.source_size == UINT64_MAX ? "Transfer-Encoding: chunked\r\n"
                                                : "Content-Length: " + std::to_string(request.source_size) + "\r\n";
    } else if (!request.body.empty() || request.method == "PUT" || request.method == "POST") {
      head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    return head + "\r\n";
  }

  void write(std::string_view bytes) {
    while (!bytes.empty())
      bytes.remove_prefix(wait("write to", idle_time, [&](Done done) {
        stream_.async_write_some(boost::asio::const_buffer(bytes.data(), bytes.size()), done);
      }));
  }

  /// False: the host answers already, and wants no more.
  bool write_source(const HttpRequest &request) {
    constexpr std::size_t head_room = 18; // of a chunk: 16 digits and a line end
    std::vector<char> piece(head_room + 256 * 1024 + 2);
    const bool chunked = request.source_size == UINT64_MAX;
    for (;;) {
      std::size_t size = 0;
      try {
        size = request.source(piece.data() + head_room, piece.size() - head_room - 2);
      } catch (...) {
        connected_ = false;
        throw;
      }
      if (size == 0) break;
      char *start = piece.data() + head_room;
      if (chunked) {
        char digits[16];
        char *end = std::to_chars(digits, std::end(digits), size, 16).ptr;
        start[size] = '\r', start[size + 1] = '\n';
        *--start = '\n', *--start = '\r';
        start = std::copy_backward(&digits[0], end, start);
      }
      const std::size_t framed = static_cast<std::size_t>(piece.data() + head_room - start) + size + (chunked ? 2 : 0);
      Code code;
      if (stream_.socket().available(code) > 0) return false;
      write({start, framed});
    }
    if (chunked) write("0\r\n\r\n");
    return true;
  }

  HttpAnswer refusal(const HttpRequest &request) {
    HttpAnswer answer = read(request, {}, {});
    connected_ = false;
    return answer;
  }

  std::optional<HttpAnswer> early_answer(const HttpRequest &request) {
    try {
      return refusal(request);
    } catch (const Error &) {
      return std::nullopt;
    }
  }

  /// Gives the parser what is there; reads more where it needs that, or where nothing is left.
  void step(Parser &parser) {
    Code code;
    if (!unread_.empty()) {
      unread_.remove_prefix(parser.put(boost::asio::const_buffer(unread_.data(), unread_.size()), code));
      if (code == beast::http::error::need_buffer || !code) return;
      if (code != beast::http::error::need_more) fail("read from", code);
    }
    std::copy(unread_.begin(), unread_.end(), room_.begin());
    const std::size_t kept = unread_.size();
    std::size_t moved = 0;
    try {
      moved = wait("read from", idle_time, [&](Done done) {
        stream_.async_read_some(boost::asio::mutable_buffer(room_.data() + kept, room_.size() - kept), done);
      });
    } catch (const Error &) {
      // A body without a length ends with the connection.
      if (!parser.is_header_done() || !parser.need_eof()) throw;
      parser.put_eof(code);
      if (code) fail("read from", code);
    }
    unread_ = {room_.data(), kept + moved};
  }

  HttpAnswer read(const HttpRequest &request, const std::function<void(const HttpAnswer &)> &head,
                  const std::function<void(std::string_view)> &piece) {
    Parser parser;
    parser.body_limit(boost::none);
    parser.header_limit(32 * 1024);
    parser.skip(request.method == "HEAD");
    while (!parser.is_header_done()) step(parser);

    HttpAnswer answer;
    answer.status = parser.get().result_int();
    for (const auto &field : parser.get()) answer.headers.emplace_back(field.name_string(), field.value());
    if (head) head(answer);
    std::vector<char> body(64 * 1024);
    while (!parser.is_done()) {
      parser.get().body().data = body.data();
      parser.get().body().size = body.size();
      step(parser);
      const std::string_view part(body.data(), body.size() - parser.get().body().size);
      if (part.empty()) continue;
      if (piece)
        piece(part);
      else
        answer.body += part;
    }
    connected_ = parser.keep_alive();
    return answer;
  }

  const Url url_;
  const std::string address_;
  boost::asio::io_context context_{1};
  beast::tcp_stream stream_;
  std::vector<char> room_;  ///< what was read
  std::string_view unread_; ///< the part of it that no parser has taken
  bool connected_ = false;
  std::atomic<bool> cancelled_{false};
};

HttpClient::HttpClient(const std::string &url) : impl_(std::make_unique<Impl>(url)) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient &&) noexcept = default;
const std::string &HttpClient::host() const { return impl_->url().host; }
std::uint16_t HttpClient::port() const { return impl_->url().port; }
const std::string &HttpClient::folder() const { return impl_->url().folder; }
void HttpClient::cancel() { impl_->cancel(); }
HttpAnswer HttpClient::send(const HttpRequest &request, const std::function<void(const HttpAnswer &)> &head,
                            const std::function<void(std::string_view)> &piece) {
  return impl_->send(request, head, piece);
}

} // namespace omnistore::cli
