import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

/** One node of OpenSearch on loopback: DIRECTORY PORT PORT_BETWEEN_NODES. */
public class Server {
    /** A node whose plugins are on the class path. */
    static class Classpath extends Node {
        Classpath(Environment environment) {
            super(environment, List.<Class<? extends Plugin>>of(Netty4Plugin.class), false);
        }
    }

    public static void main(String[] args) throws Exception {
        Settings settings = Settings.builder()
            .put("path.home", args[0])
            .put("cluster.name", "barterline-test")
            .put("node.name", "one")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.type", "netty4")
            .put("http.port", args[1])
            .put("transport.type", "netty4")
            .put("transport.port", args[2])
            // A test machine may be nearly full.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        Node node = new Classpath(
            InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "one"));
        node.start();
        Thread.currentThread().join();
    }
}
