package dev.trine.greeter;

import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.rpc.RpcException;

/** Calls {@link Greeter} five times a second and prints each answer that differs from the one before it. */
public final class Consumer {

    private Consumer() {
    }

    public static void main(String[] args) throws InterruptedException {
        ReferenceConfig<Greeter> reference = new ReferenceConfig<>();
        reference.setInterface(Greeter.class);
        DubboBootstrap.getInstance().reference(reference).start();
        System.out.println("started");
        Greeter greeter = reference.get();
        String last = "";
        while (true) {
            String answer = call(greeter);
            if (!answer.equals(last)) {
                System.out.println(answer);
            }
            last = answer;
            Thread.sleep(200);
        }
    }

    private static String call(Greeter greeter) {
        try {
            return "answer " + greeter.greet("trine");
        } catch (RpcException failed) {
            return failed.isNoInvokerAvailableAfterFilter() || failed.isForbidden() ? "no provider" : "failed " + failed;
        }
    }
}
