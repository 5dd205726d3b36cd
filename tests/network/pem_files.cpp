// SPDX-License-Identifier: Apache-2.0
// Files of TLS that cannot be used, wherever a config or an option names one.
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "cli/program.hpp"
#include "support/certificates.hpp"
#include "support/temporary.hpp"

using test::omnistore;
using test::says;

namespace {

/// A place that names a file. `%` stands for the file; the other files are good ones.
struct Place {
  std::string field, config;
};

std::string driver(const std::string &name, const std::string &options) {
  return R"("mounts": {"": {"driver": ")" + name + R"(", "options": {)" + options + "}}}";
}

class Files {
  test::Folder folder_;
  test::Authority authority_;
  test::Authority::Pair good_ = authority_.pair("good", "IP:127.0.0.1");

public:
  std::string cert = good_.cert, key = good_.key, ca = authority_.ca();
  std::string missing = folder_ / "missing.pem", folder = folder_.path().string();
  std::string empty = write("empty.pem", "");
  std::string text = write("text.pem", "hello\n");
  std::string binary = write("binary.der", std::string("\x30\x82\x01\x0a\x00", 5));
  std::string garbled_key = write("garbled.key", "-----BEGIN PRIVATE KEY-----\n????\n-----END PRIVATE KEY-----\n");
  std::string garbled_cert = write("garbled.pem", "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n");
  std::string encrypted = write("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n"
                                                 "-----END ENCRYPTED PRIVATE KEY-----\n");
  std::string old_encrypted = write("old.key", "-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\n"
                                               "DEK-Info: AES-128-CBC,00\r\n\r\nMIIB\r\n"
                                               "-----END RSA PRIVATE KEY-----\r\n");
  std::string other_key = authority_.pair("other", "").key;

