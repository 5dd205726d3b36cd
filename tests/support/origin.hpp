// SPDX-License-Identifier: Apache-2.0
// An HTTP server that a test scripts: its responses, their times, and its failures.
#pragma once

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace test {

/// A server on a free port of 127.0.0.1, which keeps connections open. It is there when the constructor returns and
/// gone with the object. Any thread may call it, and nothing in it sleeps: a test holds responses and releases them.
///
/// It serves GET and HEAD from a map of paths, with 404 elsewhere; a GET or HEAD whose If-None-Match names the
/// response's ETag gets 304, one with a Range its part (206) unless `ranges(false)`. PUT keeps a body at its path under
/// a new ETag, DELETE takes it away. GET of a path that ends in "/:" lists what lies below it as a JSON array, as
/// unstorage's server does.
class Origin {
public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  struct Answer {
    unsigned status = 200;
    Headers headers = {};
    std::string body = {};
    std::optional<std::size_t> pause = {}; ///< the body's bytes from here on wait for release()
    std::optional<std::size_t> cut = {};   ///< the connection ends after so many of the body's bytes
    bool late = false;                     ///< all of it waits for release()
    bool chunked = false;                  ///< the body goes out in chunks, without a Content-Length
  };
  struct Request {
    std::string method;
    std::string target;                         ///< as it came: path and query
    std::string path;                           ///< without the query
    std::map<std::string, std::string> headers; ///< names in lower case
    std::string body;
    std::size_t connection = 0; ///< the how-manieth it came on, from 0

    /// Returns a header's value; empty if it did not come. The name is in lower case.
    std::string header(const std::string &name) const {
      const auto found = headers.find(name);
      return found == headers.end() ? std::string() : found->second;
    }
  };
  /// Called before the map; nullopt leaves the response to the map. Called on the connections' threads, one at a time.
  using Handler = std::function<std::optional<Answer>(const Request &)>;

  Origin() { start(); }
  Origin(const Origin &) = delete;
  Origin &operator=(const Origin &) = delete;
  ~Origin() { stop(); }

  std::uint16_t port() const { return port_; }
  /// "http://127.0.0.1:PORT" and the text after it.
  std::string url(const std::string &path = "") const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

  // ------------------------------------------------------------------------------------------------------ the content

  void serve(const std::string &path, Answer answer) {
    const std::lock_guard guard(lock_);
    answers_[path] = std::move(answer);
  }
  /// A body with an etag (as the header has it, with its quotes).
  void serve(const std::string &path, std::string body, const std::string &etag = "") {
    Answer answer;
    answer.body = std::move(body);
    if (!etag.empty()) answer.headers.emplace_back("ETag", etag);
    serve(path, std::move(answer));
  }
  void remove(const std::string &path) {
    const std::lock_guard guard(lock_);
    answers_.erase(path);
  }
  void handle(Handler handler) {
    const std::lock_guard guard(lock_);
    handler_ = std::move(handler);
  }
  /// If true, a Range gets a 206; else a 200 with the whole.
  void ranges(bool on) {
    const std::lock_guard guard(lock_);
    ranges_ = on;
  }

  // ------------------------------------------------------------------------------------------------- what goes wrong

  /// The next `count` requests get this status and nothing else.
  void fail(std::size_t count, unsigned status = 503) {
    const std::lock_guard guard(lock_);
    failures_ = count, failure_ = status;
  }
  /// The connections of the next `count` requests end without a response.
  void drop(std::size_t count) {
    const std::lock_guard guard(lock_);
    drops_ = count;
  }
  /// Requests are taken and counted, but get no response until release(). With a path only those for it.
  void hold(const std::string &path = "") {
    const std::lock_guard guard(lock_);
    held_.insert(path);
  }
  /// Releases every held response and every paused body.
  void release() {
    {
      const std::lock_guard guard(lock_);
      held_.clear();
      ++releases_;
    }
    changed_.notify_all();
  }
  /// Ends every connection and listens no more: it refuses connections. Its content and its counters stay.
  void stop() {
    {
      const std::lock_guard guard(lock_);
      if (listener_ < 0) return;
      stops_ = true;
      ::shutdown(listener_, SHUT_RDWR);
      for (Connection &each : connections_) ::shutdown(each.descriptor, SHUT_RDWR);
    }
    changed_.notify_all();
    acceptor_.join(); // from here on there are no new connections
    for (Connection &each : connections_) {
      each.thread.join();
      ::close(each.descriptor);
    }
    connections_.clear();
    ::close(listener_);
    listener_ = -1;
  }
  /// Listens again after stop(), on the same port.
  void start() {
    stops_ = false;
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    socklen_t size = sizeof address;
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr *>(&address), size) != 0 ||
        ::listen(listener_, 128) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr *>(&address), &size) != 0)
      throw std::runtime_error("the origin cannot listen: " + std::string(std::strerror(errno)));
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  // ----------------------------------------------------------------------------------------------------- the requests

  /// Requests so far, held and failed ones too. An empty method or path stands for all.
  std::size_t count(const std::string &method = "", const std::string &path = "") const {
    const std::lock_guard guard(lock_);
    return counted(method, path);
  }
  std::vector<Request> requests() const {
    const std::lock_guard guard(lock_);
    return requests_;
  }
  Request last() const {
    const std::lock_guard guard(lock_);
    if (requests_.empty()) throw std::runtime_error("the origin was asked nothing");
    return requests_.back();
  }
  /// Connections that were made so far.
  std::size_t connections() const {
    const std::lock_guard guard(lock_);
    return accepted_;
  }
  /// Counts those that the client has ended.
  std::size_t ended() const {
    const std::lock_guard guard(lock_);
    return ended_;
  }
  /// Returns when so many requests have come; false when they have not within 30 seconds.
  bool await(std::size_t requests, const std::string &method = "", const std::string &path = "") const {
    return await_that([&] { return counted(method, path) >= requests; });
  }
  /// Returns when the client has ended so many connections; false as above.
  bool await_ended(std::size_t connections) const {
    return await_that([&] { return ended_ >= connections; });
  }
  /// Forgets the requests counted until now.
  void forget() {
    const std::lock_guard guard(lock_);
    requests_.clear();
  }

