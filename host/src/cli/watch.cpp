// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <exception>

#include <boost/json/object.hpp>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/key_text.hpp"
#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/stop_signals.hpp"
#include "cli/target.hpp"
#include "storage/key.hpp"

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

/// Prints events as they come, until there were enough or they cannot be printed.
class EventPrinter : public EventSink {
public:
  EventPrinter(const Global &global, const ShowEvents &options) : global_(global), options_(options) {
    // What is said of a base is not said of the key of its name.
    if (options.base.ends_with(':') || options.base.ends_with('/')) unwanted_ = normal_form(options.base);
  }

  ~EventPrinter() override { ::close(over_descriptor_); }

  /// Can be read once it is over.
  int over() const { return over_descriptor_; }

  void begun() override {
    if (global_.quiet || global_.json) return;
    const std::string base = normal_form(options_.base);
    complain("Watching " + (base.empty() ? "every key" : base::printable(base)) + "; Ctrl-C ends it");
  }

  void event(const Event &event) override {
    if (over_ || (!event.key.empty() && event.key == unwanted_)) return;
    try {
      if (options_.null && !event.key.empty())
        print_null(out_, event.key);
      else if (options_.null)
        complain("omnistore: " + event_text(event));
      else if (global_.json)
        out_.json(event_json(event));
      else
        out_.line(event_text(event));
      out_.flush();
    } catch (...) {
      return failed(std::current_exception());
    }
    if (options_.count != 0 && ++printed_ >= options_.count) end();
  }

  void limited(const std::string &message) override {
    if (over_) return;
    if (!global_.json) {
      // If the stores were opened here, their log says it.
      if (global_.remote()) spdlog::warn("{}", base::printable(message));
      return;
    }
    try {
      out_.json(json::object{{"type", "limited"}, {"message", message}});
      out_.flush();
    } catch (...) {
      failed(std::current_exception());
    }
  }

  void failed(std::exception_ptr failure) override {
    if (over_) return;
    failure_ = std::move(failure);
    end();
  }

  /// Throws what went wrong. Once no event can come any more.
  void check() const {
    if (failure_) std::rethrow_exception(failure_);
  }

private:
  void end() {
    over_ = true;
    ::eventfd_write(over_descriptor_, 1);
  }

  const Global &global_;
  const ShowEvents &options_;
  const int over_descriptor_ = ::eventfd(0, EFD_CLOEXEC);
  std::string unwanted_;
  Output out_;
  std::uint64_t printed_ = 0;
  bool over_ = false;
  std::exception_ptr failure_;
};

} // namespace

int run(const Global &global, const ShowEvents &options) {
  hold_stop_signals();
  const auto target = open_target(global);
  EventPrinter printer(global, options);
  auto subscription = target->watch(options.base, printer);
  wait_for_stop(printer.over());
  let_signals_end();
  subscription.reset();
  printer.check();
  return 0;
}

} // namespace omnistore::cli
