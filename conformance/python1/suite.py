"""The conformance suite of nacos-sdk-python 1: the unchanged official client against a running server.

The contract (environment, steps, output) is in ../README.md.
"""

import itertools
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings

from nacos import NacosClient
from nacos.listener import SubscribeListener

# Longest time for one poll of something that the server should show at once.
SETTLE_S = 15
# How often a subscription of this SDK polls: it has no pushes.
POLL_S = 1
# How long nothing must happen where nothing may: longer than between two polls.
QUIET_S = 2
# How many configs one client listens to in the step about many.
LISTENERS = 50
# Longer than what a dead node's clients had registered stays listed, unless they are back at another node.
DEATH_S = 25
# How long the servers stay away in the outage step.
OUTAGE_S = 8
# Longest time for a client to come back by itself after the outage.
RECOVER_S = 60
# HTTP instances live by beats: without one for 15 s they are unhealthy, for 30 s removed.
BEAT_S = 5
UNHEALTHY_S = 15
REMOVED_S = 30

GROUP = "DEFAULT_GROUP"
TEST_IP = "10.1.2.3"
RUN = f"{int(time.time() * 1000):x}-{os.getpid()}"
ADDRESS = os.environ.get("TRINE_ADDR", "")
# Where every client is that another one is checked with: another node, if there is one.
CHECK_ADDRESS = os.environ.get("TRINE_CHECK_ADDR") or ADDRESS
# All nodes, if there are several, with commas between them.
ADDRESSES = os.environ.get("TRINE_ADDRS", "")
USER = os.environ.get("TRINE_USER", "")
PASSWORD = os.environ.get("TRINE_PASSWORD", "")
SCRATCH = os.environ.get("TRINE_SCRATCH") or tempfile.mkdtemp(prefix="trine-conformance-python1-")


class Unmet(Exception):
    """What a step expected and did not find."""


class NotOffered(Exception):
    """The step cannot be asked of this SDK or in this setting."""


def name(noun: str) -> str:
    """A service or config name that no other run uses."""
    return f"conf-python1-{noun}-{RUN}"


CLIENTS = []
NUMBERS = itertools.count(1)


def connect(address: str = ADDRESS, password: str = PASSWORD) -> NacosClient:
    login = {"username": USER, "password": password} if USER else {}
    client = NacosClient(address, logDir=os.path.join(SCRATCH, "log"), **login)
    # One cache for each client, so that one never answers from what another stored.
    cache = os.path.join(SCRATCH, f"cache-{os.getpid()}-{next(NUMBERS)}")
    client.set_options(failover_base=os.path.join(cache, "data"), snapshot_base=os.path.join(cache, "snapshot"))
    CLIENTS.append(client)
    return client


def until(limit_s: float, check) -> None:
    """Polls until check succeeds; its last exception tells what was still missing."""
    end = time.monotonic() + limit_s
    while True:
        try:
            return check()
        except Exception as missing:
            if time.monotonic() >= end:
                raise Unmet(f"after {limit_s:g} s: {missing}") from missing
        time.sleep(0.1)


def connect_other() -> NacosClient:
    return connect(CHECK_ADDRESS)


def dial(address: str = ADDRESS) -> None:
    host, port = address.rsplit(":", 1)
    socket.create_connection((host, int(port)), 1).close()


# Services and instances


def register_at(client: NacosClient, service: str, port: int) -> None:
    done = client.add_naming_instance(
        service,
        TEST_IP,
        port,
        # Without one the SDK sends the text "None".
        cluster_name="DEFAULT",
        weight=2.0,
        metadata={"zone": "a"},
        heartbeat_interval=BEAT_S,
    )
    if not done:
        raise Unmet("register: the SDK answered false")