  /// What `omnistore check` says of a config.
  std::string check(const std::string &config) const {
    const std::string file = folder_ / "omnistore.json";
    test::write_file(file, R"({"plugins": {"paths": [")" OMNISTORE_BUILD R"(/plugins"]}, )" + config + "}");
    const test::Result result = omnistore({"-c", file, "check"});
    return result.code == 0 ? "" : result.out + result.err;
  }

private:
  std::string write(const std::string &name, const std::string &content) const {
    test::write_file(folder_ / name, content);
    return folder_ / name;
  }
};

std::string with(std::string config, const std::string &file) { return config.replace(config.find('%'), 1, file); }

std::vector<Place> certificates(const Files &files) {
  const std::string key = R"("key": ")" + files.key + '"';
  const std::string pair = R"("certificate": ")" + files.cert + R"(", )" + key;
  const std::string mount = R"(, )" + driver("memory", R"("maxBytes": "1MiB")");
  return {
      {"server.http.tls.certificate", R"("server": {"http": {"tls": {"certificate": "%", )" + key + "}}}" + mount},
      {"admin.tls.certificate", R"("admin": {"tls": {"certificate": "%", )" + key + "}}" + mount},
      {"server.http.tls.clientCa", R"("server": {"http": {"tls": {"clientCa": "%", )" + pair + "}}}" + mount},
      {"options.ca", driver("redis", R"("url": "rediss://127.0.0.1:1", "ca": "%")")},
      {"options.cert", driver("redis", R"("url": "rediss://127.0.0.1:1", "cert": "%", )" + key)},
      {"options.ca", driver("http", R"("base": "https://127.0.0.1:1", "ca": "%")")},
      {"options.certificate", driver("http", R"("base": "https://127.0.0.1:1", "certificate": "%", )" + key)},
      {"options.ca", driver("etcd", R"("endpoints": ["https://127.0.0.1:1"], "ca": "%")")},
      {"options.certificate", driver("etcd", R"("endpoints": ["https://127.0.0.1:1"], "certificate": "%", )" + key)},
      {"options.ca",
       driver(
           "s3",
           R"("bucket": "abc", "accessKeyId": "a", "secretAccessKey": "b", "endpoint": "https://127.0.0.1:1", "ca": "%")")},
      {"options.sslrootcert", driver("postgres", R"("host": "127.0.0.1", "sslrootcert": "%")")},
      {"options.sslcert", driver("postgres", R"("host": "127.0.0.1", "sslcert": "%", "sslkey": ")" + files.key + '"')},
  };
}

std::vector<Place> keys(const Files &files) {
  const std::string certificate = R"("certificate": ")" + files.cert + R"(", "key": "%")";
  const std::string mount = R"(, )" + driver("memory", R"("maxBytes": "1MiB")");
  return {
      {"server.http.tls.key", R"("server": {"http": {"tls": {)" + certificate + "}}}" + mount},
      {"admin.tls.key", R"("admin": {"tls": {)" + certificate + "}}" + mount},
      {"options.key", driver("redis", R"("url": "rediss://127.0.0.1:1", "cert": ")" + files.cert + R"(", "key": "%")")},
      {"options.key", driver("http", R"("base": "https://127.0.0.1:1", )" + certificate)},
      {"options.key", driver("etcd", R"("endpoints": ["https://127.0.0.1:1"], )" + certificate)},
      {"options.sslkey",
       driver("postgres", R"("host": "127.0.0.1", "sslcert": ")" + files.cert + R"(", "sslkey": "%")")},
  };
}

} // namespace

TEST_CASE("check names each file that gives no certificate, and the reason") {
  const Files files;
  for (const Place &place : certificates(files)) {
    INFO(place.config);
    CHECK(files.check(with(place.config, files.cert)) == "");
    const auto refused = [&](const std::string &file, const std::string &why) {
      const std::string said = files.check(with(place.config, file));
      INFO(said);
      CHECK(says(said, place.field + ": " + file + ": " + why));
    };
    refused(files.missing, "No such file or directory");
    refused(files.folder, "Is a directory");
    refused(files.empty, "the file is empty");
    refused(files.text, "it contains no certificate in PEM form");
    refused(files.binary, "it is in binary form; `openssl x509 -inform der");
    refused(files.key, "it contains no certificate in PEM form, but a PRIVATE KEY");
  }
}

TEST_CASE("check names each file that gives no key, and nothing waits for a passphrase") {
  const Files files;
  for (const Place &place : keys(files)) {
    INFO(place.config);
    CHECK(files.check(with(place.config, files.key)) == "");
    const auto refused = [&](const std::string &file, const std::string &why) {
      const std::string said = files.check(with(place.config, file));
      INFO(said);
      CHECK(says(said, place.field + ": " + file + ": " + why));
      CHECK_FALSE(says(said, "pass phrase"));
    };
    refused(files.missing, "No such file or directory");
    refused(files.encrypted, "the key is encrypted, and nobody is there to give its passphrase; `openssl pkey");
    refused(files.old_encrypted, "the key is encrypted");
    refused(files.binary, "it is in binary form; `openssl pkey -inform der");
    refused(files.cert, "it contains no private key in PEM form, but a CERTIFICATE");
  }
}

TEST_CASE("a listener says which certificate a key does not belong to, and which file cannot be decoded") {
  const Files files;
  const auto check = [&](const std::string &certificate, const std::string &key) {
    return files.check(driver("memory", R"("maxBytes": "1MiB")") + R"(, "server": {"http": {"tls": {"certificate": ")" +
                       certificate + R"(", "key": ")" + key + R"("}}})");
  };
  CHECK(says(check(files.cert, files.other_key), "it is not the key of the certificate " + files.cert));
  CHECK(says(check(files.garbled_cert, files.key), "tls.certificate: " + files.garbled_cert + ": what it contains"));
  CHECK(says(check(files.cert, files.garbled_key), "tls.key: " + files.garbled_key + ": what it contains"));
}
