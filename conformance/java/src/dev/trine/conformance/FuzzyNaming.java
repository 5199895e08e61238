package dev.trine.conformance;

import com.alibaba.nacos.api.naming.NamingService;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** The step about watching which services there are. Looked up by name, because only major 3 of the SDK has it. */
final class FuzzyNaming {

    private static final String WATCHER = "com.alibaba.nacos.api.naming.listener.FuzzyWatchEventWatcher";

    private static final String GROUP = "DEFAULT_GROUP";

    private FuzzyNaming() {
    }

    /** The names that a watcher was told and that were not taken back. */
    private static final class Names {
        private final Set<String> there = new TreeSet<>();

        private synchronized void take(String service, boolean exists) {
            if (exists) {
                there.add(service);
            } else {
                there.remove(service);
            }
        }

        private synchronized Set<String> there() {
            return new TreeSet<>(there);
        }

        private void await(Set<String> want) throws Exception {
            Suite.await(Suite.SETTLE_TIME, () -> {
                if (!there().equals(want)) {
                    throw new Suite.Unmet("the watcher was told of " + there() + ", wanted " + want);
                }
            });
        }
    }

    private static Object read(Object event, String getter) throws Exception {
        return event.getClass().getMethod(getter).invoke(event);
    }

    private static Object watcher(Class<?> type, Names names) {
        return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
            switch (method.getName()) {
                case "onEvent":
                    Object event = arguments[0];
                    boolean exists = "ADD_SERVICE".equals(read(event, "getChangeType"));
                    names.take((String) read(event, "getServiceName"), exists);
                    return null;
                case "hashCode":
                    return System.identityHashCode(proxy);
                case "equals":
                    return proxy == arguments[0];
                case "toString":
                    return "watcher";
                default:
                    return null;
            }
        });
    }

    /** Removes an empty service at once; by itself it goes after a minute, and the SDK cannot ask for more. */
    private static void remove(String service) throws Exception {
        StringBuilder query = new StringBuilder("serviceName=" + service);
        for (String credential : List.of("username", "password")) {
            String value = Suite.env("TRINE_" + credential.replace("name", "").toUpperCase());
            query.append('&').append(credential).append('=').append(URLEncoder.encode(value, StandardCharsets.UTF_8));
        }
        URI uri = URI.create("http://" + Suite.checkAddress() + "/nacos/v1/ns/service?" + query);
        HttpRequest request = HttpRequest.newBuilder(uri).DELETE().build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new Suite.Unmet("remove: " + answer.statusCode() + " " + answer.body());
        }
    }

    /** Shows that a watcher is told what there is, what comes, and what goes. */
    static void run() throws Exception {
        Class<?> type;
        try {
            type = Class.forName(WATCHER);
        } catch (ClassNotFoundException absent) {
            throw new Suite.NotOffered("the SDK has no fuzzy watch");
        }
        String prefix = Suite.name("fuzzy");
        NamingService client = Suite.naming();
        NamingService other = Suite.otherNaming();
        try {
            Naming.registerAt(other, prefix + "-a", 8001);
            Naming.registerAt(other, prefix + "-b", 8001);
            Naming.registerAt(other, Suite.name("elsewhere"), 8001);
            Names names = new Names();
            Future<?> first = (Future<?>) NamingService.class
                    .getMethod("fuzzyWatchWithServiceKeys", String.class, String.class, type)
                    .invoke(client, prefix + "*", GROUP, watcher(type, names));
            Object view = first.get(Suite.SETTLE_TIME.toMillis(), TimeUnit.MILLISECONDS);
            List<?> keys = (List<?>) read(view, "getData");
            if (keys.size() != 2) {
                throw new Suite.Unmet("the first answer was " + keys + ", wanted two names");
            }
            names.await(Set.of(prefix + "-a", prefix + "-b"));
            Naming.registerAt(other, prefix + "-c", 8001);
            names.await(Set.of(prefix + "-a", prefix + "-b", prefix + "-c"));
            other.deregisterInstance(prefix + "-a", "10.1.2.3", 8001);
            remove(prefix + "-a");
            names.await(Set.of(prefix + "-b", prefix + "-c"));
        } catch (InvocationTargetException thrown) {
            throw new Suite.Unmet("the SDK answered " + thrown.getCause());
        } finally {
            client.shutDown();
            other.shutDown();
        }
    }
}
