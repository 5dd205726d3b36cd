// SPDX-License-Identifier: Apache-2.0
#include "client.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <exception>
#include <optional>

#include <curl/curl.h>

#include <omnistore/failure.hpp>

#include "base64.hpp"

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

constexpr int MOST_REDIRECTS = 5;
constexpr std::size_t LONGEST_TEXT = 4096; // of an error's body
/// How soon a call that was cancelled is noticed.
constexpr milliseconds LOOK{50};
/// Shorter ones are no secrets, and would be found in every message.
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

void check_fields(const Fields &fields) {
  const auto refuse = [](const std::string &why) {
    throw omnistore::Failure(OMNISTORE_INVALID, "option headers: " + why);
  };
  for (const auto &[name, value] : fields) {
    if (!is_token(name)) refuse("a name of a field is made of letters, digits and '-'");
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != value.npos)
      refuse("the value of " + name + " has a line end or a NUL in it");
    for (const char *ours : {"Connection", "Content-Length", "Expect", "If-None-Match", "Range", "Transfer-Encoding"}) {
      if (equals_ignoring_case(name, ours)) refuse(name + " is set by the driver itself");
    }
  }
}

namespace {

/// Header fields as libcurl takes them.
class List {
public:
  List() = default;
  List(const List &) = delete;
  List &operator=(const List &) = delete;
  ~List() { curl_slist_free_all(first_); }

