internal import CXXHash

/// XXH3-64 of bytes (xxHash 0.8): the checksum of log batches, positions and fingerprints.
public func checksum64(_ bytes: RawSpan) -> UInt64 {
    unsafe bytes.withUnsafeBytes { unsafe XXH3_64bits($0.baseAddress, $0.count) }
}
