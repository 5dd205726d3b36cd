// SPDX-License-Identifier: Apache-2.0
#include "cli/explained.hpp"

#include <chrono>
#include <cstdio>

#include <boost/json/array.hpp>

#include "cli/admin.hpp"
#include "cli/host_url.hpp"
#include "cli/time_limit.hpp"
#include "report/describe.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {

boost::json::object explain_at_host(const Global &global, const std::string &key) {
  return request_admin(global, "/explain?key=" + escape(Key(key).view()));
}

boost::json::object explain(const Global &global, const Storage &storage, const std::string &key) {
  if (global.remote()) return explain_at_host(global, key);
  return report::describe(storage.explain(key, limited(CallOptions())));
}

std::string span_text(std::int64_t milliseconds) {
  if (milliseconds < 0) return "-" + span_text(-milliseconds);
  if (milliseconds < 1000) return std::to_string(milliseconds) + "ms";
  struct Unit {
    std::int64_t size;
    const char *name;
  };
  constexpr Unit units[] = {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1'000, "s"}};
  const Unit *unit = units;
  while (milliseconds < unit->size) ++unit;
  std::string text = std::to_string(milliseconds / unit->size) + unit->name;
  if (unit == &units[3]) return text;
  const std::int64_t rest = milliseconds % unit->size / unit[1].size;
  return rest == 0 ? text : text + std::to_string(rest) + unit[1].name;
}

std::int64_t unix_now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

Status status_of_name(std::string_view name) {
  for (const Status status : {Status::ok, Status::not_found, Status::invalid, Status::denied, Status::read_only,
                              Status::conflict, Status::too_large, Status::unsupported, Status::timeout,
                              Status::cancelled, Status::unavailable, Status::no_space, Status::io, Status::corrupt})
    if (status_name(status) == name) return status;
  return Status::internal;
}

std::string layer_text(const boost::json::value &layer) {
  const boost::json::object *object = layer.if_object();
  if (!object) return "-";
  std::string place;
  for (const boost::json::value &step : object->at("place").as_array())
    place += (place.empty() ? "" : ".") + std::to_string(step.to_number<std::uint32_t>());
  const std::string driver(object->at("driver").as_string());
  return place.empty() ? driver : "layer " + place + " (" + driver + ")";
}

} // namespace omnistore::cli
