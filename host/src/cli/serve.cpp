// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/first_process.hpp"
#include "cli/log.hpp"
#include "cli/output.hpp"
#include "cli/stop_signals.hpp"
#include "config/draft.hpp"
#include "service/check_config.hpp"
#include "service/config_watch.hpp"
#include "service/secrets.hpp"
#include "service/server.hpp"
#include "service/supervisor.hpp"
#include "storage/watchdog.hpp"

namespace omnistore::cli {
namespace {

/// Returns true if the config is a file or may become one, and not a pipe or the terminal.
bool can_change(const std::string &file) {
  std::error_code failed;
  return std::filesystem::is_regular_file(file, failed) || !std::filesystem::exists(file, failed);
}

void keep_all_secrets(const Config &config, loader::Registry &registry) {
  for (std::string &secret : service::secrets_of(config, registry)) keep_secret(std::move(secret));
}

/// A config that is no file. No profile is chosen by the environment.
Draft read_text(const std::string &text) {
  return parse_draft(text, {}, {}, [](const std::string &name) -> std::optional<std::string> {
    const char *value = name == "OMNISTORE_PROFILE" ? nullptr : std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  });
}

Draft load_again(const std::string &file, const Global &global) {
  if (!can_change(file))
    throw Error(Status::unsupported, "reload: the config came through " + file + ", which cannot be read again");
  return load_draft(file, global.profile);
}

void reload(service::Reloader &reloader, std::string_view why) {
  try {
    // The file is read no more until it changes again: this waits for other changes as long as they take.
    reloader.reload(why, {.patience = std::chrono::milliseconds(-1)});
  } catch (const std::exception &) {
    // The log says why, and nothing has changed.
  }
}

void announce(const Global &global, const Config &config, const std::string &name, const std::string &http,
              const std::string &admin, const std::string &page) {
  Output out;
  if (global.json) {
    out.json(boost::json::object{{"config", name}, {"http", http}, {"admin", admin}, {"page", page}});
  } else if (!global.quiet) {
    const std::string program = global.program + " --url " + http;
    out.line("Omnistore serves " + base::printable(name) +
             (config.profile.empty() ? "" : ", profile " + config.profile));
    if (!http.empty()) out.line("  data   " + http);
    if (!admin.empty()) out.line("  admin  " + admin);
    if (!page.empty()) out.line("  page   " + page + "  (logs a browser in once, within ten minutes)");
    if (!http.empty()) {
      out.line("Try");
      out.line("  " + program + " set greeting 'Hello, world'");
      out.line("  " + program + " ls");
      out.line("  curl " + http + "/greeting");
    }
  }
  try {
    out.flush();
  } catch (const ClosedPipe &) {
    spdlog::debug("nobody reads standard output"); // the host serves all the same
  } catch (const Error &error) {
    spdlog::warn("{}; the host serves all the same: data {}, admin {}", error.what(), http.empty() ? "off" : http,
                 admin.empty() ? "off" : admin);
  }
}

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int cut_off = 6; // the exit code of a stop that was not whole

/// Runs a function that may never return on a thread of its own.
class Aside {
public:
  explicit Aside(std::function<bool()> function) : state_(std::make_shared<State>()) {
    std::thread([state = state_, function = std::move(function)] {
      state->result = function();
      state->done.set_value();
    }).detach();
  }
  /// Returns true if the function has returned by then.
  bool by(Clock::time_point deadline) const { return ended_.wait_until(deadline) == std::future_status::ready; }
  /// Returns its result.
  bool result() const { return state_->result; }

private:
  struct State {
    std::promise<void> done;
    bool result = false;
  };
  const std::shared_ptr<State> state_;
  const std::shared_future<void> ended_ = state_->done.get_future().share();
};

/// Logs what a stop waits for.
void log_waiting(const service::Server &server) {
  if (const std::uint64_t open = server.connections(); open != 0)
    spdlog::warn("stopping: waits for {} {}", open, open == 1 ? "connection" : "connections");
  for (const Watchdog::Running &call : Watchdog::shared()->running([](const auto &) { return true; }))
    spdlog::warn("stopping: waits for {} (mount {}, driver {}), which has run for {}{}", call.operation,
                 base::printable(call.mount), call.driver, seconds_text(call.age),
                 call.waits_for_client ? " and waits for its client" : "");
}

/// Ends a process whose stop is not whole: threads are left that hang in drivers and cannot be joined.
[[noreturn]] void leave() {
  spdlog::warn("stopped before everything had ended");
  spdlog::default_logger()->flush();
  ::_exit(cut_off);
}

/// Stops within the config's stopTimeout, and returns the exit code; does not return if something hangs longer.
int stop(service::Server &server, std::optional<service::ConfigWatch> &watch, Storage &storage, milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  const milliseconds for_stores = std::min(limit / 4, milliseconds(2000));
  const auto serving_ends = deadline - for_stores;
  // The thread outlives this function only if the process ends by leave().
  const Aside serving([&] { return server.stop((limit - for_stores) * 9 / 10); });
  bool whole = true;
  if (!serving.by(std::min(serving_ends, Clock::now() + milliseconds(1000)))) {
    log_waiting(server);
    whole = serving.by(serving_ends);
  }
  const bool finished = whole && serving.result();
  if (whole) { // else a request may be in the middle of a reload, which uses the watch
    const Aside watching([&] {
      watch.reset(); // it may be in the middle of a reload, too
      return true;
    });
    whole = watching.by(deadline - for_stores / 2);
  }
  const auto left = storage.close(std::max(std::chrono::ceil<milliseconds>(deadline - Clock::now()), milliseconds(1)));
  for (const DrainingStore &store : left)
    spdlog::warn("stopping: the store at {} (driver {}) is not closed; it waits for {}",
                 store.mountpoint.empty() ? "the root" : base::printable(store.mountpoint), store.driver,
                 store.waits_for());
  if (!whole && !serving.by(Clock::now())) log_waiting(server);
  if (!whole || !left.empty()) leave();
  return finished ? 0 : cut_off;
}

/// While a host starts, a signal to stop ends it at once: nothing was served yet, and a store may hang in its open.
class Starting {
public:
  Starting() : thread_([this] { run(); }) {}
  ~Starting() { end(); }
  Starting(const Starting &) = delete;
  Starting &operator=(const Starting &) = delete;
  /// Returns true if SIGHUP came.
  bool end() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(ended_, &one, sizeof one);
    if (thread_.joinable()) thread_.join();
    if (ended_ >= 0) ::close(std::exchange(ended_, -1));
    return hangup_;
  }

private:
  void run() {
    for (int signal = 0; (signal = wait_for_stop(ended_)) != 0;) {
      if (signal == SIGHUP) {
        hangup_ = true;
        continue;
      }
      spdlog::warn("{} while the host starts", signal == SIGINT ? "SIGINT" : "SIGTERM");
      for (const Watchdog::Running &call : Watchdog::shared()->running([](const auto &) { return true; }))
        spdlog::warn("starting: {} (mount {}, driver {}) has run for {}", call.operation, base::printable(call.mount),
                     call.driver, seconds_text(call.age));
      spdlog::default_logger()->flush();
      ::_exit(128 + signal);
    }
  }