def deregister_at(client: NacosClient, service: str, port: int) -> None:
    # The SDK goes on with its beats after a deregister, and each would register the instance again.
    client.heartbeats.pop(f"{service}#{TEST_IP}#{port}").stop()
    if not client.remove_naming_instance(service, TEST_IP, port, cluster_name="DEFAULT"):
        raise Unmet("deregister: the SDK answered false")


def want_ports(instances, want) -> None:
    found = sorted(instance["port"] for instance in instances)
    if found != sorted(want):
        raise Unmet(f"ports {found}, wanted {sorted(want)}")


def await_ports(client: NacosClient, service: str, want, limit_s: float = SETTLE_S, healthy_only: bool = False) -> None:
    def check():
        want_ports(client.list_naming_instance(service, healthy_only=healthy_only)["hosts"], want)

    until(limit_s, check)


class Changes:
    """The instances that a subscription's callback was told of."""

    def __init__(self):
        self.now = {}

    def take(self, event, local) -> None:
        if event == "DELETED":
            self.now.pop(local.instance_id, None)
        else:
            self.now[local.instance_id] = local.instance

    def wait(self, want, limit_s: float = SETTLE_S) -> None:
        until(limit_s, lambda: want_ports(self.now.values(), want))


def follow(client: NacosClient, service: str) -> Changes:
    """Subscribes; the SDK does not tell of what is there at that moment."""
    seen = Changes()
    client.subscribe(SubscribeListener(seen.take, "suite"), POLL_S, service)
    return seen


def follow_long(client: NacosClient, service: str) -> Changes:
    """Subscribes and stays so: by default the first poll that fails ends the subscription."""
    seen = follow(client, service)
    for timer in client.subscribe_timer_manager.all_timers().values():
        timer.set_ignore_ex(True)
    return seen


def register() -> None:
    client, other, service = connect(), connect_other(), name("register")
    register_at(client, service, 8001)
    await_ports(other, service, [8001])


def list_step() -> None:
    client, other, service = connect(), connect_other(), name("list")
    register_at(client, service, 8001)
    register_at(other, service, 8002)
    await_ports(client, service, [8001, 8002])
    healthy = client.list_naming_instance(service, healthy_only=True)["hosts"]
    want_ports(healthy, [8001, 8002])
    for instance in healthy:
        if (
            instance["ip"] != TEST_IP
            or instance["weight"] != 2
            or not instance["ephemeral"]
            or instance["clusterName"] != "DEFAULT"
            or instance["metadata"].get("zone") != "a"
        ):
            raise Unmet(f"the instance came back as {instance}")
    one = client.get_naming_instance(service, TEST_IP, 8002, "DEFAULT")
    if (one["ip"], one["port"], one["metadata"].get("zone")) != (TEST_IP, 8002, "a"):
        raise Unmet(f"one instance came back as {one}")


def subscribe() -> None:
    reader, writer, service = connect(), connect_other(), name("subscribe")
    seen = follow(reader, service)
    register_at(writer, service, 8001)
    seen.wait([8001])
    register_at(reader, service, 8002)
    seen.wait([8001, 8002])
    deregister_at(writer, service, 8001)
    seen.wait([8002])
    deregister_at(reader, service, 8002)
    seen.wait([])
    reader.unsubscribe(service, "suite")
    reader.stop_subscribe()


def unsubscribe() -> None:
    """Nothing is told after an unsubscribe; another client is the witness that there was something."""
    reader, witness, service = connect(), connect_other(), name("unsubscribe")
    seen, witnessed = follow(reader, service), follow(witness, service)
    register_at(witness, service, 8001)
    seen.wait([8001])
    reader.unsubscribe(service, "suite")
    register_at(reader, service, 8002)
    witnessed.wait([8001, 8002])
    time.sleep(QUIET_S)
    want_ports(seen.now.values(), [8001])
    reader.stop_subscribe()
    witness.stop_subscribe()


def batch() -> None:
    raise NotOffered("the SDK has no batches")


