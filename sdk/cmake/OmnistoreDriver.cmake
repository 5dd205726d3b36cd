# SPDX-License-Identifier: Apache-2.0
# omnistore_add_driver(NAME SOURCES file ... [SCHEMA options.schema.json] [LIBRARIES target ...] [OUTPUT folder])
#
# A plugin: a shared library NAME.so that exports omnistore_plugin_entry and nothing else, binds every symbol of its own
# at link time, and can be unloaded (no GNU-unique symbols). SCHEMA is checked and embedded: include
# <omnistore_schema.h> and use OMNISTORE_OPTIONS_SCHEMA, a string literal.
