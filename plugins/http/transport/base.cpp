// SPDX-License-Identifier: Apache-2.0
#include "transport/base.hpp"

#include <memory>

#include <curl/curl.h>

#include <omnistore/failure.hpp>

namespace http {
namespace {

constexpr std::size_t LONGEST_KEY = OMNISTORE_MAX_KEY_SIZE;

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

Url parsed(const std::string &text, CURLUcode &code) {
  Url url(curl_url(), &curl_url_cleanup);
  code = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0);
  return url;
}

/// Returns "" if the url has no such part.
std::string part(const Url &url, CURLUPart which, unsigned flags = 0) {
  char *text = nullptr;
  if (curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return {};
  std::string result = text;
  curl_free(text);
  return result;
}

[[noreturn]] void refuse(const std::string &why) {
  throw omnistore::Failure(OMNISTORE_INVALID,
                           "option base: " + why + "; expected http[s]://host[:port][/path] or unix:/path");
}

std::string decoded(std::string_view text) {
  int size = 0;
  char *plain = curl_easy_unescape(nullptr, text.data(), static_cast<int>(text.size()), &size);
  if (!plain) refuse("a segment of its path cannot be decoded");
  std::string result(plain, static_cast<std::size_t>(size));
  curl_free(plain);
  return result;
}

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    const std::size_t end = path.find('/');
    if (end != 0) segments.push_back(decoded(path.substr(0, end)));
    path.remove_prefix(end == path.npos ? path.size() : end + 1);
  }
  return segments;
}

template <class Kept>
std::string escape_but(std::string_view text, Kept kept) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alnum || kept(c))
      out += c;
    else
      (out += '%') += digits[byte >> 4], out += digits[byte & 15];
  }
  return out;
}

/// Returns how many bytes the first character has; 0: the bytes are no character.
std::size_t character_size(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t size = byte(0) < 0x80 ? 1 : byte(0) < 0xc2 ? 0 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  if (size == 0 || size > text.size() || byte(0) > 0xf4) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xf0 && byte(1) < 0x90);
  const bool outside = (byte(0) == 0xed && byte(1) > 0x9f) || (byte(0) == 0xf4 && byte(1) > 0x8f);
  return overlong || outside ? 0 : size;
}

} // namespace

Base parse_base(const std::string &text) {
  if (text.find('\0') != text.npos) refuse("it has a NUL in it");
  if (text.starts_with("unix:/")) {
    Base base;
    base.url = "http://localhost";
    base.socket = text.substr(5);
    base.shown = text;
    return base;
  }
  CURLUcode code;
  const Url url = parsed(text, code);
  if (code != CURLUE_OK) refuse(std::string("it is not a url (") + curl_url_strerror(code) + ")");
  const std::string scheme = part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") refuse("this driver speaks http and https only");
  if (!part(url, CURLUPART_QUERY).empty()) refuse("a query cannot stand before a key's path");
  if (!part(url, CURLUPART_FRAGMENT).empty()) refuse("a fragment (#) is not sent to a server");

  Base base;
  base.user = part(url, CURLUPART_USER, CURLU_URLDECODE);
  base.password = part(url, CURLUPART_PASSWORD, CURLU_URLDECODE);
  base.has_login = !base.user.empty() || !base.password.empty();
  for (const CURLUPart each : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT})
    curl_url_set(url.get(), each, nullptr, 0);
  base.shown = part(url, CURLUPART_HOST) + ":" + part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  base.path = segments_of(part(url, CURLUPART_PATH));
  base.url = part(url, CURLUPART_URL);
  while (base.url.ends_with('/')) base.url.pop_back();
  return base;
}

std::string server_of(const std::string &text) {
  CURLUcode code;
  const Url url = parsed(text, code);
  const std::string scheme = code == CURLUE_OK ? part(url, CURLUPART_SCHEME) : "";
  if (scheme != "http" && scheme != "https") return {};
  return scheme + "://" + part(url, CURLUPART_HOST) + ":" + part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

std::string path_of(std::string_view key) {
  std::string path =
      escape_but(key, [](char c) { return std::string_view("-_.!~*'():").find(c) != std::string_view::npos; });
  for (char &c : path) {
    if (c == ':') c = '/';
  }
  return path;
}

std::string escaped(std::string_view text) {
  return escape_but(text, [](char c) { return std::string_view("-_.~").find(c) != std::string_view::npos; });
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

bool is_key(std::string_view text) {
  if (text.empty() || text.size() > LONGEST_KEY || text.find('\0') != text.npos || !is_utf8(text)) return false;
  if (text.find_first_of("/\\?") != text.npos) return false;
  for (;;) {
    const std::size_t end = text.find(':');
    const std::string_view segment = text.substr(0, end);
    if (segment.empty() || segment == "." || segment == "..") return false;
    if (end == text.npos) return true;
    text.remove_prefix(end + 1);
  }
}

} // namespace http
