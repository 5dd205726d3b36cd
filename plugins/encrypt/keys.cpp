// SPDX-License-Identifier: Apache-2.0
#include "keys.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include <sodium.h>
#include <sys/stat.h>

namespace encrypt {

using omnistore::Failure;
using omnistore::Options;

namespace {

[[noreturn]] void wrong(const std::string &what) { throw Failure(OMNISTORE_INVALID, what); }

bool is_id(std::string_view id) {
  constexpr std::string_view good = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !id.empty() && id.size() <= Keys::longest_id && id.find_first_not_of(good) == id.npos;
}

/// The text with the keys. The destructor wipes it.
struct KeyText {
  std::string text;
  ~KeyText() { sodium_memzero(text.data(), text.size()); }
};

void read_file(const omnistore_host &host, const std::string &path, std::string &into) {
  std::ifstream file(path, std::ios::binary);
  if (!file) wrong("option keyFile: " + path + ": " + std::strerror(errno));
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0)
    omnistore::log_line(host, OMNISTORE_LOG_WARN,
                        "the key file " + path + " can be read by others than its owner; chmod 600 would mend that");
  into.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

} // namespace

SecretKey::~SecretKey() { sodium_memzero(bytes.data(), bytes.size()); }

void Keys::check(const Options &options) {
  const int sources = options.has("keyFile") + options.has("keyVariable") + options.has("keys");
  if (sources != 1)
    wrong(std::string(sources == 0 ? "there is no key" : "there are several sources of keys") +
          "; expected exactly one of the options keyFile, keyVariable and keys");
  if (options.has("writeWith") && !is_id(options.string("writeWith")))
    wrong("option writeWith: expected the id of a key, of 1 to 16 letters, digits, '.', '_' or '-'");
}

Keys::Keys(const omnistore_host &host, const Options &options) {
  check(options);
  KeyText read;
  std::string source = "option keys";
  if (options.has("keyFile")) {
    source = "option keyFile: " + options.string("keyFile");
    read_file(host, options.string("keyFile"), read.text);
  } else if (options.has("keyVariable")) {
    const std::string name = options.string("keyVariable");
    source = "option keyVariable: " + name;
    const char *value = std::getenv(name.c_str());
    if (!value) wrong("option keyVariable: the environment has no variable " + name);
    read.text = value;
  } else {
    read.text = options.string("keys");
  }
  parse(read.text, source);
  if (keys_.empty()) wrong(source + ": there is no key in it; expected lines of an id and 64 hexadecimal digits");
  if (options.has("writeWith")) {
    writing_ = options.string("writeWith");
    if (!find(writing_)) wrong("option writeWith: there is no key " + writing_);
  }
}

const SecretKey *Keys::find(std::string_view id) const {
  const auto found = keys_.find(id);
  return found == keys_.end() ? nullptr : &found->second;
}

void Keys::parse(std::string_view text, const std::string &source) {
  constexpr std::string_view spaces = " \t\r";
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find_first_of("\n;"), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(spaces), line.size()));
    line = line.substr(0, line.find_last_not_of(spaces) + 1);
    if (line.empty() || line[0] == '#') continue;
    const std::string place = source + ", line " + std::to_string(number) + ": ";
    const std::size_t gap = std::min(line.find_first_of(spaces), line.size());
    const std::string id(line.substr(0, gap));
    const std::string_view digits = line.substr(std::min(line.find_first_not_of(spaces, gap), line.size()));
    if (!is_id(id)) wrong(place + "expected a key's id, of 1 to 16 letters, digits, '.', '_' or '-', and a space");
    SecretKey key;
    std::size_t size = 0;
    if (digits.size() != 2 * key.bytes.size() ||
        sodium_hex2bin(key.bytes.data(), key.bytes.size(), digits.data(), digits.size(), nullptr, &size, nullptr) !=
            0 ||
        size != key.bytes.size())
      wrong(place + "expected 64 hexadecimal digits after the id " + id);
    if (!keys_.emplace(id, key).second) wrong(place + "there is a key " + id + " already");
    if (writing_.empty()) writing_ = id;
  }
}

} // namespace encrypt
