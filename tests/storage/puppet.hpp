// SPDX-License-Identifier: Apache-2.0
// A driver whose every function is written in the test that uses it. The store finds the test's Puppet by its address.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.h>
#include <omnistore/ext/validate.h>

namespace test {

/// The functions of the stores of the driver `puppet` do. A function that is empty finds nothing, takes every write and
/// lists no key. It must outlive its stores.
struct Puppet {
  omnistore_traits traits = [] {
    omnistore_traits all{};
    all.size = sizeof all;
    all.thread_model = OMNISTORE_PARALLEL;
    all.capabilities = OMNISTORE_CAN_TTL | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_RANGE |
                       OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH |
                       OMNISTORE_CAN_STREAM | OMNISTORE_SHARED;
    return all;
  }();
  const omnistore_host *host = nullptr;          ///< set by open
  std::vector<const omnistore_store *> children; ///< likewise

  using Get = omnistore_status(omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *);
  using Page = omnistore_status(omnistore_call *, std::string_view base, omnistore_page *);
  std::function<omnistore_status(omnistore_call *)> open;
  std::function<Get> get, stat;
  std::function<omnistore_status(omnistore_call *, std::string_view, const omnistore_set_request &, omnistore_sink *)>
      set;
  std::function<omnistore_status(omnistore_call *, std::string_view, const omnistore_remove_request &)> remove;
  std::function<omnistore_status(omnistore_call *, const omnistore_list_request &, omnistore_page *)> list;
  std::function<Page> clear;
  std::function<omnistore_status(omnistore_call *, std::uint32_t count, const omnistore_bytes *,
                                 omnistore_sink *const *, omnistore_status *)>
      get_many, stat_many;
  std::function<omnistore_status(omnistore_call *, std::uint32_t count, omnistore_status *)> set_many, remove_many;
  std::function<omnistore_status(const omnistore_touch_request &)> touch;
  std::function<omnistore_status(omnistore_watcher *)> watch;
  /// Lets watches begin. The watcher of the last one is in the returned place; null before it.
  omnistore_watcher *&accept_watches() {
    watch = [this](omnistore_watcher *given) {
      watcher_ = given;
      return OMNISTORE_OK;
    };
    return watcher_;
  }
  std::function<omnistore_status(omnistore_call *)> health; ///< set before it is opened, or it has none
  std::function<omnistore_status(omnistore_sink *, std::uint32_t *unchanged)> get_changed;
  std::function<std::string()> stats, explain; ///< likewise. A JSON object
  std::function<std::int64_t()> lag;           ///< likewise
  std::function<omnistore_status(omnistore_call *, omnistore_problems *)> validate;
  std::function<void()> close, unwatch;

  /// A mount of it, for a config's text.
  std::string mount(const std::string &driver = "puppet") const {
    return R"({ "driver": ")" + driver + R"(", "options": { "puppet": ")" +
           std::to_string(reinterpret_cast<std::uintptr_t>(this)) + "\" } }";
  }

private:
  omnistore_watcher *watcher_ = nullptr;
};

/// The mounts of a config's text with a layer over stores.
inline std::string layer_over(const Puppet &layer, const std::string &children) {
  const std::string whole = layer.mount();
  return "{ \"\": " + whole.substr(0, whole.size() - 1) + ", \"layers\": [ " + children + " ] } }";
}

inline omnistore_bytes bytes(std::string_view text) { return {text.data(), text.size()}; }
inline omnistore_meta meta_of_size(std::uint64_t size) {
  omnistore_meta meta{};
  meta.size = sizeof meta;
  meta.value_size = size;
  return meta;
}
/// Gives out a value as a driver should.
inline omnistore_status give(omnistore_sink *sink, std::string_view value) {
  const omnistore_meta meta = meta_of_size(value.size());
  const omnistore_status status = sink->begin(sink, &meta, nullptr);
  return status == OMNISTORE_OK ? sink->write(sink, value.data(), value.size()) : status;
}

} // namespace test
