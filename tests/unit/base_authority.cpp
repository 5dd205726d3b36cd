// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <catch2/catch.hpp>

#include "base/authority.hpp"

using omnistore::base::Authority;
using omnistore::base::parse_authority;
using omnistore::base::same_host;

TEST_CASE("Names, IPv4 addresses and IPv6 addresses in brackets are authorities, with a port or without") {
  const auto name = parse_authority("Example.com:8080");
  REQUIRE(name);
  CHECK(name->kind == Authority::Kind::name);
  CHECK(name->host == "Example.com");
  CHECK(name->port == 8080);
  const auto four = parse_authority("127.0.0.1:");
  REQUIRE(four);
  CHECK(four->kind == Authority::Kind::ipv4);
  CHECK_FALSE(four->port);
  const auto six = parse_authority("[::1]:65535");
  REQUIRE(six);
  CHECK(six->kind == Authority::Kind::ipv6);
  CHECK(six->host == "::1");
  CHECK(six->port == 65535);
  for (const char *good :
       {"a", "a.b.", "my_host", "a%2db", "127.1", "[2001:db8::7]", "[::ffff:1.2.3.4]:0", "[::1]:", "h:00080"}) {
    INFO(good);
    CHECK(parse_authority(good));
  }
}

TEST_CASE("Any other text is no authority") {
  for (const char *bad : {"",
                          ":80",
                          "[::1]evil.com",
                          "127.0.0.1:evil.com",
                          "user@host",
                          "user:pw@host",
                          "a b",
                          " a",
                          "a ",
                          "a\t",
                          "a/b",
                          "a?b",
                          "a#b",
                          "a\\b",
                          "a:80:80",
                          "a:-1",
                          "a:+1",
                          "a:65536",
                          "a:123456",
                          "a:000080",
                          "a:8o",
                          "a: 80",
                          "[::1",
                          "::1",
                          "[]",
                          "[127.0.0.1]",
                          "[::1%25eth0]",
                          "[fe80::1%eth0]",
                          "[v1.a]",
                          "[::1]]",
                          "[[::1]]",
                          "a%2",
                          "a%zz",
                          "%",
                          "a\"b",
                          "<a>",
                          "a\xc3\xa9",
                          "a\x7f",
                          "{a}",
                          "a|b",
                          "a^b",
                          "a`b",
                          "[::1]x:80"}) {
    INFO(bad);
    CHECK_FALSE(parse_authority(bad));
  }
  CHECK_FALSE(parse_authority(std::string("a\0b", 3)));
  CHECK_FALSE(parse_authority(std::string("[::1\0]", 6)));
}

TEST_CASE("Only addresses of this machine and localhost are loopback") {
  for (const char *here :
       {"localhost", "LOCALHOST.", "127.0.0.1", "127.8.8.8:1", "[::1]", "[0:0:0:0:0:0:0:1]:1", "[::ffff:127.0.0.1]"}) {
    INFO(here);
    CHECK(parse_authority(here)->is_loopback());
  }
  for (const char *elsewhere : {"localhost.evil.com", "evil.com", "128.0.0.1", "127.1", "0x7f.1", "127.0.0.1.", "[::2]",
                                "[::127.0.0.1]", "%6cocalhost", "0.0.0.0", "127.0.0.01"}) {
    INFO(elsewhere);
    CHECK_FALSE(parse_authority(elsewhere)->is_loopback());
  }
}

TEST_CASE("Hosts are compared by their meaning") {
  const auto same = [](const char *a, const char *b) { return same_host(*parse_authority(a), *parse_authority(b)); };
  CHECK(same("Example.com:1", "example.COM.:2"));
  CHECK(same("[::1]", "[0:0::1]"));
  CHECK_FALSE(same("a", "b"));
  CHECK_FALSE(same("[::1]", "[::2]"));
  CHECK_FALSE(same("127.0.0.1", "[::ffff:127.0.0.1]"));
}
