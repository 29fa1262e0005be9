import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import com.google.protobuf.ByteString;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import lingting.hotline.v1.Audio;
import lingting.hotline.v1.AudioEncoding;
import lingting.hotline.v1.CallConfig;
import lingting.hotline.v1.CallEvent;
import lingting.hotline.v1.HotlineGrpc;
import lingting.hotline.v1.Role;
import lingting.hotline.v1.StreamCallRequest;

/**
 * A live call by our own gRPC. Classes of lingting.hotline.v1 come from hotline.proto by protoc with
 * grpc-java's plugin; with Maven: grpc-netty, grpc-protobuf, grpc-stub, proto-google-common-protos.
 *
 * BOX_GRPC=lingting.example.cn:50051 BOX_CA=ca.pem BOX_KEY=lt_... java LiveCall call.wav
 */
public final class LiveCall {
  private static final int CHUNK_BYTES = 1600; // 100 ms of two legs of A-law at 8 kHz

  public static void main(String[] args) throws Exception {
    String[] box = System.getenv("BOX_GRPC").split(":");
    Metadata key = new Metadata();
    key.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER),
        "Bearer " + System.getenv("BOX_KEY"));
    NettyChannelBuilder builder =
        NettyChannelBuilder.forAddress(box[0], Integer.parseInt(box[1]))
            .intercept(MetadataUtils.newAttachHeadersInterceptor(key));
    if (System.getenv("BOX_CA") == null) {
      builder.usePlaintext(); // a box on loopback, as `make demo KEEP=1` leaves it
    } else {
      builder.sslContext(
          GrpcSslContexts.forClient().trustManager(new File(System.getenv("BOX_CA"))).build());
    }
    ManagedChannel channel = builder.build();
    CountDownLatch over = new CountDownLatch(1);
    StreamObserver<StreamCallRequest> call =
        HotlineGrpc.newStub(channel).streamCall(new Listener(over));
    call.onNext(StreamCallRequest.newBuilder().setConfig(CallConfig.newBuilder()
        .setEncoding(AudioEncoding.AUDIO_ENCODING_ALAW)
        .setSampleRateHertz(8000)
        .setChannels(2)
        .addLegRoles(Role.ROLE_AGENT)
        .addLegRoles(Role.ROLE_CITIZEN)
        .setCallId("example-java")).build());
    try (InputStream line = new FileInputStream(args[0])) {
      line.skip(58); // the header of this WAV
      for (byte[] chunk = line.readNBytes(CHUNK_BYTES); chunk.length > 0;
          chunk = line.readNBytes(CHUNK_BYTES)) {
        call.onNext(StreamCallRequest.newBuilder()
            .setAudio(Audio.newBuilder().setContent(ByteString.copyFrom(chunk))).build());
        Thread.sleep(100); // a line has its own pace
      }
    }
    call.onCompleted();
    over.await();
    channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
  }

  /** What the box says, as it comes. */
  private static final class Listener implements StreamObserver<CallEvent> {
    private final CountDownLatch over;

    Listener(CountDownLatch over) {
      this.over = over;
    }

    @Override
    public void onNext(CallEvent event) {
      if (event.hasFinal()) {
        System.out.println("leg " + event.getFinal().getLeg() + ": " + event.getFinal().getText());
      } else if (event.getEventCase() == CallEvent.EventCase.ENDED) {
        System.out.println(event.getName() + ": " + event.getEnded());
      }
    }

    @Override
    public void onError(Throwable error) { // RESOURCE_EXHAUSTED: trailers say when to come back
      System.err.println(error.getMessage());
      over.countDown();
    }

    @Override
    public void onCompleted() {
      over.countDown();
    }
  }
}
