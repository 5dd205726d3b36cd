// SPDX-License-Identifier: Apache-2.0
#include "http/peer.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <string>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace omnistore::http {

namespace ip = boost::asio::ip;

namespace {

/// A socket whose owner has closed it belongs to nobody, and the kernel calls that user 0. It also has no inode.
bool is_held(unsigned state, unsigned long inode) {
  return inode != 0 && (state == TCP_ESTABLISHED || state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2);
}

template <class F>
std::optional<ip::tcp::endpoint> endpoint_of(int socket, F get) {
  ip::tcp::endpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  if (socket < 0 || get(socket, endpoint.data(), &size) != 0) return std::nullopt;
  if (endpoint.data()->sa_family != AF_INET && endpoint.data()->sa_family != AF_INET6) return std::nullopt;
  const ip::address address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return ip::tcp::endpoint(ip::make_address_v4(ip::v4_mapped, address.to_v6()), endpoint.port());
  return endpoint;
}

template <class Words>
void put(const ip::address &address, Words &words) {
  const auto copy = [&](const auto &bytes) { std::memcpy(&words, bytes.data(), bytes.size()); };
  address.is_v4() ? copy(address.to_v4().to_bytes()) : copy(address.to_v6().to_bytes());
}

/// The socket for queries to the kernel. It stays open, so that it is there when no descriptor is left. It is -1 if the
/// system has none.
struct Kernel {
  std::mutex mutex;
  const int socket = ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  std::uint32_t requests = 0;
};

Kernel &kernel() {
  static Kernel opened;
  return opened;
}

/// An address and port as the tables below /proc have them: 127.0.0.1:80 as "0100007F:0050", each word of four bytes
/// as this machine reads it.
std::string in_table(const ip::tcp::endpoint &endpoint, bool six) {
  const ip::address address = six && endpoint.address().is_v4()
                                  ? ip::make_address_v6(ip::v4_mapped, endpoint.address().to_v4())
                                  : endpoint.address();
  std::array<std::uint32_t, 4> words{};
  put(address, words);
  std::string text;
  char digits[16];
  for (std::size_t i = 0; i < (six ? 4u : 1u); ++i) {
    std::snprintf(digits, sizeof digits, "%08X", words[i]);
    text += digits;
  }
  std::snprintf(digits, sizeof digits, ":%04X", static_cast<unsigned>(endpoint.port()));
  return text + digits;
}

std::optional<uid_t> user_from_table(const char *file, const std::string &ends) {
  std::ifstream table(file);
  for (std::string line; std::getline(table, line);) {
    const std::size_t at = line.find(ends);
    if (at == std::string::npos) continue;
    unsigned state = 0, user = 0;
    unsigned long inode = 0;
    // After the ends: state, queues, timer, retransmissions, user, timeout, inode.
    const int count =
        std::sscanf(line.c_str() + at + ends.size(), " %x %*x:%*x %*x:%*x %*x %u %*u %lu", &state, &user, &inode);
    if (count == 3 && is_held(state, inode)) return static_cast<uid_t>(user);
  }
  return std::nullopt;
}

} // namespace

std::optional<uid_t> user_from_diag(const Ends &ends) {
  struct KernelRequest {
    nlmsghdr header;
    inet_diag_req_v2 query;
  } request{};
  request.query.sdiag_family = static_cast<__u8>(ends.from.address().is_v4() ? AF_INET : AF_INET6);
  request.query.sdiag_protocol = IPPROTO_TCP;
  request.query.idiag_states = ~0u;
  inet_diag_sockid &id = request.query.id;
  id.idiag_sport = htons(ends.from.port());
  id.idiag_dport = htons(ends.to.port());
  put(ends.from.address(), id.idiag_src);
  put(ends.to.address(), id.idiag_dst);
  id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

  struct KernelResponse {
    nlmsghdr header;
    inet_diag_msg found;
    char rest[4096]; // attributes, which the query does not need
  } response{};
  auto &[mutex, socket, requests] = kernel();
  const std::lock_guard lock(mutex);
  request.header = {sizeof request, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, ++requests, 0};
  if (::send(socket, &request, sizeof request, 0) != sizeof request) return std::nullopt;
  do { // the response is there before send() returns
    sockaddr_nl from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        ::recvfrom(socket, &response, sizeof response, MSG_DONTWAIT, reinterpret_cast<sockaddr *>(&from), &size);
    if (got < static_cast<ssize_t>(sizeof response.header) || from.nl_pid != 0) return std::nullopt;
    if (got < static_cast<ssize_t>(offsetof(KernelResponse, rest))) response.header.nlmsg_type = NLMSG_ERROR;
  } while (response.header.nlmsg_seq != requests);
  const inet_diag_msg &found = response.found;
  // If the client's own socket has gone, this may be that of a program that listens at the client's port.
  if (response.header.nlmsg_type != SOCK_DIAG_BY_FAMILY || found.id.idiag_sport != id.idiag_sport ||
      found.id.idiag_dport != id.idiag_dport || !is_held(found.idiag_state, found.idiag_inode))
    return std::nullopt;
  return static_cast<uid_t>(found.idiag_uid);
}

std::optional<uid_t> user_from_table(const Ends &ends) {
  const auto look = [&](const char *file, bool six) {
    return user_from_table(file, in_table(ends.from, six) + " " + in_table(ends.to, six));
  };
  if (ends.from.address().is_v4())
    if (const auto user = look("/proc/self/net/tcp", false)) return user;
  return look("/proc/self/net/tcp6", true); // also those of IPv6 that speak IPv4
}

void Peer::prepare() { kernel(); }

std::optional<Ends> Peer::ends() const {
  const auto from = endpoint_of(socket_, ::getpeername), to = endpoint_of(socket_, ::getsockname);
  if (!from || !to) return std::nullopt;
  return Ends{*from, *to};
}

ip::address Peer::address() const {
  const auto from = endpoint_of(socket_, ::getpeername);
  return from ? from->address() : ip::address();
}

const std::string &Peer::name() {
  if (!name_.empty()) return name_;
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  const bool is_unix =
      ::getsockname(socket_, reinterpret_cast<sockaddr *>(&own), &size) == 0 && own.ss_family == AF_UNIX;
  name_ = is_unix ? "unix" : address().to_string();
  return name_;
}

std::optional<uid_t> Peer::user() {
  if (user_) return user_;
  // The kernel keeps who connected a unix socket, and no other one can have taken its place.
  ucred client{};
  socklen_t size = sizeof client;
  sockaddr_storage name{};
  socklen_t name_size = sizeof name;
  if (::getsockname(socket_, reinterpret_cast<sockaddr *>(&name), &name_size) == 0 && name.ss_family == AF_UNIX) {
    if (::getsockopt(socket_, SOL_SOCKET, SO_PEERCRED, &client, &size) == 0) user_ = client.uid;
    return user_;
  }
  const std::optional<Ends> ends = this->ends();
  if (!ends) return std::nullopt;
  std::optional<uid_t> user = user_from_diag(*ends);
  if (!user) user = user_from_table(*ends);
  // If this connection is broken by now, another user's may have the same ends.
  if (user && this->ends()) user_ = user;
  return user_;
}

} // namespace omnistore::http
