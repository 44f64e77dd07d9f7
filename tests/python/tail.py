"""A client of the sensor that shares nothing with it but the .proto files.

    python tail.py PROTO_FOLDER ADDRESS COUNT [events]

prints, one JSON object per line: health, version, then COUNT items of the stream, each with all its fields by name (`bytes` as base64) and
serialised again (`wire`, hex). It makes its own code from the .proto files, in a temporary folder.
"""

import json
import pathlib
import sys
import tempfile

import grpc
import grpc_tools
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_tools import protoc


def generate(protos: str, out: str) -> None:
    files = sorted(str(p.relative_to(protos)) for p in pathlib.Path(protos).rglob("*.proto"))
    standard = str(pathlib.Path(grpc_tools.__file__).parent / "_proto")
    if protoc.main(["protoc", f"-I{protos}", f"-I{standard}", f"--python_out={out}", f"--grpc_python_out={out}", *files]) != 0:
        sys.exit("the .proto files do not compile")
    sys.path.insert(0, out)


def show(**fields) -> None:
    print(json.dumps(fields, sort_keys=True), flush=True)


def fields(message) -> dict:
    return MessageToDict(message, preserving_proto_field_name=True)


def main() -> None:
    protos, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with tempfile.TemporaryDirectory() as out:
        generate(protos, out)
        from sensor.v1 import service_pb2, service_pb2_grpc
    # For a UNIX socket gRPC's C core makes an authority of the path that HTTP/2 does not allow, and servers other than its own refuse it.
    with grpc.insecure_channel(address, options=[("grpc.default_authority", "localhost")]) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ["", "sensor.v1.Sensor"]:
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=20)
            show(service=service, health=health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
        sensor = service_pb2_grpc.SensorStub(channel)
        show(version=fields(sensor.Version(service_pb2.VersionRequest(), timeout=20)))
        include = service_pb2.INCLUDE_FINDINGS_AND_EVENTS if "events" in sys.argv[4:] else service_pb2.INCLUDE_FINDINGS
        stream = sensor.Subscribe(service_pb2.SubscribeRequest(include=include), timeout=60)
        # The server has subscribed us when it sends its headers.
        stream.initial_metadata()
        show(subscribed=True)
        for _ in range(count):
            item = next(stream)
            show(item=fields(item), wire=item.SerializeToString(deterministic=True).hex())


main()
