"""One of gRPC's interoperability cases, with Python's grpcio as the client.

usage: client.py ADDRESS DESCRIPTOR_SET CASE

The cases are those of grpc/grpc's doc/interop-test-descriptions.md. Messages come from a descriptor set, so
that nothing has to be generated.
"""

import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

REQUESTS = (27182, 8, 1828, 45904)
RESPONSES = (31415, 9, 2653, 58979)
LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
INITIAL = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
TRAILING = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")
PATIENCE = 30


class Service:
    """The methods of the descriptors' services as grpcio's callables."""

    def __init__(self, channel, descriptors):
        self.channel = channel
        self.pool = descriptor_pool.DescriptorPool()
        with open(descriptors, "rb") as file:
            for proto in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
                self.pool.Add(proto)

    def message(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName("grpc.testing." + name))

    def call(self, method, service="TestService"):
        found = self.pool.FindServiceByName("grpc.testing." + service).FindMethodByName(method)
        reader = message_factory.GetMessageClass(found.output_type)
        kind = "%s_%s" % tuple("stream" if s else "unary" for s in (found.client_streaming, found.server_streaming))
        return getattr(self.channel, kind)(
            "/%s/%s" % (found.containing_service.full_name, method),
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=reader.FromString,
        )

    def payload(self, size):
        return self.message("Payload")(body=bytes(size))

    def large(self):
        return self.message("SimpleRequest")(response_size=LARGE_RESPONSE, payload=self.payload(LARGE_REQUEST))

    def ask(self, request, response):
        parameters = [self.message("ResponseParameters")(size=response)]
        return self.message("StreamingOutputCallRequest")(
            response_parameters=parameters, payload=self.payload(request)
        )


class Pipe:
    """Requests that are given one at a time."""

    def __init__(self):
        import queue

        self.queue = queue.Queue()

    def send(self, message):
        self.queue.put(message)

    def close(self):
        self.queue.put(None)

    def __iter__(self):
        return iter(self.queue.get, None)


def same(what, found, expected):
    if found != expected:
        raise AssertionError("%s: %.200r, should be %.200r" % (what, found, expected))


def fails(what, call):
    """The status that a call ends with."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError(what + ": succeeded")


def empty_unary(service):
    service.call("EmptyCall")(service.message("Empty")(), timeout=PATIENCE)


def large_unary(service):
    response = service.call("UnaryCall")(service.large(), timeout=PATIENCE)
    same("payload", response.payload.body, bytes(LARGE_RESPONSE))


def client_streaming(service):
    request = service.message("StreamingInputCallRequest")
    requests = (request(payload=service.payload(size)) for size in REQUESTS)
    response = service.call("StreamingInputCall")(requests, timeout=PATIENCE)
    same("size of all payloads", response.aggregated_payload_size, sum(REQUESTS))


def server_streaming(service):
    parameter = service.message("ResponseParameters")
    request = service.message("StreamingOutputCallRequest")(
        response_parameters=[parameter(size=size) for size in RESPONSES]
    )
    responses = service.call("StreamingOutputCall")(request, timeout=PATIENCE)
    same("sizes", [len(response.payload.body) for response in responses], list(RESPONSES))


def ping_pong(service):
    pipe = Pipe()
    responses = service.call("FullDuplexCall")(iter(pipe), timeout=PATIENCE)
    for request, response in zip(REQUESTS, RESPONSES):
        pipe.send(service.ask(request, response))
        same("size", len(next(responses).payload.body), response)
    pipe.close()
    same("rest", list(responses), [])


def empty_stream(service):
    same("answers", list(service.call("FullDuplexCall")(iter(()), timeout=PATIENCE)), [])


def timeout_on_sleeping_server(service):
    pipe = Pipe()
    pipe.send(service.ask(REQUESTS[0], RESPONSES[0]))
    call = service.call("FullDuplexCall")(iter(pipe), timeout=0.001)
    code, _ = fails("stream", lambda: list(call))
    pipe.close()
    same("code", code, grpc.StatusCode.DEADLINE_EXCEEDED)


def cancel_after_begin(service):
    pipe = Pipe()
    call = service.call("StreamingInputCall").future(iter(pipe), timeout=PATIENCE)
    call.cancel()
    pipe.close()
    same("cancelled", call.cancelled(), True)
    same("code", call.code(), grpc.StatusCode.CANCELLED)


def cancel_after_first_response(service):
    pipe = Pipe()
    responses = service.call("FullDuplexCall")(iter(pipe), timeout=PATIENCE)
    pipe.send(service.ask(REQUESTS[0], RESPONSES[0]))
    same("size", len(next(responses).payload.body), RESPONSES[0])
    responses.cancel()
    code, _ = fails("stream", lambda: next(responses))
    pipe.close()
    same("code", code, grpc.StatusCode.CANCELLED)


def status(service, message, stream=True):
    echo = service.message("EchoStatus")(code=2, message=message)
    request = service.message("SimpleRequest")(response_status=echo)
    found = fails("unary call", lambda: service.call("UnaryCall")(request, timeout=PATIENCE))
    same("status of a unary call", found, (grpc.StatusCode.UNKNOWN, message))
    if stream:
        request = service.message("StreamingOutputCallRequest")(response_status=echo)
        call = service.call("FullDuplexCall")(iter([request]), timeout=PATIENCE)
        same("status of a stream", fails("stream", lambda: list(call)), (grpc.StatusCode.UNKNOWN, message))


def status_code_and_message(service):
    status(service, "test status message")


def special_status_message(service):
    status(service, SPECIAL, stream=False)


def custom_metadata(service):
    metadata = (INITIAL, TRAILING)
    _, call = service.call("UnaryCall").with_call(service.large(), metadata=metadata, timeout=PATIENCE)
    same("initial", dict(call.initial_metadata()).get(INITIAL[0]), INITIAL[1])
    same("trailing", dict(call.trailing_metadata()).get(TRAILING[0]), TRAILING[1])
    requests = iter([service.ask(LARGE_REQUEST, LARGE_RESPONSE)])
    call = service.call("FullDuplexCall")(requests, metadata=metadata, timeout=PATIENCE)
    same("initial of a stream", dict(call.initial_metadata()).get(INITIAL[0]), INITIAL[1])
    same("answers", len(list(call)), 1)
    same("trailing of a stream", dict(call.trailing_metadata()).get(TRAILING[0]), TRAILING[1])


def unimplemented(service, name):
    call = service.call("UnimplementedCall", name)
    code, _ = fails("call", lambda: call(service.message("Empty")(), timeout=PATIENCE))
    same("code", code, grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_method(service):
    unimplemented(service, "TestService")


def unimplemented_service(service):
    unimplemented(service, "UnimplementedService")


def main():
    address, descriptors, case = sys.argv[1:]
    cases = [
        empty_unary, large_unary, client_streaming, server_streaming, ping_pong, empty_stream,
        timeout_on_sleeping_server, cancel_after_begin, cancel_after_first_response, status_code_and_message,
        special_status_message, custom_metadata, unimplemented_method, unimplemented_service,
    ]
    run = {function.__name__: function for function in cases}[case]
    with grpc.insecure_channel(address) as channel:
        service = Service(channel, descriptors)
        run(service)
        # Whatever it was, the connection goes on.
        empty_unary(service)


if __name__ == "__main__":
    main()
