/* What a client sees of a pipe's result: the answers in one value, or the text of what went wrong.
 * Part of gateway/pipe; not for other rooms. */
#ifndef LIMPET_GATEWAY_RENDER_H
#define LIMPET_GATEWAY_RENDER_H

#include "gateway/pipe.h"

/* Takes what the fixed data replaces out of the answers. LIMPET_ERR_FULL: no memory. */
LIMPET_WARN_UNUSED
int render_static(struct pipe *pipe);
/* Merges the answers and makes of them what the endpoint's output_encoding asks for. */
void render_answer(struct pipe *pipe, struct pipe_answer *answer);
/* With return_error_msg: a line for clients, should there be no answer. Without it no effect. */
void render_problem(struct pipe *pipe, const char *text);
/* As that for a call that failed; with return_error_code the status and body of a single backend,
 * or of a sequence's first, become the client's. */
void render_failure(struct pipe *pipe, struct backend *b);

#endif
