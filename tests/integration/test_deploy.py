"""deploy/ and docs/INFLUX.md: the containers, what Grafana is given and the sample configurations are well
formed and use the same names; the samples deliver to an InfluxDB that was set up as they say."""
import contextlib
import copy
import json
import os
import re
import tempfile
import urllib.parse

import yaml

import influx_api
import lib
import test_influx

DEPLOY = os.path.join(lib.ROOT, "deploy")
FOLDERS = ("influxdb1", "influxdb2")
SERVICE_KEYS = {"image", "restart", "env_file", "ports", "volumes", "depends_on"}


# ---- Files ---------------------------------------------------------------------------------------

class StrictLoader(yaml.SafeLoader):
    """A key twice is an error, as Docker says too."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        assert len(set(keys)) == len(keys), f"twice: {keys} {node.start_mark}"
        return super().construct_mapping(node, deep)


def read(*path):
    with open(os.path.join(DEPLOY, *path), encoding="utf-8") as file:
        return file.read()


def read_yaml(*path):
    return yaml.load(read(*path), StrictLoader)


def read_env(*path):
    lines = [line for line in read(*path).splitlines() if line and not line.startswith("#")]
    pairs = [line.split("=", 1) for line in lines]
    assert all(len(pair) == 2 and re.fullmatch("[A-Z][A-Z0-9_]*", pair[0]) and pair[1] for pair in pairs), lines
    assert len(dict(pairs)) == len(pairs), lines
    return dict(pairs)


def expand(value, env):
    """As Grafana does: $NAME from the container's environment, which must have it."""
    if isinstance(value, dict):
        return {key: expand(item, env) for key, item in value.items()}
    return re.sub(r"\$(\w+)", lambda match: env[match.group(1)], value) if isinstance(value, str) else value


def sample(folder, name):
    config = json.loads(read(folder, name))
    return config, config["extra_config"]["telemetry/influx"]


def published(service):
    """{port in the container: port on this machine}; nothing is open to other machines."""
    found = {}
    for port in service["ports"]:
        host, outer, inner = port.split(":")
        assert host == "127.0.0.1", port
        found[int(inner)] = int(outer)
    return found


# ---- Agreement -----------------------------------------------------------------------------------

def check_compose(folder):
    compose = read_yaml(folder, "docker-compose.yml")
    assert set(compose) == {"services", "volumes"} and set(compose["services"]) == {"influxdb", "grafana"}
    for name, service in compose["services"].items():
        assert set(service) <= SERVICE_KEYS, (name, set(service))
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+(\.\d+)?", service["image"]), service["image"]
        assert os.path.isfile(os.path.join(DEPLOY, folder, service["env_file"])), service
        for volume in service["volumes"]:
            source, target = volume.split(":")[:2]
            assert target.startswith("/"), volume
            if source.startswith("./"):
                assert volume.endswith(":ro") and os.listdir(os.path.join(DEPLOY, folder, source)), volume
            else:
                assert source in compose["volumes"], volume
    major = {"influxdb1": "1.", "influxdb2": "2."}[folder]
    assert compose["services"]["influxdb"]["image"].startswith("influxdb:" + major)
    return compose["services"]


def check_grafana(folder, services, env):
    """The data source as Grafana gets it."""
    provider, = read_yaml(folder, "grafana", "providers", "krakend.yml")["providers"]
    mounted = [volume.split(":") for volume in services["grafana"]["volumes"]]
    targets = {target: source for source, target, *_ in mounted}
    assert targets[provider["options"]["path"]] == "./dashboards", targets
    assert targets["/etc/grafana/provisioning/dashboards"] == "./grafana/providers"
    assert targets["/etc/grafana/provisioning/datasources"] == "./grafana/datasources"
    source, = read_yaml(folder, "grafana", "datasources", "influx.yml")["datasources"]
    source = expand(source, env)
    # Both dashboards look for a source with the name, or the uid, "influx".
    assert source["name"] == source["uid"] == "influx" and source["type"] == "influxdb", source
    assert source["url"] == "http://influxdb:8086" and 8086 in published(services["influxdb"])
    return source


