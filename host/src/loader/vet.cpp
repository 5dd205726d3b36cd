// SPDX-License-Identifier: Apache-2.0
#include "vet.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include <sodium/crypto_hash_sha256.h>
#include <sys/stat.h>

#include "base/ascii.hpp"
#include "base/encoding.hpp"
#include "unfit.hpp"

namespace omnistore::loader {
namespace {

std::string octal(mode_t mode) {
  std::string text = "0000";
  for (int i = 3; i >= 0; --i, mode >>= 3) text[static_cast<std::size_t>(i)] = static_cast<char>('0' + (mode & 7));
  return text;
}

/// `what` is how the message calls it: "it", or "its folder /a/b".
void vet_one(const struct stat &info, const std::string &what, const std::string &path, uid_t user) {
  if (info.st_uid != 0 && info.st_uid != user)
    throw Unfit(what + " belongs to uid " + std::to_string(info.st_uid) + ", who is neither root nor uid " +
                    std::to_string(user) + " that the host runs as",
                "chown it to one of them, or copy the plugin elsewhere");
  const bool writable = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  const bool sticky_folder = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
  if (writable && !sticky_folder)
    throw Unfit("others can write " + what + " (mode " + octal(info.st_mode & 07777) + ")", "chmod go-w " + path);
}

std::string real_path(const std::string &path) {
  std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  if (!real) {
    const int error = errno;
    struct stat info;
    if (::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode))
      throw Unfit("it is a symbolic link that leads nowhere (" + cause(error) + ")", "remove it, or link it anew");
    throw Unfit("it cannot be read: " + cause(error));
  }
  return real.get();
}

std::string parent(const std::string &path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

struct stat status_of(const std::string &path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) throw Unfit(path + " cannot be looked at: " + cause(errno));
  return info;
}

} // namespace

void vet_folder_permissions(const std::string &folder, uid_t user) {
  for (std::string at = real_path(folder);; at = parent(at)) {
    vet_one(status_of(at), "its folder " + at, at, user);
    if (at == "/") return;
  }
}

void vet_permissions(const std::string &file, uid_t user) {
  const std::string real = real_path(file);
  vet_one(status_of(real), real == file ? "it" : "the file that it stands for, " + real + ",", real, user);
  vet_folder_permissions(parent(file), user);
  const struct stat link = status_of(file);
  if (!S_ISLNK(link.st_mode)) return;
  if (link.st_uid != 0 && link.st_uid != user)
    throw Unfit("it is a symbolic link of uid " + std::to_string(link.st_uid) + ", who is neither root nor uid " +
                    std::to_string(user) + " that the host runs as",
                "link it anew");
  vet_folder_permissions(parent(real), user);
}

std::string sha256(std::string_view bytes) {
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size());
  return "sha256:" + base::to_hex({reinterpret_cast<const char *>(digest), sizeof digest});
}

void vet_pin(std::string_view bytes, const std::string &pin) {
  std::string wanted = pin;
  std::transform(wanted.begin(), wanted.end(), wanted.begin(), base::lower);
  const std::string found = sha256(bytes);
  if (wanted != found)
    throw Unfit("it is pinned to " + pin + ", and is " + found,
                "check where the file comes from; if it is what you want, change the config's pin");
}

} // namespace omnistore::loader
