// SPDX-License-Identifier: Apache-2.0
#include "http/reply.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <ctime>

#include "base/ascii.hpp"
#include "base/printable.hpp"
#include "base/utf8.hpp"
#include "http/header_values.hpp"
#include "http/headers.hpp"

namespace omnistore::http {

namespace {

constexpr std::size_t date_size = 29;
constexpr std::size_t chunk_head_size = 10; // eight hexadecimal digits and a line end

void put_two(char *at, unsigned number) {
  at[0] = static_cast<char>('0' + number / 10);
  at[1] = static_cast<char>('0' + number % 10);
}

void write_date(char *at, std::int64_t unix_seconds) {
  using namespace std::chrono;
  const sys_seconds moment{std::chrono::seconds(unix_seconds)};
  const auto day = floor<days>(moment);
  const year_month_day date{day};
  const unsigned year = static_cast<unsigned>(std::clamp(static_cast<int>(date.year()), 0, 9999));
  const auto of_day = static_cast<unsigned>((moment - day).count());
  std::memcpy(at, "Sun, 06 Nov 1994 08:49:37 GMT", date_size);
  std::memcpy(at, &"SunMonTueWedThuFriSat"[weekday(day).c_encoding() * 3], 3);
  put_two(at + 5, static_cast<unsigned>(date.day()));
  std::memcpy(at + 8, &"JanFebMarAprMayJunJulAugSepOctNovDec"[(static_cast<unsigned>(date.month()) - 1) * 3], 3);
  put_two(at + 12, year / 100);
  put_two(at + 14, year % 100);
  put_two(at + 17, of_day / 3600);
  put_two(at + 20, of_day / 60 % 60);
  put_two(at + 23, of_day % 60);
}

/// Now, as a Date header; written anew once a second.
std::string_view date_now() {
  struct Shown {
    std::int64_t second = -1;
    char text[date_size];
  };
  thread_local Shown shown;
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != shown.second) {
    write_date(shown.text, now.tv_sec);
    shown.second = now.tv_sec;
  }
  return {shown.text, date_size};
}

void end_any_head(const Request &request, Response &response) {
  Buffer &out = response.out;
  if (!request.grant_origin.empty()) {
    out.append("Access-Control-Allow-Origin: ");
    out.append(request.grant_origin);
    out.append("\r\nAccess-Control-Expose-Headers: ");
    out.append(exposed_headers);
    out.append("\r\n");
  }
  // Without it a cache would give every page a response that grants nothing, or that grants another origin.
  if (request.varies_by_origin) out.append("Vary: Origin\r\n");
  if (response.close || !request.keep_alive) {
    out.append("Connection: close\r\n\r\n");
  } else if (request.version == 10) {
    out.append("Connection: keep-alive\r\n\r\n");
  } else {
    out.append("\r\n");
  }
}

/// Returns the character that stands after '\' for a control character in JSON, or 0.
char short_escape(char c) {
  switch (c) {
  case '\b':
    return 'b';
  case '\f':
    return 'f';
  case '\n':
    return 'n';
  case '\r':
    return 'r';
  case '\t':
    return 't';
  case '"':
    return '"';
  case '\\':
    return '\\';
  default:
    return 0;
  }
}

/// Puts "\u202e" and returns the place after it. A code point of more than 16 bits becomes a pair of surrogates.
char *put_escape(char *at, char32_t point) {
  if (point >= 0x10000) {
    const char32_t above = point - 0x10000;
    return put_escape(put_escape(at, 0xd800 + (above >> 10)), 0xdc00 + (above & 0x3ff));
  }
  *at++ = '\\';
  *at++ = 'u';
  for (int shift = 12; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[point >> shift & 15];
  return at;
}

/// Adds text as a JSON string. JSON must be UTF-8, so a byte that is none becomes U+FFFD. Control characters of every
/// kind become \u escapes, since the JSON may end on a terminal.
void append_json_text(Buffer &out, std::string_view text, bool key) {
  constexpr std::size_t slice = 4096; // made room for at once, as if each of its bytes were escaped
  char *start = out.room(std::min(text.size(), slice) * 6 + 8);
  char *at = start;
  *at++ = '"';
  for (std::size_t i = 0, end = slice; i < text.size(); ++i) {
    if (i >= end) {
      out.grew(static_cast<std::size_t>(at - start));
      at = start = out.room(std::min(text.size() - i, slice) * 6 + 8);
      end = i + slice;
    }
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x80) {
      const std::size_t size = base::utf8_length(text, i);
      if (const char32_t point = size == 0 ? 0 : base::utf8_code_point(text, i, size);
          base::is_control(point) && size != 0) {
        at = put_escape(at, point);
      } else {
        std::memcpy(at, size == 0 ? "\xef\xbf\xbd" : text.data() + i, size == 0 ? 3 : size);
        at += size == 0 ? 3 : size;
      }
      i += size == 0 ? 0 : size - 1;
    } else if (key && c == ':') {
      *at++ = '/';
    } else if (const char escape = short_escape(c)) {
      *at++ = '\\';
      *at++ = escape;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      at = put_escape(at, static_cast<unsigned char>(c));
    } else {
      *at++ = c;
    }
  }
  *at++ = '"';
  out.grew(static_cast<std::size_t>(at - start));
}

} // namespace

void append_number(Buffer &out, std::uint64_t number) {
  char *const at = out.room(20);
  out.grew(static_cast<std::size_t>(std::to_chars(at, at + 20, number).ptr - at));
}