def persistent() -> None:
    """A persistent instance needs no beats, and another client takes it away."""
    owner, other, service = connect(), connect_other(), name("persistent")
    if not owner.add_naming_instance(service, TEST_IP, 8001, cluster_name="DEFAULT", ephemeral=False):
        raise Unmet("register: the SDK answered false")
    await_ports(other, service, [8001])
    (found,) = other.list_naming_instance(service)["hosts"]
    if found["ephemeral"]:
        raise Unmet(f"the persistent instance came back as {found}")
    if not other.remove_naming_instance(service, TEST_IP, 8001, cluster_name="DEFAULT", ephemeral=False):
        raise Unmet("deregister: the SDK answered false")
    await_ports(other, service, [])


def die() -> None:
    """Kills another process that registered an instance and never deregistered it. Takes about a minute, so it runs
    beside other steps."""
    client, service = connect_other(), name("die")
    register_at(client, service, 8001)
    victim = subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), "die", service], stdout=subprocess.PIPE, text=True
    )
    try:
        line = victim.stdout.readline().strip()
        if line != "registered":
            raise Unmet(f"the second process did not register: {line!r}")
        await_ports(client, service, [8001, 8002])
        # Longer than an instance without beats stays healthy: so its beats count.
        end = time.monotonic() + UNHEALTHY_S + 4
        while time.monotonic() < end:
            time.sleep(1)
            await_ports(client, service, [8001, 8002], 0, healthy_only=True)
        victim.kill()
        await_ports(client, service, [8001], UNHEALTHY_S + 10, healthy_only=True)
        await_ports(client, service, [8001], REMOVED_S)
    finally:
        victim.kill()
        victim.wait()


def live_until_killed(service: str) -> None:
    """The life of the second process of die."""
    register_at(connect(), service, 8002)
    print("registered", flush=True)
    time.sleep(300)


# Configs


def put(client: NacosClient, data_id: str, content: str) -> None:
    if not client.publish_config(data_id, GROUP, content):
        raise Unmet("publish: the SDK answered false")


def want_content(client: NacosClient, data_id: str, want, no_snapshot: bool = True) -> None:
    found = client.get_config(data_id, GROUP, no_snapshot=no_snapshot)
    if found != want:
        raise Unmet(f"content {found!r}, wanted {want!r}")


def await_content(client: NacosClient, data_id: str, want) -> None:
    """For steps that show something else than what a read answers right after a publish."""
    until(SETTLE_S, lambda: want_content(client, data_id, want))


def login() -> None:
    """Shows that the right password serves and that a wrong one does not."""
    if not USER:
        raise NotOffered("no user given, so the server asks for none")
    client = connect()
    put(client, name("login"), "one")
    await_content(client, name("login"), "one")
    try:
        put(connect(password=PASSWORD + "-wrong"), name("intruder"), "no")
    except Exception:
        return
    raise Unmet("a publish with a wrong password was accepted")


def publish() -> None:
    client, data_id = connect(), name("publish")
    for content in ("one", "two"):
        put(client, data_id, content)
        want_content(client, data_id, content)


def cas() -> None:
    raise NotOffered("the SDK has no compare-and-set")


def get() -> None:
    client, other, data_id = connect(), connect_other(), name("get")
    content = 'name: 值\nline: "two" & <three>\n'
    put(other, data_id, content)
    await_content(client, data_id, content)
    await_content(client, name("absent"), None)


class Contents:
    """The last content that a listener got."""

    def __init__(self):
        self.count, self.last = 0, None

    def take(self, change) -> None:
        self.count += 1
        self.last = change["content"]

    def wait(self, want: str, limit_s: float = SETTLE_S) -> None:
        def check():
            if self.last != want:
                raise Unmet(f"the listener was called {self.count} times, last with {self.last!r}, wanted {want!r}")

        until(limit_s, check)


