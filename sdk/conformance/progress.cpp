// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <algorithm>
#include <mutex>

namespace omnistore::kit::progress {
namespace {

Board *board = nullptr;
std::mutex writing;

} // namespace

void use(Board *to) noexcept { board = to; }

void say(std::string_view function, std::string_view about) noexcept {
  if (!board) return;
  const std::lock_guard lock(writing);
  __atomic_add_fetch(&board->calls, 1, __ATOMIC_RELAXED);
  char *at = board->doing, *const end = board->doing + sizeof board->doing - 1;
  const auto put = [&](char c) {
    if (at < end) *at++ = c;
  };
  for (const char c : function) put(c);
  if (!about.empty()) put(' ');
  for (const char c : about) put(c >= ' ' && c < 127 ? c : '?');
  *at = '\0';
}

} // namespace omnistore::kit::progress
