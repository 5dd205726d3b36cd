// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include <omnistore/storage.hpp>

#include "report/history.hpp"
#include "report/host_state.hpp"
#include "routes/data_routes.hpp"
#include "routes/guard.hpp"
#include "routes/host_control.hpp"
#include "routes/request.hpp"
#include "routes/sessions.hpp"

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
///     /history  ?mount=POINT: the last hour of the mounts
///     /slow     the latest slow operations
///     /config   the config that is in effect, without secrets
///     /session  what the caller may do
///
/// and these change something:
///
///     POST /reload           reads the config again, and changes the mounts accordingly
///     PUT /mounts/POINT      mounts the store in the body, which looks like a mount of the config; /mounts/ is the
///     root DELETE /mounts/POINT   unmounts it
///     POST /session          logs a browser in, with a token or the code of a link; DELETE logs it out
///     POST /session/link     makes a link that logs a browser in once
///
/// A browser gets the page at /; its files are below /page/ and open to everyone. DataRoutes serves the keys below
/// /data/: see host/README.md for who may use them. A browser that is logged in has a cookie, which stands for a token
/// (Sessions); its changes need an Origin, so that no other page can make them.
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
  /// The page's part. The routes do not own the objects in it, which must outlive them.
  struct Page {
    Sessions &sessions;
    const report::History &history;
    DataRoutes &keys;          ///< serves what is below /data/
    Guard keys_guard;          ///< the one that `keys` judges by
    std::string authorization; ///< of a session that a link opens
    std::string cookie;        ///< the name of the cookie with a session's id
    bool secure = false;       ///< the listener speaks https alone
    AuditLog *audit = nullptr; ///< null: there is none
  };
  /// `state` may be called on any thread.
  AdminRoutes(HostControl &host, Storage &storage, Guard guard, std::function<report::HostState()> state, Page page);

  std::unique_ptr<http::Handler> handler(http::Request &request) override;

private:
  using Function = void (AdminRoutes::*)(const Request &, Response &);
  class Handler;
  /// The callers that may use a path.
  enum class Access {
    anyone,  ///< everybody, also without a token if the config has tokens
    machine, ///< every user of this machine if there are no tokens, else everybody who has one
    part,    ///< a token of any bases; it sees no more than its bases
    whole,   ///< a token of all bases
    change   ///< a token that may write everything
  };
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

  /// Returns true for a browser that opens the listener's root.
  static bool wants_page(const Request &request, std::string_view path);
  /// Returns false for a page of another origin that only "*" grants. Any page of the world may be such a one, so its
  /// requests neither use the cookie nor change it. `authority` is the host that the request is for.
  bool lets_use_cookie(const Request &request, std::string_view authority) const;
  /// Gives a request with the cookie of a session the session's token.
  void use_session(Request &request, std::string_view authority) const;
  /// Returns true if a change was sent by a browser that does not say from which page.
  static bool lacks_origin(const Request &request);
  /// Judges the part of a request for /data/ that DataRoutes does not judge.
  bool admit_keys(Request &request, Response &response) const;
  boost::json::object session_state(const Request &request) const;
  /// Returns true if this listener or the keys have such a token.
  bool knows(std::string_view authorization) const;

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
  void page(const Request &request, Response &response);
  void session(const Request &request, Response &response);
  void log_in(const Request &request, Response &response);
  void log_out(const Request &request, Response &response);
  void link(const Request &request, Response &response);
  void history(const Request &request, Response &response);
  void slow(const Request &request, Response &response);
  void config(const Request &request, Response &response);
  void add_draining(boost::json::object &body, const std::string *point) const;

  HostControl &host_;
  Storage &storage_;
  const Guard guard_;
  const std::function<report::HostState()> state_;
  const Page page_;
};

} // namespace omnistore::routes