def listen() -> None:
    client, other, data_id, seen = connect(), connect_other(), name("listen"), Contents()
    put(client, data_id, "one")
    client.add_config_watcher(data_id, GROUP, seen.take)
    for content in ("two", "three"):
        put(other, data_id, content)
        seen.wait(content)
    client.remove_config_watcher(data_id, GROUP, seen.take)


def many_listeners() -> None:
    """One client listens to many configs at once; each of its listeners hears of its own."""
    client, other, data_id = connect(), connect_other(), name("many")
    seen = [Contents() for _ in range(LISTENERS)]
    for number, contents in enumerate(seen):
        put(other, f"{data_id}{number}", "one")
        client.add_config_watcher(f"{data_id}{number}", GROUP, contents.take)
    for number in range(LISTENERS):
        put(other, f"{data_id}{number}", f"two{number}")
    for number, contents in enumerate(seen):
        contents.wait(f"two{number}", LISTENERS)


def gray() -> None:
    raise NotOffered("the SDK publishes no gray versions")


def remove() -> None:
    client, other, data_id = connect(), connect_other(), name("remove")
    put(other, data_id, "one")
    if not client.remove_config(data_id, GROUP):
        raise Unmet("remove: the SDK answered false")
    await_content(other, data_id, None)


# Outages


def control(variable: str, *arguments: str) -> None:
    """Runs the shell command of a variable of the contract."""
    command = " ".join([os.environ[variable], *arguments])
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unmet(f"{variable} ended with {done.returncode}: {done.stdout}{done.stderr}")


def outage() -> None:
    """All servers go away and come back: the application goes on with what it knew, and recovers by itself."""
    if not os.environ.get("TRINE_STOP") or not os.environ.get("TRINE_START"):
        raise NotOffered("TRINE_STOP and TRINE_START are not given")
    provider, consumer, listener = connect(), connect(), connect()
    service = data_id = name("outage")
    seen, changed = follow_long(consumer, service), Contents()
    register_at(provider, service, 8001)
    seen.wait([8001])
    put(listener, data_id, "one")
    want_content(listener, data_id, "one", no_snapshot=False)
    listener.add_config_watcher(data_id, GROUP, changed.take)

    control("TRINE_STOP")
    try:
        check_away(seen, listener, data_id)
    finally:
        # Whatever went wrong, the server is put back for whoever comes next.
        control("TRINE_START")

    fresh = connect_other()
    await_ports(fresh, service, [8001], RECOVER_S)
    register_at(fresh, service, 8002)
    seen.wait([8001, 8002])
    await_content(fresh, data_id, "one")
    put(fresh, data_id, "two")
    changed.wait("two", SETTLE_S * 2)
    consumer.stop_subscribe()


def await_gone(address: str) -> None:
    def gone():
        try:
            dial(address)
        except OSError:
            return
        raise Unmet("the server still accepts connections after TRINE_STOP")

    until(SETTLE_S, gone)


def check_away(seen: Changes, listener: NacosClient, data_id: str) -> None:
    await_gone(ADDRESS)
    end = time.monotonic() + OUTAGE_S
    while time.monotonic() < end:
        # The SDK has no other list to resolve from than what its subscription told.
        want_ports(seen.now.values(), [8001])
        time.sleep(0.5)
    want_content(listener, data_id, "one", no_snapshot=False)


