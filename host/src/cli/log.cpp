// SPDX-License-Identifier: Apache-2.0
#include "cli/log.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "base/log_trace.hpp"
#include "base/printable.hpp"
#include "cli/output.hpp"
#include "config/names.hpp"

namespace omnistore::cli {
namespace {

std::string level_name(spdlog::level::level_enum level) {
  const auto name = spdlog::level::to_string_view(level);
  return level == spdlog::level::warn ? "warn" : std::string(name.data(), name.size());
}

/// Writes a message as "2025-11-24T07:13:07.250Z info  text", or as {"time", "level", "message"}; both have the trace
/// of the request that the thread works for, if it has one. Only a message of the
/// host's own has several lines, and all but its first are indented.
class LogLines : public spdlog::sinks::base_sink<std::mutex> {
public:
  explicit LogLines(bool json) : json_(json) {}

protected:
  void sink_it_(const spdlog::details::log_msg &message) override {
    using namespace std::chrono;
    const std::string time = time_text(duration_cast<milliseconds>(message.time.time_since_epoch()).count());
    const std::string level = level_name(message.level);
    const std::string text = without_kept_secrets({message.payload.data(), message.payload.size()});
    const std::string_view trace = base::LogTrace::current();
    if (json_) {
      boost::json::object line{{"time", time}, {"level", level}, {"message", text}};
      if (!trace.empty()) line["trace"] = trace;
      complain(base::printable_json(boost::json::serialize(line)));
    } else {
      complain(time + " " + painted(message.level, level) +
               std::string(6 - std::min<std::size_t>(5, level.size()), ' ') + base::printable_lines(text) +
               (trace.empty() ? "" : "; trace " + std::string(trace)));
    }
  }
  void flush_() override {}

private:
  static std::string painted(spdlog::level::level_enum level, const std::string &name) {
    if (level >= spdlog::level::err) return paint(Colour::red, name, 2);
    if (level == spdlog::level::warn) return paint(Colour::yellow, name, 2);
    return name;
  }

  bool json_;
};

spdlog::level::level_enum level_of(const std::string &name) {
  if (name == "warn") return spdlog::level::warn;
  if (name == "error") return spdlog::level::err;
  return spdlog::level::from_str(name);
}

} // namespace

std::string without_kept_secrets(std::string_view text) {
  return config::without_kept(config::without_passwords(text));
}

void set_log_level(const Config &config, const Global &global, bool serving) {
  for (const HttpConfig *listener : {&config.http, &config.admin})
    for (const auto &token : listener->tokens) keep_secret(token.value);
  auto level = serving ? level_of(config.log.level) : spdlog::level::warn;
  if (global.quiet) level = std::max(level, spdlog::level::err);
  if (global.verbose > 0) level = global.verbose == 1 ? std::min(level, spdlog::level::debug) : spdlog::level::trace;
  spdlog::default_logger_raw()->set_level(level);
}

void start_log(const Config &config, const Global &global, bool serving) {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<LogLines>(config.log.json || (serving && global.json))));
  set_log_level(config, global, serving);
}

} // namespace omnistore::cli