private:
  struct Connection {
    int descriptor = -1;
    std::size_t number = 0;
    std::string read = {}; ///< and not yet taken
    std::thread thread = {};
  };

  template <class Condition>
  bool await_that(Condition holds) const {
    std::unique_lock lock(lock_);
    return changed_.wait_for(lock, std::chrono::seconds(30), holds);
  }
  std::size_t counted(const std::string &method, const std::string &path) const {
    return static_cast<std::size_t>(std::count_if(requests_.begin(), requests_.end(), [&](const Request &each) {
      return (method.empty() || each.method == method) && (path.empty() || each.path == path);
    }));
  }

  // ------------------------------------------------------------------------------------------------- the connections

  void accept_all() {
    for (;;) {
      const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) return;
      const int on = 1;
      setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const std::lock_guard guard(lock_);
      if (stops_) {
        ::close(descriptor);
        return;
      }
      Connection &made = connections_.emplace_back();
      made.descriptor = descriptor;
      made.number = accepted_++;
      made.thread = std::thread([this, &made] { talk(made); });
    }
  }

  void talk(Connection &connection) {
    while (std::optional<Request> request = receive(connection)) {
      if (!respond(connection, *request)) break;
    }
    ::shutdown(connection.descriptor, SHUT_RDWR);
    {
      const std::lock_guard guard(lock_);
      ++ended_;
    }
    changed_.notify_all();
  }

  static bool fill(Connection &connection) {
    char buffer[65536];
    const ssize_t got = ::recv(connection.descriptor, buffer, sizeof buffer, 0);
    if (got > 0) connection.read.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }
  static bool send(const Connection &connection, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(connection.descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  static std::optional<std::string> take(Connection &connection, std::size_t size) {
    while (connection.read.size() < size) {
      if (!fill(connection)) return {};
    }
    std::string taken = connection.read.substr(0, size);
    connection.read.erase(0, size);
    return taken;
  }
  /// Up to a line end, without it.
  static std::optional<std::string> line(Connection &connection) {
    std::size_t end;
    while ((end = connection.read.find("\r\n")) == std::string::npos) {
      if (!fill(connection)) return {};
    }
    std::string taken = connection.read.substr(0, end);
    connection.read.erase(0, end + 2);
    return taken;
  }
  static std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  }

  std::optional<Request> receive(Connection &connection) {
    const std::optional<std::string> first = line(connection);
    if (!first) return {};
    Request request;
    request.connection = connection.number;
    const std::size_t method_end = first->find(' '), target_end = first->rfind(' ');
    if (method_end == std::string::npos || target_end <= method_end) return {};
    request.method = first->substr(0, method_end);
    request.target = first->substr(method_end + 1, target_end - method_end - 1);
    request.path = request.target.substr(0, request.target.find('?'));
    for (;;) {
      const std::optional<std::string> field = line(connection);
      if (!field) return {};
      if (field->empty()) break;
      const std::size_t colon = field->find(':');
      if (colon == std::string::npos) return {};
      const std::size_t value = field->find_first_not_of(' ', colon + 1);
      request.headers[lower(field->substr(0, colon))] = value == std::string::npos ? "" : field->substr(value);
    }
    if (!request.header("expect").empty() && !send(connection, "HTTP/1.1 100 Continue\r\n\r\n")) return {};
    const bool chunked = lower(request.header("transfer-encoding")) == "chunked";
    std::optional<std::string> body = chunked ? chunks(connection) : take(connection, length_of(request));
    if (!body) return {};
    request.body = std::move(*body);
    return request;
  }
  static std::size_t length_of(const Request &request) {
    const std::string text = request.header("content-length");
    return text.empty() ? 0 : std::stoull(text);
  }
  static std::optional<std::string> chunks(Connection &connection) {
    std::string body;
    for (;;) {
      const std::optional<std::string> head = line(connection);
      if (!head) return {};
      const std::size_t size = std::stoull(*head, nullptr, 16);
      std::optional<std::string> piece = take(connection, size);
      if (!piece || !line(connection)) return {};
      if (size == 0) return body;
      body += *piece;
    }
  }

  // --------------------------------------------------------------------------------------------------- the responses

  /// Returns true if the connection stays open.
  bool respond(Connection &connection, const Request &request) {
    std::unique_lock lock(lock_);
    requests_.push_back(request);
    changed_.notify_all();
    changed_.wait(lock, [&] { return stops_ || !(held_.contains("") || held_.contains(request.path)); });
    if (stops_) return false;
    if (drops_ > 0) return --drops_, false;
    Answer answer;
    if (failures_ > 0) {
      --failures_;
      answer.status = failure_;
    } else {
      answer = answer_to(request);
    }
    const std::size_t releases = releases_;
    if (answer.late) changed_.wait(lock, [&] { return stops_ || releases_ != releases; });
    if (stops_) return false;
    lock.unlock();
    return send_answer(connection, request, answer, releases);
  }

  bool send_answer(Connection &connection, const Request &request, const Answer &answer, std::size_t releases) {
    std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " Scripted\r\n";
    for (const auto &[name, value] : answer.headers) head += name + ": " + value + "\r\n";
    const bool bare = answer.status == 204 || answer.status == 304;
    if (answer.chunked)
      head += "Transfer-Encoding: chunked\r\n";
    else if (!bare)
      head += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
    if (!send(connection, head + "\r\n")) return false;
    if (request.method == "HEAD" || bare) return true;
    const std::string_view body = answer.body;
    const std::size_t end = std::min(answer.cut.value_or(body.size()), body.size());
    const std::size_t pause = std::min(answer.pause.value_or(end), end);
    if (!send_body(connection, answer, body.substr(0, pause))) return false;
    if (answer.pause) {
      std::unique_lock lock(lock_);
      changed_.wait(lock, [&] { return stops_ || releases_ != releases; });
      if (stops_) return false;
    }
    if (!send_body(connection, answer, body.substr(pause, end - pause)) || answer.cut) return false;
    return !answer.chunked || send(connection, "0\r\n\r\n");
  }
  static bool send_body(const Connection &connection, const Answer &answer, std::string_view bytes) {
    if (!answer.chunked || bytes.empty()) return send(connection, bytes);
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, bytes.size(), 16).ptr;
    return send(connection, std::string(digits, end) + "\r\n") && send(connection, bytes) && send(connection, "\r\n");
  }

  Answer answer_to(const Request &request) {
    if (handler_) {
      if (std::optional<Answer> answer = handler_(request)) return std::move(*answer);
    }
    if (request.method == "PUT") return put(request);
    if (request.method == "DELETE") return plain(answers_.erase(request.path) == 1 ? 200 : 404, "OK");
    if (request.method != "GET" && request.method != "HEAD") return plain(405, "");
    auto found = answers_.find(request.target);
    if (found == answers_.end()) found = answers_.find(request.path);
    if (found != answers_.end()) return read(request, found->second);
    if (request.method == "GET" && request.path.ends_with("/:")) return list(request);
    return plain(404, "KV value not found");
  }
  static Answer plain(unsigned status, const std::string &body) {
    Answer answer;
    answer.status = status;
    answer.body = body;
    return answer;
  }
  Answer put(const Request &request) {
    Answer kept;
    kept.body = request.body;
    kept.headers.emplace_back("ETag", "\"put-" + std::to_string(++puts_) + "\"");
    answers_[request.path] = kept;
    Answer answer = plain(200, "OK");
    answer.headers = kept.headers;
    return answer;
  }
  static std::string header_of(const Answer &answer, std::string_view name) {
    for (const auto &[each, value] : answer.headers) {
      if (lower(each) == name) return value;
    }
    return {};
  }
  Answer read(const Request &request, const Answer &kept) const {
    if (kept.status != 200) return kept;
    const std::string etag = header_of(kept, "etag");
    if (!etag.empty() && request.header("if-none-match").find(etag) != std::string::npos) {
      Answer answer;
      answer.status = 304;
      answer.headers = kept.headers;
      return answer;
    }
    const std::string range = request.header("range");
    return ranges_ && range.starts_with("bytes=") ? part(range.substr(6), kept) : kept;
  }
  /// "FIRST-LAST" or "FIRST-".
  static Answer part(const std::string &range, const Answer &kept) {
    const std::size_t dash = range.find('-'), size = kept.body.size();
    const std::size_t first = std::stoull(range.substr(0, dash));
    Answer answer = kept;
    if (first >= size) {
      answer = plain(416, "");
      answer.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
      return answer;
    }
    const std::size_t last =
        dash + 1 == range.size() ? size - 1 : std::min<std::size_t>(std::stoull(range.substr(dash + 1)), size - 1);
    answer.status = 206;
    answer.body = kept.body.substr(first, last - first + 1);
    answer.headers.emplace_back("Content-Range", "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" +
                                                     std::to_string(size));
    return answer;
  }
  Answer list(const Request &request) const {
    const std::string base = request.path.substr(0, request.path.size() - 1); // with its '/'
    Answer answer;
    answer.headers.emplace_back("Content-Type", "application/json");
    for (const auto &[path, kept] : answers_) {
      if (path.starts_with(base) && path != request.path)
        answer.body += std::string(answer.body.empty() ? "" : ",") + "\"" + path.substr(1) + "\"";
    }
    answer.body = "[" + answer.body + "]";
    return answer;
  }

  mutable std::mutex lock_; // guards all below
  mutable std::condition_variable changed_;
  std::map<std::string, Answer> answers_;
  Handler handler_;
  bool ranges_ = true;
  bool stops_ = false;
  std::size_t failures_ = 0, drops_ = 0, releases_ = 0, puts_ = 0, accepted_ = 0, ended_ = 0;
  unsigned failure_ = 503;
  std::set<std::string> held_;
  std::vector<Request> requests_;
  std::list<Connection> connections_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread acceptor_;
};

} // namespace test
