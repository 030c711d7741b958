"""The samples of README.md are what the daemon prints: its log, its metrics, its errors."""
import json
import os
import re
import tempfile

import lib

BROKEN = """{
  "version": 3,
  "host": ["http://127.0.0.1:9000"],
  "endpoints": [
    { "endpoint": "/user/{id}", "timout": "2s",
      "backend": [{ "host": ["http://127.0.0.1:9000"], "url_pattern": "/users/{uid}" }] }
  ],
  "extra_config": { "telemetry/metrics": { "collection_time": "60" } }
}
"""
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def sample(heading):
    """The lines of the first block behind a line that ends so."""
    with open(os.path.join(lib.ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read().partition(heading + "\n\n```\n")[2]
    lines = text.partition("\n```\n")[0].splitlines()
    assert lines, heading
    return lines


def quickstart():
    """The quick start on free ports, and a function that gives a text the ports of the original."""
    with open(os.path.join(lib.ROOT, "port", "posix", "quickstart.json"), encoding="utf-8") as file:
        config = json.load(file)
    port, stats_port = lib.free_port(), lib.free_port()
    config.update(port=port, host=[f"http://127.0.0.1:{port}"])
    # No window ends between a test's requests and its look at them.
    config["extra_config"]["telemetry/metrics"].update(
        listen_address=f"127.0.0.1:{stats_port}", collection_time="1h")
    return config, lambda text: text.replace(f":{port}", ":8080").replace(f":{stats_port}", ":8090")


def test_log_of_the_quick_start():
    config, original = quickstart()
    wanted = sample("`./dev run` ends with where things are:")
    with lib.Limpetd(config) as daemon:
        got = [original(line) for line in daemon.lines[:len(wanted)]]
    assert all(re.match(STAMP + " ", line) for line in wanted + got), (wanted, got)
    texts = [[re.sub(STAMP, "", line) for line in lines] for lines in (got, wanted)]
    assert texts[0] == texts[1], texts


def stats(daemon):
    return lib.request("GET", daemon.stats_port, "/__stats/").body.decode()


def test_metrics_of_three_requests():
    wanted = [line for line in sample("send some requests and read what was measured:")
              if line.startswith('"')]
    assert len(wanted) == 3, wanted
    config, _ = quickstart()
    with lib.Limpetd(config) as daemon:
        for number in (1, 2, 3):
            assert daemon.get(f"/user/{number}").status == 200
        for line in wanted:
            name, _, value = line.rpartition(" ")
            value = r"[\d.e+]+," if ".max" in name else re.escape(value)
            # An answer may be here before the end of its exchange is counted.
            lib.wait_until(lambda p=f"^{re.escape(name)} {value}$": re.search(p, stats(daemon), re.M), line)


def test_errors_of_a_broken_configuration():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "krakend.json"), "w", encoding="utf-8") as file:
            file.write(BROKEN)
        done = lib.run("check", "-c", "krakend.json", cwd=folder)
    assert done.returncode == 1 and done.stdout == "", done
    wanted = sample("Every error is named with its place, all in one reading:")
    assert done.stderr.splitlines() == wanted, done


if __name__ == "__main__":
    lib.main(globals())