def node_lost() -> None:
    """One node after the other is killed: clients that know all of them go on at the others by themselves."""
    if not ADDRESSES or not os.environ.get("TRINE_STOP") or not os.environ.get("TRINE_START"):
        raise NotOffered("there is one node only")
    provider, consumer, listener = connect(ADDRESSES), connect(ADDRESSES), connect(ADDRESSES)
    service = data_id = name("node-lost")
    seen, changed = follow_long(consumer, service), Contents()
    register_at(provider, service, 8001)
    seen.wait([8001])
    put(listener, data_id, "one")
    listener.add_config_watcher(data_id, GROUP, changed.take)
    nodes = ADDRESSES.split(",")
    for number, lost in enumerate(nodes):
        control("TRINE_STOP", lost)
        sure = time.monotonic() + DEATH_S
        try:
            await_gone(lost)
            other = connect(nodes[(number + 1) % len(nodes)])
            register_at(other, service, 8002)
            seen.wait([8001, 8002], RECOVER_S)
            for client, content in ((other, f"other {number}"), (listener, f"own {number}")):
                until(RECOVER_S, lambda: put(client, data_id, content))
                await_content(other, data_id, content)
                changed.wait(content, RECOVER_S)
            deregister_at(other, service, 8002)
            seen.wait([8001], RECOVER_S)
            # An instance that has no beats anywhere is gone by then.
            time.sleep(max(0.0, sure - time.monotonic()))
            await_ports(other, service, [8001], 0)
        finally:
            # Whatever went wrong, the node is put back for whoever comes next.
            control("TRINE_START", lost)
    deregister_at(provider, service, 8001)
    # An instance that moved from node to node leaves all of them.
    for node in nodes:
        await_ports(connect(node), service, [])
    consumer.stop_subscribe()


def begin(step: str, limit_s: float, body, reachable: bool):
    """Starts a step; what is returned waits for its end, gives its line, and whether it failed. One that hangs fails
    alone."""
    outcomes = queue.Queue()

    def run():
        try:
            if not reachable:
                raise Unmet(f"the server cannot be reached at {ADDRESS}")
            body()
            outcomes.put((False, "ok"))
        except NotOffered as reason:
            outcomes.put((False, f"n/a {reason}"))
        except Exception as reason:
            outcomes.put((True, f"fail {type(reason).__name__}: {reason}"))

    threading.Thread(target=run, daemon=True).start()

    def finish() -> bool:
        try:
            failed, outcome = outcomes.get(timeout=limit_s)
        except queue.Empty:
            failed, outcome = True, f"fail not finished after {limit_s} s"
        print(" ".join(f"step {step} {outcome}".split()), flush=True)
        return failed

    return finish


STEPS = [
    ("register", 30, register),
    ("list", 30, list_step),
    ("subscribe", 75, subscribe),
    ("unsubscribe", 60, unsubscribe),
    ("batch", 30, batch),
    ("persistent", 30, persistent),
    ("publish", 30, publish),
    ("cas_ok", 30, cas),
    ("cas_conflict", 30, cas),
    ("get", 30, get),
    ("listen", 60, listen),
    ("many_listeners", 90, many_listeners),
    ("gray", 30, gray),
    ("remove", 30, remove),
]


def main() -> bool:
    """Runs all steps and prints one line for each."""
    try:
        until(5, dial)
        reachable = True
    except Unmet:
        reachable = False
    failed = begin("login", 30, login, reachable)()
    dying = begin("die", 120, die, reachable)
    for step, limit_s, body in STEPS:
        failed |= begin(step, limit_s, body, reachable)()
    failed |= dying()
    failed |= begin("node_lost", 300, node_lost, reachable)()
    failed |= begin("outage", 150, outage, reachable)()
    return failed


if __name__ == "__main__":
    if ":" not in ADDRESS:
        sys.exit("TRINE_ADDR must be host:port")
    os.makedirs(SCRATCH, exist_ok=True)
    # The SDK uses names that Python has newer ones for.
    warnings.simplefilter("ignore", DeprecationWarning)
    if len(sys.argv) == 3 and sys.argv[1] == "die":
        live_until_killed(sys.argv[2])
        sys.exit(1)
    code = 1 if main() else 0
    sys.stdout.flush()
    # Each client that listens to configs has a process of its own, which would outlive this one.
    for connected in CLIENTS:
        if connected.process_mgr is not None:
            connected.process_mgr.shutdown()
    # The SDK leaves threads that never end by themselves.
    os._exit(code)