  int ended_ = ::eventfd(0, EFD_CLOEXEC);
  bool hangup_ = false;
  std::thread thread_;
};

/// The files that the config named when it was last read, such as /run/secrets/x, and those of its listeners.
/// Thread-safe.
class SecretFiles {
public:
  void set(const Draft &draft) {
    const std::lock_guard lock(mutex_);
    paths_.clear();
    for (const auto &[path, text] : draft.files) paths_.push_back(path);
    for (const HttpConfig *listener : {&draft.config.http, &draft.config.admin})
      for (const std::string *file :
           {&listener->tls.certificate, &listener->tls.key, &listener->tls.client_ca, &listener->token_file})
        if (!file->empty()) paths_.push_back(*file);
  }
  std::vector<std::string> paths() const {
    const std::lock_guard lock(mutex_);
    return paths_;
  }

private:
  mutable std::mutex mutex_;
  std::vector<std::string> paths_;
};

/// A lock file is watched as the plugins are: both decide which of them are loaded.
service::WatchedPaths watched_paths(const std::string &config, const loader::Registry &plugins,
                                    std::vector<std::string> secrets) {
  service::WatchedPaths paths{config, plugins.searched(), std::move(secrets)};
  if (const std::string lock = plugins.lock(); !lock.empty()) paths.plugins.push_back(lock);
  return paths;
}

/// Takes the sockets that the service manager opened for the listeners.
service::Sockets take_sockets(service::Supervisor &supervisor) {
  const std::vector<std::string_view> names{"http", "admin"};
  service::Sockets sockets;
  sockets.http = supervisor.take_socket(names[0], names);
  sockets.admin = supervisor.take_socket(names[1], names);
  for (const std::string &name : supervisor.unused_sockets())
    spdlog::warn("the socket {} that was passed to this process is for no listener; the names are http and admin",
                 base::printable(name));
  return sockets;
}

/// Waits for a signal, and lets the service manager know meanwhile that the host responds.
int next_signal(const service::Supervisor &supervisor, service::Server &server) {
  const auto period = std::chrono::duration_cast<milliseconds>(supervisor.watchdog()) / 2;
  if (period.count() == 0) return wait_for_stop();
  for (int signal = 0;;) {
    if (server.responds(period))
      supervisor.alive();
    else
      spdlog::error("the thread that accepts connections has not responded for {}", seconds_text(period));
    if ((signal = signal_within(period)) != 0) return signal;
  }
}

} // namespace

