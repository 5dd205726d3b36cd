// SPDX-License-Identifier: Apache-2.0
#include "transport/client.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <exception>
#include <optional>

#include <curl/curl.h>

#include <omnistore/failure.hpp>
#include <omnistore/pem_file.hpp>

#include "transport/base64.hpp"

namespace http {

/// One of libcurl's transfers and the connection that it keeps.
struct Handle {
  CURL *easy = curl_easy_init();
  CURLM *multi = curl_multi_init();
  char error[CURL_ERROR_SIZE] = "";

  Handle() {
    if (!easy || !multi) {
      destroy();
      throw std::bad_alloc();
    }
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 1L);
  }
  Handle(const Handle &) = delete;
  Handle &operator=(const Handle &) = delete;
  ~Handle() { destroy(); }

private:
  void destroy() {
    if (easy) curl_easy_cleanup(easy);
    if (multi) curl_multi_cleanup(multi);
  }
};

namespace {

using std::chrono::steady_clock;

constexpr int MOST_REDIRECTS = 5;
constexpr std::size_t LONGEST_TEXT = 64 * 1024; // of an error's body
/// A call that was cancelled is noticed so soon.
constexpr milliseconds POLL_INTERVAL{50};
/// A shorter text is no secret, and would be found in every message.
constexpr std::size_t SHORTEST_SECRET = 4;

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool is_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c <= '~' && std::string_view("\"(),/:;<=>?@[\\]{}").find(c) == std::string_view::npos;
  });
}

} // namespace

void check_headers(const Headers &headers) {
  const auto refuse = [](const std::string &why) {
    throw omnistore::Failure(OMNISTORE_INVALID, "option headers: " + why);
  };
  for (const auto &[name, value] : headers) {
    if (!is_token(name)) refuse("the name of a header is made of letters, digits and '-'");
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != value.npos)
      refuse("the value of " + name + " has a line end or a NUL in it");
    for (const char *ours : {"Connection", "Content-Length", "Expect", "If-None-Match", "Range", "Transfer-Encoding"}) {
      if (equals_ignoring_case(name, ours)) refuse(name + " is set by the driver itself");
    }
  }
}

namespace {

/// Header headers as libcurl takes them.
class List {
public:
  List() = default;
  List(const List &) = delete;
  List &operator=(const List &) = delete;
  ~List() { curl_slist_free_all(first_); }

  /// Adds a header, unless there is one of this name already.
  void add(const std::string &name, const std::string &value) {
    for (const curl_slist *each = first_; each; each = each->next) {
      const std::string_view line = each->data;
      if (equals_ignoring_case(line.substr(0, line.find_first_of(":;")), name)) return;
    }
    append(value.empty() ? name + ";" : name + ": " + value); // "Name;" sends the header without a value
  }
  void leave_out(const std::string &name) { append(name + ":"); }
  curl_slist *get() const { return first_; }

private:
  void append(const std::string &line) {
    curl_slist *longer = curl_slist_append(first_, line.c_str());
    if (!longer) throw std::bad_alloc();
    first_ = longer;
  }
  curl_slist *first_ = nullptr;
};

/// The state that libcurl's callbacks work on. An exception must not cross libcurl: it waits here until the transfer
/// has ended.
struct Transfer {
  Response &response;
  const Take &take;
  Body *body;
  int failing;                                          ///< the least status whose text is kept
  steady_clock::time_point moved = steady_clock::now(); ///< when the last byte moved
  bool has_body = false; ///< a byte of the body has come: what looks like a head now is a trailer
  bool enough = false;
  std::exception_ptr failed = {};

  template <class F>
  std::size_t guarded(std::size_t on_failure, F run) noexcept {
    try {
      const std::size_t result = run();
      moved = steady_clock::now(); // the time that `run` waited for its other side does not count
      return result;
    } catch (...) {
      failed = std::current_exception();
      return on_failure;
    }
  }

