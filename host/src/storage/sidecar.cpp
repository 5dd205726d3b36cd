// SPDX-License-Identifier: Apache-2.0
#include "storage/sidecar.hpp"

#include <cmath>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace omnistore {
namespace {

boost::json::value parsed(std::string_view text) {
  boost::json::error_code failed;
  boost::json::value value = boost::json::parse(text, failed);
  return failed ? boost::json::value() : value;
}

} // namespace

std::int64_t sidecar_expiry(std::string_view text) {
  if (text.find("\"expiry\"") == text.npos) return 0;
  const boost::json::value value = parsed(text);
  const auto *object = value.if_object();
  const auto *expiry = object ? object->if_contains("expiry") : nullptr;
  if (!expiry) return 0;
  if (expiry->is_int64()) return std::max<std::int64_t>(expiry->get_int64(), 0);
  if (expiry->is_double() && std::isfinite(expiry->get_double()) && expiry->get_double() > 0 &&
      expiry->get_double() < 9e15)
    return static_cast<std::int64_t>(expiry->get_double());
  return 0;
}

std::string with_expiry(std::string_view text, std::int64_t expiry) {
  boost::json::value value = parsed(text);
  if (!value.is_object()) {
    if (expiry == 0) return std::string(text);
    value = boost::json::object();
  }
  auto &object = value.get_object();
  if (expiry != 0)
    object["expiry"] = expiry;
  else
    object.erase("expiry");
  return object.empty() ? std::string() : boost::json::serialize(value);
}

} // namespace omnistore
