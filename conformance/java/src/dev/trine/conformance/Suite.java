package dev.trine.conformance;

import com.alibaba.nacos.api.PropertyKeyConst;
import com.alibaba.nacos.api.config.ConfigFactory;
import com.alibaba.nacos.api.config.ConfigService;
import com.alibaba.nacos.api.exception.NacosException;
import com.alibaba.nacos.api.naming.NamingFactory;
import com.alibaba.nacos.api.naming.NamingService;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The conformance suite of nacos-client: the unchanged official client against a running server.
 *
 * <p>The contract (environment, steps, output) is in ../README.md.
 */
public final class Suite {

    /** Longest time for one poll of something that the server should show at once. */
    static final Duration SETTLE_TIME = Duration.ofSeconds(15);

    /**
     * Whether this major of the SDK speaks HTTP: it lives by beats, and its subscriptions by polls every 10 s that UDP
     * pushes come before.
     */
    static final boolean BY_HTTP = Boolean.getBoolean("conformance.http");

    /** Longest time for a change to reach a subscriber. By HTTP less than between two polls: so pushes count. */
    static final Duration PUSH_TIME = BY_HTTP ? Duration.ofSeconds(6) : SETTLE_TIME;

    /** How long nothing must happen where nothing may. */
    static final Duration QUIET_TIME = Duration.ofSeconds(1);

    /** How many configs one client listens to in the step about many. */
    static final int LISTENERS = 100;

    /** How long the servers stay away in the outage step. */
    static final Duration OUTAGE_TIME = Duration.ofSeconds(8);

    /** Longer than what a dead node's clients had registered stays listed, unless they are back at another node. */
    static final Duration DEATH_TIME = Duration.ofSeconds(25);

    /** Longest time for a client to come back by itself after the outage. */
    static final Duration RECOVER_TIME = Duration.ofSeconds(60);

    private static final String RUN = Long.toHexString(System.currentTimeMillis()) + "-" + ProcessHandle.current().pid();

    /** The body of a step. */
    @FunctionalInterface
    interface Step {
        void run() throws Exception;
    }

    /** A condition that may still come true; what it throws tells what was missing. */
    @FunctionalInterface
    interface Condition {
        void check() throws Exception;
    }

    /** What a step expected and did not find. */
    static final class Unmet extends Exception {
        private static final long serialVersionUID = 1L;

        Unmet(String message) {
            super(message);
        }
    }

    /** Says that the step cannot be asked of this SDK or in this setting. */
    static final class NotOffered extends Exception {
        private static final long serialVersionUID = 1L;

        NotOffered(String message) {
            super(message);
        }
    }

    private final ExecutorService steps = Executors.newCachedThreadPool(body -> {
        Thread thread = new Thread(body, "step");
        thread.setDaemon(true);
        return thread;
    });

    private boolean reachable;

    private boolean failed;

