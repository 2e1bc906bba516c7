import org.codelibs.opensearch.runner.OpenSearchRunner;

/** Runs one OpenSearch node on the loopback interface until it is killed: folder, HTTP port, transport port. */
public final class Launcher {
    public static void main(String[] args) throws Exception {
        new OpenSearchRunner().onBuild((number, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", args[1]);
            settings.put("transport.port", args[2]);
            settings.put("discovery.type", "single-node");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
        }).build(OpenSearchRunner.newConfigs().basePath(args[0]).numOfNode(1).disableESLogger().printOnFailure().clusterName("databay-test"));
        Thread.currentThread().join();
    }
}
