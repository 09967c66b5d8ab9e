import TributaryCore
import TributaryLineage

/// The bytes of a cell, and of the header and the section that hold cells.
///
/// The first byte says which.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let bytes = unsafe RawSpan(_unsafeStart: start + 1, byteCount: count - 1)
    switch unsafe start.pointee % 3 {
    case 0: _ = FuzzEntries.cell(bytes)
    case 1: _ = FuzzEntries.cellHeader(bytes)
    default: _ = FuzzEntries.elements(bytes)
    }
    return 0
}