void append_date(Buffer &out, std::int64_t unix_seconds) {
  write_date(out.room(date_size), unix_seconds);
  out.grew(date_size);
}

void append_json(Buffer &out, std::string_view text) { append_json_text(out, text, false); }
void append_json_key(Buffer &out, std::string_view key) { append_json_text(out, key, true); }

bool accepts(const Request &request, std::string_view type) {
  std::string_view list = request[Header::accept];
  while (list.size() >= type.size()) {
    const std::string_view element = next_element(list);
    if (base::equal_ignoring_case(base::trimmed(element.substr(0, element.find(';'))), type)) return true;
  }
  return false;
}

void begin_head(Response &response, unsigned status) {
  response.status = status;
  Buffer &out = response.out;
  if (status == 200) {
    out.append("HTTP/1.1 200 OK\r\nDate: ");
  } else {
    out.append("HTTP/1.1 ");
    append_number(out, status);
    out.append(" ");
    out.append(reason(status));
    out.append("\r\nDate: ");
  }
  out.append(date_now());
  out.append("\r\n");
}

void header(Response &response, std::string_view name, std::string_view value) {
  response.out.append(name);
  response.out.append(": ");
  response.out.append(value);
  response.out.append("\r\n");
}

void header(Response &response, std::string_view name, std::uint64_t value) {
  response.out.append(name);
  response.out.append(": ");
  append_number(response.out, value);
  response.out.append("\r\n");
}

void end_head(const Request &request, Response &response, std::uint64_t length) {
  header(response, "Content-Length", length);
  end_any_head(request, response);
}

void end_bare_head(const Request &request, Response &response) { end_any_head(request, response); }

void end_chunked_head(const Request &request, Response &response) {
  if (request.version == 10) {
    response.close = true;
  } else {
    response.out.append("Transfer-Encoding: chunked\r\n");
  }
  end_any_head(request, response);
}

std::size_t end_head_with_room(const Request &request, Response &response) {
  response.out.append(
      "Content-Length:                     \r\n"); // RFC 9110 section 5.5: spaces around a value are no part of it
  const std::size_t at = response.out.size() - 2;
  end_any_head(request, response);
  return at;
}

void put_length(Buffer &out, std::size_t at, std::uint64_t length) {
  char text[20];
  const auto size = static_cast<std::size_t>(std::to_chars(text, text + sizeof text, length).ptr - text);
  std::memcpy(out.data() + at - size, text, size);
}

std::size_t open_chunk(Buffer &out) {
  const std::size_t at = out.size();
  out.room(chunk_head_size);
  out.grew(chunk_head_size);
  return at;
}

void close_chunk(Buffer &out, std::size_t at) {
  std::size_t length = out.size() - at - chunk_head_size;
  if (length == 0) return out.truncate(at);
  char *head = out.data() + at;
  for (int digit = 7; digit >= 0; --digit, length >>= 4) head[digit] = "0123456789abcdef"[length & 15];
  head[8] = '\r';
  head[9] = '\n';
  out.append("\r\n");
}

void last_chunk(Buffer &out, std::string_view trailer) {
  out.append("0\r\n");
  out.append(trailer);
  out.append("\r\n");
}

void reply(const Request &request, Response &response, unsigned status, std::string_view type, std::string_view body) {
  begin_head(response, status);
  header(response, "Content-Type", type);
  end_head(request, response, body.size());
  if (request.method != Method::head) response.out.append(body);
}

void reply_error(const Request &request, Response &response, unsigned status, std::string_view message,
                 std::string_view extra) {
  Buffer body;
  body.append("{\"status\":");
  append_number(body, status);
  body.append(",\"statusText\":");
  append_json(body, reason(status));
  body.append(",\"message\":");
  append_json(body, base::printable_lines(message));
  body.append("}");
  begin_head(response, status);
  response.out.append("Content-Type: application/json\r\nCache-Control: no-store\r\n");
  response.out.append(extra);
  end_head(request, response, body.size());
  if (request.method != Method::head) response.out.append(body.view());
}

std::string_view reason(unsigned status) {
  switch (status) {
  case 200:
    return "OK";
  case 204:
    return "No Content";
  case 206:
    return "Partial Content";
  case 304:
    return "Not Modified";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 408:
    return "Request Timeout";
  case 412:
    return "Precondition Failed";
  case 413:
    return "Content Too Large";
  case 415:
    return "Unsupported Media Type";
  case 416:
    return "Range Not Satisfiable";
  case 417:
    return "Expectation Failed";
  case 421:
    return "Misdirected Request";
  case 429:
    return "Too Many Requests";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 501:
    return "Not Implemented";
  case 503:
    return "Service Unavailable";
  case 504:
    return "Gateway Timeout";
  case 505:
    return "HTTP Version Not Supported";
  case 507:
    return "Insufficient Storage";
  default:
    return "Unknown";
  }
}

unsigned http_status(Status status) {
  switch (status) {
  case Status::ok:
    return 200;
  case Status::not_found:
    return 404;
  case Status::invalid:
    return 400;
  case Status::denied:
    return 403;
  case Status::read_only:
    return 405;
  case Status::conflict:
    return 412;
  case Status::too_large:
    return 413;
  case Status::unsupported:
    return 501;
  case Status::timeout:
  case Status::cancelled: // nobody reads it, unless a server below this one was left by its caller
    return 504;
  case Status::unavailable:
    return 503;
  case Status::no_space:
    return 507;
  case Status::io:
  case Status::corrupt:
  case Status::internal:
    return 500;
  }
  return 500;
}

} // namespace omnistore::http
