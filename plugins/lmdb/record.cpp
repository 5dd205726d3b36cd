// SPDX-License-Identifier: Apache-2.0
#include "record.hpp"

#include <cstring>

#include <omnistore/failure.hpp>

namespace lmdb {
namespace {

void put_number(unsigned char *to, std::uint64_t number) {
  for (int i = 0; i < 8; ++i) to[i] = static_cast<unsigned char>(number >> (56 - 8 * i));
}

} // namespace

Record::Record(const MDB_val &bytes) {
  const std::string_view all = view(bytes);
  if (all.size() >= sizeof head) std::memcpy(&head, all.data(), sizeof head);
  if (all.size() < sizeof head || head.form != 1 || head.user_size > all.size() - sizeof head)
    throw omnistore::Failure(OMNISTORE_CORRUPT, "the record is not of a form that this driver knows");
  user = all.substr(sizeof head, head.user_size);
  value = all.substr(sizeof head + head.user_size);
}

std::uint64_t record_size(std::uint64_t user, std::uint64_t value) { return sizeof(Head) + user + value; }

void write_record(void *into, const Head &head, std::string_view user, std::string_view value) {
  char *at = static_cast<char *>(into);
  std::memcpy(at, &head, sizeof head);
  if (!user.empty()) std::memcpy(at + sizeof head, user.data(), user.size());
  if (!value.empty()) std::memcpy(at + sizeof head + user.size(), value.data(), value.size());
}

ExpiryKey expiry_key(const Head &head) {
  ExpiryKey key;
  put_number(key.data(), static_cast<std::uint64_t>(head.expiry));
  put_number(key.data() + 8, head.version);
  return key;
}

std::int64_t expiry_of(const MDB_val &key) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8 && i < key.mv_size; ++i)
    number = number << 8 | static_cast<const unsigned char *>(key.mv_data)[i];
  return static_cast<std::int64_t>(number);
}

} // namespace lmdb