    private Suite() {
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 2 && args[0].equals("die")) {
            Naming.liveUntilKilled(args[1]);
            return;
        }
        boolean failed = new Suite().run();
        System.out.flush();
        // The SDK leaves threads that are no daemons.
        Runtime.getRuntime().halt(failed ? 1 : 0);
    }

    private boolean run() {
        try {
            await(Duration.ofSeconds(5), Suite::checkDial);
            reachable = true;
        } catch (Exception unreachable) {
            reachable = false;
        }
        step("login", 30, Config::login);
        step("register", 30, Naming::register);
        step("list", 30, Naming::list);
        step("subscribe", 60, Naming::subscribe);
        step("unsubscribe", 60, Naming::unsubscribe);
        step("batch", 30, Naming::batch);
        step("persistent", 30, Naming::persistent);
        step("die", 120, Naming::die);
        step("publish", 30, Config::publish);
        step("cas_ok", 30, Config::casOk);
        step("cas_conflict", 30, Config::casConflict);
        step("get", 30, Config::get);
        step("listen", 45, Config::listen);
        step("many_listeners", 90, Config::manyListeners);
        step("gray", 30, Config::gray);
        step("remove", 30, Config::remove);
        step("fuzzy_config", 45, FuzzyConfig::run);
        step("fuzzy_naming", 45, FuzzyNaming::run);
        step("node_lost", 240, NodeLost::run);
        step("outage", 120, Outage::run);
        return failed;
    }

    /** Runs one step and prints its line; a step that hangs fails alone. */
    private void step(String name, int limitSeconds, Step body) {
        try {
            if (!reachable) {
                throw new Unmet("the server cannot be reached at " + address());
            }
            steps.submit(() -> {
                body.run();
                return null;
            }).get(limitSeconds, TimeUnit.SECONDS);
            System.out.println("step " + name + " ok");
        } catch (TimeoutException hanging) {
            fail(name, "not finished after " + limitSeconds + " s");
        } catch (ExecutionException thrown) {
            if (thrown.getCause() instanceof NotOffered notOffered) {
                System.out.println("step " + name + " n/a " + oneLine(notOffered.getMessage()));
            } else if (thrown.getCause() instanceof Unmet unmet) {
                fail(name, unmet.getMessage());
            } else {
                fail(name, thrown.getCause().toString());
            }
        } catch (Exception thrown) {
            fail(name, thrown.getMessage());
        }
    }

    private void fail(String name, String reason) {
        failed = true;
        System.out.println("step " + name + " fail " + oneLine(reason));
    }

    private static String oneLine(String text) {
        return String.valueOf(text).strip().replaceAll("\\s+", " ");
    }

    /** Polls until the condition holds; its last exception tells what was still missing. */
    static void await(Duration limit, Condition condition) throws Exception {
        long end = System.nanoTime() + limit.toNanos();
        while (true) {
            try {
                condition.check();
                return;
            } catch (Exception missing) {
                if (System.nanoTime() >= end) {
                    throw new Unmet("after " + limit.toSeconds() + " s: " + missing.getMessage());
                }
            }
            Thread.sleep(100);
        }
    }

    static void checkDial() throws IOException {
        checkDial(address());
    }

    static void checkDial(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(address.substring(0, colon),
                    Integer.parseInt(address.substring(colon + 1))), 1000);
        }
    }

    /** A service or config name that no other run uses. */
    static String name(String noun) {
        return "conf-java-" + noun + "-" + RUN;
    }

    static String address() {
        String address = env("TRINE_ADDR");
        if (!address.contains(":")) {
            throw new IllegalStateException("TRINE_ADDR must be host:port");
        }
        return address;
    }

    /** Where every client is that another one is checked with: another node, if there is one. */
    static String checkAddress() {
        String address = env("TRINE_CHECK_ADDR");
        return address.isEmpty() ? address() : address;
    }

    static String env(String variable) {
        String value = System.getenv(variable);
        return value == null ? "" : value;
    }

    static NamingService naming() throws NacosException {
        return naming(address());
    }

    static NamingService otherNaming() throws NacosException {
        return naming(checkAddress());
    }

    /** A client that knows these addresses, with commas between them. */
    static NamingService naming(String addresses) throws NacosException {
        return NamingFactory.createNamingService(settings(addresses, env("TRINE_PASSWORD")));
    }

    static ConfigService config() throws NacosException {
        return config(address());
    }

    static ConfigService otherConfig() throws NacosException {
        return config(checkAddress());
    }

    static ConfigService config(String addresses) throws NacosException {
        return ConfigFactory.createConfigService(settings(addresses, env("TRINE_PASSWORD")));
    }

    /** Runs the shell command of a variable of the contract. */
    static void control(String variable, String... arguments) throws Exception {
        String command = env(variable) + " " + String.join(" ", arguments);
        Process process = new ProcessBuilder("sh", "-c", command).redirectErrorStream(true).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int code = process.waitFor();
        if (code != 0) {
            throw new Unmet(variable + " ended with " + code + ": " + out);
        }
    }

    static Properties settings(String addresses, String password) {
        Properties settings = new Properties();
        settings.setProperty(PropertyKeyConst.SERVER_ADDR, addresses);
        if (!env("TRINE_USER").isEmpty()) {
            settings.setProperty(PropertyKeyConst.USERNAME, env("TRINE_USER"));
            settings.setProperty(PropertyKeyConst.PASSWORD, password);
        }
        return settings;
    }
}
