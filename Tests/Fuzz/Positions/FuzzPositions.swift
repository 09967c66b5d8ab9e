import TributaryCore
import TributaryRuntime

/// What the runtime keeps beside offsets and rows.
///
/// The first byte says which.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let bytes = unsafe RawSpan(_unsafeStart: start + 1, byteCount: count - 1)
    switch unsafe start.pointee % 2 {
    case 0: _ = RuntimeFuzzEntries.offsetMetadata(bytes)
    default: _ = RuntimeFuzzEntries.storePosition(bytes)
    }
    return 0
}
