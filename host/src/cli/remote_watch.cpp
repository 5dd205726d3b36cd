// SPDX-License-Identifier: Apache-2.0
// A running host's events. Where the connection breaks it is made again, and goes on behind the last event.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <spdlog/spdlog.h>

#include "cli/event_parser.hpp"
#include "cli/failure.hpp"
#include "cli/host.hpp"
#include "cli/output.hpp"
#include "cli/remote.hpp"

namespace omnistore::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_pause(250), longest_pause(15'000);

class HostWatch : public Subscription {
public:
  HostWatch(const Global &global, std::string path, EventSink &sink)
      : path_(std::move(path)), sink_(sink), client_(global.url), parser_([this](const Event &event) { take(event); },
                                                                          [this](const std::string &message) {
                                                                            if (!ended()) sink_.limited(message);
                                                                          }) {
    if (!global.token.empty()) authorization_ = "Bearer " + global.token;
    thread_ = std::thread([this] { run(); });
  }
  ~HostWatch() override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    client_.cancel();
    thread_.join();
  }

private:
  void run() {
    try {
      milliseconds pause = first_pause;
      while (!ended()) {
        const std::string why = stream(pause);
        if (ended()) return;
        spdlog::warn("{}; trying again in {}", why, duration_text(pause.count()));
        wait(pause);
        pause = std::min(pause * 2, longest_pause);
      }
    } catch (...) {
      if (!ended()) sink_.failed(std::current_exception());
    }
  }

  /// Watches until the connection ends; why it did. What a new one cannot help against is thrown.
  std::string stream(milliseconds &pause) {
    HttpRequest request{"GET", path_, {{"Accept", "text/event-stream"}}, {}};
    if (!authorization_.empty()) request.headers.emplace_back("Authorization", authorization_);
    if (!parser_.last_id().empty()) request.headers.emplace_back("Last-Event-ID", parser_.last_id());
    parser_.restart();
    HttpAnswer refusal;
    const auto head = [&](const HttpAnswer &answer) {
      refusal.status = answer.status;
      if (answer.status != 200) return;
      if (!answer.header("Content-Type").starts_with("text/event-stream"))
        throw Error(Status::unsupported, "the host at " + client_.host() + " does not tell of changes");
      pause = first_pause;
      if (!connected_) sink_.begun();
      connected_ = true;
    };
    const auto piece = [&](std::string_view part) {
      refusal.status == 200 ? parser_.read(part) : void(refusal.body += part);
    };
    try {
      client_.send(request, head, piece);
      if (refusal.status != 200) throw error_of("watch " + path_, refusal);
      return "the host ended the stream of events";
    } catch (const Error &error) {
      const bool passes = error.status() == Status::unavailable || error.status() == Status::timeout;
      if (passes && connected_) return error.what();
      if (error.status() != Status::unavailable || refusal.status != 0) throw;
      throw Failure(Status::unavailable, error.what(), "see that the host runs; `omnistore serve` starts one");
    }
  }

  void take(const Event &event) {
    if (!ended()) sink_.event(event);
  }

  bool ended() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

  void wait(milliseconds pause) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, pause, [this] { return ended_; });
  }

  const std::string path_;
  EventSink &sink_;
  HttpClient client_;
  EventParser parser_;
  std::string authorization_;
  bool connected_ = false; ///< it was at least once
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;
};

} // namespace

std::unique_ptr<Subscription> watch_host(const Global &global, std::string path, EventSink &sink) {
  return std::make_unique<HostWatch>(global, std::move(path), sink);
}

} // namespace omnistore::cli
