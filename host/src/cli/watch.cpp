// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include "base/descriptor.hpp"
#include "base/key_text.hpp"
#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/host_failure.hpp"
#include "cli/output.hpp"
#include "cli/stop_signals.hpp"
#include "cli/stores.hpp"
#include "storage/key.hpp"
#include "storage/pulled_watch.hpp"

namespace omnistore::cli {
namespace {

namespace json = boost::json;

const char *type_name(Event::Type type) {
  constexpr const char *names[] = {"update", "remove", "resync"};
  return names[static_cast<int>(type)];
}

const char *cause_name(Event::Cause cause) {
  constexpr const char *names[] = {"", "removed", "expired", "evicted", "cleared"};
  return names[static_cast<int>(cause)];
}

json::object event_json(const Event &event) {
  json::object line{{"sequence", event.sequence},
                    {"type", type_name(event.type)},
                    {"key", nullptr},
                    {"cause", nullptr},
                    {"missed", nullptr}};
  if (event.type != Event::Type::resync) line["key"] = event.key;
  if (event.cause != Event::Cause::none) line["cause"] = cause_name(event.cause);
  if (event.missed != 0) line["missed"] = event.missed;
  return line;
}

std::string event_text(const Event &event) {
  using namespace std::chrono;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  std::string line = time_text(now) + "  " + type_name(event.type) + "  ";
  if (event.type == Event::Type::resync)
    line += event.missed == 0 ? "some events were lost" : std::to_string(event.missed) + " events were lost";
  else
    line += base::key_text(event.key);
  if (event.cause != Event::Cause::none) line.append("  ").append(cause_name(event.cause));
  return line;
}

/// Events and limits that are taken out of a watch, to be printed when no lock is held.
class EventBatch : public EventTaker {
public:
  bool event(const Record &record) override {
    events.push_back(record.event);
    return true;
  }
  bool limited(const std::string &message) override {
    limits.push_back(message);
    return true;
  }

  std::vector<Event> events;
  std::vector<std::string> limits;
};

/// From its end on a signal ends the process at once.
struct SignalsEnd {
  ~SignalsEnd() { let_signals_end(); }
};

/// Prints events as they come, until there were enough.
class EventPrinter {
public:
  EventPrinter(const Global &global, const ShowEvents &options) : global_(global), options_(options) {
    // The events of a base are not those of the key of its name.
    if (options.base.ends_with(':') || options.base.ends_with('/')) unwanted_ = normal_form(options.base);
  }

  void begin() const {
    if (global_.quiet || global_.json) return;
    const std::string base = normal_form(options_.base);
    complain("Watching " + (base.empty() ? "every key" : base::printable(base)) + "; Ctrl-C ends it");
  }

  /// Prints events. Returns false after the last one that is wanted.
  bool print(const std::vector<Event> &events) {
    for (const Event &event : events) {
      if (!event.key.empty() && event.key == unwanted_) continue;
      print(event);
      if (options_.count != 0 && ++printed_ >= options_.count) return false;
    }
    return true;
  }

  void print_limit(const std::string &message) {
    if (global_.json) {
      out_.json(json::object{{"type", "limited"}, {"message", message}});
      out_.flush();
    } else if (global_.remote()) {
      spdlog::warn("{}", base::printable(message)); // the log has those of stores that were opened here
    }
  }

private:
  void print(const Event &event) {
    if (options_.null && !event.key.empty())
      print_null(out_, event.key);
    else if (options_.null)
      complain("omnistore: " + event_text(event));
    else if (global_.json)
      out_.json(event_json(event));
    else
      out_.line(event_text(event));
    out_.flush();
  }

  const Global &global_;
  const ShowEvents &options_;
  std::string unwanted_;
  Output out_;
  std::uint64_t printed_ = 0;
};

/// Returns the host's own message of a limit, which the driver http passed on. Throws if the driver could not begin to
/// watch.
std::string limit_of_host(const ShowEvents &options, const std::string &message) {
  constexpr std::string_view of_driver =
      "watch (mount root, driver http): the changes that others make are not reported: ";
  if (!message.starts_with(of_driver)) return message;
  const std::string cause = message.substr(of_driver.size());
  if (cause.starts_with("watch (mount ")) return cause;
  throw watch_failure("watch " + normal_form(options.base), cause);
}

} // namespace

int run(const Global &global, const ShowEvents &options) {
  hold_stop_signals();
  const Stores stores(global);
  const base::Descriptor news(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  EventPrinter printer(global, options);
  // A host that refuses is an error of this command, not a warning of the log.
  const auto level = spdlog::default_logger_raw()->level();
  if (global.remote()) spdlog::default_logger_raw()->set_level(spdlog::level::err);
  PulledWatch watch(
      *stores, options.base, [&news] { ::eventfd_write(news.number(), 1); }, WatchOptions());
  const SignalsEnd signals_end; // before the watch, which a store may delay
  spdlog::default_logger_raw()->set_level(level);
  for (bool begun = false, goes_on = true; goes_on;) {
    EventBatch batch;
    watch.take(batch);
    for (const std::string &limit : batch.limits)
      printer.print_limit(global.remote() ? limit_of_host(options, limit) : limit);
    if (!std::exchange(begun, true)) printer.begin();
    goes_on = printer.print(batch.events) && wait_for_stop(news.number()) == 0;
    eventfd_t count = 0;
    ::eventfd_read(news.number(), &count);
  }
  return 0;
}

} // namespace omnistore::cli
