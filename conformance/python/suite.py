"""The conformance suite of nacos-sdk-python: the unchanged official client against a running server.

The contract (environment, steps, output) is in ../README.md.
"""

import asyncio
import hashlib
import logging
import os
import sys
import tempfile
import time

from v2.nacos import (
    BatchRegisterInstanceParam,
    ClientConfig,
    ClientConfigBuilder,
    ConfigParam,
    DeregisterInstanceParam,
    ListInstanceParam,
    ListServiceParam,
    NacosConfigService,
    NacosException,
    NacosNamingService,
    RegisterInstanceParam,
    SubscribeServiceParam,
)

# Longest time for one poll of something that the server should show at once.
SETTLE_S = 15
# How long nothing must happen where nothing may.
QUIET_S = 1
# How many configs one client listens to in the step about many.
LISTENERS = 100
# Longer than what a dead node's clients had registered stays listed, unless they are back at another node.
DEATH_S = 25
# How long the servers stay away in the outage step.
OUTAGE_S = 8
# Longest time for a client to come back by itself after the outage: the SDK looks for instances to register
# again only every 30 s.
RECOVER_S = 75

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
SCRATCH = os.environ.get("TRINE_SCRATCH") or tempfile.mkdtemp(prefix="trine-conformance-python-")


class Unmet(Exception):
    """What a step expected and did not find."""


class SdkLost(Exception):
    """The SDK's own background task has ended: no server can bring this client back."""


class NotOffered(Exception):
    """The step cannot be asked of this SDK or in this setting."""


def name(noun: str) -> str:
    """A service or config name that no other run uses."""
    return f"conf-python-{noun}-{RUN}"


def settings(address: str, password: str) -> ClientConfig:
    builder = (
        ClientConfigBuilder()
        .server_address(address)
        .log_dir(os.path.join(SCRATCH, "log"))
        .log_level(logging.INFO)
        # One cache for each client, so that one never answers from what another stored.
        .cache_dir(tempfile.mkdtemp(prefix="cache-", dir=SCRATCH))
        .load_cache_at_start(False)
    )
    if USER:
        builder = builder.username(USER).password(password)
    config = builder.build()
    config.update_cache_when_empty = True
    return config


async def naming(address: str = ADDRESS) -> NacosNamingService:
    return await NacosNamingService.create_naming_service(settings(address, PASSWORD))


async def config(address: str = ADDRESS, password: str = PASSWORD) -> NacosConfigService:
    return await NacosConfigService.create_config_service(settings(address, password))


async def until(limit_s: float, check) -> None:
    """Polls until check succeeds; its last exception tells what was still missing."""
    end = time.monotonic() + limit_s
    while True:
        try:
            return await check()
        except SdkLost:
            raise
        except Exception as missing:
            if time.monotonic() >= end:
                raise Unmet(f"after {limit_s} s: {missing}") from missing
        await asyncio.sleep(0.1)


async def dial(address: str = ADDRESS) -> None:
    host, port = address.rsplit(":", 1)
    _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 1)
    writer.close()


# Services and instances


async def register_at(client: NacosNamingService, service: str, port: int) -> None:
    done = await client.register_instance(
        RegisterInstanceParam(service_name=service, ip=TEST_IP, port=port, weight=2.0, metadata={"zone": "a"})
    )
    if not done:
        raise Unmet("register: the SDK answered false")


async def deregister_at(client: NacosNamingService, service: str, port: int) -> None:
    done = await client.deregister_instance(DeregisterInstanceParam(service_name=service, ip=TEST_IP, port=port))
    if not done:
        raise Unmet("deregister: the SDK answered false")


def want_ports(instances, want) -> None:
    found = sorted(instance.port for instance in instances)
    if found != sorted(want):
        raise Unmet(f"ports {found}, wanted {sorted(want)}")


async def resolve(client: NacosNamingService, service: str):
    return await client.list_instances(ListInstanceParam(service_name=service, healthy_only=None))


async def await_ports(client: NacosNamingService, service: str, want, limit_s: float = SETTLE_S) -> None:
    """Polls what this client resolves; the SDK keeps that current by pushes alone."""

    async def check():
        want_ports(await resolve(client, service), want)

    await until(limit_s, check)


class Pushes:
    """The last list that a subscription callback got."""

    def __init__(self):
        self.last = None

    async def take(self, instances) -> None:
        self.last = list(instances)

    async def wait(self, want, limit_s: float = SETTLE_S) -> None:
        async def check():
            if self.last is None:
                raise Unmet("no push")
            want_ports(self.last, want)

        await until(limit_s, check)


