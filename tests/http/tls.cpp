// SPDX-License-Identifier: Apache-2.0
// Commands on a host with TLS.
#include <catch2/catch.hpp>

#include <string>

#include "cli/program.hpp"
#include "support/tls_front.hpp"

using test::Result;
using test::says;
using test::Strings;

namespace {

/// A host, TLS before it, and a file with the certificate.
struct SecureHost {
  SecureHost() { test::write_file(certificate(), front.certificate()); }

  std::string certificate() const { return place.folder / "certificate.pem"; }
  Result operator()(const Strings &command) const {
    Strings arguments{"--url", front.url(), "--ca", certificate()};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return test::omnistore(arguments);
  }

  test::Place place;
  test::Host host{place.config()};
  test::TlsFront front{static_cast<std::uint16_t>(std::stoul(host.url.substr(host.url.rfind(':') + 1)))};
};

} // namespace

TEST_CASE("Commands on data work through TLS, with a certificate that the command names") {
  const SecureHost secure;
  CHECK(secure({"set", "mem:k", "x"}).code == 0);
  CHECK(secure({"get", "mem:k"}).out == "x");
  CHECK(secure({"get", "mem:k", "mem:k"}).code == 0);
  CHECK(secure({"ls", "mem"}).out == "mem:k\n");
  CHECK(secure({"rm", "mem:k"}).code == 0);
  CHECK(secure({"has", "mem:k"}).code == 1);
}

TEST_CASE("A watch works through TLS") {
  const SecureHost secure;
  test::Process watch(
      {test::program(), "--url", secure.front.url(), "--ca", secure.certificate(), "watch", "--count", "1"}, {});
  CHECK(watch.error_line() == "Watching every key; Ctrl-C ends it\n");
  CHECK(secure({"set", "mem:k", "x"}).code == 0);
  CHECK(says(watch.line(), "update  mem:k"));
  CHECK(watch.finish().code == 0);
}

TEST_CASE("A host whose certificate is not trusted is refused") {
  const SecureHost secure;
  const Result refused = test::omnistore({"--url", secure.front.url(), "get", "mem:k"});
  CHECK(refused.code == 6);
  CHECK(says(refused.err, "certificate"));
}
