// SPDX-License-Identifier: Apache-2.0
#include "servers/master_check.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include <omnistore/background.hpp>

namespace redis {

MasterCheck::MasterCheck(Server &server, std::uint64_t master, milliseconds patience,
                         std::atomic<Clock::time_point> &confirmed)
    : server_(server), master_(master), confirmed_(confirmed), connections_(server.sentinels().addresses.size()),
      patience_(std::max(std::min(interval, patience) / static_cast<milliseconds::rep>(connections_.size()),
                         milliseconds(1))) {
  if (pipe2(news_, O_CLOEXEC) != 0)
    throw omnistore::Failure(OMNISTORE_IO, std::string("pipe: ") + std::strerror(errno));
  try {
    thread_ = omnistore::background_thread([this] { run(); });
  } catch (...) {
    ::close(news_[0]);
    ::close(news_[1]);
    throw;
  }
}

MasterCheck::~MasterCheck() {
  {
    const std::lock_guard guard(mutex_);
    stops_ = true;
  }
  changed_.notify_one();
  thread_.join();
  ::close(news_[0]);
}

void MasterCheck::run() noexcept {
  while (is_current() && !stopped()) {
    try {
      request_all();
    } catch (const std::exception &) {
      // There is too little memory for the requests; the next ones follow.
    }
  }
  ::close(news_[1]);
}

/// Waits until the next requests are due. Returns true if the check ends.
bool MasterCheck::stopped() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, interval, [&] { return stops_; });
}

/// The votes of the sentinels that respond decide. A single one may be cut off from the others, and then names the old
/// master for long.
void MasterCheck::request_all() {
  struct Candidate {
    MasterAddress address;
    std::size_t votes, sentinel;
  };
  const Clock::time_point begun = Clock::now();
  const MasterAddress own = server_.master();
  std::size_t own_votes = 0;
  std::vector<Candidate> others;
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    {
      const std::lock_guard guard(mutex_);
      if (stops_) return;
    }
    const auto named = request(i);
    if (!named) continue;
    if (*named == own) {
      ++own_votes;
      continue;
    }
    const auto known = std::find_if(others.begin(), others.end(), [&](auto &each) { return each.address == *named; });
    if (known == others.end())
      others.push_back({*named, 1, i});
    else
      ++known->votes;
  }
  const auto most = std::max_element(others.begin(), others.end(),
                                     [](const Candidate &one, const Candidate &two) { return one.votes < two.votes; });
  const std::size_t other_votes = most == others.end() ? 0 : most->votes;
  if (other_votes > own_votes)
    server_.move_from(master_, most->address, most->sentinel);
  else if (own_votes > other_votes && is_current())
    confirmed_.store(begun, std::memory_order_release);
}

/// Returns nothing if the sentinel does not respond in time, or does not know the master.
std::optional<MasterAddress> MasterCheck::request(std::size_t sentinel) {
  std::unique_ptr<Connection> &connection = connections_[sentinel];
  const Sentinels &sentinels = server_.sentinels();
  const Clock::time_point deadline = Clock::now() + patience_;
  try {
    if (!connection) connection = std::make_unique<Connection>(sentinels.addresses[sentinel], patience_);
    return request_master(*connection, sentinels.master, deadline);
  } catch (const std::exception &) {
    connection.reset(); // a late response must not be taken for that to the next request
    return std::nullopt;
  }
}

} // namespace redis
