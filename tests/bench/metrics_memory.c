/* Terms of the memory of the metrics table, as the sizes of arrays: metrics_memory reads them from
 * the object that the board's compiler makes of this file. */
#include "metrics/registry.h"

#define FIELD_SIZE(field) sizeof(((struct metrics *)0)->field)

extern char term_total[], term_slots[], term_endpoints[], term_proxies[], term_values[],
    term_tables[], term_service[];

char term_total[sizeof(struct metrics)];
char term_slots[FIELD_SIZE(slots)];
char term_endpoints[FIELD_SIZE(endpoints)];
char term_proxies[FIELD_SIZE(proxies)];
char term_values[FIELD_SIZE(sampled)];
char term_tables[FIELD_SIZE(tables)];
char term_service[FIELD_SIZE(service)];
