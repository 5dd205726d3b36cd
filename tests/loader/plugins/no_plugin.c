/* SPDX-License-Identifier: Apache-2.0
 * A shared library like any other; also the one that a plugin needs and finds beside itself. */
#include <omnistore/driver.h>

#ifdef CALLS_ENTRY
OMNISTORE_EXPORT const omnistore_plugin *ask_another(void);
const omnistore_plugin *ask_another(void) { return omnistore_plugin_entry(0); }
#endif

OMNISTORE_EXPORT int helper_answer(void);
int helper_answer(void) { return 4242; }
