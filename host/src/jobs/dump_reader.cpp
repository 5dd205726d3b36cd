// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "jobs/dump_lines.hpp"

#include "base/encoding.hpp"

namespace omnistore::jobs {
namespace {

namespace json = boost::json;

constexpr std::size_t longest_dump_line = 512 * 1024 * 1024;

/// A line whose form is wrong.
struct Malformed {
  std::string what;
};

std::string text_at(const json::object &fields, const char *name) {
  const json::value *value = fields.if_contains(name);
  if (!value || !value->is_string()) throw Malformed{std::string("it has no text \"") + name + "\""};
  return std::string(value->get_string());
}

/// A number that is not negative; nothing: it is not there.
std::optional<std::uint64_t> number_at(const json::object &fields, const char *name) {
  const json::value *value = fields.if_contains(name);
  if (!value) return std::nullopt;
  boost::system::error_code broken;
  const auto number = value->to_number<std::uint64_t>(broken);
  if (broken) throw Malformed{std::string("\"") + name + "\" is no number of this kind"};
  return number;
}

std::string bytes_at(const json::object &fields, const char *as_text = "value", const char *as_base64 = "base64") {
  if (fields.contains(as_text)) return text_at(fields, as_text);
  if (!fields.contains(as_base64))
    throw Malformed{std::string("it has neither \"") + as_text + "\" nor \"" + as_base64 + "\""};
  std::optional<std::string> bytes = base::from_base64(text_at(fields, as_base64));
  if (!bytes) throw Malformed{"its base64 cannot be read"};
  return std::move(*bytes);
}

void read_known(const json::object &fields, Taken &taken) {
  taken.mtime = static_cast<std::int64_t>(number_at(fields, "mtime").value_or(0));
  taken.expiry = static_cast<std::int64_t>(number_at(fields, "expiry").value_or(0));
  const json::value *user = fields.if_contains("meta");
  if (user && user->is_object()) // as dumps were written before user meta was bytes
    taken.user = json::serialize(*user);
  else if (user || fields.contains("meta64"))
    taken.user = bytes_at(fields, "meta", "meta64");
}

json::object object_of(const std::string &line) {
  boost::system::error_code broken;
  json::value value = json::parse(line, broken);
  if (broken || !value.is_object()) throw Malformed{"it is no JSON object"};
  return std::move(value.get_object());
}

} // namespace

DumpReader::DumpReader(Source &in, std::string name) : in_(in), name_(std::move(name)) {
  try {
    if (!read_line(line_)) throw Malformed{"there is nothing in it"};
    first_ = line_;
    const json::object fields = object_of(line_);
    if (text_at(fields, "omnistore") != "dump") throw Malformed{"it is another file of Omnistore's"};
    const std::uint64_t version = number_at(fields, "version").value_or(0);
    if (version != 1)
      throw Error(Status::unsupported,
                  "dump " + name_ + ": it is of version " + std::to_string(version) + ", and this program knows 1");
    base_ = text_at(fields, "base");
  } catch (const Malformed &wrong) {
    throw Error(Status::corrupt, "dump " + name_ + ": it is no dump: " + wrong.what);
  }
}

/// A whole line, without its end. False: there is none.
bool DumpReader::read_line(std::string &line) {
  if (!last_.empty()) sum_.add_line(last_);
  sum_.entries += std::exchange(entries_, 0);
  sum_.bytes += std::exchange(bytes_, 0);
  position_ += last_.size();
  last_.clear();
  std::size_t end = held_.find('\n', at_);
  while (end == held_.npos) {
    held_.erase(0, at_);
    at_ = 0;
    const std::size_t had = held_.size();
    if (had > longest_dump_line) throw Error(Status::too_large, place(number_ + 1) + ": it has more than 512 MiB");
    held_.resize(had + 256 * 1024);
    const std::size_t got = in_.read(held_.data() + had, held_.size() - had);
    held_.resize(had + got);
    if (number_ == 0 && at_ == 0 && held_.starts_with("\xEF\xBB\xBF")) { // a byte order mark, which editors add
      held_.erase(0, 3);
      position_ += 3;
      end = held_.find('\n');
      if (got != 0) continue;
    }
    if (got == 0) return false; // what has no end was cut off
    end = held_.find('\n', had);
  }
  last_.assign(held_, at_, end + 1 - at_);
  line.assign(last_, 0, last_.size() - 1);
  at_ = end + 1;
  ++number_;
  return true;
}

bool DumpReader::next(Line &line) {
  line = {};
  if (within_) pass_over();
  if (!read_line(line_)) return false;
  line.number = number_;
  try {
    const json::object fields = object_of(line_);
    if (fields.contains("key"))
      read_entry(fields, line);
    else if (fields.contains("checkpoint"))
      line.kind = Line::Kind::checkpoint, line.cursor = text_at(fields, "checkpoint");
    else if (fields.contains("entries"))
      read_end(fields, line);
    else if (fields.contains("part") || fields.contains("end"))
      throw Malformed{"it is of a long value whose begin is missing"};
  } catch (const Malformed &wrong) {
    line.kind = Line::Kind::damaged;
    line.problem = place(number_) + ": " + wrong.what;
  }
  return true;
}

void DumpReader::read_entry(const json::object &fields, Line &line) {
  line.key = text_at(fields, "key");
  read_known(fields, line.taken);
  if (fields.contains("long")) {
    line.kind = Line::Kind::long_entry;
    line.taken.state = Taken::State::is_long;
    within_ = true;
    key_ = line.key;
    digest_ = {};
    parts_ = size_ = 0;
    return;
  }
  line.taken.value = bytes_at(fields);
  line.taken.size = line.taken.value.size();
  line.taken.state = Taken::State::held;
  if (digest_of(line.taken.value) != text_at(fields, "sha256"))
    throw Malformed{"the checksum of key " + line.key + " is wrong"};
  if (number_at(fields, "size").value_or(line.taken.size) != line.taken.size)
    throw Malformed{"the size of key " + line.key + " is wrong"};
  line.kind = Line::Kind::entry;
  entries_ = 1;
  bytes_ = line.taken.size;
}

void DumpReader::read_end(const json::object &fields, Line &line) const {
  line.is_last = true;
  const std::uint64_t lines = number_at(fields, "lines").value_or(0);
  if (lines != sum_.lines)
    throw Malformed{"there should be " + std::to_string(lines) + " lines before it, and there are " +
                    std::to_string(sum_.lines)};
  if (text_at(fields, "sha256") != sum_.digest.hex())
    throw Malformed{"the checksum of all lines before it is wrong: the dump was altered"};
  if (number_at(fields, "entries") != sum_.entries || number_at(fields, "bytes") != sum_.bytes)
    throw Malformed{"there should be other entries before it"};
  line.kind = Line::Kind::end;
}

bool DumpReader::part(std::string &bytes) {
  bytes.clear();
  const auto wrong = [&](const std::string &what) {
    within_ = false;
    throw Error(Status::corrupt, place(number_) + ": " + what);
  };
  if (!read_line(line_)) wrong("the value of key " + key_ + " was cut off behind it");
  try {
    const json::object fields = object_of(line_);
    if (const std::optional<std::uint64_t> number = number_at(fields, "part")) {
      if (*number != parts_++) throw Malformed{"a part of key " + key_ + " is missing before it"};
      bytes = bytes_at(fields);
      digest_.add(bytes);
      size_ += bytes.size();
      return true;
    }
    if (text_at(fields, "end") != key_) throw Malformed{"it does not end key " + key_};
    if (number_at(fields, "parts") != parts_ || number_at(fields, "size") != size_)
      throw Malformed{"key " + key_ + " should have other parts"};
    if (text_at(fields, "sha256") != digest_.hex()) throw Malformed{"the checksum of key " + key_ + " is wrong"};
  } catch (const Malformed &problem) {
    wrong(problem.what);
  }
  within_ = false;
  entries_ = 1;
  bytes_ = size_;
  return false;
}

void DumpReader::pass_over() {
  try {
    std::string ignored;
    while (part(ignored)) {
    }
  } catch (const Error &) {
    // The end of the dump tells of it, or who reads the lines behind it.
  }
}

} // namespace omnistore::jobs
