/* SPDX-License-Identifier: Apache-2.0
 * A plugin that takes its process down while it is loaded. WHEN: 0 before its entry, 1 in it, 2 its table leads
 * nowhere. HOW: 0 by a null pointer, 1 by abort, 2 by exit(3), 3 by staying for ever, 4 by exit(0). */
#include <omnistore/driver.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if WHEN < 2
static void go_down(void) {
  puts("a plugin that prints");
#if HOW == 0
  *(volatile int *)0 = 1;
#elif HOW == 1
  abort();
#elif HOW == 2
  exit(3);
#elif HOW == 3
  for (;;) pause();
#else
  exit(0);
#endif
}
#endif

#if WHEN == 0
__attribute__((constructor)) static void constructor(void) { go_down(); }
#endif

#if WHEN == 2
static const omnistore_driver *const drivers[] = {(const omnistore_driver *)16};
#else
static const omnistore_driver *const drivers[] = {0};
#endif
static const omnistore_plugin plugin = {sizeof(omnistore_plugin),
                                        OMNISTORE_ABI_MAJOR,
                                        OMNISTORE_ABI_MINOR,
                                        0,
                                        "crashes",
                                        "1.0.0",
                                        WHEN == 2 ? 1000 : 1,
                                        0,
                                        drivers};

const omnistore_plugin *omnistore_plugin_entry(const omnistore_abi *host) {
  (void)host;
#if WHEN == 1
  go_down();
#endif
  return &plugin;
}
