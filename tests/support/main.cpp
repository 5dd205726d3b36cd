// SPDX-License-Identifier: Apache-2.0
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

#include <cstdlib>

/// Which plugins were found to load well is remembered in the build, not in the user's cache.
static const int own_cache = ::setenv("XDG_CACHE_HOME", OMNISTORE_BUILD "/tests/cache", 1);
