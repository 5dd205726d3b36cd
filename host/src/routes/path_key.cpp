// SPDX-License-Identifier: Apache-2.0
#include "routes/path_key.hpp"

#include "base/encoding.hpp"

namespace omnistore::routes {

namespace {

bool separates(char c) { return c == '/' || c == ':' || c == '\\'; }

constexpr const char *dot_segment = "Invalid key: '.' and '..' are not allowed as segments";

/// Returns true if a file system would take the segment for a step.
bool is_step(std::string_view segment) { return segment == "." || segment == ".."; }

/// Decodes the escape that the text begins with. Returns an error message, or null.
const char *unescape(std::string_view text, char &c) {
  const int byte = base::percent_byte(text);
  c = static_cast<char>(byte);
  if (byte < 0) return "Invalid key: '%' must be followed by two hexadecimal digits";
  if (byte == 0) return "Invalid key: NUL is not allowed";
  return c == '?' ? "Invalid key: '?' is not allowed" : nullptr;
}

} // namespace

const char *decode_key(std::string_view path, std::string &key, bool &is_base) {
  is_base = path.empty() || path.back() == '/' || path.back() == ':';
  key.resize(path.size()); // it only gets shorter
  char *const start = key.data();
  char *at = start;
  const char *segment = start; // the beginning of the last one
  const char *problem = nullptr;
  const auto end_segment = [&] {
    if (is_step({segment, static_cast<std::size_t>(at - segment)})) problem = dot_segment;
  };
  for (std::size_t i = 0; i < path.size() && !problem; ++i) {
    char c = path[i];
    if (c == '%') {
      problem = unescape(path.substr(i), c);
      i += 2;
    }
    if (!separates(c)) {
      *at++ = c;
    } else if (at != segment) {
      end_segment();
      *at++ = ':';
      segment = at;
    }
  }
  if (!problem) end_segment();
  if (at == segment && at != start) --at; // the ':' after the last segment
  key.resize(static_cast<std::size_t>(at - start));
  if (!problem && !is_base && key.empty()) problem = "Invalid key: it is empty";
  return problem;
}

} // namespace omnistore::routes