  /// The first of a name stands.
  void add(const std::string &name, const std::string &value) {
    for (const curl_slist *each = first_; each; each = each->next) {
      const std::string_view line = each->data;
      if (equals_ignoring_case(line.substr(0, line.find_first_of(":;")), name)) return;
    }
    append(value.empty() ? name + ";" : name + ": " + value); // "Name;" sends the field without a value
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

/// What libcurl's callbacks work on. An exception must not cross libcurl: it waits here until the transfer has ended.
struct Transfer {
  Answer &answer;
  const Take &take;
  Body *body;
  bool has_body = false; ///< a byte of the body has come: what looks like a head now is a trailer
  bool enough = false;
  std::exception_ptr failed = {};

  template <class F>
  std::size_t guarded(std::size_t on_failure, F run) noexcept {
    try {
      return run();
    } catch (...) {
      failed = std::current_exception();
      return on_failure;
    }
  }

  static std::size_t head(char *data, std::size_t, std::size_t size, void *self) noexcept {
    auto &transfer = *static_cast<Transfer *>(self);
    return transfer.guarded(0, [&] {
      if (!transfer.has_body) read_line(transfer.answer, {data, size});
      return size;
    });
  }
  static std::size_t receive(char *data, std::size_t, std::size_t size, void *self) noexcept {
    auto &transfer = *static_cast<Transfer *>(self);
    return transfer.guarded(0, [&]() -> std::size_t {
      Answer &so_far = transfer.answer;
      transfer.has_body = true;
      if (so_far.good()) {
        transfer.enough = !transfer.take(so_far, {data, size});
        return transfer.enough ? 0 : size;
      }
      if (so_far.status >= 400) so_far.text.append(data, std::min(size, LONGEST_TEXT - so_far.text.size()));
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
  static int seek(void *self, curl_off_t offset, int origin) noexcept {
    const bool again = offset == 0 && origin == SEEK_SET && static_cast<Transfer *>(self)->body->rewind();
    return again ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
  }
};

void set_up(Handle &handle, const std::string &url, const Ask &ask, const List &list, Transfer &transfer) {
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
  if (std::strcmp(ask.method, "HEAD") == 0) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (ask.body) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::send);
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &Transfer::seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
    const std::uint64_t size = ask.body->size();
    const bool known = size != OMNISTORE_UNKNOWN_SIZE;
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, known ? static_cast<curl_off_t>(size) : curl_off_t{-1});
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, ask.method);
}

/// Runs what was set up; nullopt: the call's time is up.
std::optional<CURLcode> perform(Handle &handle, omnistore::Call call) {
  if (curl_multi_add_handle(handle.multi, handle.easy) != CURLM_OK) return CURLE_FAILED_INIT;
  std::optional<CURLcode> result;
  for (;;) {
    int running = 0;
    const CURLMcode moved = curl_multi_perform(handle.multi, &running);
    if (moved != CURLM_OK) {
      result = moved == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_FAILED_INIT;
      break;
    }
    if (running == 0) {
      int left = 0;
      const CURLMsg *message = curl_multi_info_read(handle.multi, &left);
      result = message ? message->data.result : CURLE_FAILED_INIT;
      break;
    }
    const std::int64_t remaining = call.remaining();
    if (remaining <= 0) break;
    const auto wait = static_cast<int>(std::min<std::int64_t>(remaining, LOOK.count()));
    curl_multi_poll(handle.multi, nullptr, 0, wait, nullptr);
  }
  curl_multi_remove_handle(handle.multi, handle.easy);
  return result;
}

bool is_redirect(int status) { return status == 301 || status == 302 || status == 307 || status == 308; }

/// Whether to ask at `answer`'s Location in its place: a write is not made a read, as 303 says.
bool leads_on(const Ask &ask, const Answer &answer) {
  return is_redirect(answer.status) || (answer.status == 303 && std::strcmp(ask.method, "GET") == 0);
}

std::string in_words(Handle &handle, CURLcode code) {
  std::string words = handle.error[0] ? handle.error : curl_easy_strerror(code);
  long number = 0;
  curl_easy_getinfo(handle.easy, CURLINFO_OS_ERRNO, &number);
  if (code == CURLE_COULDNT_CONNECT && number != 0)
    words += " (" + std::string(std::strerror(static_cast<int>(number))) + ")";
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

Client::Client(Base base, Fields fields, Limits limits)
    : base_(std::move(base)), server_(server_of(base_.url)), fields_(std::move(fields)), limits_(limits) {
  check_fields(fields_);
  const auto keep = [this](std::string_view secret) {
    if (secret.size() >= SHORTEST_SECRET) secrets_.emplace_back(secret);
  };
  keep(base_.password);
  if (base_.has_login) keep(to_base64(base_.user + ":" + base_.password)); // as the server is told them
  for (const auto &[name, value] : fields_) {
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
    returned_.wait_for(lock, LOOK);
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

Answer Client::run(omnistore::Call call, const Ask &ask, const Take &take) {
  const auto end = Clock::now() + limits_.timeout;
  const Lease lease(*this, call, end);
  Handle &handle = *lease;
  std::string url = base_.url + ask.path;
  for (int redirects = 0;; ++redirects) {
    const Answer answer = once(call, handle, url, ask, take, end);
    if (!leads_on(ask, answer)) return answer;
    const char *next = nullptr;
    curl_easy_getinfo(handle.easy, CURLINFO_REDIRECT_URL, &next);
    if (!next || server_of(next).empty()) return answer;
    if (redirects == MOST_REDIRECTS)
      throw omnistore::Failure(OMNISTORE_UNAVAILABLE,
                               base_.shown + ": more than " + std::to_string(MOST_REDIRECTS) + " redirects");
    if (ask.body && !ask.body->rewind())
      throw omnistore::Failure(OMNISTORE_UNSUPPORTED,
                               base_.shown + ": a redirect would need the value again, and it was streamed");
    url = next;
  }
}

Answer Client::once(omnistore::Call call, Handle &handle, const std::string &url, const Ask &ask, const Take &take,
                    Clock::time_point end) {
  const bool at_home = server_of(url) == server_; // what is secret goes nowhere else
  List list;
  list.leave_out("Expect");
  if (at_home) {
    for (const auto &[name, value] : fields_) list.add(name, value);
    if (!call.trace().empty()) list.add("traceparent", std::string(call.trace()));
  }
  for (const auto &[name, value] : ask.fields) list.add(name, value);
  Answer answer;
  Transfer transfer{answer, take, ask.body};
  set_up(handle, url, ask, list, transfer);
  if (at_home && base_.has_login) {
    curl_easy_setopt(handle.easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    curl_easy_setopt(handle.easy, CURLOPT_USERNAME, base_.user.c_str());
    curl_easy_setopt(handle.easy, CURLOPT_PASSWORD, base_.password.c_str());
  }
  const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
  curl_easy_setopt(handle.easy, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, left.count())));
  curl_easy_setopt(handle.easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect_timeout.count()));

  const std::optional<CURLcode> code = perform(handle, call);
  if (transfer.failed) std::rethrow_exception(transfer.failed);
  if (ask.body && ask.body->failure() != OMNISTORE_OK) throw omnistore::Failure(ask.body->failure(), ask.body->why());
  curl_off_t connected = 0; // the time it took; 0: it was not done, so that the server knows nothing of the request
  curl_easy_getinfo(handle.easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
  const omnistore::FailureDetails details{connected == 0, 0};
  if (!code) throw omnistore::Failure(call.late(), base_.shown + ": no whole answer came in time", details);
  // A server that refuses a body may end the connection before it was sent.
  const bool refused_early =
      ask.body && answer.status >= 400 && (*code == CURLE_SEND_ERROR || *code == CURLE_RECV_ERROR);
  if (*code == CURLE_OK || transfer.enough || refused_early) return answer;
  const bool connecting = *code == CURLE_OPERATION_TIMEDOUT && connected == 0;
  throw omnistore::Failure(connecting ? OMNISTORE_UNAVAILABLE : status_of(*code),
                           base_.shown + ": " + without_secrets(in_words(handle, *code)), details);
}

omnistore::Failure Client::refused(const Ask &ask, const Answer &answer) const {
  const bool write = std::strcmp(ask.method, "GET") != 0 && std::strcmp(ask.method, "HEAD") != 0;
  return {http::status_of(answer.status, write),
          base_.shown + " answered " + ask.method + " with " + without_secrets(words_of(answer)),
          {changed_nothing(answer.status), answer.told_retry_after(std::time(nullptr) * std::int64_t{1000})}};
}

std::string Client::without_secrets(std::string text) const {
  for (const std::string &secret : secrets_) {
    for (std::size_t at = 0; (at = text.find(secret, at)) != text.npos;) text.replace(at, secret.size(), "***");
  }
  return text;
}

} // namespace http
