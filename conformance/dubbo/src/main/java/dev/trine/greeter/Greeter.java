package dev.trine.greeter;

/** The service that is provided and consumed. */
public interface Greeter {
    String greet(String name);
}