int run(const Global &global, const Serve &options) {
  if (global.remote())
    throw Failure(Status::invalid, "serve: --url is for work on a host that runs already", "leave it out");
  // Long blocks go back to the system when they are free. By itself the allocator keeps what it has once had, up to 32
  // MiB a block, for each of many threads: several times what server.maxMemory allows.
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  ::mallopt(M_ARENA_MAX, 4);
  service::Supervisor supervisor; // its variables name this process
  leave_first_process();
  hold_stop_signals(true);

  const bool from_file = options.text.empty();
  const std::string file = from_file ? find_config(global) : std::string();
  const std::string watched = from_file && can_change(file) ? file : std::string();
  SecretFiles secrets;
  const auto noted = [&secrets](Draft draft) {
    secrets.set(draft);
    return draft;
  };
  const auto load = [&] { return noted(from_file ? load_again(file, global) : read_text(options.text)); };
  service::FileStates read = service::states_of({watched, {}});
  Draft draft = noted(from_file ? load_draft(file, global.profile) : read_text(options.text));
  if (!watched.empty() && !secrets.paths().empty()) {
    // Only now it is known which files the config names. They are read again after their states were noted, so that no
    // change of them is missed.
    read.merge(service::states_of({{}, {}, secrets.paths()}));
    draft = noted(load_draft(file, global.profile));
  }
  start_log(draft.config, global, true);
  const auto plugins = open_registry(draft.config);
  service::check_config(draft, *plugins);
  const Config config = std::move(draft).finish();
  read.merge(service::states_of(watched_paths(watched, *plugins, secrets.paths())));
  keep_all_secrets(config, *plugins);
  const std::string serving = "serving " + base::printable(from_file ? config.file : options.shown);
  Starting starting;
  Storage storage(config, plugins);
  std::optional<service::ConfigWatch> watch;
  std::atomic<service::Server *> serving_on{nullptr}; // null until it has started
  const auto reload_files = [&](const Config &now) {
    if (service::Server *const server = serving_on.load()) server->reload_files(now);
  };
  service::Reloader reloader(storage, config,
                             {load, keep_all_secrets,
                              [&](const Config &now) {
                                set_log_level(now, global, true);
                                reload_files(now);
                              },
                              [&] {
                                watch->refresh();
                                supervisor.reloaded(serving);
                              },
                              [&] { supervisor.reloading(); }});
  watch.emplace(
      std::move(read), [&] { return watched_paths(watched, *storage.plugins(), secrets.paths()); },
      [&](std::string_view why) {
        reload(reloader, why);
        if (watched.empty()) reload_files(reloader.config()); // the config itself cannot be read again
      });
  service::Server server(reloader, take_sockets(supervisor));
  server.start();
  serving_on.store(&server);
  if (starting.end()) watch->poke("SIGHUP"); // before anybody knows that the host serves
  announce(global, config, from_file ? config.file : options.shown, server.http_url(), server.admin_url(),
           server.page_link());

  supervisor.ready(serving);
  int signal = 0;
  while ((signal = next_signal(supervisor, server)) == SIGHUP) watch->poke("SIGHUP");
  const milliseconds limit(reloader.config().stop_timeout);
  spdlog::info("{}: finishing what is in flight, within {}; once more stops at once",
               signal == SIGINT ? "SIGINT" : "SIGTERM", seconds_text(limit));
  supervisor.stopping();
  let_signals_end();
  return stop(server, watch, storage, limit);
}

} // namespace omnistore::cli
