// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include <omnistore/storage.hpp>

#include "report/host_state.hpp"
#include "routes/guard.hpp"
#include "routes/host_control.hpp"
#include "routes/request.hpp"

namespace omnistore::routes {

/// Shows the state of the host and its mounts, and changes the mounts. GET and HEAD show:
///
///     /         the list of these pages
///     /health   200 as long as the process serves
///     /ready    200 when every mount that must be there is, and no store says that it cannot do its work; 503 with the
///               reasons, and while the host stops. It takes at most about a second
///     /metrics  counters and latencies in Prometheus' text format
///     /stats    the same as JSON
///     /mounts   the mounts, the capabilities of each store, and the old stores that are not closed yet
///     /drivers  the drivers that there are, and the plugin files that could not be used
///     /reload   what a reload of the config would change
///     /explain  ?key=KEY: the stores that a get of the key calls, and the result of each, without the value
///
/// and these change something:
///
///     POST /reload           reads the config again, and changes the mounts accordingly
///     PUT /mounts/POINT      mounts the store in the body, which looks like a mount of the config; /mounts/ is the
///     root DELETE /mounts/POINT   unmounts it
///
/// /health and /ready are open. A caller without further rights sees only their status. Without tokens, only the user
/// that the host runs as and root may use the rest, except that a loopback listener shows /metrics to every user; with
/// HttpConfig::any_user all is open. With tokens, a request needs a token: one without bases for /drivers and /reload,
/// and one that may also write for changes. On /mounts, /stats and /metrics, a token with bases sees the mounts that
/// lie in them; it explains only keys in them. The response to a change comes when the change is in effect. Its
/// "draining" has the old stores that are not closed yet. With ?wait=5s it comes when they are closed, after that time,
/// or when the request's time is nearly up.
class AdminRoutes final : public http::Application {
public:
  /// `state` may be called on any thread.
  AdminRoutes(HostControl &host, Storage &storage, Guard guard, std::function<report::HostState()> state);

  std::unique_ptr<http::Handler> handler(http::Request &request) override;

private:
  using Function = void (AdminRoutes::*)(const Request &, Response &);
  class Handler;
  enum class Access;
  struct Path;
  /// Returns the path that a request is for, of those with its method, or null.
  static const Path *find(std::string_view path, Method method);
  const Path *admit(Request &request, Response &response) const;
  Guard::Verdict judge(const Request &request, Access access) const;
  /// Returns true if an admitted request may see a mount and its content; for the root this means everything.
  bool shows(const Request &request, const std::string &mountpoint) const;
  /// Returns those of the mounts, or of their counters, that an admitted request may see.
  template <class Mount>
  std::vector<Mount> shown(const Request &request, std::vector<Mount> mounts) const {
    std::erase_if(mounts, [&](const Mount &mount) { return !shows(request, mount.mountpoint); });
    return mounts;
  }

  void index(const Request &request, Response &response);
  void health(const Request &request, Response &response);
  void ready(const Request &request, Response &response);
  void metrics(const Request &request, Response &response);
  void stats(const Request &request, Response &response);
  void mounts(const Request &request, Response &response);
  void drivers(const Request &request, Response &response);
  void diff(const Request &request, Response &response);
  void reload(const Request &request, Response &response);
  void mount(const Request &request, Response &response);
  void unmount(const Request &request, Response &response);
  void explain(const Request &request, Response &response);
  void add_draining(boost::json::object &body, const std::string *point) const;

  HostControl &host_;
  Storage &storage_;
  const Guard guard_;
  const std::function<report::HostState()> state_;
};

} // namespace omnistore::routes
