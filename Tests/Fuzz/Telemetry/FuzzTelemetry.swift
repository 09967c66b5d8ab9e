import TributaryCore
import TributaryTelemetry

/// Lines of OTLP in JSON, gzip streams, and answers of OTLP servers.
///
/// The first byte says which.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let bytes = unsafe RawSpan(_unsafeStart: start + 1, byteCount: count - 1)
    switch unsafe start.pointee {
    case 2: _ = TelemetryFuzzEntries.otlpAnswer(bytes)
    case let other where other % 2 == 0: _ = TelemetryFuzzEntries.otlpJSON(bytes)
    default: _ = TelemetryFuzzEntries.gzip(bytes)
    }
    return 0
}
