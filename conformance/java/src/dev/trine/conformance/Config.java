package dev.trine.conformance;

import com.alibaba.nacos.api.config.ConfigFactory;
import com.alibaba.nacos.api.config.ConfigService;
import com.alibaba.nacos.api.config.ConfigType;
import com.alibaba.nacos.api.config.listener.AbstractListener;
import com.alibaba.nacos.api.config.listener.Listener;
import com.alibaba.nacos.api.exception.NacosException;
import java.lang.reflect.Method;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** The steps about configs. */
final class Config {

    static final String GROUP = "DEFAULT_GROUP";

    private static final long TIMEOUT_MS = 5000;

    private Config() {
    }

    /** What a step does with a client and a config name of its own. */
    @FunctionalInterface
    private interface Body {
        void run(ConfigService client, String dataId) throws Exception;
    }

    /** The same, with a second client that is at another node, if there is one. */
    @FunctionalInterface
    private interface PairBody {
        void run(ConfigService client, ConfigService other, String dataId) throws Exception;
    }

    /** The last content that a listener got. */
    static final class Changes {
        private int count;
        private String last;

        Listener listener() {
            return new AbstractListener() {
                @Override
                public void receiveConfigInfo(String content) {
                    take(content);
                }
            };
        }

        private synchronized void take(String content) {
            count++;
            last = content;
        }

        void await(Duration limit, String want) throws Exception {
            Suite.await(limit, () -> {
                synchronized (this) {
                    if (!want.equals(last)) {
                        throw new Suite.Unmet("the listener was called " + count + " times, last with \"" + last
                                + "\", wanted \"" + want + "\"");
                    }
                }
            });
        }
    }

    static void put(ConfigService client, String dataId, String content) throws Exception {
        if (!client.publishConfig(dataId, GROUP, content)) {
            throw new Suite.Unmet("publish: the SDK answered false");
        }
    }

    static void wantContent(ConfigService client, String dataId, String want) throws Exception {
        String found = client.getConfig(dataId, GROUP, TIMEOUT_MS);
        if (want == null ? found != null : !want.equals(found)) {
            throw new Suite.Unmet("content \"" + found + "\", wanted \"" + want + "\"");
        }
    }

    /** For steps that show something else than what a read answers right after a publish. */
    static void awaitContent(ConfigService client, String dataId, String want) throws Exception {
        Suite.await(Suite.SETTLE_TIME, () -> wantContent(client, dataId, want));
    }

    private static String md5(String content) throws Exception {
        byte[] sum = MessageDigest.getInstance("MD5").digest(content.getBytes(StandardCharsets.UTF_8));
        return String.format("%032x", new BigInteger(1, sum));
    }

    private static void with(String noun, Body body) throws Exception {
        ConfigService client = Suite.config();
        try {
            body.run(client, Suite.name(noun));
        } finally {
            client.shutDown();
        }
    }

    private static void withPair(String noun, PairBody body) throws Exception {
        ConfigService other = Suite.otherConfig();
        try {
            with(noun, (client, dataId) -> body.run(client, other, dataId));
        } finally {
            other.shutDown();
        }
    }

    /** Shows that the right password serves and that a wrong one does not. */
    static void login() throws Exception {
        if (Suite.env("TRINE_USER").isEmpty()) {
            throw new Suite.NotOffered("no user given, so the server asks for none");
        }
        with("login", (client, dataId) -> {
            put(client, dataId, "one");
            awaitContent(client, dataId, "one");
        });
        ConfigService intruder = ConfigFactory.createConfigService(
                Suite.settings(Suite.address(), Suite.env("TRINE_PASSWORD") + "-wrong"));
        try {
            if (publishes(intruder, Suite.name("intruder"))) {
                throw new Suite.Unmet("a publish with a wrong password was accepted");
            }
        } finally {
            intruder.shutDown();
        }
    }

