import TributaryConformance

/// The text of a conformance case.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    _ = unsafe ConformanceFuzzEntries.caseText(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
