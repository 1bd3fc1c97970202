import com.ctrip.framework.apollo.mockserver.ApolloTestingServer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Apollo's own mock of its config service, driven by lines on the standard input:
 * `put NAMESPACE KEY BASE64` and `delete NAMESPACE KEY`, each answered with `done`.
 * The first line that it prints is its port. Ends with the standard input.
 */
public class Mock {
    public static void main(String[] arguments) throws Exception {
        ApolloTestingServer apollo = new ApolloTestingServer();
        apollo.start();
        Field server = ApolloTestingServer.class.getDeclaredField("server");
        server.setAccessible(true);
        Object mock = server.get(apollo);
        System.out.println(mock.getClass().getMethod("getPort").invoke(mock));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("put")) {
                byte[] value = Base64.getDecoder().decode(words.length > 3 ? words[3] : "");
                apollo.addOrModifyProperty(words[1], words[2], new String(value, StandardCharsets.UTF_8));
            } else {
                apollo.deleteProperty(words[1], words[2]);
            }
            System.out.println("done");
        }
        apollo.close();
    }
}
