package dev.trine.conformance;

import com.alibaba.nacos.api.naming.NamingService;
import com.alibaba.nacos.api.naming.listener.EventListener;
import com.alibaba.nacos.api.naming.listener.NamingEvent;
import com.alibaba.nacos.api.naming.pojo.Instance;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The steps about services and instances. */
final class Naming {

    static final String TEST_IP = "10.1.2.3";

    /** How long an instance without beats stays healthy. */
    private static final Duration UNHEALTHY_TIME = Duration.ofSeconds(15);

    /** Longest time for the instance of a dead process to go; without beats it is removed after 30 s. */
    private static final Duration GONE_TIME = Suite.BY_HTTP ? Duration.ofSeconds(30) : Suite.SETTLE_TIME;

    private Naming() {
    }

    /** The last list that a subscription callback got. */
    static final class Pushes {
        private int count;
        private List<Instance> last = List.of();

        EventListener listener() {
            return event -> {
                if (event instanceof NamingEvent change) {
                    take(change.getInstances());
                }
            };
        }

        synchronized int count() {
            return count;
        }

        private synchronized void take(List<Instance> instances) {
            count++;
            last = List.copyOf(instances);
        }

        void await(Duration limit, int... want) throws Exception {
            Suite.await(limit, () -> {
                synchronized (this) {
                    if (count == 0) {
                        throw new Suite.Unmet("no push");
                    }
                    wantPorts(last, want);
                }
            });
        }
    }

    private static Instance instanceAt(int port) {
        Instance instance = new Instance();
        instance.setIp(TEST_IP);
        instance.setPort(port);
        instance.setWeight(2);
        instance.setMetadata(Map.of("zone", "a"));
        return instance;
    }

    static void registerAt(NamingService client, String service, int port) throws Exception {
        client.registerInstance(service, instanceAt(port));
    }

    static void wantPorts(List<Instance> instances, int... want) throws Suite.Unmet {
        List<Integer> wanted = new ArrayList<>();
        for (int port : want) {
            wanted.add(port);
        }
        List<Integer> found = instances.stream().map(Instance::getPort).sorted().toList();
        if (!found.equals(wanted)) {
            throw new Suite.Unmet("ports " + found + ", wanted " + wanted);
        }
    }

    /** Polls the server itself, past the cache of the client. */
    static void awaitPorts(NamingService client, String service, Duration limit, int... want) throws Exception {
        Suite.await(limit, () -> wantPorts(client.getAllInstances(service, false), want));
    }

    static void register() throws Exception {
        NamingService client = Suite.naming();
        NamingService other = Suite.otherNaming();
        try {
            String service = Suite.name("register");
            registerAt(client, service, 8001);
            awaitPorts(other, service, Suite.SETTLE_TIME, 8001);
        } finally {
            client.shutDown();
            other.shutDown();
        }
    }

    static void list() throws Exception {
        NamingService client = Suite.naming();
        NamingService other = Suite.otherNaming();
        try {
            String service = Suite.name("list");
            registerAt(client, service, 8001);
            registerAt(other, service, 8002);
            awaitPorts(client, service, Suite.SETTLE_TIME, 8001, 8002);
            List<Instance> healthy = client.selectInstances(service, true, false);
            wantPorts(healthy, 8001, 8002);
            for (Instance instance : healthy) {
                if (!instance.getIp().equals(TEST_IP) || instance.getWeight() != 2 || !instance.isEphemeral()
                        || !instance.getClusterName().equals("DEFAULT")
                        || !"a".equals(instance.getMetadata().get("zone"))) {
                    throw new Suite.Unmet("the instance came back as " + instance);
                }
            }
            List<String> services = client.getServicesOfServer(1, 500).getData();
            if (!services.contains(service)) {
                throw new Suite.Unmet("the service is not among the " + services.size() + " names listed");
            }
        } finally {
            client.shutDown();
            other.shutDown();
        }
    }

    static void subscribe() throws Exception {
        NamingService reader = Suite.naming();
        NamingService writer = Suite.otherNaming();
        try {
            String service = Suite.name("subscribe");
            Pushes seen = new Pushes();
            EventListener listener = seen.listener();
            reader.subscribe(service, listener);
            registerAt(writer, service, 8001);
            seen.await(Suite.PUSH_TIME, 8001);
            registerAt(reader, service, 8002);
            seen.await(Suite.PUSH_TIME, 8001, 8002);
            writer.deregisterInstance(service, TEST_IP, 8001);
            seen.await(Suite.PUSH_TIME, 8002);
            reader.deregisterInstance(service, TEST_IP, 8002);
            seen.await(Suite.PUSH_TIME);
            reader.unsubscribe(service, listener);
        } finally {
            reader.shutDown();
            writer.shutDown();
        }
    }

    /** Nothing is pushed after an unsubscribe, and the SDK's own list of subscriptions follows. */
    static void unsubscribe() throws Exception {
        NamingService reader = Suite.naming();
        NamingService witness = Suite.otherNaming();
        try {
            String service = Suite.name("unsubscribe");
            Pushes seen = new Pushes();
            Pushes witnessed = new Pushes();
            EventListener listener = seen.listener();
            reader.subscribe(service, listener);
            witness.subscribe(service, witnessed.listener());
            registerAt(witness, service, 8001);
            seen.await(Suite.SETTLE_TIME, 8001);
            wantSubscribed(reader, service, true);
            reader.unsubscribe(service, listener);
            wantSubscribed(reader, service, false);
            int before = seen.count();
            registerAt(reader, service, 8002);
            witnessed.await(Suite.PUSH_TIME, 8001, 8002);
            Thread.sleep(Suite.QUIET_TIME.toMillis());
            if (seen.count() != before) {
                throw new Suite.Unmet("a push after the unsubscribe");
            }
        } finally {
            reader.shutDown();
            witness.shutDown();
        }
    }

