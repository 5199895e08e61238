package dev.trine.conformance;

import com.alibaba.nacos.api.config.ConfigService;
import com.alibaba.nacos.api.naming.NamingService;
import java.io.IOException;
import java.util.List;

/**
 * Of several nodes one after the other is killed: clients that know all of them go on at the others by themselves.
 *
 * <p>The SDK chooses its node by chance. Since each node is lost once, each client loses its node at least once.
 */
final class NodeLost {

    private final String service = Suite.name("node-lost");
    private final String dataId = Suite.name("node-lost");
    private final Naming.Pushes pushed = new Naming.Pushes();
    private final Config.Changes changed = new Config.Changes();
    private final List<String> addresses = List.of(Suite.env("TRINE_ADDRS").split(","));

    private NodeLost() {
    }

    static void run() throws Exception {
        String all = Suite.env("TRINE_ADDRS");
        if (all.isEmpty() || Suite.env("TRINE_STOP").isEmpty() || Suite.env("TRINE_START").isEmpty()) {
            throw new Suite.NotOffered("there is one node only");
        }
        NamingService provider = Suite.naming(all);
        NamingService consumer = Suite.naming(all);
        ConfigService listener = Suite.config(all);
        try {
            new NodeLost().play(provider, consumer, listener);
        } finally {
            provider.shutDown();
            consumer.shutDown();
            listener.shutDown();
        }
    }

    private void play(NamingService provider, NamingService consumer, ConfigService listener) throws Exception {
        Naming.registerAt(provider, service, 8001);
        consumer.subscribe(service, pushed.listener());
        pushed.await(Suite.SETTLE_TIME, 8001);
        Config.put(listener, dataId, "one");
        listener.addListener(dataId, Config.GROUP, changed.listener());
        changed.await(Suite.SETTLE_TIME, "one");
        for (int round = 0; round < addresses.size(); round++) {
            String lost = addresses.get(round);
            Suite.control("TRINE_STOP", lost);
            long sure = System.nanoTime() + Suite.DEATH_TIME.toNanos();
            try {
                checkGone(lost);
                checkGoesOn(round, listener, sure);
            } finally {
                // Whatever went wrong, the node is put back for whoever comes next.
                Suite.control("TRINE_START", lost);
            }
        }
        provider.deregisterInstance(service, Naming.TEST_IP, 8001);
        checkNoGhosts();
    }

    private static void checkGone(String lost) throws Exception {
        Suite.await(Suite.SETTLE_TIME, () -> {
            try {
                Suite.checkDial(lost);
            } catch (IOException gone) {
                return;
            }
            throw new Suite.Unmet("the node still accepts connections after TRINE_STOP");
        });
    }

    /**
     * What a client at another node does after the loss is heard, and publishing goes on.
     *
     * @param sure when an instance that nobody has registered again is gone for sure
     */
    private void checkGoesOn(int round, ConfigService listener, long sure) throws Exception {
        String alive = addresses.get((round + 1) % addresses.size());
        NamingService other = Suite.naming(alive);
        ConfigService writer = Suite.config(alive);
        try {
            Naming.registerAt(other, service, 8002);
            pushed.await(Suite.RECOVER_TIME, 8001, 8002);
            Suite.await(Suite.RECOVER_TIME, () -> Config.put(writer, dataId, "other " + round));
            changed.await(Suite.RECOVER_TIME, "other " + round);
            Suite.await(Suite.RECOVER_TIME, () -> Config.put(listener, dataId, "own " + round));
            Config.awaitContent(writer, dataId, "own " + round);
            changed.await(Suite.RECOVER_TIME, "own " + round);
            other.deregisterInstance(service, Naming.TEST_IP, 8002);
            pushed.await(Suite.RECOVER_TIME, 8001);
            while (System.nanoTime() < sure) {
                Thread.sleep(500);
            }
            Naming.wantPorts(other.getAllInstances(service, false), 8001);
        } finally {
            other.shutDown();
            writer.shutDown();
        }
    }

    /** An instance that moved from node to node leaves all of them. */
    private void checkNoGhosts() throws Exception {
        for (String address : addresses) {
            NamingService client = Suite.naming(address);
            try {
                Naming.awaitPorts(client, service, Suite.SETTLE_TIME);
            } finally {
                client.shutDown();
            }
        }
    }
}
