internal import TributaryCore

/// What a read of a row found, for the write that goes on from it: ``StateStore/writeAggregate(_:_:after:window:_:)``.
///
/// It counts until the store's next read or write, which user code between the two may cause: a write looks the key up again
/// with a handle that doesn't count any more.
public struct RowHandle: BitwiseCopyable, Sendable {
    /// Whether the key has a row.
    public let exists: Bool
    /// The cache's entry of the key; -1 for none.
    let entry: Int32
    /// ``StateStore/version`` after the read.
    let version: Int64

    /// Of no read.
    public static var none: RowHandle { RowHandle(exists: false, entry: -1, version: -1) }

    /// Of a row that begins with what another one has, which whoever made this holds.
    public static var seed: RowHandle { RowHandle(exists: true, entry: -1, version: -2) }

    /// Whether this is ``seed``.
    @inline(__always)
    public var isSeed: Bool { version == -2 }
}

extension StateStore {
    /// Another number after each read and each write.
    @inline(__always)
    var version: Int64 { state.value.gets &+ state.value.writes &+ state.value.walked }

    /// The handle of the read at hand.
    @inline(__always)
    func handle(_ entry: Int32, exists: Bool) -> RowHandle {
        RowHandle(exists: exists, entry: entry, version: version)
    }

    /// Whether the store was neither read nor written since.
    @inline(__always)
    func isCurrent(_ read: RowHandle) -> Bool { read.version == version }

    /// The entry that a read found, while it counts; else -1.
    @inline(__always)
    func entry(of read: RowHandle) -> Int32 { isCurrent(read) ? read.entry : -1 }

    @inline(never)
    func readAgain(_ key: RawSpan) throws -> RowHandle { try read(key) }
}