def check_address(influx, services):
    url = urllib.parse.urlsplit(influx["address"])
    assert url.scheme == "http" and url.hostname == "127.0.0.1", influx
    assert url.port == published(services["influxdb"])[8086], influx


def test_influxdb1():
    env = read_env("influxdb1", "influxdb.env")
    services = check_compose("influxdb1")
    source = check_grafana("influxdb1", services, env)
    _, influx = sample("influxdb1", "krakend.json")
    check_address(influx, services)
    assert influx["db"] == env["INFLUXDB_DB"] == source["jsonData"]["dbName"] == "krakend"
    assert influx["username"] == env["INFLUXDB_WRITE_USER"]
    assert influx["password"] == env["INFLUXDB_WRITE_USER_PASSWORD"]
    assert source["user"] == env["INFLUXDB_READ_USER"] and source["jsonData"]["version"] == "InfluxQL"
    assert env["INFLUXDB_HTTP_AUTH_ENABLED"] == "true"


def test_influxdb2():
    env = read_env("influxdb2", "influxdb.env")
    services = check_compose("influxdb2")
    source = check_grafana("influxdb2", services, env)
    _, native = sample("influxdb2", "krakend-token.json")
    _, as_1 = sample("influxdb2", "krakend.json")
    for influx in (native, as_1):
        check_address(influx, services)
    # The dashboard for 2.x has the bucket's name in its queries.
    assert native["bucket"] == env["DOCKER_INFLUXDB_INIT_BUCKET"] == source["jsonData"]["defaultBucket"] == "krakend"
    assert native["org"] == env["DOCKER_INFLUXDB_INIT_ORG"] == source["jsonData"]["organization"]
    assert native["token"] == env["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"] == source["secureJsonData"]["token"]
    assert source["jsonData"]["version"] == "Flux" and env["DOCKER_INFLUXDB_INIT_MODE"] == "setup"
    assert as_1["db"] == env["V1_DB"]
    assert (as_1["username"], as_1["password"]) == (env["V1_AUTH_USERNAME"], env["V1_AUTH_PASSWORD"])
    # The image takes passwords of 8 to 72 characters only.
    assert all(8 <= len(env[name]) <= 72 for name in ("DOCKER_INFLUXDB_INIT_PASSWORD", "V1_AUTH_PASSWORD"))
    script = os.path.join(DEPLOY, "influxdb2", "init", "v1-authorization.sh")
    assert os.access(script, os.X_OK) and "./init:/docker-entrypoint-initdb.d:ro" in services["influxdb"]["volumes"]
    used = set(re.findall(r"\$(\w+)", read("influxdb2", "init", "v1-authorization.sh")))
    # The image itself adds the bucket's id for such scripts.
    assert used - {"DOCKER_INFLUXDB_INIT_BUCKET_ID"} <= set(env), used


# ---- The samples at work -------------------------------------------------------------------------

def runnable(config, address):
    """The sample on free ports, with windows and pushes of a second."""
    config = copy.deepcopy(config)
    port = lib.free_port()
    config["port"] = port
    for endpoint in config["endpoints"]:
        endpoint["backend"][0]["host"] = [f"http://127.0.0.1:{port}"]
    extra = config["extra_config"]
    extra["telemetry/metrics"].update(collection_time="1s", listen_address=f"127.0.0.1:{lib.free_port()}")
    extra["telemetry/influx"].update(address=address, ttl="1s")
    return config


def send(daemon, count):
    for _ in range(count):
        assert daemon.get("/hello").status == 200


def test_sample_delivers_to_1x():
    """InfluxDB 1.x with the users of influxdb.env, as the container makes them."""
    env = read_env("influxdb1", "influxdb.env")
    config, influx = sample("influxdb1", "krakend.json")
    with test_influx.InfluxDB(auth=True) as influxdb:
        for kind, right in (("WRITE", "write"), ("READ", "read")):
            name, password = env[f"INFLUXDB_{kind}_USER"], env[f"INFLUXDB_{kind}_USER_PASSWORD"]
            influxdb.query(f"create user \"{name}\" with password '{password}'")
            influxdb.query(f'grant {right} on {influx["db"]} to "{name}"')
        with lib.Limpetd(runnable(config, influxdb.url)) as daemon:
            send(daemon, 7)
            influxdb.user = (env["INFLUXDB_READ_USER"], env["INFLUXDB_READ_USER_PASSWORD"])
            test_influx.wait_equal(influxdb.sum, 7, "what Grafana reads")


