import TributaryCore
import TributaryLMDB

/// A stored batch of the embedded log.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    _ = unsafe LogFuzzEntries.batch(RawSpan(_unsafeStart: start, byteCount: count))
    return 0
}
