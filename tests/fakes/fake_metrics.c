#include "fakes/fake_metrics.h"

#include "metrics/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SERIES_MAX 64

struct endpoint_series {
    char name[64];
};
struct proxy_series {
    char name[64];
    const char *layer;
};

char fake_metrics_log[16384];
int64_t fake_metrics_time_ns;
size_t fake_metrics_series_max = SERIES_MAX;

static struct endpoint_series endpoints[SERIES_MAX];
static struct proxy_series proxies[SERIES_MAX];
static size_t endpoint_count;
static size_t proxy_count;

void fake_metrics_reset(void)
{
    fake_metrics_log[0] = '\0';
    fake_metrics_time_ns = -1;
}

void fake_metrics_forget(void)
{
    endpoint_count = 0;
    proxy_count = 0;
}

static void note(const char *line)
{
    size_t used = strlen(fake_metrics_log);
    snprintf(fake_metrics_log + used, sizeof(fake_metrics_log) - used, "%s\n", line);
}

static void copy_name(char *to, size_t size, struct slice name)
{
    snprintf(to, size, "%.*s", (int)name.len, name.ptr);
}

struct endpoint_series *metrics_open_endpoint(struct metrics *m, struct slice name)
{
    (void)m;
    if (endpoint_count >= fake_metrics_series_max) {
        return NULL;
    }
    struct endpoint_series *s = &endpoints[endpoint_count++];
    copy_name(s->name, sizeof(s->name), name);
    return s;
}

void metrics_add_values(struct metrics *m, const struct metrics_value *values, size_t count,
                        const void *base)
{
    (void)m;
    (void)values;
    (void)count;
    (void)base;
}

struct proxy_series *metrics_open_proxy(struct metrics *m, enum metrics_layer layer,
                                        struct slice name)
{
    (void)m;
    if (proxy_count >= fake_metrics_series_max) {
        return NULL;
    }
    struct proxy_series *s = &proxies[proxy_count++];
    copy_name(s->name, sizeof(s->name), name);
    s->layer = layer == METRICS_PIPE ? "pipe" : "backend";
    return s;
}

void metrics_connected(struct metrics *m)
{
    (void)m;
    note("connected");
}

void metrics_disconnected(struct metrics *m)
{
    (void)m;
    note("disconnected");
}

void metrics_record_response(struct metrics *m, struct endpoint_series *s, unsigned status,
                             int64_t size_bytes, int64_t time_ns)
{
    (void)m;
    if (s == NULL) {
        return;
    }
    char line[160];
    snprintf(line, sizeof(line), "response %s %u %" PRId64, s->name, status, size_bytes);
    note(line);
    fake_metrics_time_ns = time_ns;
}

void metrics_record_proxy(struct metrics *m, struct proxy_series *s, bool complete, bool error,
                          int64_t latency_ns)
{
    (void)m;
    if (s == NULL) {
        return;
    }
    char line[160];
    snprintf(line, sizeof(line), "%s %s %s %s", s->layer, s->name, complete ? "true" : "false",
             error ? "true" : "false");
    note(line);
    fake_metrics_time_ns = latency_ns;
}