def test_samples_deliver_to_2x():
    """The scripted InfluxDB, which takes the login of influxdb.env only."""
    env = read_env("influxdb2", "influxdb.env")
    for kind, name in ((influx_api.Version2, "krakend-token.json"), (influx_api.Version2As1, "krakend.json")):
        config, _ = sample("influxdb2", name)
        version = kind()
        version.expect(bucket=env["DOCKER_INFLUXDB_INIT_BUCKET"], org=env["DOCKER_INFLUXDB_INIT_ORG"],
                       token=env["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"], db=env["V1_DB"],
                       username=env["V1_AUTH_USERNAME"], password=env["V1_AUTH_PASSWORD"])
        with influx_api.Server(version) as server:
            with lib.Limpetd(runnable(config, f"http://localhost:{server.port}")) as daemon:
                send(daemon, 7)
                lib.wait_until(lambda: server.store.sum() == 7 or server.wrong, "the requests arrive")
            assert not server.wrong, server.wrong


# ---- The page ------------------------------------------------------------------------------------

def page():
    with open(os.path.join(lib.ROOT, "docs", "INFLUX.md"), encoding="utf-8") as file:
        return file.read()


def test_sections_of_the_page():
    """Every JSON in it is taken by limpetd; the names are those of deploy/."""
    sections = re.findall(r"^ *```json\n(.*?)^ *```", page(), re.S | re.M)
    assert len(sections) >= 4
    with tempfile.TemporaryDirectory() as folder:
        for number, section in enumerate(sections):
            config = lib.config([lib.endpoint("/a", lib.NOBODY)])
            config["extra_config"].update(json.loads("{" + section + "}"))
            path = os.path.join(folder, f"{number}.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(config, file)
            checked = lib.run("check", "-c", path)
            assert checked.returncode == 0, checked.stdout + checked.stderr
    for folder, name in (("influxdb1", "krakend.json"), ("influxdb2", "krakend-token.json")):
        _, influx = sample(folder, name)
        for key in ("org", "bucket", "db", "username", "password"):
            assert key not in influx or json.dumps({key: influx[key]})[1:-1] in page(), (folder, key)


def test_figures_of_the_page():
    """The lines of `limpetd check` in it are those that limpetd says."""
    checked = lib.run("check", "-c", os.path.join(DEPLOY, "influxdb1", "krakend.json"))
    assert checked.returncode == 0, checked.stderr
    lines = [line for line in (checked.stdout + checked.stderr).splitlines()
             if line.startswith(("  influxdb ", "  buffer "))]
    assert len(lines) == 2
    for line in lines:
        assert line in page(), f"docs/INFLUX.md lacks: {line}"
    bytes_each, points = map(int, re.search(r"(\d+) bytes and (\d+) points", lines[1]).groups())
    windows = 24 * 3600 // 60
    assert f"{windows} x {points} = {windows * points}" in page(), windows * points
    assert f"{windows * bytes_each / 1e6:.1f} MB" in page(), windows * bytes_each


def test_files_of_the_page():
    for name in re.findall(r"`((?:deploy|tests|docs|init)/[\w./-]+)`", page()):
        found = [os.path.join(lib.ROOT, name)] + [os.path.join(DEPLOY, folder, name) for folder in FOLDERS]
        assert any(os.path.exists(path) for path in found), name
    for folder in FOLDERS:
        for name in os.listdir(os.path.join(DEPLOY, folder)):
            if name.endswith(".json"):
                with contextlib.closing(open(os.path.join(DEPLOY, folder, name), "rb")) as file:
                    assert json.load(file)["listen_ip"] == "127.0.0.1", name


if __name__ == "__main__":
    lib.main(globals())
