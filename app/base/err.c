#include "base/err.h"

const char *limpet_err_text(int err)
{
    switch (err) {
#define X(name, value, text)                                                                       \
    case name:                                                                                     \
        return text;
        LIMPET_ERR_TABLE(X)
#undef X
    default:
        return "unknown error";
    }
}
