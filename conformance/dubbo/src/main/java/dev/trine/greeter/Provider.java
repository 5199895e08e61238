package dev.trine.greeter;

import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/** Provides {@link Greeter} until it is stopped; where, says dubbo.properties. */
public final class Provider {

    private Provider() {
    }

    public static void main(String[] args) {
        ServiceConfig<Greeter> service = new ServiceConfig<>();
        service.setInterface(Greeter.class);
        service.setRef(name -> "hello " + name);
        DubboBootstrap.getInstance().service(service).start();
        System.out.println("started");
        DubboBootstrap.getInstance().await();
    }
}