async def register() -> None:
    client, other = await naming(), await naming(CHECK_ADDRESS)
    service = name("register")
    await register_at(client, service, 8001)
    await await_ports(other, service, [8001])
    await client.shutdown()
    await other.shutdown()


async def list_step() -> None:
    client, other = await naming(), await naming(CHECK_ADDRESS)
    service = name("list")
    await register_at(client, service, 8001)
    await register_at(other, service, 8002)
    await await_ports(client, service, [8001, 8002])
    healthy = await client.list_instances(ListInstanceParam(service_name=service, healthy_only=True))
    want_ports(healthy, [8001, 8002])
    for instance in healthy:
        if (
            instance.ip != TEST_IP
            or instance.weight != 2
            or not instance.ephemeral
            or instance.clusterName != "DEFAULT"
            or instance.metadata.get("zone") != "a"
        ):
            raise Unmet(f"the instance came back as {instance}")
    services = (await client.list_services(ListServiceParam(namespace_id="public", page_no=1, page_size=500))).services
    if service not in services:
        raise Unmet(f"the service is not among the {len(services)} names listed")
    await client.shutdown()
    await other.shutdown()


async def subscribe() -> None:
    reader, writer = await naming(), await naming(CHECK_ADDRESS)
    service, seen = name("subscribe"), Pushes()
    param = SubscribeServiceParam(service_name=service, subscribe_callback=seen.take)
    await reader.subscribe(param)
    await register_at(writer, service, 8001)
    await seen.wait([8001])
    await register_at(reader, service, 8002)
    await seen.wait([8001, 8002])
    await deregister_at(writer, service, 8001)
    await seen.wait([8002])
    await deregister_at(reader, service, 8002)
    await seen.wait([])
    await reader.unsubscribe(param)
    await reader.shutdown()
    await writer.shutdown()


async def unsubscribe() -> None:
    """Nothing is pushed after an unsubscribe; another client is the witness that there was something."""
    reader, witness = await naming(), await naming(CHECK_ADDRESS)
    service, seen, witnessed = name("unsubscribe"), Pushes(), Pushes()
    param = SubscribeServiceParam(service_name=service, subscribe_callback=seen.take)
    await reader.subscribe(param)
    await witness.subscribe(SubscribeServiceParam(service_name=service, subscribe_callback=witnessed.take))
    await register_at(witness, service, 8001)
    await seen.wait([8001])
    await reader.unsubscribe(param)
    seen.last = None
    await register_at(reader, service, 8002)
    await witnessed.wait([8001, 8002])
    await asyncio.sleep(QUIET_S)
    if seen.last is not None:
        raise Unmet("a push after the unsubscribe")
    await reader.shutdown()
    await witness.shutdown()


async def batch() -> None:
    client, other, service = await naming(), await naming(CHECK_ADDRESS), name("batch")
    instances = [
        RegisterInstanceParam(service_name=service, ip=TEST_IP, port=port, weight=2.0) for port in (8001, 8002, 8003)
    ]
    await client.batch_register_instances(BatchRegisterInstanceParam(service_name=service, instances=instances))
    await await_ports(other, service, [8001, 8002, 8003])
    await client.batch_deregister_instances(BatchRegisterInstanceParam(service_name=service, instances=instances[:1]))
    await await_ports(other, service, [8002, 8003])
    await client.shutdown()
    await other.shutdown()


async def persistent() -> None:
    raise NotOffered("the SDK has no request for persistent instances")


async def die() -> None:
    """Kills another process that registered an instance and never deregistered it."""
    client, service = await naming(CHECK_ADDRESS), name("die")
    await register_at(client, service, 8001)
    victim = await asyncio.create_subprocess_exec(
        sys.executable, os.path.abspath(__file__), "die", service, stdout=asyncio.subprocess.PIPE
    )
    try:
        line = (await victim.stdout.readline()).decode().strip()
        if line != "registered":
            raise Unmet(f"the second process did not register: {line!r}")
        await await_ports(client, service, [8001, 8002])
        victim.kill()
        await await_ports(client, service, [8001])
    finally:
        if victim.returncode is None:
            victim.kill()
        await victim.wait()
    await client.shutdown()


async def live_until_killed(service: str) -> None:
    """The life of the second process of die."""
    client = await naming()
    await register_at(client, service, 8002)
    print("registered", flush=True)
    await asyncio.sleep(300)


# Configs


