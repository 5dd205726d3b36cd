// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>

#include "tls/module/module.hpp"

std::string omnistore::tls::last_failure() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char *const words = ERR_reason_error_string(code);
  if (words) return words;
  return code == 0 ? "unknown reason" : "error " + std::to_string(code);
}

/// The program looks for this function.
extern "C" __attribute__((visibility("default"))) const omnistore::tls::Module *omnistore_tls_module() {
  using namespace omnistore::tls;
  static constexpr Module module_of_this_build{OMNISTORE_VERSION, &listen, &connect};
  return &module_of_this_build;
}