    private static boolean publishes(ConfigService client, String dataId) {
        try {
            return client.publishConfig(dataId, GROUP, "no");
        } catch (NacosException refused) {
            return false;
        }
    }

    static void publish() throws Exception {
        with("publish", (client, dataId) -> {
            put(client, dataId, "one");
            wantContent(client, dataId, "one");
            put(client, dataId, "two");
            wantContent(client, dataId, "two");
        });
    }

    /** Looked up, because major 1 of the SDK has no compare-and-set. */
    private static boolean putIf(ConfigService client, String dataId, String content, String md5) throws Exception {
        Method publish;
        try {
            publish = ConfigService.class.getMethod("publishConfigCas", String.class, String.class, String.class,
                    String.class, String.class);
        } catch (NoSuchMethodException absent) {
            throw new Suite.NotOffered("the SDK has no compare-and-set");
        }
        return (boolean) publish.invoke(client, dataId, GROUP, content, md5, ConfigType.TEXT.getType());
    }

    static void casOk() throws Exception {
        withPair("cas-ok", (client, other, dataId) -> {
            put(other, dataId, "one");
            if (!putIf(client, dataId, "two", md5("one"))) {
                throw new Suite.Unmet("a publish with the current md5 was refused");
            }
            awaitContent(other, dataId, "two");
        });
    }

    static void casConflict() throws Exception {
        withPair("cas-conflict", (client, other, dataId) -> {
            put(other, dataId, "one");
            awaitContent(client, dataId, "one");
            if (putIf(client, dataId, "two", md5("stale"))) {
                throw new Suite.Unmet("a publish with a stale md5 was accepted");
            }
            wantContent(other, dataId, "one");
        });
    }

    static void get() throws Exception {
        withPair("get", (client, other, dataId) -> {
            String content = "name: 值\nline: \"two\" & <three>\n";
            put(other, dataId, content);
            awaitContent(client, dataId, content);
            awaitContent(client, Suite.name("absent"), null);
        });
    }

    static void listen() throws Exception {
        withPair("listen", (client, other, dataId) -> {
            put(client, dataId, "one");
            awaitContent(client, dataId, "one");
            Changes seen = new Changes();
            String first = client.getConfigAndSignListener(dataId, GROUP, TIMEOUT_MS, seen.listener());
            if (!"one".equals(first)) {
                throw new Suite.Unmet("content \"" + first + "\" when the listener was added");
            }
            put(other, dataId, "two");
            seen.await(Suite.SETTLE_TIME, "two");
            put(other, dataId, "three");
            seen.await(Suite.SETTLE_TIME, "three");
        });
    }

    /** One client listens to many configs at once; each of its listeners hears of its own. */
    static void manyListeners() throws Exception {
        withPair("many", (client, other, dataId) -> {
            List<Changes> seen = new ArrayList<>();
            for (int number = 0; number < Suite.LISTENERS; number++) {
                put(other, dataId + number, "one");
            }
            for (int number = 0; number < Suite.LISTENERS; number++) {
                seen.add(new Changes());
                client.addListener(dataId + number, GROUP, seen.get(number).listener());
            }
            for (Changes changes : seen) {
                changes.await(Suite.SETTLE_TIME, "one");
            }
            for (int number = 0; number < Suite.LISTENERS; number++) {
                put(other, dataId + number, "two" + number);
            }
            for (int number = 0; number < Suite.LISTENERS; number++) {
                seen.get(number).await(Suite.SETTLE_TIME, "two" + number);
            }
        });
    }

    static void gray() throws Exception {
        throw new Suite.NotOffered("the SDK publishes no gray versions");
    }

    static void remove() throws Exception {
        withPair("remove", (client, other, dataId) -> {
            put(other, dataId, "one");
            if (!client.removeConfig(dataId, GROUP)) {
                throw new Suite.Unmet("remove: the SDK answered false");
            }
            awaitContent(other, dataId, null);
        });
    }
}
