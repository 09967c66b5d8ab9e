import TributaryCore
import TributaryLineage

/// A stored value, with the lists inside.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    _ = unsafe FuzzEntries.envelope(RawSpan(_unsafeStart: start, byteCount: count))
    return 0
}
