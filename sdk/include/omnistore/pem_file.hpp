// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace omnistore {

/// The kinds of content that a file for TLS must have.
enum class Pem { certificate, key };

namespace detail {

/// Returns the label of a line such as "-----BEGIN RSA PRIVATE KEY-----" (RFC 7468); empty if the
/// line is none.
inline std::string_view pem_label(std::string_view line) {
  constexpr std::string_view begin = "-----BEGIN ", end = "-----";
  const std::size_t last = line.find_last_not_of(" \t\r");
  line = line.substr(0, last == line.npos ? 0 : last + 1);
  if (!line.starts_with(begin) || !line.ends_with(end) || line.size() <= begin.size() + end.size())
    return {};
  return line.substr(begin.size(), line.size() - begin.size() - end.size());
}

} // namespace detail

/// Returns why a PEM file cannot give a TLS library a certificate or a private key, with the next
/// step; an empty text if nothing speaks against it. It reads the file and looks at its lines, not at
/// the bytes that they encode: those are for the library. An encrypted key is refused, because a
/// library would wait at the terminal for its passphrase, and nobody types it for a host. A pipe is
/// left to the library, since it can be read only once. Any thread may call it.
inline std::string pem_problem(const std::string &path, Pem wanted) {
  std::error_code ignored;
  if (std::filesystem::is_fifo(path, ignored)) return {};
  std::string text;
  if (std::FILE *const file = std::fopen(path.c_str(), "rb")) {
    char piece[4096];
    constexpr std::size_t most = 16 << 20; // no bundle of authorities is as large
    std::size_t got = 0;
    while (text.size() < most && (got = std::fread(piece, 1, sizeof piece, file)) != 0)
      text.append(piece, got);
    const int error = std::ferror(file) ? errno : 0; // a folder can be opened, but not read
    std::fclose(file);
    if (error != 0) return std::strerror(error);
  } else {
    return std::strerror(errno);
  }
  if (text.empty()) return "the file is empty";
  const char *const command = wanted == Pem::key ? "pkey" : "x509";
  if (text.starts_with('\x30') && text.find("-----BEGIN ") == text.npos)
    return "it is in binary form; `openssl " + std::string(command) +
           " -inform der -in FILE -out FILE.pem` writes the "
           "PEM form, and `openssl pkcs12 -in FILE -nodes` does so if it is a .p12 or .pfx";
  std::string_view found;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view label = detail::pem_label(std::string_view(text).substr(at, end - at));
    at = end + 1;
    if (label.empty()) continue;
    if (found.empty()) found = label;
    if (wanted == Pem::certificate ? !label.ends_with("CERTIFICATE")
                                   : !label.ends_with("PRIVATE KEY"))
      continue;
    const bool is_encrypted =
        label == "ENCRYPTED PRIVATE KEY" ||
        std::string_view(text).substr(at, 64).starts_with("Proc-Type: 4,ENCRYPTED");
    if (wanted == Pem::key && is_encrypted)
      return "the key is encrypted, and nobody is there to give its passphrase; `openssl pkey -in "
             "FILE -out FILE.pem` "
             "writes it without one";
    return {};
  }
  return std::string("it contains no ") + (wanted == Pem::key ? "private key" : "certificate") +
         " in PEM form" + (found.empty() ? "" : ", but a " + std::string(found));
}

} // namespace omnistore
