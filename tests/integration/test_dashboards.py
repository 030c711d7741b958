"""Every query of KrakenD's published Grafana dashboards finds rows in a real InfluxDB 1.x after traffic
of all layers. What they ask for is in dashboards/ (written by tools/dashboard-queries)."""
import os
import re

import lib
import test_influx

FOLDER = os.path.join(lib.ROOT, "tests", "integration", "dashboards")
RESOLUTION = "1m"  # the dashboards' variable: "auto", at least 1m


class Query:
    def __init__(self, line):
        parts = [part.strip() for part in line.split("|")]
        self.title, self.measurement, selected, conditions, groups, self.fill = parts
        self.selected = re.findall(r"(\w+)\(([^)]*)\)", selected)
        self.conditions = [condition.split("=") for condition in conditions.split()]
        self.groups = groups.split()
        assert self.selected and " " not in self.measurement, line

    def influxql(self, hosts, fill=None):
        """The text that Grafana makes of it, its variables replaced; `fill` instead of its own."""
        what = ", ".join(f'{function}("{field}")' for function, field in self.selected)
        chosen = "|".join(re.escape(host) for host in hosts)
        where = "".join(f" AND \"{tag}\" = '{value}'" for tag, value in self.conditions)
        groups = "".join(f', "{tag}"' for tag in self.groups)
        return (f'SELECT {what} FROM "{self.measurement}" WHERE ("host" =~ /^({chosen})$/{where}) '
                f"AND time >= now() - 12h GROUP BY time({RESOLUTION}){groups} "
                f"fill({fill or self.fill or 'none'})")


def queries(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return [Query(line.rstrip("\n")) for line in file if not line.startswith("#")]


def values(series):
    """Those that are there, of all rows: without the times."""
    return [value for one in series for row in one["values"] for value in row[1:] if value is not None]


def traffic(daemon):
    """Whole answers, failed ones and incomplete ones in every layer."""
    for _ in range(2):
        assert {daemon.get("/a").status for _ in range(20)} == {200}
        assert {daemon.get("/b").status for _ in range(8)} == {200, 500}
        merged = daemon.get("/merged")
        assert merged.status == 200 and merged.headers["X-Krakend-Completed"] == "false"


def config(stub, influxdb):
    config = test_influx.config(stub, influxdb, "1s", "1s")
    config["endpoints"].append({"endpoint": "/merged", "backend": [
        {"host": [stub.url], "url_pattern": "/a"}, {"host": [lib.NOBODY], "url_pattern": "/gone"}]})
    return config


def check(influxdb, name, least):
    """Each query with fill(none), so that what Grafana fills in does not count, then as it is."""
    asked = queries(name)
    assert len(asked) >= least, len(asked)
    hosts = [row[1] for series in influxdb.query('SHOW TAG VALUES WITH KEY = "host"')
             for row in series["values"]]
    assert set(hosts) == {os.uname().nodename}, hosts
    missing = []
    for query in asked:
        found = influxdb.query(query.influxql(set(hosts), "none"))
        if not values(found):
            missing.append(f"{query.title}: {query.influxql(set(hosts), 'none')}")
        elif query.fill and not values(influxdb.query(query.influxql(set(hosts)))):
            missing.append(f"{query.title}: {query.influxql(set(hosts))}")
    assert not missing, "no rows for\n" + "\n".join(missing)
    return asked


def test_queries():
    with test_influx.InfluxDB() as influxdb, test_influx.Stub() as stub:
        with lib.Limpetd(config(stub, influxdb)) as daemon:
            traffic(daemon)
            test_influx.wait_equal(influxdb.sum, 58, "every request is in InfluxDB")
        asked = check(influxdb, "influxdb-v1.txt", 60)
        # Those of 2.x are Flux; this is the same question in InfluxQL.
        asked += check(influxdb, "influxdb-v2.txt", 50)
        check_tags_and_fields(influxdb, asked)


def check_tags_and_fields(influxdb, asked):
    """Nothing is asked for that is not a tag or a field: a typo would be a filter that never fits."""
    fields = {name: {row[0] for row in rows} for name, rows in influxdb.keys("field").items()}
    tags = {name: {row[0] for row in rows} for name, rows in influxdb.keys("tag").items()}
    for query in asked:
        assert {field for _, field in query.selected} <= fields[query.measurement], query.title
        used = {tag for tag, _ in query.conditions} | set(query.groups) | {"host"}
        assert used <= tags[query.measurement], (query.title, used)


if __name__ == "__main__":
    lib.main(globals())
