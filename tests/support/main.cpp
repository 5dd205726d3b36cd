// SPDX-License-Identifier: Apache-2.0
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

#include <cstdlib>

/// Which plugins were found to load well is remembered in the build, not in the user's cache.
static const int own_cache = ::setenv("XDG_CACHE_HOME", OMNISTORE_BUILD "/tests/cache", 1);

/// OpenSSL keeps a block for each thread that had an error. If a detached thread of the host is just ending when the
/// process does, the search for leaks finds that thread no more, and its block not freed yet.
extern "C" const char *__lsan_default_suppressions();
extern "C" const char *__lsan_default_suppressions() { return "leak:CRYPTO_zalloc\n"; }
