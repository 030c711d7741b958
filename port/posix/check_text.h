/* The two forms of what `limpetd check` says of an accepted configuration. */
#ifndef LIMPET_POSIX_CHECK_TEXT_H
#define LIMPET_POSIX_CHECK_TEXT_H

#include "app/app_plan.h"
#include "environment.h"

/* A few lines, for people. */
void check_put_text(struct out *out, const struct config *config, const struct app_plan *plan,
                    const struct environment *environment);
/* Members of an object that is open already: ,"gateway":{...},"metrics":{...} and so on. */
void check_put_json(struct out *out, const struct config *config, const struct app_plan *plan,
                    const struct environment *environment);

#endif
