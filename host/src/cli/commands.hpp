// SPDX-License-Identifier: Apache-2.0
// The commands, one a file. Each returns the program's exit code, 0 or 1, and throws Error for any other.
#pragma once

#include "cli/options.hpp"

namespace omnistore::cli {

int run(const Global &global, const Serve &options);
int run(const Global &global, const Check &options);
int run(const Global &global, const Get &options);
int run(const Global &global, const Set &options);
int run(const Global &global, const Has &options);
int run(const Global &global, const Remove &options);
int run(const Global &global, const Touch &options);
int run(const Global &global, const ShowMeta &options);
int run(const Global &global, const List &options);
int run(const Global &global, const Clear &options);
int run(const Global &global, const ShowEvents &options);
int run(const Global &global, const Mounts &options);
int run(const Global &global, const Drivers &options);
int run(const Global &global, const Plugins &options);
int run(const Global &global, const TestDriver &options);
int run(const Global &global, const NewDriver &options);
int run(const Global &global, const Dev &options);
int run(const Global &global, const Doctor &options);
int run(const Global &global, const ReloadConfig &options);
int run(const Global &global, const Login &options);
int run(const Global &global, const MountStore &options);
int run(const Global &global, const MakeToken &options);
int run(const Global &global, const Unmount &options);
int run(const Global &global, const ShowStats &options);
int run(const Global &global, const Top &options);
int run(const Global &global, const Inspect &options);
int run(const Global &global, const Explain &options);
int run(const Global &global, const CopyKeys &options);
int run(const Global &global, const MigrateKeys &options);
int run(const Global &global, const VerifyKeys &options);
int run(const Global &global, const DumpKeys &options);
int run(const Global &global, const RestoreKeys &options);

} // namespace omnistore::cli
