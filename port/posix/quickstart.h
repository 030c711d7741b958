/* quickstart.json, built in: the build writes quickstart.c. */
#ifndef LIMPET_POSIX_QUICKSTART_H
#define LIMPET_POSIX_QUICKSTART_H

#include <stddef.h>

extern const char quickstart_json[];
extern const size_t quickstart_json_len;

#endif
