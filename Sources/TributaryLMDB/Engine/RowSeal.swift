internal import TributaryCore
internal import TributaryLineage

/// The checksum that each row of a state file ends with: LMDB's pages have none.
///
/// 32 bits of XXH3 over table, key and value, so that a row read in another place than it was written to is noticed, too.
struct RowSeal: BitwiseCopyable, Sendable {
    /// The bytes behind a value.
    static let size = 4

    private let table: UInt64

    /// The checksums of a database's rows.
    init(_ database: String) {
        let name = Array(database.utf8)
        table = checksum64(unsafe name.span.bytes)
    }

    @inline(__always)
    func checksum(_ key: RawSpan, _ value: RawSpan) -> UInt32 {
        // The factor lets key and value not be swapped.
        let word = (checksum64(key) &+ table) &* 0x9e37_79b9_7f4a_7c15 ^ checksum64(value)
        return UInt32(truncatingIfNeeded: word ^ word >> 32)
    }

    /// The value of a row as it is stored; nil if it isn't what was written.
    @inline(__always)
    @_lifetime(copy stored)
    func open(_ key: RawSpan, _ stored: RawSpan) -> RawSpan? {
        let count = stored.byteCount &- Self.size
        guard let seal = stored.integer(at: count, as: UInt32.self) else { return nil }
        let value = stored.prefix(count)
        return seal == checksum(key, value) ? value : nil
    }
}
