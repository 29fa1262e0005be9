import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.UUID;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * A recording by HTTP, with nothing but the JDK (11 or later).
 *
 * BOX_HTTP=https://lingting.example.cn:9000 BOX_CA=ca.pem BOX_KEY=lt_... java Recording.java call.wav
 */
public final class Recording {
  public static void main(String[] args) throws Exception {
    HttpClient client = HttpClient.newBuilder().sslContext(trusting(System.getenv("BOX_CA"))).build();
    String boundary = UUID.randomUUID().toString();
    HttpRequest upload = request("/api/v1/recordings")
        .header("Content-Type", "multipart/form-data; boundary=" + boundary)
        .header("Idempotency-Key", UUID.randomUUID().toString()) // sent again, it is the same one
        .POST(HttpRequest.BodyPublishers.ofByteArray(form(boundary, Path.of(args[0]))))
        .build();
    HttpResponse<String> accepted = client.send(upload, HttpResponse.BodyHandlers.ofString());
    if (accepted.statusCode() != 202) { // 429 and 503 say in Retry-After when to come back
      System.err.println(accepted.statusCode() + " " + accepted.body());
      System.exit(1);
    }
    String place = accepted.headers().firstValue("location").orElseThrow();
    String state;
    do {
      Thread.sleep(500);
      state = client.send(request(place).build(), HttpResponse.BodyHandlers.ofString()).body();
    } while (state.contains("\"queued\"") || state.contains("\"running\""));
    String call = place.replace("/recordings/", "/calls/");
    System.out.println(
        client.send(request(call).build(), HttpResponse.BodyHandlers.ofString()).body());
  }

  private static HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(System.getenv("BOX_HTTP") + path))
        .header("Authorization", "Bearer " + System.getenv("BOX_KEY"));
  }

  private static byte[] form(String boundary, Path file) throws Exception {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    body.writeBytes(("--" + boundary + "\r\nContent-Disposition: form-data; name=\"call_id\"\r\n\r\n"
        + "example-java-recording\r\n--" + boundary
        + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"call.wav\"\r\n\r\n")
        .getBytes(StandardCharsets.UTF_8));
    body.writeBytes(Files.readAllBytes(file));
    body.writeBytes(("\r\n--" + boundary + "--\r\n").getBytes(StandardCharsets.UTF_8));
    return body.toByteArray();
  }

  /** Trusts the box's authority and nobody else. */
  private static SSLContext trusting(String authority) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null);
    try (InputStream in = new FileInputStream(authority)) {
      store.setCertificateEntry("box",
          CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory managers =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return context;
  }
}