  static std::size_t head(char *data, std::size_t, std::size_t size, void *self) noexcept {
    auto &transfer = *static_cast<Transfer *>(self);
    return transfer.guarded(0, [&] {
      if (!transfer.has_body) read_line(transfer.response, {data, size});
      return size;
    });
  }
  static std::size_t receive(char *data, std::size_t, std::size_t size, void *self) noexcept {
    auto &transfer = *static_cast<Transfer *>(self);
    return transfer.guarded(0, [&]() -> std::size_t {
      Response &so_far = transfer.response;
      transfer.has_body = true;
      if (so_far.good()) {
        transfer.enough = !transfer.take(so_far, {data, size});
        return transfer.enough ? 0 : size;
      }
      if (so_far.status >= transfer.failing)
        so_far.text.append(data, std::min(size, LONGEST_TEXT - so_far.text.size()));
      return size;
    });
  }
  static std::size_t send(char *buffer, std::size_t, std::size_t capacity, void *self) noexcept {
    auto &transfer = *static_cast<Transfer *>(self);
    return transfer.guarded(CURL_READFUNC_ABORT, [&]() -> std::size_t {
      std::size_t count = 0;
      return transfer.body->read(buffer, capacity, count) ? count : CURL_READFUNC_ABORT;
    });
  }
  static int no_seek(void *, curl_off_t, int) noexcept { return CURL_SEEKFUNC_FAIL; }
  static int seek(void *self, curl_off_t offset, int origin) noexcept {
    const bool again = offset == 0 && origin == SEEK_SET && static_cast<Transfer *>(self)->body->rewind();
    return again ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
  }
};

void set_up(Handle &handle, const std::string &url, const Request &request, const List &list, Transfer &transfer) {
  CURL *easy = handle.easy;
  curl_easy_reset(easy);
  handle.error[0] = '\0';
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle.error);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::head);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::receive);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  if (std::strcmp(request.method, "HEAD") == 0) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (request.body) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::send);
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, request.once ? &Transfer::no_seek : &Transfer::seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
    const std::uint64_t size = request.body->size();
    const bool known = size != OMNISTORE_UNKNOWN_SIZE;
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, known ? static_cast<curl_off_t>(size) : curl_off_t{-1});
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method);
}

/// Moves the bytes that are there. Returns the transfer's result if it has ended.
std::optional<CURLcode> advance(Handle &handle) {
  int running = 0;
  const CURLMcode moved = curl_multi_perform(handle.multi, &running);
  if (moved != CURLM_OK) return moved == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_FAILED_INIT;
  if (running != 0) return std::nullopt;
  int left = 0;
  const CURLMsg *message = curl_multi_info_read(handle.multi, &left);
  return message ? message->data.result : CURLE_FAILED_INIT;
}

bool is_redirect(int status) { return status == 301 || status == 302 || status == 307 || status == 308; }

/// Returns true if the request is to be sent to the response's Location: 303 would make a write a read.
bool leads_on(const Request &request, const Response &response) {
  return is_redirect(response.status) || (response.status == 303 && std::strcmp(request.method, "GET") == 0);
}

std::string in_words(Handle &handle, CURLcode code) {
  std::string words = handle.error[0] ? handle.error : curl_easy_strerror(code);
  long number = 0;
  curl_easy_getinfo(handle.easy, CURLINFO_OS_ERRNO, &number);
  if (code == CURLE_COULDNT_CONNECT && number != 0)
    words += " (" + std::string(std::strerror(static_cast<int>(number))) + ")";
  if (words.find("wrong version number") != words.npos)
    return "the server speaks no TLS on this port; set the option with its address to http://, or to its port for "
           "https";
  if (words.find("self-signed certificate") != words.npos || words.find("local issuer certificate") != words.npos)
    words += "; set the option ca to a file with the certificate of the authority that signed it";
  return words;
}

