/* Texts that RFC 8259 allows and texts that it does not, as json_check has to judge them. */
#ifndef JSON_CASES_H
#define JSON_CASES_H

#include "base/slice.h"

extern const struct slice json_valid[];
extern const size_t json_valid_count;
extern const struct slice json_invalid[];
extern const size_t json_invalid_count;

#endif
