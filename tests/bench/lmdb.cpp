// SPDX-License-Identifier: Apache-2.0
// bench_lmdb FOLDER KEYS: the lmdb driver through the whole stack, beside bare LMDB with the same flags and one
// transaction that reads for each get and each batch.
#include <filesystem>

#include <lmdb.h>

#include "engine.hpp"

namespace {

class Raw {
public:
  Raw(const std::string &path, bench::Engine &engine) : engine_(engine) {
    std::filesystem::create_directories(path);
    check(mdb_env_create(&env_));
    check(mdb_env_set_mapsize(env_, std::size_t{1} << 30));
    check(mdb_env_set_maxdbs(env_, 4));
    check(mdb_env_open(env_, path.c_str(), MDB_NOTLS | MDB_NOSYNC, 0600));
    MDB_txn *txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn));
    check(mdb_dbi_open(txn, "values", MDB_CREATE, &values_));
    for (const std::string &key : engine.keys) {
      std::string value = engine.some_value();
      MDB_val name = val(key), bytes{value.size(), value.data()};
      check(mdb_put(txn, values_, &name, &bytes, 0));
    }
    check(mdb_txn_commit(txn));
    check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_));
    mdb_txn_reset(reader_);
  }
  ~Raw() {
    mdb_txn_abort(reader_);
    mdb_env_close(env_);
  }

  bench::Result get(double seconds) {
    std::string found;
    return bench::repeat(seconds, 64, 1, [&] {
      check(mdb_txn_renew(reader_));
      take(engine_.next_key(), found);
      mdb_txn_reset(reader_);
    });
  }

  bench::Result batch_get(double seconds) {
    return bench::repeat(seconds, 1, bench::engine_batch, [&] {
      std::vector<std::string> found(bench::engine_batch);
      check(mdb_txn_renew(reader_));
      for (std::string &each : found) take(engine_.next_key(), each);
      mdb_txn_reset(reader_);
    });
  }

private:
  static void check(int code) { bench::require(code == MDB_SUCCESS, "LMDB failed"); }
  static MDB_val val(const std::string &text) { return {text.size(), const_cast<char *>(text.data())}; }
  void take(const std::string &key, std::string &into) const {
    MDB_val name = val(key), bytes;
    check(mdb_get(reader_, values_, &name, &bytes));
    into.assign(static_cast<const char *>(bytes.mv_data), bytes.mv_size);
    bench::require(into.size() == bench::engine_value, "a miss");
  }

  bench::Engine &engine_;
  MDB_env *env_ = nullptr;
  MDB_dbi values_ = 0;
  MDB_txn *reader_ = nullptr;
};

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fputs("usage: bench_lmdb FOLDER KEYS\n", stderr);
    return 2;
  }
  const std::string folder = argv[1];
  bench::Engine ours("lmdb", R"({"path": ")" + folder + R"(/ours", "durability": "none"})",
                     static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)));
  Raw raw(folder + "/raw", ours);
  return bench::serve({
      {"ours.get", [&](double seconds) { return ours.get(seconds); }},
      {"ours.batch-get", [&](double seconds) { return ours.batch_get(seconds); }},
      {"raw.get", [&](double seconds) { return raw.get(seconds); }},
      {"raw.batch-get", [&](double seconds) { return raw.batch_get(seconds); }},
  });
}
