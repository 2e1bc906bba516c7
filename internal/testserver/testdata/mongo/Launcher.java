import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;

/** Serves an empty database, kept in memory, on the loopback port that it is given. */
public class Launcher {
	/** What drivers ask for at least. The server by itself stops one version below. */
	private static final MongoVersion VERSION = new MongoVersion() {
		@Override
		public List<Integer> getVersionArray() {
			return List.of(4, 4, 0);
		}

		@Override
		public int getWireVersion() {
			return 9;
		}
	};

	public static void main(String[] args) throws InterruptedException {
		new MongoServer(new MemoryBackend().version(VERSION)).bind("127.0.0.1", Integer.parseInt(args[0]));
		Thread.currentThread().join();
	}
}