async def put(client: NacosConfigService, data_id: str, content: str, cas_md5: str = "", **gray: str) -> None:
    done = await client.publish_config(
        ConfigParam(data_id=data_id, group=GROUP, content=content, cas_md5=cas_md5, **gray)
    )
    if not done:
        raise Unmet("publish: the SDK answered false")


async def want_content(client: NacosConfigService, data_id: str, want: str) -> None:
    found = await client.get_config(ConfigParam(data_id=data_id, group=GROUP))
    if found != want:
        raise Unmet(f"content {found!r}, wanted {want!r}")


async def await_content(client: NacosConfigService, data_id: str, want: str) -> None:
    """For steps that show something else than what a read answers right after a publish."""

    async def check():
        await want_content(client, data_id, want)

    await until(SETTLE_S, check)


def md5(content: str) -> str:
    return hashlib.md5(content.encode()).hexdigest()


class Shared:
    """Two config clients for all steps, at two nodes if there are several: closing one takes this SDK up to 5 s."""

    first: NacosConfigService = None
    second: NacosConfigService = None

    @classmethod
    async def pair(cls):
        if cls.first is None:
            cls.first, cls.second = await config(), await config(CHECK_ADDRESS)
        return cls.first, cls.second


async def login() -> None:
    """Shows that the right password serves and that a wrong one does not."""
    if not USER:
        raise NotOffered("no user given, so the server asks for none")
    client, _ = await Shared.pair()
    await put(client, name("login"), "one")
    await await_content(client, name("login"), "one")
    intruder = await config(password=PASSWORD + "-wrong")
    try:
        await put(intruder, name("intruder"), "no")
    except (NacosException, Unmet):
        return
    raise Unmet("a publish with a wrong password was accepted")


async def publish() -> None:
    (client, _), data_id = await Shared.pair(), name("publish")
    for content in ("one", "two"):
        await put(client, data_id, content)
        await want_content(client, data_id, content)


async def cas_ok() -> None:
    (client, other), data_id = await Shared.pair(), name("cas-ok")
    await put(other, data_id, "one")
    await put(client, data_id, "two", md5("one"))
    await await_content(other, data_id, "two")


async def cas_conflict() -> None:
    (client, other), data_id = await Shared.pair(), name("cas-conflict")
    await put(other, data_id, "one")
    await await_content(client, data_id, "one")
    try:
        await put(client, data_id, "two", md5("stale"))
    except (NacosException, Unmet):
        return await want_content(other, data_id, "one")
    raise Unmet("a publish with a stale md5 was accepted")


async def get() -> None:
    (client, other), data_id = await Shared.pair(), name("get")
    content = 'name: 值\nline: "two" & <three>\n'
    await put(other, data_id, content)
    await await_content(client, data_id, content)
    await await_content(client, name("absent"), "")


class Changes:
    """The last content that a listener got."""

    def __init__(self):
        self.count, self.last = 0, None

    async def take(self, _tenant, _group, _data_id, content) -> None:
        self.count += 1
        self.last = content

    async def wait(self, want: str, limit_s: float = SETTLE_S) -> None:
        async def check():
            if self.last != want:
                raise Unmet(f"the listener was called {self.count} times, last with {self.last!r}, wanted {want!r}")

        await until(limit_s, check)


async def listen() -> None:
    (client, other), data_id = await Shared.pair(), name("listen")
    seen = Changes()
    await put(client, data_id, "one")
    await client.add_listener(data_id, GROUP, seen.take)
    await seen.wait("one")
    for content in ("two", "three"):
        await put(other, data_id, content)
        await seen.wait(content)
    await client.remove_listener(data_id, GROUP, seen.take)


async def many_listeners() -> None:
    """One client listens to many configs at once; each of its listeners hears of its own."""
    (client, other), data_id = await Shared.pair(), name("many")
    seen = [Changes() for _ in range(LISTENERS)]
    for number, changes in enumerate(seen):
        await put(other, f"{data_id}{number}", "one")
        await client.add_listener(f"{data_id}{number}", GROUP, changes.take)
    for changes in seen:
        await changes.wait("one")
    for number in range(LISTENERS):
        await put(other, f"{data_id}{number}", f"two{number}")
    for number, changes in enumerate(seen):
        await changes.wait(f"two{number}")


async def gray() -> None:
    """A beta version for an address is read there only. A version for a tag changes nothing for the rest."""
    (client, other), data_id = await Shared.pair(), name("gray")
    await put(client, data_id, "one")
    for version in ({"tag": "blue"}, {"beta_ips": "10.9.9.9"}):
        await put(other, data_id, "gray", **version)
        await want_content(client, data_id, "one")
    await put(other, data_id, "beta", beta_ips="127.0.0.1")
    await await_content(client, data_id, "beta")


