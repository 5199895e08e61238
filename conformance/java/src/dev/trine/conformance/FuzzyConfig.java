package dev.trine.conformance;

import com.alibaba.nacos.api.config.ConfigService;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** The step about watching which configs there are. Looked up by name, because only major 3 of the SDK has it. */
final class FuzzyConfig {

    private static final String WATCHER = "com.alibaba.nacos.api.config.listener.FuzzyWatchEventWatcher";

    private FuzzyConfig() {
    }

    /** The names that a watcher was told and that were not taken back. */
    private static final class Names {
        private final Set<String> there = new TreeSet<>();

        private synchronized void take(String dataId, boolean exists) {
            if (exists) {
                there.add(dataId);
            } else {
                there.remove(dataId);
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
                    boolean exists = "ADD_CONFIG".equals(read(event, "getChangedType"));
                    names.take((String) read(event, "getDataId"), exists);
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

    /** Shows that a watcher is told what there is, what comes, and what goes. */
    static void run() throws Exception {
        Class<?> type;
        try {
            type = Class.forName(WATCHER);
        } catch (ClassNotFoundException absent) {
            throw new Suite.NotOffered("the SDK has no fuzzy watch");
        }
        String prefix = Suite.name("fuzzy");
        ConfigService client = Suite.config();
        ConfigService other = Suite.otherConfig();
        try {
            Config.put(other, prefix + "-a", "one");
            Config.put(other, prefix + "-b", "one");
            Config.put(other, Suite.name("elsewhere"), "one");
            Names names = new Names();
            Object watcher = watcher(type, names);
            Future<?> first = (Future<?>) ConfigService.class
                    .getMethod("fuzzyWatchWithGroupKeys", String.class, String.class, type)
                    .invoke(client, prefix + "*", Config.GROUP, watcher);
            Set<?> keys = (Set<?>) first.get(Suite.SETTLE_TIME.toMillis(), TimeUnit.MILLISECONDS);
            if (keys.size() != 2) {
                throw new Suite.Unmet("the first answer was " + keys + ", wanted two names");
            }
            names.await(Set.of(prefix + "-a", prefix + "-b"));
            Config.put(other, prefix + "-c", "one");
            names.await(Set.of(prefix + "-a", prefix + "-b", prefix + "-c"));
            if (!other.removeConfig(prefix + "-a", Config.GROUP)) {
                throw new Suite.Unmet("remove: the SDK answered false");
            }
            names.await(Set.of(prefix + "-b", prefix + "-c"));
        } catch (InvocationTargetException thrown) {
            throw new Suite.Unmet("the SDK answered " + thrown.getCause());
        } finally {
            client.shutDown();
            other.shutDown();
        }
    }
}