    private static void wantSubscribed(NamingService client, String service, boolean want) throws Exception {
        // The name is with its group in some majors.
        boolean found = client.getSubscribeServices().stream().anyMatch(info -> info.getName().endsWith(service));
        if (found != want) {
            throw new Suite.Unmet("among the subscribed services: " + found + ", wanted " + want);
        }
    }

    /** Looked up, because major 1 of the SDK has no batches. */
    static void batch() throws Exception {
        Method register;
        Method deregister;
        try {
            register = NamingService.class.getMethod("batchRegisterInstance", String.class, String.class, List.class);
            deregister = NamingService.class.getMethod("batchDeregisterInstance", String.class, String.class,
                    List.class);
        } catch (NoSuchMethodException absent) {
            throw new Suite.NotOffered("the SDK has no batches");
        }
        NamingService client = Suite.naming();
        NamingService other = Suite.otherNaming();
        try {
            String service = Suite.name("batch");
            register.invoke(client, service, Config.GROUP,
                    List.of(instanceAt(8001), instanceAt(8002), instanceAt(8003)));
            awaitPorts(other, service, Suite.SETTLE_TIME, 8001, 8002, 8003);
            deregister.invoke(client, service, Config.GROUP, List.of(instanceAt(8001)));
            awaitPorts(other, service, Suite.SETTLE_TIME, 8002, 8003);
        } finally {
            client.shutDown();
            other.shutDown();
        }
    }

    /** A persistent instance outlives its client, and another one takes it away. */
    static void persistent() throws Exception {
        String service = Suite.name("persistent");
        Instance instance = instanceAt(8001);
        instance.setEphemeral(false);
        NamingService owner = Suite.naming();
        try {
            owner.registerInstance(service, instance);
            awaitPorts(owner, service, Suite.SETTLE_TIME, 8001);
        } finally {
            owner.shutDown();
        }
        NamingService other = Suite.otherNaming();
        try {
            Thread.sleep(Suite.QUIET_TIME.toMillis());
            List<Instance> found = other.getAllInstances(service, false);
            wantPorts(found, 8001);
            if (found.get(0).isEphemeral()) {
                throw new Suite.Unmet("the persistent instance came back as " + found.get(0));
            }
            other.deregisterInstance(service, Config.GROUP, instance);
            awaitPorts(other, service, Suite.SETTLE_TIME);
        } finally {
            other.shutDown();
        }
    }

    /** Kills another process that registered an instance and never deregistered it. */
    static void die() throws Exception {
        NamingService client = Suite.otherNaming();
        Process victim = null;
        try {
            String service = Suite.name("die");
            registerAt(client, service, 8001);
            victim = startVictim(service);
            BufferedReader out = new BufferedReader(
                    new InputStreamReader(victim.getInputStream(), StandardCharsets.UTF_8));
            String line = out.readLine();
            if (!"registered".equals(line)) {
                throw new Suite.Unmet("the second process did not register: " + line);
            }
            awaitPorts(client, service, Suite.SETTLE_TIME, 8001, 8002);
            if (Suite.BY_HTTP) {
                checkBeats(client, service);
            }
            victim.destroyForcibly();
            if (Suite.BY_HTTP) {
                Suite.await(UNHEALTHY_TIME.plusSeconds(10), () -> wantHealthy(client, service, 8001));
            }
            awaitPorts(client, service, GONE_TIME, 8001);
        } finally {
            if (victim != null) {
                victim.destroyForcibly();
            }
            client.shutDown();
        }
    }

    /** For longer than an instance without beats stays healthy: so its beats count. */
    private static void checkBeats(NamingService client, String service) throws Exception {
        long end = System.nanoTime() + UNHEALTHY_TIME.plusSeconds(4).toNanos();
        while (System.nanoTime() < end) {
            wantHealthy(client, service, 8001, 8002);
            Thread.sleep(1000);
        }
    }

    private static void wantHealthy(NamingService client, String service, int... want) throws Exception {
        wantPorts(client.getAllInstances(service, false).stream().filter(Instance::isHealthy).toList(), want);
    }

    private static Process startVictim(String service) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(ProcessHandle.current().info().command().orElse("java"));
        command.add("-Xmx128m");
        command.add("-XX:+UseSerialGC");
        command.add("-XX:TieredStopAtLevel=1");
        for (String property : List.of("user.home", "JM.SNAPSHOT.PATH", "JM.LOG.PATH")) {
            command.add("-D" + property + "=" + System.getProperty(property));
        }
        command.add("-Dorg.slf4j.simpleLogger.logFile="
                + System.getProperty("org.slf4j.simpleLogger.logFile", "System.err") + ".die");
        command.add("-Dconformance.http=" + Suite.BY_HTTP);
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(Suite.class.getName());
        command.add("die");
        command.add(service);
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    }

    /** The life of the second process of die. */
    static void liveUntilKilled(String service) throws Exception {
        NamingService client = Suite.naming();
        registerAt(client, service, 8002);
        System.out.println("registered");
        System.out.flush();
        Thread.sleep(Duration.ofMinutes(5).toMillis());
        client.shutDown();
    }
}
