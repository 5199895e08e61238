package dev.trine.conformance;

import com.alibaba.nacos.api.config.ConfigService;
import com.alibaba.nacos.api.naming.NamingService;
import java.io.IOException;
import java.time.Duration;

/** All servers go away and come back: the application goes on with what it knew, and recovers by itself. */
final class Outage {

    private final String service = Suite.name("outage");
    private final String dataId = Suite.name("outage");
    private final Naming.Pushes pushed = new Naming.Pushes();
    private final Config.Changes changed = new Config.Changes();

    private Outage() {
    }

    static void run() throws Exception {
        if (Suite.env("TRINE_STOP").isEmpty() || Suite.env("TRINE_START").isEmpty()) {
            throw new Suite.NotOffered("TRINE_STOP and TRINE_START are not given");
        }
        NamingService provider = Suite.naming();
        NamingService consumer = Suite.naming();
        ConfigService listener = Suite.config();
        try {
            new Outage().play(provider, consumer, listener);
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
        Config.awaitContent(listener, dataId, "one");

        Suite.control("TRINE_STOP");
        try {
            checkAway(consumer, listener);
        } finally {
            // Whatever went wrong, the server is put back for whoever comes next.
            Suite.control("TRINE_START");
        }
        checkBack();
    }

    private void checkAway(NamingService consumer, ConfigService listener) throws Exception {
        Suite.await(Suite.SETTLE_TIME, () -> {
            try {
                Suite.checkDial();
            } catch (IOException gone) {
                return;
            }
            throw new Suite.Unmet("the server still accepts connections after TRINE_STOP");
        });
        long end = System.nanoTime() + Suite.OUTAGE_TIME.toNanos();
        while (System.nanoTime() < end) {
            Naming.wantPorts(consumer.getAllInstances(service), 8001);
            Thread.sleep(500);
        }
        Config.wantContent(listener, dataId, "one");
    }

    private void checkBack() throws Exception {
        NamingService fresh = Suite.otherNaming();
        ConfigService writer = Suite.otherConfig();
        try {
            Naming.awaitPorts(fresh, service, Suite.RECOVER_TIME, 8001);
            Naming.registerAt(fresh, service, 8002);
            pushed.await(Suite.SETTLE_TIME, 8001, 8002);
            Config.awaitContent(writer, dataId, "one");
            Config.put(writer, dataId, "two");
            changed.await(Duration.ofSeconds(30), "two");
        } finally {
            fresh.shutDown();
            writer.shutDown();
        }
    }
}