omnistore_status status_of(CURLcode code) {
  switch (code) {
  case CURLE_OUT_OF_MEMORY:
    return OMNISTORE_NO_SPACE;
  case CURLE_OPERATION_TIMEDOUT:
    return OMNISTORE_TIMEOUT;
  case CURLE_URL_MALFORMAT:
  case CURLE_UNSUPPORTED_PROTOCOL:
    return OMNISTORE_INVALID;
  case CURLE_FAILED_INIT:
    return OMNISTORE_INTERNAL;
  default:
    return OMNISTORE_UNAVAILABLE;
  }
}

} // namespace

/// One request to one server on its way: its headers, its handle and its response so far.
class Exchange {
public:
  Exchange(const Client &client, Handle &handle, std::string_view trace, const std::string &url, const Request &request,
           const Take &take, milliseconds timeout)
      : client_(client),
        handle_(handle), transfer_{response_, take, request.body, client.limits_.redirects ? 400 : 300} {
    const bool at_home = server_of(url) == client.server_; // secrets go to no other server
    list_.leave_out("Expect");
    if (at_home) {
      for (const auto &[name, value] : client.headers_) list_.add(name, value);
      if (!trace.empty()) list_.add("traceparent", std::string(trace));
    }
    for (const auto &[name, value] : request.headers) list_.add(name, value);
    set_up(handle, url, request, list_, transfer_);
    if (at_home && client.base_.has_login) {
      curl_easy_setopt(handle.easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
      curl_easy_setopt(handle.easy, CURLOPT_USERNAME, client.base_.user.c_str());
      curl_easy_setopt(handle.easy, CURLOPT_PASSWORD, client.base_.password.c_str());
    }
    if (at_home && !client.base_.socket.empty())
      curl_easy_setopt(handle.easy, CURLOPT_UNIX_SOCKET_PATH, client.base_.socket.c_str());
    if (!client.limits_.ca.empty()) curl_easy_setopt(handle.easy, CURLOPT_CAINFO, client.limits_.ca.c_str());
    if (at_home && !client.limits_.certificate.empty()) {
      curl_easy_setopt(handle.easy, CURLOPT_SSLCERT, client.limits_.certificate.c_str());
      curl_easy_setopt(handle.easy, CURLOPT_SSLKEY, client.limits_.key.c_str());
    }
    curl_easy_setopt(handle.easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(client.limits_.connect_timeout.count()));
    curl_easy_setopt(handle.easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count())); // 0: none
    if (curl_multi_add_handle(handle.multi, handle.easy) != CURLM_OK)
      throw omnistore::Failure(OMNISTORE_INTERNAL, "libcurl cannot begin a transfer");
  }
  Exchange(const Exchange &) = delete;
  Exchange &operator=(const Exchange &) = delete;
  ~Exchange() { curl_multi_remove_handle(handle_.multi, handle_.easy); }

  /// Moves the bytes that are there, and waits at most `wait` for more. Returns the result if the transfer has ended.
  std::optional<CURLcode> step(milliseconds wait) {
    if (!result_) result_ = advance(handle_);
    if (result_) return result_;
    if (steady_clock::now() - transfer_.moved >= client_.limits_.idle_timeout) return CURLE_OPERATION_TIMEDOUT;
    curl_multi_poll(handle_.multi, nullptr, 0, static_cast<int>(wait.count()), nullptr);
    return std::nullopt;
  }
  void wake() { curl_multi_wakeup(handle_.multi); }

