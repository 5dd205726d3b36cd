// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace omnistore {

/// The host's clock: Unix milliseconds of the system's clock at the process's first look, carried on by the monotonic
/// clock. A step of the system's clock neither ends values early nor brings ended ones back. It moves on with the
/// kernel's tick, by 1 to 10 ms.
std::int64_t now_ms() noexcept;

/// Sets the clock forward, for tests of what happens later. [any thread]
void advance_clock(std::int64_t milliseconds) noexcept;

/// "1.5 s", for messages.
std::string seconds_text(std::chrono::duration<double> time);

} // namespace omnistore
