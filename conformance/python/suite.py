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
# How long the servers stay away in the outage step.
OUTAGE_S = 8
# Longest time for a client to come back by itself after the outage: the SDK looks for instances to register
# again only every 30 s.
RECOVER_S = 75

GROUP = "DEFAULT_GROUP"
TEST_IP = "10.1.2.3"
RUN = f"{int(time.time() * 1000):x}-{os.getpid()}"
ADDRESS = os.environ.get("TRINE_ADDR", "")
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


def settings(password: str = PASSWORD) -> ClientConfig:
    builder = (
        ClientConfigBuilder()
        .server_address(ADDRESS)
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


async def naming() -> NacosNamingService:
    return await NacosNamingService.create_naming_service(settings())


async def config(password: str = PASSWORD) -> NacosConfigService:
    return await NacosConfigService.create_config_service(settings(password))


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


async def dial() -> None:
    host, port = ADDRESS.rsplit(":", 1)
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
    client = await naming()
    service = name("register")
    await register_at(client, service, 8001)
    await await_ports(client, service, [8001])
    await client.shutdown()


async def list_step() -> None:
    client, other = await naming(), await naming()
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
    reader, writer = await naming(), await naming()
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
    reader, witness = await naming(), await naming()
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
    client, service = await naming(), name("batch")
    instances = [
        RegisterInstanceParam(service_name=service, ip=TEST_IP, port=port, weight=2.0) for port in (8001, 8002, 8003)
    ]
    await client.batch_register_instances(BatchRegisterInstanceParam(service_name=service, instances=instances))
    await await_ports(client, service, [8001, 8002, 8003])
    await client.batch_deregister_instances(BatchRegisterInstanceParam(service_name=service, instances=instances[:1]))
    await await_ports(client, service, [8002, 8003])
    await client.shutdown()


async def persistent() -> None:
    raise NotOffered("the SDK has no request for persistent instances")


async def die() -> None:
    """Kills another process that registered an instance and never deregistered it."""
    client, service = await naming(), name("die")
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
    """Two config clients for all steps: closing one takes this SDK up to 5 s."""

    first: NacosConfigService = None
    second: NacosConfigService = None

    @classmethod
    async def pair(cls):
        if cls.first is None:
            cls.first, cls.second = await config(), await config()
        return cls.first, cls.second


async def login() -> None:
    """Shows that the right password serves and that a wrong one does not."""
    if not USER:
        raise NotOffered("no user given, so the server asks for none")
    client, _ = await Shared.pair()
    await put(client, name("login"), "one")
    await await_content(client, name("login"), "one")
    intruder = await config(PASSWORD + "-wrong")
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
    (client, _), data_id = await Shared.pair(), name("cas-ok")
    await put(client, data_id, "one")
    await put(client, data_id, "two", md5("one"))
    await await_content(client, data_id, "two")


async def cas_conflict() -> None:
    (client, _), data_id = await Shared.pair(), name("cas-conflict")
    await put(client, data_id, "one")
    await await_content(client, data_id, "one")
    try:
        await put(client, data_id, "two", md5("stale"))
    except (NacosException, Unmet):
        return await want_content(client, data_id, "one")
    raise Unmet("a publish with a stale md5 was accepted")


async def get() -> None:
    (client, other), data_id = await Shared.pair(), name("get")
    content = 'name: 值\nline: "two" & <three>\n'
    await put(client, data_id, content)
    await await_content(other, data_id, content)
    await await_content(other, name("absent"), "")


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
    (client, _), data_id = await Shared.pair(), name("gray")
    await put(client, data_id, "one")
    for version in ({"tag": "blue"}, {"beta_ips": "10.9.9.9"}):
        await put(client, data_id, "gray", **version)
        await want_content(client, data_id, "one")
    await put(client, data_id, "beta", beta_ips="127.0.0.1")
    await await_content(client, data_id, "beta")


async def remove() -> None:
    (client, _), data_id = await Shared.pair(), name("remove")
    await put(client, data_id, "one")
    if not await client.remove_config(ConfigParam(data_id=data_id, group=GROUP)):
        raise Unmet("remove: the SDK answered false")
    await await_content(client, data_id, "")


# Outage


async def control(variable: str) -> None:
    process = await asyncio.create_subprocess_shell(
        os.environ[variable], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
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


async def outage() -> None:
    """All servers go away and come back: the application goes on with what it knew, and recovers by itself."""
    if not os.environ.get("TRINE_STOP") or not os.environ.get("TRINE_START"):
        raise NotOffered("TRINE_STOP and TRINE_START are not given")
    for attempt in range(1, OUTAGE_TRIES + 1):
        try:
            return await play_outage(name(f"outage-{attempt}"))
        except SdkLost as lost:
            logging.warning("outage, attempt %d: %s", attempt, lost)
    raise SdkLost(f"in each of {OUTAGE_TRIES} attempts the SDK cancelled its own background task while it reconnected")


async def play_outage(noun: str) -> None:
    service = data_id = noun
    provider, consumer, listener = await naming(), await naming(), await config()
    background = [
        provider.grpc_client_proxy.redo_service._listen_task,
        consumer.grpc_client_proxy.redo_service._listen_task,
        listener.grpc_client_proxy.listen_task,
    ]
    pushed, changed = Pushes(), Changes()
    await register_at(provider, service, 8001)
    await consumer.subscribe(SubscribeServiceParam(service_name=service, subscribe_callback=pushed.take))
    await pushed.wait([8001])
    await put(listener, data_id, "one")
    await listener.add_listener(data_id, GROUP, changed.take)
    await changed.wait("one")

    await control("TRINE_STOP")
    try:
        await check_away(consumer, service)
    finally:
        # Whatever went wrong, the server is put back for whoever comes next.
        await control("TRINE_START")

    async def registered_again():
        want_alive(*background)
        want_ports(await resolve(fresh, service), [8001])

    async def pushed_again():
        want_alive(*background)
        want_ports(pushed.last, [8001, 8002])

    async def changed_again():
        want_alive(*background)
        if changed.last != "two":
            raise Unmet(f"the listener last got {changed.last!r}, wanted 'two'")

    fresh = await naming()
    await until(RECOVER_S, registered_again)
    await register_at(fresh, service, 8002)
    # The subscription comes back by the same 30 s timer as the instance, not in step with it.
    await until(RECOVER_S / 2, pushed_again)
    writer = await config()
    await await_content(writer, data_id, "one")
    await put(writer, data_id, "two")
    await until(RECOVER_S / 2, changed_again)


async def check_away(consumer: NacosNamingService, service: str) -> None:
    async def gone():
        try:
            await dial()
        except OSError:
            return
        raise Unmet("the server still accepts connections after TRINE_STOP")

    await until(SETTLE_S, gone)
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
