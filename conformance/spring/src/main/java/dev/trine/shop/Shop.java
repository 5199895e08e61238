package dev.trine.shop;

import java.util.List;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.client.loadbalancer.LoadBalanced;
import org.springframework.cloud.context.config.annotation.RefreshScope;
import org.springframework.context.annotation.Bean;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestTemplate;

/** A web application that reads its greeting from the config center, and calls its like by the name of their service. */
@SpringBootApplication
public class Shop {

    public static void main(String[] args) {
        SpringApplication.run(Shop.class, args);
    }

    @Bean
    @LoadBalanced
    RestTemplate rest() {
        return new RestTemplate();
    }

    /** What the config says, as it is now. */
    @RestController
    @RefreshScope
    static class Greeting {
        @Value("${greeting}")
        private String greeting;

        @GetMapping("/greeting")
        String greeting() {
            return greeting;
        }
    }

    /** What the registry says, and a call by it. */
    @RestController
    static class Neighbours {
        private final RestTemplate rest;
        private final DiscoveryClient discovery;

        Neighbours(RestTemplate rest, DiscoveryClient discovery) {
            this.rest = rest;
            this.discovery = discovery;
        }

        @GetMapping("/instances/{service}")
        List<Integer> instances(@PathVariable("service") String service) {
            return discovery.getInstances(service).stream().map(ServiceInstance::getPort).toList();
        }

        @GetMapping("/call/{service}")
        String call(@PathVariable("service") String service) {
            return rest.getForObject("http://" + service + "/greeting", String.class);
        }
    }
}
