/* Any bytes as a configuration: never a crash, and the promises of config_load hold. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch {
    unsigned errors;
    uint32_t line;
    uint32_t column;
};

static void watch_finding(void *ctx, const struct config_finding *finding)
{
    struct watch *watch = ctx;
    watch->errors += finding->kind == CONFIG_ERROR;
    if (finding->message.len == 0 || finding->message.len > LIMPET_FINDING_LEN_MAX) {
        abort();
    }
    if (finding->line == 0) {
        return;
    }
    if (finding->line < watch->line ||
        (finding->line == watch->line && finding->column < watch->column)) {
        abort(); /* not in the order of the text */
    }
    watch->line = finding->line;
    watch->column = finding->column;
}

/* As it was written: "text", "{param}", "{resp0_path}". */
static size_t segment_len(const struct config_segment *segment)
{
    char number[16];
    switch (segment->kind) {
    case SEGMENT_TEXT:
        return segment->text.len;
    case SEGMENT_PARAM:
        return segment->text.len + 2;
    case SEGMENT_RESPONSE:
        break;
    }
    return segment->text.len +
           (size_t)snprintf(number, sizeof(number), "{resp%u_}", (unsigned)segment->param);
}

/* Everything that an accepted configuration points to is there. */
static void walk(const struct config *config)
{
    for (size_t i = 0; i < config->endpoint_count; i++) {
        const struct config_endpoint *e = &config->endpoints[i];
        if (e->backend_count == 0 || e->backend_first + e->backend_count > config->backend_count ||
            e->timeout_ms == 0 || e->path.len == 0 ||
            e->path.ptr[0] != '/' || e->metric_name.len == 0 || e->segment_count == 0 ||
            e->segment_first + e->segment_count > config->segment_count ||
            e->rate > config->rate_count || e->client.rate > config->rate_count) {
            abort();
        }
    }
    for (size_t i = 0; i < config->rate_count; i++) {
        const struct config_rate *r = &config->rates[i];
        if (r->capacity == 0 || r->token_part >= r->parts || r->spare_part >= r->parts) {
            abort();
        }
    }
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct config_backend *b = &config->backends[i];
        if (b->rate > config->rate_count || b->breaker > config->breaker_count) {
            abort();
        }
        size_t len = 0;
        if (b->host_count == 0 || b->host_first + b->host_count > config->host_ref_count ||
            b->segment_first + b->segment_count > config->segment_count) {
            abort();
        }
        for (size_t s = 0; s < b->segment_count; s++) {
            const struct config_segment *segment = &config->segments[b->segment_first + s];
            len += segment_len(segment);
        }
        if (len != b->url_pattern.len) {
            abort(); /* the pieces are the whole */
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    static _Alignas(16) char scratch[512u * 1024u];
    struct watch watch = {0};
    /* A copy of the exact length, so that the sanitizer guards its end. */
    char *text = malloc(size > 0 ? size : 1);
    if (size > 0) {
        memcpy(text, data, size);
    }
    int err =
        config_load(&config, slice_of(text, size), scratch, sizeof(scratch), watch_finding, &watch);
    if ((err == LIMPET_OK) != (watch.errors == 0)) {
        abort();
    }
    if (size > 0 && memcmp(text, data, size) != 0) {
        abort(); /* the text belongs to the caller */
    }
    if (err == LIMPET_OK) {
        walk(&config);
    }
    free(text);
    return 0;
}
