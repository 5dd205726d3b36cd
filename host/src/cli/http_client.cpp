// SPDX-License-Identifier: Apache-2.0
#include "cli/http_client.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <omnistore/error.hpp>

namespace omnistore::cli {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
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

std::string HttpAnswer::header(std::string_view name) const {
  for (const auto &[known, value] : headers)
    if (beast::iequals(known, beast::string_view(name.data(), name.size()))) return value;
  return {};
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

/// The operations are asynchronous ones that are waited for: only those have a deadline.
class HttpClient::Impl {
public:
  explicit Impl(const std::string &url) : url_(parse_url(url)), stream_(context_) {}

  const Url &url() const { return url_; }

  HttpAnswer send(const HttpRequest &request, const std::function<void(const HttpAnswer &)> &head,
                  const std::function<void(std::string_view)> &piece) {
    connect();
    try {
      write(request);
    } catch (const Error &) {
      // A host that refuses a long body answers, and reads no more.
      if (std::optional<HttpAnswer> refusal = early_answer(request)) return *refusal;
      throw;
    }
    return read(request, head, piece);
  }

private:
  std::string address() const { return url_.host + ":" + std::to_string(url_.port); }

  [[noreturn]] void fail(const char *what, Code code) {
    connected_ = false;
    const Status status = code == beast::error::timeout ? Status::timeout : Status::unavailable;
    throw Error(status, std::string(what) + " " + address() + ": " + code.message());
  }

  /// Starts an operation with begin(handler), and waits for it.
  template <class Begin>
  void wait(const char *what, std::chrono::seconds time, Begin begin) {
    Code result;
    stream_.expires_after(time);
    begin([&result](Code code, const auto &...) { result = code; });
    context_.restart();
    context_.run();
    if (result && result != http::error::need_buffer) fail(what, result);
  }

  /// A connection that is idle has nothing to say: what can be read from it is its end.
  bool still_open() {
    if (!connected_ || buffer_.size() != 0) return false;
    Code code;
    stream_.socket().non_blocking(true, code);
    char byte = 0;
    stream_.socket().receive(boost::asio::buffer(&byte, 1), tcp::socket::message_peek, code);
    return code == boost::asio::error::would_block;
  }

  void connect() {
    if (still_open()) return;
    stream_.close();
    buffer_.clear();
    std::string host = url_.host;
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    Code code;
    tcp::resolver resolver(context_);
    const auto found = resolver.resolve(host, std::to_string(url_.port), code);
    if (code) fail("resolve", code);
    wait("connect", connect_time, [&](auto done) { stream_.async_connect(found, done); });
    stream_.socket().set_option(tcp::no_delay(true), code);
    connected_ = true;
  }

  void write(const HttpRequest &request) {
    http::request<http::span_body<const char>> message;
    message.version(11);
    message.method_string({request.method.data(), request.method.size()});
    message.target(url_.folder + request.target);
    message.set(http::field::host, address());
    for (const auto &[name, value] : request.headers) message.set(name, value);
    message.body() = {request.body.data(), request.body.size()};
    if (!request.body.empty() || request.method == "PUT" || request.method == "POST")
      message.content_length(request.body.size());
    http::request_serializer<http::span_body<const char>> serializer(message);
    // In steps, so that the time allowed is for each of them and not for the whole of a long body.
    while (!serializer.is_done())
      wait("write to", idle_time, [&](auto done) { http::async_write_some(stream_, serializer, done); });
  }

  std::optional<HttpAnswer> early_answer(const HttpRequest &request) {
    try {
      HttpAnswer answer = read(request, {}, {});
      connected_ = false;
      return answer;
    } catch (const Error &) {
      return std::nullopt;
    }
  }

  HttpAnswer read(const HttpRequest &request, const std::function<void(const HttpAnswer &)> &head,
                  const std::function<void(std::string_view)> &piece) {
    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    parser.header_limit(64 * 1024);
    parser.skip(request.method == "HEAD");
    wait("read from", idle_time, [&](auto done) { http::async_read_header(stream_, buffer_, parser, done); });

    HttpAnswer answer;
    answer.status = parser.get().result_int();
    for (const auto &field : parser.get()) answer.headers.emplace_back(field.name_string(), field.value());
    if (head) head(answer);
    std::array<char, 64 * 1024> room;
    while (!parser.is_done()) {
      parser.get().body().data = room.data();
      parser.get().body().size = room.size();
      wait("read from", idle_time, [&](auto done) { http::async_read(stream_, buffer_, parser, done); });
      const std::string_view part(room.data(), room.size() - parser.get().body().size);
      if (piece)
        piece(part);
      else
        answer.body += part;
    }
    connected_ = parser.keep_alive();
    return answer;
  }

  Url url_;
  boost::asio::io_context context_{1};
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  bool connected_ = false;
};

HttpClient::HttpClient(const std::string &url) : impl_(std::make_unique<Impl>(url)) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient &&) noexcept = default;
const std::string &HttpClient::host() const { return impl_->url().host; }
std::uint16_t HttpClient::port() const { return impl_->url().port; }
const std::string &HttpClient::folder() const { return impl_->url().folder; }
HttpAnswer HttpClient::send(const HttpRequest &request, const std::function<void(const HttpAnswer &)> &head,
                            const std::function<void(std::string_view)> &piece) {
  return impl_->send(request, head, piece);
}

} // namespace omnistore::cli