async def remove() -> None:
    (client, other), data_id = await Shared.pair(), name("remove")
    await put(other, data_id, "one")
    if not await client.remove_config(ConfigParam(data_id=data_id, group=GROUP)):
        raise Unmet("remove: the SDK answered false")
    await await_content(other, data_id, "")


# Outages


async def control(variable: str, *arguments: str) -> None:
    """Runs the shell command of a variable of the contract."""
    process = await asyncio.create_subprocess_shell(
        " ".join([os.environ[variable], *arguments]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise Unmet(f"{variable} ended with {process.returncode}: {out.decode()}")


# After an outage this SDK runs two reconnects at once (its stream's and its health check's). The second closes the
# connection of the first, and whatever call was just under way there is cancelled, together with the background task that
# made it. That is luck, and no server's doing: such a client is given up and the outage is played again with new ones.
OUTAGE_TRIES = 3


def want_alive(*tasks) -> None:
    if any(task.done() for task in tasks):
        raise SdkLost("the SDK cancelled its own background task while it reconnected")


async def several_tries(play, noun: str) -> None:
    for attempt in range(1, OUTAGE_TRIES + 1):
        try:
            return await play(name(f"{noun}-{attempt}"))
        except SdkLost as lost:
            logging.warning("%s, attempt %d: %s", noun, attempt, lost)
    raise SdkLost(f"in each of {OUTAGE_TRIES} attempts the SDK cancelled its own background task while it reconnected")


class Followers:
    """Clients that register, subscribe and listen, and what they have seen."""

    def __init__(self, noun: str):
        self.service = self.data_id = noun
        self.pushed, self.changed = Pushes(), Changes()

    async def prepare(self, address: str) -> None:
        self.provider, self.consumer = await naming(address), await naming(address)
        self.listener = await config(address)
        self.background = [
            self.provider.grpc_client_proxy.redo_service._listen_task,
            self.consumer.grpc_client_proxy.redo_service._listen_task,
            self.listener.grpc_client_proxy.listen_task,
        ]
        await register_at(self.provider, self.service, 8001)
        await self.consumer.subscribe(
            SubscribeServiceParam(service_name=self.service, subscribe_callback=self.pushed.take)
        )
        await self.pushed.wait([8001])
        await put(self.listener, self.data_id, "one")
        await self.listener.add_listener(self.data_id, GROUP, self.changed.take)
        await self.changed.wait("one")

    async def until_pushed(self, want, limit_s: float) -> None:
        async def check():
            want_alive(*self.background)
            want_ports(self.pushed.last, want)

        await until(limit_s, check)

    async def until_changed(self, want: str, limit_s: float) -> None:
        async def check():
            want_alive(*self.background)
            if self.changed.last != want:
                raise Unmet(f"the listener last got {self.changed.last!r}, wanted {want!r}")

        await until(limit_s, check)


async def node_lost() -> None:
    """One node after the other is killed: clients that know all of them go on at the others by themselves. The SDK
    chooses its node by chance: so each client loses its node at least once."""
    if not ADDRESSES or not os.environ.get("TRINE_STOP") or not os.environ.get("TRINE_START"):
        raise NotOffered("there is one node only")
    await several_tries(play_node_lost, "node-lost")


async def play_node_lost(noun: str) -> None:
    followers, nodes = Followers(noun), ADDRESSES.split(",")
    await followers.prepare(ADDRESSES)
    for number, lost in enumerate(nodes):
        await control("TRINE_STOP", lost)
        sure = time.monotonic() + DEATH_S
        try:
            await await_gone(lost)
            await check_goes_on(followers, number, nodes[(number + 1) % len(nodes)], sure)
        finally:
            # Whatever went wrong, the node is put back for whoever comes next.
            await control("TRINE_START", lost)
    await deregister_at(followers.provider, followers.service, 8001)
    # An instance that moved from node to node leaves all of them.
    for node in nodes:
        await await_ports(await naming(node), followers.service, [])


async def check_goes_on(followers: Followers, number: int, alive: str, sure: float) -> None:
    """What a client at another node does after the loss is heard, and publishing goes on. An instance that nobody has
    registered again is gone at the time `sure`."""
    service, data_id = followers.service, followers.data_id
    other, writer = await naming(alive), await config(alive)
    await register_at(other, service, 8002)
    await followers.until_pushed([8001, 8002], RECOVER_S)
    for client, content in ((writer, f"other {number}"), (followers.listener, f"own {number}")):
        await until(RECOVER_S, lambda: put(client, data_id, content))
        await await_content(writer, data_id, content)
        await followers.until_changed(content, RECOVER_S)
    await deregister_at(other, service, 8002)
    await followers.until_pushed([8001], RECOVER_S)
    await asyncio.sleep(max(0.0, sure - time.monotonic()))
    # This SDK looks for what it must register again only every 30 s: until then the instance may be away. A fresh client,
    # because the SDK answers from what it was pushed.
    await await_ports(await naming(alive), service, [8001], RECOVER_S)


async def outage() -> None:
    """All servers go away and come back: the application goes on with what it knew, and recovers by itself."""
    if not os.environ.get("TRINE_STOP") or not os.environ.get("TRINE_START"):
        raise NotOffered("TRINE_STOP and TRINE_START are not given")
    await several_tries(play_outage, "outage")


async def play_outage(noun: str) -> None:
    followers, service, data_id = Followers(noun), noun, noun
    await followers.prepare(ADDRESS)

    await control("TRINE_STOP")
    try:
        await check_away(followers.consumer, service)
    finally:
        # Whatever went wrong, the server is put back for whoever comes next.
        await control("TRINE_START")

    async def registered_again():
        want_alive(*followers.background)
        want_ports(await resolve(fresh, service), [8001])

    fresh = await naming(CHECK_ADDRESS)
    await until(RECOVER_S, registered_again)
    await register_at(fresh, service, 8002)
    # The subscription comes back by the same 30 s timer as the instance, not in step with it.
    await followers.until_pushed([8001, 8002], RECOVER_S / 2)
    writer = await config(CHECK_ADDRESS)
    await await_content(writer, data_id, "one")
    await put(writer, data_id, "two")
    await followers.until_changed("two", RECOVER_S / 2)


async def await_gone(address: str) -> None:
    async def gone():
        try:
            await dial(address)
        except OSError:
            return
        raise Unmet("the server still accepts connections after TRINE_STOP")

    await until(SETTLE_S, gone)


async def check_away(consumer: NacosNamingService, service: str) -> None:
    await await_gone(ADDRESS)
    end = time.monotonic() + OUTAGE_S
    while time.monotonic() < end:
        want_ports(await resolve(consumer, service), [8001])
        await asyncio.sleep(0.5)


STEPS = [
    ("login", 30, login),
    ("register", 30, register),
    ("list", 30, list_step),
    ("subscribe", 60, subscribe),
    ("unsubscribe", 60, unsubscribe),
    ("batch", 30, batch),
    ("persistent", 30, persistent),
    ("die", 60, die),
    ("publish", 30, publish),
    ("cas_ok", 30, cas_ok),
    ("cas_conflict", 30, cas_conflict),
    ("get", 30, get),
    ("listen", 60, listen),
    ("many_listeners", 90, many_listeners),
    ("gray", 30, gray),
    ("remove", 30, remove),
    ("node_lost", 360, node_lost),
    ("outage", 180, outage),
]


async def main() -> bool:
    """Runs all steps and prints one line for each; a step that hangs fails alone."""
    try:
        await until(5, dial)
        reachable = True
    except Unmet:
        reachable = False
    failed = False
    for step, limit_s, body in STEPS:
        try:
            if not reachable:
                raise Unmet(f"the server cannot be reached at {ADDRESS}")
            await asyncio.wait_for(body(), limit_s)
            line = f"step {step} ok"
        except NotOffered as reason:
            line = f"step {step} n/a {reason}"
        except asyncio.TimeoutError:
            failed, line = True, f"step {step} fail not finished after {limit_s} s"
        except Exception as reason:
            failed, line = True, f"step {step} fail {type(reason).__name__}: {reason}"
        print(" ".join(line.split()), flush=True)
    return failed


if __name__ == "__main__":
    if ":" not in ADDRESS:
        sys.exit("TRINE_ADDR must be host:port")
    os.makedirs(SCRATCH, exist_ok=True)
    logging.basicConfig(filename=os.path.join(SCRATCH, f"python-{os.getpid()}.log"))
    if len(sys.argv) == 3 and sys.argv[1] == "die":
        asyncio.run(live_until_killed(sys.argv[2]))
        sys.exit(1)
    code = 1 if asyncio.new_event_loop().run_until_complete(main()) else 0
    # The SDK leaves tasks that never end by themselves.
    sys.stdout.flush()
    os._exit(code)
