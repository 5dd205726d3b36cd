// SPDX-License-Identifier: Apache-2.0
// The texts of a report.
#include <cstdio>

#include "store.hpp"

namespace omnistore::kit {

const Meta &CallResult::known_meta() const {
  require(meta.has_value(), "there is no meta; the result is " + shown(*this));
  return *meta;
}

std::string name_of(omnistore_status status) {
  static constexpr struct {
    omnistore_status status;
    const char *name;
  } names[] = {{OMNISTORE_OK, "OK"},
               {OMNISTORE_NOT_FOUND, "NOT_FOUND"},
               {OMNISTORE_INVALID, "INVALID"},
               {OMNISTORE_DENIED, "DENIED"},
               {OMNISTORE_READ_ONLY, "READ_ONLY"},
               {OMNISTORE_CONFLICT, "CONFLICT"},
               {OMNISTORE_TOO_LARGE, "TOO_LARGE"},
               {OMNISTORE_UNSUPPORTED, "UNSUPPORTED"},
               {OMNISTORE_TIMEOUT, "TIMEOUT"},
               {OMNISTORE_CANCELLED, "CANCELLED"},
               {OMNISTORE_UNAVAILABLE, "UNAVAILABLE"},
               {OMNISTORE_NO_SPACE, "NO_SPACE"},
               {OMNISTORE_IO, "IO"},
               {OMNISTORE_CORRUPT, "CORRUPT"},
               {OMNISTORE_INTERNAL, "INTERNAL"}};
  for (const auto &each : names)
    if (each.status == status) return each.name;
  return "status " + std::to_string(status);
}

std::string shown(std::string_view bytes) {
  constexpr std::size_t most = 60;
  std::string text = "\"";
  for (const char c : bytes.substr(0, most)) {
    if (c == '"' || c == '\\')
      text += std::string("\\") + c;
    else if (c >= ' ' && c < 127)
      text += c;
    else {
      char code[5];
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(c));
      text += code;
    }
  }
  text += '"';
  if (bytes.size() > most) text += "... (" + std::to_string(bytes.size()) + " bytes)";
  return text;
}

std::string shown(const CallResult &done) {
  return name_of(done.status) + (done.message.empty() ? "" : " (" + done.message + ")");
}

std::string shown(const GetResult &got) {
  return got.ok() ? "OK with " + shown(got.bytes) : shown(static_cast<const CallResult &>(got));
}

} // namespace omnistore::kit
