// SPDX-License-Identifier: Apache-2.0
// stats and top: what a running host counts, in all or a second.
#include <chrono>

#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/admin.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "cli/stats_view.hpp"
#include "cli/stop_signals.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

/// Leaves only one mount, if one was named. Throws if it does not exist.
StatsView look(const Global &global, const std::string &mountpoint) {
  boost::json::object answer = request_admin(global, "/stats");
  if (mountpoint.empty()) return StatsView(std::move(answer));
  boost::json::array &mounts = answer.at("mounts").as_array();
  for (auto at = mounts.begin(); at != mounts.end();)
    at = at->at("mountpoint").as_string() == normal_form(mountpoint) ? at + 1 : mounts.erase(at);
  if (mounts.empty())
    throw Failure(Status::not_found, "nothing is mounted at " + mountpoint, "`omnistore mounts` lists the mounts");
  return StatsView(std::move(answer));
}

/// Returns the rows of the terminal, or 24 if it does not say.
std::size_t screen_rows() {
  winsize size{};
  return ::ioctl(results(), TIOCGWINSZ, &size) == 0 && size.ws_row > 4 ? size.ws_row : 24u;
}

/// Looks again and again and calls `show` with each look and the one before, until a signal comes or there were enough.
template <typename Show>
void repeat(const Global &global, const std::string &mountpoint, std::chrono::milliseconds every, std::uint64_t times,
            const Show &show) {
  hold_stop_signals();
  StatsView before = look(global, mountpoint);
  for (std::uint64_t shown = 0; shown < times; ++shown) {
    if (stop_within(every)) return;
    StatsView now = look(global, mountpoint);
    show(now, before);
    before = std::move(now);
  }
}

std::uint64_t times_of(std::uint64_t count) { return count == 0 ? UINT64_MAX : count; }

} // namespace

int run(const Global &global, const ShowStats &options) {
  Output out;
  if (options.every.count() == 0) {
    const StatsView now = look(global, options.mountpoint);
    if (global.json)
      out.json(now.json());
    else
      now.print_totals(out);
    out.flush();
    return 0;
  }
  repeat(global, options.mountpoint, options.every, times_of(options.count),
         [&](const StatsView &now, const StatsView &before) {
           if (global.json)
             out.json(now.json());
           else
             now.print_rates(out, before, SIZE_MAX);
           out.flush();
         });
  return 0;
}

int run(const Global &global, const Top &options) {
  Output out;
  const bool screen = is_terminal(results());
  struct Screen { // restores the terminal, whatever ends this
    bool on;
    ~Screen() {
      if (on) [[maybe_unused]]
        const ssize_t written = ::write(results(), "\x1b[?25h\x1b[?1049l", 14);
    }
  } restored{screen};
  if (screen) out.write("\x1b[?1049h\x1b[?25l"), out.flush();
  repeat(global, {}, options.every, times_of(options.count), [&](const StatsView &now, const StatsView &before) {
    if (screen) out.write("\x1b[H\x1b[2J");
    out.line(now.headline(before));
    now.print_rates(out, before, screen ? screen_rows() - 3 : SIZE_MAX);
    out.flush();
  });
  return 0;
}

} // namespace omnistore::cli
