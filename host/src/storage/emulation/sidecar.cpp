// SPDX-License-Identifier: Apache-2.0
#include "storage/emulation/sidecar.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "storage/call.hpp"

namespace omnistore {
namespace {

constexpr std::string_view marker = "{\"omnistore\":1";

boost::json::object parsed(std::string_view text) {
  boost::json::error_code failed;
  boost::json::value value = boost::json::parse(text, failed);
  return failed || !value.is_object() ? boost::json::object() : std::move(value.get_object());
}

std::int64_t expiry_in(const boost::json::object &object) {
  const auto *expiry = object.if_contains("expiry");
  if (!expiry) return 0;
  if (expiry->is_int64()) return std::max<std::int64_t>(expiry->get_int64(), 0);
  if (expiry->is_double() && std::isfinite(expiry->get_double()) && expiry->get_double() > 0 &&
      expiry->get_double() < 9e15)
    return static_cast<std::int64_t>(expiry->get_double());
  return 0;
}

} // namespace

Sidecar Sidecar::parse(std::string text) {
  Sidecar sidecar;
  if (text.starts_with(marker)) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const boost::json::object head = parsed(std::string_view(text).substr(0, end));
    sidecar.expiry = expiry_in(head);
    if (const auto *of = head.if_contains("of"); of && of->is_string()) sidecar.of = of->get_string();
    text.erase(0, std::min(end + 1, text.size()));
    sidecar.user = std::move(text);
    return sidecar;
  }
  boost::json::object object = parsed(text);
  sidecar.expiry = expiry_in(object);
  if (object.empty()) return sidecar;
  if (sidecar.expiry == 0) {
    sidecar.user = std::move(text);
  } else if (object.size() > 1) { // an expiry and user meta in one object: as hosts before 1.0 wrote them
    object.erase("expiry");
    sidecar.user = boost::json::serialize(object);
  }
  return sidecar;
}

std::string Sidecar::text() const {
  std::string text;
  if (user.empty()) {
    if (expiry != 0) text.append("{\"expiry\":").append(std::to_string(expiry)).append("}");
    return text;
  }
  text.append(marker);
  if (expiry != 0) text.append(",\"expiry\":").append(std::to_string(expiry));
  if (!of.empty()) text.append(",\"of\":").append(boost::json::serialize(boost::json::string_view(of)));
  return text.append("}\n").append(user);
}

std::string state_of(const omnistore_meta &meta) {
  if (meta.etag.size != 0) return std::string(view(meta.etag));
  if (meta.mtime == 0 || meta.value_size == OMNISTORE_UNKNOWN_SIZE) return {};
  return std::to_string(meta.mtime) + "," + std::to_string(meta.value_size);
}

} // namespace omnistore
