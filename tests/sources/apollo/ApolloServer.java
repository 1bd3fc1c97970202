import com.ctrip.framework.apollo.mockserver.ApolloTestingServer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Apollo's own server for tests, in a process: says its port on standard error, then takes commands of one line
 * each and answers "done" to each on standard output.
 *
 * <pre>
 * put NAMESPACE BASE64     the namespace's content
 * delete NAMESPACE
 * </pre>
 */
public final class ApolloServer {
  private static final String CONTENT = "content";

  public static void main(String[] arguments) throws Exception {
    ApolloTestingServer server = new ApolloTestingServer();
    server.start();
    System.err.println("serving " + System.getProperty("apollo.config-service"));
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] words = line.split(" ", 3);
      if (words[0].equals("put")) {
        String content = new String(Base64.getDecoder().decode(words[2]), StandardCharsets.UTF_8);
        server.addOrModifyProperty(words[1], CONTENT, content);
      } else {
        server.deleteProperty(words[1], CONTENT);
      }
      System.out.println("done");
    }
    // Whoever started us is gone.
    System.exit(0);
  }
}
