internal import CXXHash

/// XXH3-64 of bytes (xxHash 0.8): the checksum of log batches, positions and fingerprints.
public func checksum64(_ bytes: RawSpan) -> UInt64 {
    unsafe bytes.withUnsafeBytes { unsafe XXH3_64bits($0.baseAddress, $0.count) }
}

/// XXH3-128 of bytes with a seed, as two words: for telling many keys apart.
package func checksum128(_ bytes: RawSpan, seed: UInt64) -> (low: UInt64, high: UInt64) {
    let hash = unsafe bytes.withUnsafeBytes { unsafe XXH3_128bits_withSeed($0.baseAddress, $0.count, seed) }
    return (hash.low64, hash.high64)
}