  /// Returns if the response is whole; else throws. nullopt: the call's time was up before the transfer ended.
  void check(std::optional<CURLcode> code, omnistore_status late) const {
    if (transfer_.failed) std::rethrow_exception(transfer_.failed);
    const Body *const body = transfer_.body;
    if (body && body->failure() != OMNISTORE_OK) throw omnistore::Failure(body->failure(), body->why());
    curl_off_t connected = 0; // how long that took; 0: it was not done, and the server knows nothing of the request
    curl_easy_getinfo(handle_.easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    const omnistore::FailureDetails details{connected == 0, 0};
    const std::string &shown = client_.base_.shown;
    if (!code) throw omnistore::Failure(late, shown + ": no whole response came in time", details);
    // A server that refuses a body may end the connection before it was sent.
    const bool refused_early =
        body && response_.status >= 400 && (*code == CURLE_SEND_ERROR || *code == CURLE_RECV_ERROR);
    if (*code == CURLE_OK || transfer_.enough || refused_early) return;
    const bool connecting = *code == CURLE_OPERATION_TIMEDOUT && connected == 0;
    throw omnistore::Failure(connecting ? OMNISTORE_UNAVAILABLE : status_of(*code),
                             shown + ": " + client_.without_secrets(in_words(handle_, *code)), details);
  }
  const Response &response() const { return response_; }

private:
  const Client &client_;
  Handle &handle_;
  List list_;
  Response response_;
  Transfer transfer_;
  std::optional<CURLcode> result_; ///< of the transfer, if it has ended
};

/// A handle for the time of a request.
class Client::Lease {
public:
  Lease(Client &client, omnistore::Call call, Clock::time_point end)
      : client_(client), handle_(client.lease(call, end)) {}
  Lease(const Lease &) = delete;
  Lease &operator=(const Lease &) = delete;
  ~Lease() { client_.give_back(std::move(handle_)); }
  Handle &operator*() const { return *handle_; }

private:
  Client &client_;
  std::unique_ptr<Handle> handle_;
};

void check_tls_files(const Limits &limits) {
  const auto check = [](const char *option, const std::string &file, omnistore::Pem wanted) {
    if (const std::string why = file.empty() ? file : omnistore::pem_problem(file, wanted); !why.empty())
      throw omnistore::Failure(OMNISTORE_INVALID, "option " + std::string(option) + ": " + file + ": " + why);
  };
  check("ca", limits.ca, omnistore::Pem::certificate);
  check("certificate", limits.certificate, omnistore::Pem::certificate);
  check("key", limits.key, omnistore::Pem::key);
}

Client::Client(Base base, Headers headers, Limits limits)
    : base_(std::move(base)), server_(server_of(base_.url)), headers_(std::move(headers)), limits_(limits) {
  check_headers(headers_);
  check_tls_files(limits_);
  const auto keep = [this](std::string_view secret) {
    if (secret.size() >= SHORTEST_SECRET) secrets_.emplace_back(secret);
  };
  keep(base_.password);
  if (base_.has_login) keep(to_base64(base_.user + ":" + base_.password)); // the form that the server gets
  for (const auto &[name, value] : headers_) {
    keep(value);
    if (const std::size_t space = value.find(' '); space != value.npos) keep(value.substr(space + 1)); // "Bearer ..."
  }
  idle_.reserve(limits_.connections); // so that giving one back cannot fail
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    throw omnistore::Failure(OMNISTORE_INTERNAL, "libcurl cannot be started");
}

Client::~Client() {
  idle_.clear();
  curl_global_cleanup();
}

std::unique_ptr<Handle> Client::lease(omnistore::Call call, Clock::time_point end) {
  std::unique_lock lock(lock_);
  while (leased_ == limits_.connections) {
    if (Clock::now() >= end || call.remaining() <= 0)
      throw omnistore::Failure(call.late(),
                               base_.shown + ": all of the " + std::to_string(limits_.connections) +
                                   " connections stayed in use",
                               omnistore::nothing_done);
    returned_.wait_for(lock, POLL_INTERVAL);
  }
  ++leased_;
  if (!idle_.empty()) {
    // The one used last: its connection is the least likely to have been closed by the server.
    std::unique_ptr<Handle> handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
  }
  lock.unlock();
  try {
    return std::make_unique<Handle>();
  } catch (...) {
    give_back(nullptr);
    throw;
  }
}

void Client::give_back(std::unique_ptr<Handle> handle) {
  {
    const std::lock_guard guard(lock_);
    --leased_;
    if (handle) idle_.push_back(std::move(handle));
  }
  returned_.notify_one();
}

Response Client::run(omnistore::Call call, const Request &request, const Take &take) {
  const auto end = Clock::now() + limits_.timeout;
  const Lease lease(*this, call, end);
  Handle &handle = *lease;
  std::string url = base_.url + request.path;
  for (int redirects = 0;; ++redirects) {
    const Response response = once(call, handle, url, request, take, end);
    if (!limits_.redirects || !leads_on(request, response)) return response;
    const char *next = nullptr;
    curl_easy_getinfo(handle.easy, CURLINFO_REDIRECT_URL, &next);
    if (!next || server_of(next).empty()) return response;
    if (redirects == MOST_REDIRECTS)
      throw omnistore::Failure(OMNISTORE_UNAVAILABLE,
                               base_.shown + ": more than " + std::to_string(MOST_REDIRECTS) + " redirects");
    if (request.body && !request.body->rewind())
      throw omnistore::Failure(OMNISTORE_UNSUPPORTED,
                               base_.shown + ": a redirect would need the value again, and it was streamed");
    url = next;
  }
}

Response Client::once(omnistore::Call call, Handle &handle, const std::string &url, const Request &request,
                      const Take &take, Clock::time_point end) {
  const auto left = std::max(std::chrono::ceil<milliseconds>(end - Clock::now()), milliseconds(1));
  Exchange exchange(*this, handle, call.trace(), url, request, take, left);
  std::optional<CURLcode> code;
  for (std::int64_t remaining = 1; !code && remaining > 0;) {
    remaining = call.remaining();
    code = exchange.step(milliseconds(std::clamp<std::int64_t>(remaining, 0, POLL_INTERVAL.count())));
  }
  exchange.check(code, code ? OMNISTORE_OK : call.late());
  return exchange.response();
}

std::size_t Client::longest_words() const { return limits_.is_omnistore ? LONGEST_HOST_WORDS : LONGEST_WORDS; }

/// An Omnistore host sends 500 if the medium failed or the value is corrupt. Another server's 500 may be gone soon.
omnistore_status Client::kind_of(int status, bool write) const {
  return status == 500 && limits_.is_omnistore ? OMNISTORE_IO : http::status_of(status, write);
}

omnistore::Failure Client::refused(const Request &request, const Response &response) const {
  const bool write = std::strcmp(request.method, "GET") != 0 && std::strcmp(request.method, "HEAD") != 0;
  // After too many wrong tokens 429 means what 401 does.
  const bool denied = response.status == 429 && !response.challenge.empty();
  return {denied ? OMNISTORE_DENIED : kind_of(response.status, write),
          base_.shown + " responded to " + request.method + " with " +
              without_secrets(words_of(response, longest_words())),
          {changed_nothing(response.status), response.retry_delay(std::time(nullptr) * std::int64_t{1000})}};
}

omnistore::Failure Client::refused(const Request &request, int status, const std::string &message) const {
  Response response;
  response.status = status;
  std::string words = words_of(response);
  if (const std::string part = message_part(message, longest_words()); !part.empty()) words += ": " + part;
  return {kind_of(status, true),
          base_.shown + " responded to " + request.method + " with " + without_secrets(std::move(words)),
          {changed_nothing(status), 0}};
}

std::string Client::without_secrets(std::string text) const {
  for (const std::string &secret : secrets_) {
    for (std::size_t at = 0; (at = text.find(secret, at)) != text.npos;) text.replace(at, secret.size(), "***");
  }
  return text;
}

Stream::Stream(const Client &client, std::string_view trace, Request request, Take take)
    : request_(std::move(request)), take_(std::move(take)), handle_(std::make_unique<Handle>()),
      exchange_(std::make_unique<Exchange>(client, *handle_, trace, client.base().url + request_.path, request_, take_,
                                           milliseconds(0))) {}

Stream::~Stream() = default;

bool Stream::step(milliseconds wait) {
  const std::optional<CURLcode> code = exchange_->step(wait);
  if (code) exchange_->check(code, OMNISTORE_TIMEOUT);
  return !code;
}

void Stream::wake() { exchange_->wake(); }

const Response &Stream::response() const { return exchange_->response(); }

} // namespace http
