// SPDX-License-Identifier: Apache-2.0
// `puppet` has every entry of the table, `puppet-bare` only those that are required (puppet.hpp).
#include "puppet.hpp"

#include <cstdlib>

#include <omnistore/ext/explain.h>
#include <omnistore/ext/health.h>
#include <omnistore/ext/lag.h>
#include <omnistore/ext/revalidate.h>
#include <omnistore/ext/stats.h>

namespace {

using test::Puppet;

Puppet &of(void *self) { return *static_cast<Puppet *>(self); }
std::string_view view(omnistore_bytes bytes) {
  return {static_cast<const char *>(bytes.data), static_cast<std::size_t>(bytes.size)};
}
template <typename Function, typename... Arguments>
omnistore_status run(const Function &function, omnistore_status otherwise, Arguments... arguments) {
  return function ? function(std::forward<Arguments>(arguments)...) : otherwise;
}

/// The puppet whose address is in the options; null if there is none.
Puppet *of_options(omnistore_bytes text) {
  const std::string_view options = view(text);
  const std::size_t digits = options.find_first_of("0123456789");
  if (digits == options.npos) return nullptr;
  return reinterpret_cast<Puppet *>(std::strtoull(options.data() + digits, nullptr, 10));
}

omnistore_status open(const omnistore_host *host, omnistore_call *call, const omnistore_open_request *request,
                      omnistore_traits *traits, void **self) {
  Puppet *puppet = of_options(request->options);
  if (!puppet) return OMNISTORE_INVALID;
  puppet->host = host;
  puppet->children.assign(request->children, request->children + request->child_count);
  *traits = puppet->traits;
  *self = puppet;
  return run(puppet->open, OMNISTORE_OK, call);
}
void close(void *self) {
  if (of(self).close) of(self).close();
}
omnistore_status get(void *self, omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                     omnistore_sink *sink) {
  return of(self).get ? of(self).get(call, view(key), *request, sink) : OMNISTORE_NOT_FOUND;
}
omnistore_status stat(void *self, omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                      omnistore_sink *sink) {
  return of(self).stat ? of(self).stat(call, view(key), *request, sink) : OMNISTORE_NOT_FOUND;
}
omnistore_status set(void *self, omnistore_call *call, omnistore_bytes key, const omnistore_set_request *request,
                     omnistore_sink *result) {
  return of(self).set ? of(self).set(call, view(key), *request, result) : OMNISTORE_OK;
}
omnistore_status remove(void *self, omnistore_call *call, omnistore_bytes key,
                        const omnistore_remove_request *request) {
  return of(self).remove ? of(self).remove(call, view(key), *request) : OMNISTORE_OK;
}
omnistore_status list(void *self, omnistore_call *call, const omnistore_list_request *request, omnistore_page *page) {
  return of(self).list ? of(self).list(call, *request, page) : OMNISTORE_OK;
}
omnistore_status clear(void *self, omnistore_call *call, const omnistore_clear_request *request,
                       omnistore_page *removed) {
  return run(of(self).clear, OMNISTORE_OK, call, view(request->base), removed);
}
omnistore_status get_many(void *self, omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                          const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                          omnistore_status *statuses) {
  if (of(self).get_many) return of(self).get_many(call, count, keys, sinks, statuses);
  for (std::uint32_t i = 0; i < count; ++i) statuses[i] = get(self, call, keys[i], requests[i], sinks[i]);
  return OMNISTORE_OK;
}
omnistore_status stat_many(void *self, omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                           const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                           omnistore_status *statuses) {
  if (of(self).stat_many) return of(self).stat_many(call, count, keys, sinks, statuses);
  for (std::uint32_t i = 0; i < count; ++i) statuses[i] = stat(self, call, keys[i], requests[i], sinks[i]);
  return OMNISTORE_OK;
}
omnistore_status set_many(void *self, omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                          const omnistore_set_request *const *requests, omnistore_sink *const *results,
                          omnistore_status *statuses) {
  if (of(self).set_many) return of(self).set_many(call, count, statuses);
  for (std::uint32_t i = 0; i < count; ++i)
    statuses[i] = set(self, call, keys[i], requests[i], results ? results[i] : nullptr);
  return OMNISTORE_OK;
}
omnistore_status remove_many(void *self, omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                             const omnistore_remove_request *const *requests, omnistore_status *statuses) {
  if (of(self).remove_many) return of(self).remove_many(call, count, statuses);
  for (std::uint32_t i = 0; i < count; ++i) statuses[i] = remove(self, call, keys[i], requests[i]);
  return OMNISTORE_OK;
}
omnistore_status watch(void *self, omnistore_call *, const omnistore_watch_request *, omnistore_watcher *watcher,
                       void **watch) {
  *watch = nullptr;
  return run(of(self).watch, OMNISTORE_OK, watcher);
}
void unwatch(void *self, void *) {
  if (of(self).unwatch) of(self).unwatch();
}
omnistore_status get_changed(void *self, omnistore_call *, omnistore_bytes, const omnistore_get_request *,
                             omnistore_bytes, omnistore_sink *sink, std::uint32_t *unchanged) {
  return run(of(self).get_changed, OMNISTORE_NOT_FOUND, sink, unchanged);
}
omnistore_status touch(void *self, omnistore_call *, omnistore_bytes, const omnistore_touch_request *request) {
  return run(of(self).touch, OMNISTORE_UNSUPPORTED, *request);
}
omnistore_status health(void *self, omnistore_call *call) { return of(self).health(call); }
omnistore_status stats(void *self, omnistore_call *, omnistore_sink *sink) {
  return test::give(sink, of(self).stats());
}
omnistore_status explain(void *self, omnistore_call *, omnistore_bytes, omnistore_sink *sink) {
  return test::give(sink, of(self).explain());
}
std::int64_t lag(void *self, void *) { return of(self).lag(); }
omnistore_status validate(omnistore_call *call, omnistore_bytes options, std::uint32_t, omnistore_problems *problems) {
  const Puppet *puppet = of_options(options);
  return puppet && puppet->validate ? puppet->validate(call, problems) : OMNISTORE_OK;
}
const void *extension(void *self, const char *id) {
  static constexpr omnistore_health healths{sizeof(omnistore_health), 0, health};
  if (std::string_view(id) == OMNISTORE_HEALTH) return self && of(self).health ? &healths : nullptr;
  static constexpr omnistore_validate validates{sizeof(omnistore_validate), 0, validate};
  if (std::string_view(id) == OMNISTORE_VALIDATE) return self ? nullptr : &validates;
  static constexpr omnistore_stats counts{sizeof(omnistore_stats), 0, stats};
  if (std::string_view(id) == OMNISTORE_STATS) return self && of(self).stats ? &counts : nullptr;
  static constexpr omnistore_explain explains{sizeof(omnistore_explain), 0, explain};
  if (std::string_view(id) == OMNISTORE_EXPLAIN) return self && of(self).explain ? &explains : nullptr;
  static constexpr omnistore_lag lags{sizeof(omnistore_lag), 0, lag, nullptr};
  if (std::string_view(id) == OMNISTORE_LAG) return self && of(self).lag ? &lags : nullptr;
  static constexpr omnistore_revalidate revalidate{sizeof(omnistore_revalidate), 0, get_changed};
  return std::string_view(id) == OMNISTORE_REVALIDATE ? &revalidate : nullptr;
}

constexpr const char *schema = R"({"type": "object", "properties": {"puppet": {"type": "string"}}})";
constexpr omnistore_traits traits = [] {
  omnistore_traits made{};
  made.size = sizeof made;
  made.thread_model = OMNISTORE_PARALLEL;
  return made;
}();

constexpr omnistore_driver driver(const char *name, bool bare) {
  omnistore_driver made{};
  made.size = sizeof made;
  made.name = name;
  made.version = "1.0.0";
  made.summary = "Does what a test says";
  made.options_schema = schema;
  made.max_children = 8;
  made.traits = &traits;
  made.open = open;
  made.close = close;
  made.get = get;
  made.stat = stat;
  made.set = set;
  made.remove = remove;
  made.list = list;
  if (bare) return made;
  made.clear = clear;
  made.get_many = get_many;
  made.stat_many = stat_many;
  made.set_many = set_many;
  made.remove_many = remove_many;
  made.touch = touch;
  made.watch = watch;
  made.unwatch = unwatch;
  made.extension = extension;
  return made;
}
constexpr omnistore_driver whole = driver("puppet", false), bare = driver("puppet-bare", true);
constexpr const omnistore_driver *drivers[] = {&whole, &bare};
constexpr omnistore_plugin plugin = [] {
  omnistore_plugin made{};
  made.size = sizeof made;
  made.abi_major = OMNISTORE_ABI_MAJOR;
  made.abi_minor = OMNISTORE_ABI_MINOR;
  made.name = "puppet";
  made.version = "1.0.0";
  made.driver_count = 2;
  made.drivers = drivers;
  return made;
}();

} // namespace

extern "C" const omnistore_plugin *omnistore_plugin_entry(const omnistore_abi *) { return &plugin; }
