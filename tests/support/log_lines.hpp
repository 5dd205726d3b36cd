// SPDX-License-Identifier: Apache-2.0
// The lines that the process logs while it lives.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <regex>
#include <string>
#include <vector>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

namespace test {

class LogLines {
public:
  static constexpr auto debug = spdlog::level::debug;
  static constexpr auto info = spdlog::level::info;

  explicit LogLines(spdlog::level::level_enum level)
      : sink_(std::make_shared<Sink>()), before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>("", sink_);
    logger->set_level(level);
    spdlog::set_default_logger(std::move(logger));
  }
  ~LogLines() { spdlog::set_default_logger(before_); }
  LogLines(const LogLines &) = delete;
  LogLines &operator=(const LogLines &) = delete;

  std::vector<std::string> lines() const { return sink_->lines(); }
  bool has_match(const std::string &pattern) const {
    const std::regex expression(pattern);
    const auto all = lines();
    return std::any_of(all.begin(), all.end(), [&](const auto &line) { return std::regex_search(line, expression); });
  }

private:
  class Sink : public spdlog::sinks::base_sink<std::mutex> {
  public:
    std::vector<std::string> lines() {
      const std::lock_guard lock(mutex_);
      return lines_;
    }

  protected:
    void sink_it_(const spdlog::details::log_msg &message) override {
      lines_.emplace_back(message.payload.data(), message.payload.size());
    }
    void flush_() override {}

  private:
    std::vector<std::string> lines_;
  };

  std::shared_ptr<Sink> sink_;
  std::shared_ptr<spdlog::logger> before_;
};

} // namespace test
