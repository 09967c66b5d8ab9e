import TributaryCore
import TributaryLineage
import TributaryRuntime

/// Header lists and the texts of `traceparent`, `tracestate` and `baggage`.
///
/// The first byte says which.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let bytes = unsafe RawSpan(_unsafeStart: start + 1, byteCount: count - 1)
    switch unsafe start.pointee {
    case 3: _ = FuzzEntries.tracestate(bytes)
    case 4: _ = FuzzEntries.baggage(bytes)
    case let other where other % 3 == 0: _ = FuzzEntries.headers(bytes)
    case let other where other % 3 == 1: _ = FuzzEntries.traceparent(bytes)
    default: _ = RuntimeFuzzEntries.strippedHeaders(bytes)
    }
    return 0
}
